"""Inventory of an account: applications, queues and operators, and their labels."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from exporter.clock import Clock
from exporter.errors import InvalidAnswer, ProviderError, Throttled, Unauthorized
from exporter.metrics.parsers import plain_text
from exporter.providers.voximplant.answers import JsonObject, ObjectsById, to_id
from exporter.providers.voximplant.client import Client
from exporter.providers.voximplant.config import VoximplantConfig

T = TypeVar("T")
# Ages in seconds.
SLOW = 900.0  # of an inventory that no feed keeps fresh
JUST_READ = 30.0  # reading again sooner might look like a resend
_NOW = 1.0
_RETRY_PAUSE = 60.0
_MOST_REPORT_IDS = 5  # in a request (Management API reference, GetSmartQueueRealtimeMetrics)
EMPTIED = "the answer is empty after one that was not; it is read once more"

Application = Mapping[str, str]  # the request parameter that names it


class Cached(Generic[T]):
    """A value that is read again when a caller needs it fresher.

    An empty value right after one that was not must be read twice to be accepted.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._read_at = float("-inf")
        self._not_before = float("-inf")
        self._was_empty = self._used = False
        self.value: T | None = None

    async def get(self, max_age: float) -> T:
        """Return the value, at most ``max_age`` seconds old. Raises ``ProviderError``."""
        now = self._clock.monotonic()
        if self.value is None or now - self._read_at > max_age:
            self._not_before = now + _RETRY_PAUSE
            value = await self._read()
            if self.value and not value and not self._was_empty:
                self._was_empty = True
                raise InvalidAnswer(EMPTIED)
            self._was_empty = self._used = False
            self._not_before = float("-inf")
            self.value = value
            self._read_at = self._clock.monotonic()
        return self.value

    async def refresh(self, max_age: float) -> T:
        """Return the value for its own feed: read again, unless another feed has just done so."""
        value = await self.get(float("-inf") if self._used else max_age)
        self._used = True
        return value

    async def get_or_stale(self, max_age: float) -> T | None:
        """Return the value, read again where that is due and works; else the last one."""
        is_stale = self._clock.monotonic() - self._read_at > max_age
        if is_stale and self._clock.monotonic() >= self._not_before:
            try:
                return await self.get(max_age)
            except (Throttled, Unauthorized):
                raise
            except ProviderError as error:
                pause = max(error.retry_after, _RETRY_PAUSE)
                self._not_before = self._clock.monotonic() + pause
        return self.value


class Inventory:
    """The account's objects by id. Lives as long as the account."""

    def __init__(self, client: Client, config: VoximplantConfig, clock: Clock) -> None:
        self._client = client
        self._config = config
        self._applications = Cached(self._read_applications, clock)
        self.queues: Cached[ObjectsById] = Cached(self._read_queues, clock)
        self.operators: Cached[ObjectsById] = Cached(self._read_operators, clock)
        self.smartqueues: Cached[list[tuple[Application, str]]] = Cached(
            self._read_smartqueues, clock
        )
        self._smartqueue_names: dict[str, str] = {}
        self._unknown_queues: set[str] = set()
        self._operator_names: tuple[ObjectsById, dict[str, str]] = (ObjectsById([], ""), {})

    # Reading -------------------------------------------------------------------------------

    async def applications(self) -> list[Application]:
        """Return the configured applications, else all."""
        if self._config.applications:
            return [_application(name) for name in self._config.applications]
        return await self._applications.get(SLOW)

    async def smartqueue_applications(self) -> list[Application]:
        """Return the applications whose SmartQueue is read."""
        smartqueue = self._config.smartqueue
        references = smartqueue.applications if smartqueue else []
        return [_application(name) for name in references] or await self.applications()

    async def _read_applications(self) -> list[Application]:
        """Return every application: what is in one that is left out would be missing unseen."""
        rows = await self._client.read_pages("GetApplications")
        applications = ObjectsById(rows, "application_id")
        if applications.refused:
            raise InvalidAnswer("an application has no id")
        return [{"application_id": identity} for identity in applications]

    async def _read_queues(self) -> ObjectsById:
        applications = [_application(name) for name in self._config.applications] or [{}]
        rows: list[JsonObject] = []
        for application in applications:
            rows += await self._client.read_pages(
                "GetQueues", with_operatorcount=True, **application
            )
        return ObjectsById(rows, "acd_queue_id")

    async def _read_operators(self) -> ObjectsById:
        rows: list[JsonObject] = []
        for application in await self.applications():
            rows += await self._client.read_pages("GetUsers", order_by="user_id", **application)
        return ObjectsById(rows, "user_id")

    async def _read_smartqueues(self) -> list[tuple[Application, str]]:
        queues: list[tuple[Application, str]] = []
        rows: list[JsonObject] = []
        for application in await self.smartqueue_applications():
            own = await self._client.read_pages("SQ_GetQueues", **application)
            queues += [(application, queue) for queue in ObjectsById(own, "sq_queue_id")]
            rows += own
        self._store_smartqueue_names(rows)
        return queues

    async def queues_with(self, ids: Iterable[str]) -> Mapping[str, JsonObject]:
        """Return the queues of ACD v1, read again where one of ``ids`` is new."""
        known: Mapping[str, JsonObject] = await self.queues.get_or_stale(SLOW) or {}
        present = set(ids)
        self._unknown_queues &= present
        new = present - set(known) - self._unknown_queues
        if new:
            known = await self.queues.get_or_stale(_NOW) or {}
            self._unknown_queues |= new - set(known)
        return known

    async def update_smartqueues(self, rows: list[JsonObject]) -> None:
        """Store the names of all SmartQueue queues; read those of ACD v1 where one is new."""
        before = set(self._smartqueue_names)
        self._store_smartqueue_names(rows)
        is_new = bool(self._smartqueue_names.keys() - before)
        await self.queues.get_or_stale(_NOW if is_new else SLOW)

    def _store_smartqueue_names(self, rows: list[JsonObject]) -> None:
        """Store the names in ``rows``, which are all queues: a queue that is gone keeps none."""
        names: dict[str, str] = {}
        for row in rows:
            queue, name = to_id(row.get("sq_queue_id")), row.get("sq_queue_name")
            if queue and isinstance(name, str) and name:
                names[queue] = name
            elif queue in self._smartqueue_names:
                names[queue] = self._smartqueue_names[queue]
        self._smartqueue_names = names or self._smartqueue_names  # an empty answer may be a fault

    # Labels --------------------------------------------------------------------------------

    def operator_names(self) -> dict[str, str] | None:
        """Return the names of the operators by id; ``None`` until they have been read."""
        operators = self.operators.value
        if operators is None:
            return None
        if operators is not self._operator_names[0]:
            names = {
                user: plain_text(row.get("user_display_name")) for user, row in operators.items()
            }
            self._operator_names = (operators, names)
        return self._operator_names[1]

    def queue_labels(self) -> dict[str, str]:
        """Return the labels of the queues of ACD v1 by id."""
        queues: Mapping[str, JsonObject] = self.queues.value or {}
        return unique_labels(
            {queue: plain_text(row.get("acd_queue_name")) or queue for queue, row in queues.items()}
        )

    def plain_names(self) -> dict[str, str]:
        """Return the names of the queues whose label is not their name, by label."""
        queues: Mapping[str, JsonObject] = self.queues.value or {}
        names = {
            label: plain_text(queues[queue].get("acd_queue_name")) or queue
            for queue, label in self.queue_labels().items()
        }
        smartqueues = self.smartqueue_labels().items()
        names |= {label: self._smartqueue_names[queue] for queue, label in smartqueues}
        return {label: name for label, name in names.items() if label != name}

    def smartqueue_labels(self) -> dict[str, str]:
        """Return the labels of SmartQueue's queues by id; none is a label of ACD v1."""
        taken = set(self.queue_labels().values())
        labels = {}
        for queue, label in unique_labels(self._smartqueue_names).items():
            name = self._smartqueue_names[queue]
            candidates = (label, f"{name} ({queue})", f"{name} (SmartQueue {queue})")
            labels[queue] = next(text for text in candidates if text not in taken)
        return labels


def _application(reference: str) -> Application:
    """Return the request parameter of an application: its id, which is a number, or its name."""
    key = "application_id" if reference.isdigit() else "application_name"
    return {key: reference}


def unique_labels(names: Mapping[str, str]) -> dict[str, str]:
    """Return labels by id: the name, followed by the id where the name is not unique.

    A name that is the label of a namesake is followed by the id too.
    """
    shared = {name for name, number in Counter(names.values()).items() if number > 1}
    while True:
        labels = {key: f"{name} ({key})" for key, name in names.items() if name in shared}
        clashes = {*labels.values()}.intersection(names.values()) - shared
        if not clashes:
            return {key: labels.get(key, name) for key, name in names.items()}
        shared |= clashes


def report_batches(
    queues: Iterable[tuple[Application, str]],
) -> Iterator[tuple[Application, list[str]]]:
    """Yield (application, queue ids): as many ids as a request for reports may name."""
    by_application: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for application, queue in queues:
        by_application.setdefault(tuple(application.items()), []).append(queue)
    for parameters, ids in by_application.items():
        for start in range(0, len(ids), _MOST_REPORT_IDS):
            yield dict(parameters), ids[start : start + _MOST_REPORT_IDS]
