"""What there is in an account: applications, queues, operators. What are they called?"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from exporter.clock import Clock
from exporter.errors import InvalidAnswer, ProviderError, Throttled, Unauthorized
from exporter.providers.voximplant.answers import identity
from exporter.providers.voximplant.client import Client, Row
from exporter.providers.voximplant.config import VoximplantConfig

T = TypeVar("T")
SLOW = 900.0  # seconds for which an inventory is believed that no feed keeps fresh
JUST_READ = 30.0  # asking again sooner might look like a resend
_THIS_MOMENT = 1.0
_TRY_AGAIN = 60.0
_MOST_REPORT_IDS = 5  # Voximplant, GetSmartQueueRealtimeMetrics
ALL_OF_A_SUDDEN = "the answer was empty all of a sudden; it is asked for once more"

Application = Mapping[str, str]


class Kept(Generic[T]):
    """Something that was read, and when; it is read again when somebody wants it fresher.

    Nothing right after something must come twice to be believed.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._read_at = float("-inf")
        self._not_before = float("-inf")
        self._doubted = self._taken = False
        self.value: T | None = None

    async def within(self, age: float) -> T:
        """Return it, at most ``age`` seconds old. Raises ``ProviderError``."""
        now = self._clock.monotonic()
        if self.value is None or now - self._read_at > age:
            self._not_before = now + _TRY_AGAIN
            found = await self._read()
            if self.value and not found and not self._doubted:
                self._doubted = True
                raise InvalidAnswer(ALL_OF_A_SUDDEN)
            self._doubted = self._taken = False
            self._not_before = float("-inf")
            self.value = found
            self._read_at = self._clock.monotonic()
        return self.value

    async def take(self, age: float) -> T:
        """Return it for its own feed: read anew, unless somebody else has just done that."""
        found = await self.within(float("-inf") if self._taken else age)
        self._taken = True
        return found

    async def peek(self, age: float) -> T | None:
        """Return it, read anew where that is due and works, else what there is."""
        stale = self._clock.monotonic() - self._read_at > age
        if stale and self._clock.monotonic() >= self._not_before:
            try:
                return await self.within(age)
            except (Throttled, Unauthorized):
                raise
            except ProviderError as error:
                pause = max(error.retry_after, _TRY_AGAIN)
                self._not_before = self._clock.monotonic() + pause
        return self.value


class Inventory:
    """The account's objects by id. Lives as long as the account."""

    def __init__(self, client: Client, config: VoximplantConfig, clock: Clock) -> None:
        self._client = client
        self._config = config
        self._found = Kept(self._read_applications, clock)
        self.queues: Kept[dict[str, Row]] = Kept(self._read_queues, clock)
        self.operators: Kept[dict[str, Row]] = Kept(self._read_operators, clock)
        self.smartqueues: Kept[list[tuple[Application, str]]] = Kept(self._read_smartqueues, clock)
        self._smartqueue_names: dict[str, str] = {}
        self._strangers: set[str] = set()
        self._people: tuple[dict[str, Row], dict[str, str]] = ({}, {})

    # Reading -------------------------------------------------------------------------------

    async def applications(self) -> list[Application]:
        """Return what names each application in a request: those configured, else all."""
        if self._config.applications:
            return [_named(each) for each in self._config.applications]
        return await self._found.within(SLOW)

    async def smartqueue_applications(self) -> list[Application]:
        """Return the applications whose SmartQueue is read."""
        wanted = self._config.smartqueue.applications if self._config.smartqueue else []
        return [_named(each) for each in wanted] or await self.applications()

    async def _read_applications(self) -> list[Application]:
        rows = await self._client.pages("GetApplications")
        ids = (identity(row.get("application_id")) for row in rows)
        return [{"application_id": each} for each in dict.fromkeys(ids) if each]

    async def _read_queues(self) -> dict[str, Row]:
        only = [_named(each) for each in self._config.applications] or [{}]
        rows: list[Row] = []
        for application in only:
            rows += await self._client.pages("GetQueues", with_operatorcount=True, **application)
        return _by_id(rows, "acd_queue_id")

    async def _read_operators(self) -> dict[str, Row]:
        rows: list[Row] = []
        for application in await self.applications():
            rows += await self._client.pages("GetUsers", order_by="user_id", **application)
        return _by_id(rows, "user_id")

    async def _read_smartqueues(self) -> list[tuple[Application, str]]:
        found: list[tuple[Application, str]] = []
        for application in await self.smartqueue_applications():
            rows = await self._client.pages("SQ_GetQueues", **application)
            self._learn_smartqueues(rows)
            ids = _by_id(rows, "sq_queue_id")
            found += [(application, each) for each in ids]
        return found

    async def meet_queues(self, ids: Iterable[str]) -> dict[str, Row]:
        """Return the queues of ACD v1, read anew if one of ``ids`` is met for the first time."""
        known = await self.queues.peek(SLOW) or {}
        new = set(ids) - set(known) - self._strangers
        if new:
            known = await self.queues.peek(_THIS_MOMENT) or {}
            self._strangers |= new - set(known)
        return known

    async def meet_smartqueues(self, rows: list[Row]) -> None:
        """Remember the names of SmartQueue's queues, and whether ACD v1 has the new ones too."""
        before = len(self._smartqueue_names)
        self._learn_smartqueues(rows)
        is_new = len(self._smartqueue_names) > before
        await self.queues.peek(_THIS_MOMENT if is_new else SLOW)

    def _learn_smartqueues(self, rows: list[Row]) -> None:
        for row in rows:
            name = row.get("sq_queue_name")
            if isinstance(name, str) and name:
                self._smartqueue_names[identity(row.get("sq_queue_id"))] = name

    # Names ---------------------------------------------------------------------------------

    def people(self) -> dict[str, str] | None:
        """Return the names of the operators, as far as they were read."""
        known = self.operators.value
        if known is None:
            return None
        if known is not self._people[0]:
            names = {user: str(row.get("user_display_name") or "") for user, row in known.items()}
            self._people = (known, names)
        return self._people[1]

    def queue_labels(self) -> dict[str, str]:
        """Return what the queues of ACD v1 are called; namesakes carry the id."""
        known = self.queues.value or {}
        return _told_apart(
            {each: str(row.get("acd_queue_name") or each) for each, row in known.items()}
        )

    def smartqueue_labels(self) -> dict[str, str]:
        """Return the same of SmartQueue's; those of ACD v1 keep a name that both have."""
        taken = set(self.queue_labels().values())
        labels = {}
        for each, label in _told_apart(self._smartqueue_names).items():
            name = self._smartqueue_names[each]
            longer = [label, f"{name} ({each})", f"{name} (SmartQueue {each})"]
            labels[each] = next(each for each in longer if each not in taken)
        return labels


def _named(reference: str) -> Application:
    """Return how a request names an application: by its id, which is a number, or its name."""
    key = "application_id" if reference.isdigit() else "application_name"
    return {key: reference}


def _by_id(rows: list[Row], name: str) -> dict[str, Row]:
    """Return rows by id; one that moved from page to page while we read counts once."""
    found = {identity(row.get(name)): row for row in rows}
    found.pop("", None)
    return found


def _told_apart(names: Mapping[str, str]) -> dict[str, str]:
    often = Counter(names.values())
    return {each: name if often[name] == 1 else f"{name} ({each})" for each, name in names.items()}


def portions(
    queues: Iterable[tuple[Application, str]],
) -> Iterator[tuple[Application, list[str]]]:
    """Yield (application, ids of as many of its queues as a request for reports may name)."""
    grouped: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for application, queue in queues:
        grouped.setdefault(tuple(application.items()), []).append(queue)
    for application_items, ids in grouped.items():
        for start in range(0, len(ids), _MOST_REPORT_IDS):
            yield dict(application_items), ids[start : start + _MOST_REPORT_IDS]
