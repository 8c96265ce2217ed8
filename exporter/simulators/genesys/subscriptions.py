"""Subscriptions: open statistics, their values on the wire, and which of them are due for a push.

A statistic is pushed at most once a second, however often the floor changes: pauses are of the
clock's time, timestamps of the floor's. A fraction is in the text of a value alone: the integer
beside it is cut off. With ``counts_from="opening"`` a total counts from the instant at which the
statistic was opened, and from midnight after the first one; means and shares cover the day.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

from exporter.simulators.genesys.definitions import Definition, RefusedError, configured, read
from exporter.simulators.genesys.figures import Figure, Figures
from exporter.simulators.genesys.tenant import Tenant
from exporter.simulators.genesys.world import GoneError, World


def encode(value: Any, instant: float, tenant: Tenant, *, is_state: bool) -> dict[str, Any]:
    """Return value and timestamp of an entry; ``instant`` is in epoch seconds."""
    stamp = int((instant + tenant.stamp_ahead) * 1000)
    if value is None:
        return _nothing(stamp, tenant.no_value)
    if is_state:
        return {"value": _state(value, stamp, tenant.state_value), "timestamp": stamp}
    return {"value": _number(value, stamp, tenant.value), "timestamp": stamp}


def _nothing(stamp: int, layout: str) -> dict[str, Any]:
    match layout:
        case "absent":
            return {}
        case "nan":
            return {"value": "NaN", "timestamp": stamp}
        case "empty":
            return {"value": "", "timestamp": stamp}
    return {"value": None, "timestamp": stamp}


def _state(tree: dict[str, Any], stamp: int, layout: str) -> dict[str, Any]:
    if layout == "bare":
        return tree
    return {layout: tree, "timestamp": stamp, "intervalLength": 0, "tag": -1}


def _number(value: float, stamp: int, layout: str) -> Any:
    text = str(int(value)) if value == int(value) else f"{value:.3f}".rstrip("0")
    event_info = {
        "intValue": int(value),
        "stringValue": text,
        "timestamp": stamp,
        "intervalLength": 0,
        "tag": -1,
    }
    match layout:
        case "number":
            return int(value) if value == int(value) else value
        case "string":
            return text
        case "wrapped":
            return {"eventInfo": event_info}
    return event_info


_PAUSE = 1.0  # seconds between two pushes of one statistic
_TOTALS = frozenset(
    [
        *("TotalNumber", "TotalTime", "TotalAdjustedNumber", "TotalAdjustedTime"),
        "TotalNumberInTimeRange",
    ]
)
Update = dict[str, Any]  # an entry as it is sent


@dataclass(slots=True, eq=False)
class Statistic:
    """One open statistic; ``due`` is its next push by the monotonic clock."""

    id: str
    object_type: str
    object_id: str
    name: str | None  # of a configured statistic
    definition: Definition
    figure: Figure
    due: float
    day: date
    opened: date
    base: float = 0.0  # what a total of that day had counted at the opening
    sent: Any = None

    def has_changed(self, value: Any) -> bool:
        """Return whether a value differs enough to be pushed."""
        least = self.definition.insensitivity
        if least == 0 or (least is None and self.definition.mode == "Periodical"):
            return True
        if self.figure.is_state or value is None or self.sent is None or not least:
            return bool(value != self.sent)
        return bool(abs(value - self.sent) >= least)


@dataclass(slots=True, eq=False)
class Subscription:
    """The statistics of one request, bound to an HTTP session."""

    id: str
    session: str
    opened_at: float  # monotonic
    statistics: dict[str, Statistic] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """A statistic that was refused or no longer exists."""

    statistic: str
    reason: str


class Subscriptions:
    """Every subscription of the tenant, by id."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self.world = World(tenant.floor)
        self._figures = Figures(self.world)
        self._zone = ZoneInfo(tenant.floor.time_zone)
        self._open: dict[str, Subscription] = {}

    @property
    def count(self) -> int:
        """Number of open statistics."""
        return sum(len(subscription.statistics) for subscription in self._open.values())

    @property
    def ids(self) -> list[str]:
        """Ids of the open subscriptions."""
        return list(self._open)

    def find(self, key: str) -> Subscription | None:
        """Return a subscription by id."""
        return self._open.get(key)

    def drop(self, key: str) -> None:
        """Close a subscription, if it is open."""
        self._open.pop(key, None)

    def drop_unheard(self, has_listener: Callable[[str], bool]) -> None:
        """Close the subscriptions that have been without a CometD session for too long."""
        oldest = self._tenant.clock.monotonic() - self._tenant.unheard_seconds
        for key, opened in list(self._open.items()):
            if opened.opened_at < oldest and not has_listener(opened.session):
                self.drop(key)

    def drop_all(self) -> None:
        """Close every subscription."""
        self._open.clear()

    def drop_statistics(self, object_id: str, action: str) -> None:
        """Close every statistic of an action at an object; their subscriptions stay open."""
        for subscription in self._open.values():
            for name, statistic in list(subscription.statistics.items()):
                if statistic.object_id == object_id and action in statistic.definition.main.named:
                    del subscription.statistics[name]

    def drop_of(self, session: str) -> None:
        """Close every subscription of an HTTP session."""
        self._open = {
            key: opened for key, opened in self._open.items() if opened.session != session
        }

    def create(
        self, key: str, session: str, asked: list[dict[str, Any]]
    ) -> tuple[Subscription, list[Failed]]:
        """Open a subscription; return it and the statistics that were refused."""
        subscription = Subscription(key, session, self._tenant.clock.monotonic())
        failed = []
        for description in asked:
            name = str(description.get("statisticId", ""))
            try:
                if name in subscription.statistics:
                    raise RefusedError("Duplicate statisticId")  # noqa: TRY301
                subscription.statistics[name] = self._statistic(name, description)
            except RefusedError as refusal:
                failed.append(Failed(name, str(refusal)))
        self._open[key] = subscription
        return subscription, failed

    def figure(self, asked: dict[str, Any]) -> tuple[Definition, Figure]:
        """Return definition and figure of a description; raises ``RefusedError``."""
        object_type, object_id = asked.get("objectType"), asked.get("objectId")
        if not isinstance(object_type, str) or not isinstance(object_id, str):
            raise RefusedError("objectType and objectId are required")
        if ("name" in asked) == ("definition" in asked):
            raise RefusedError("Either name or definition is required")
        if "name" in asked:
            if asked["name"] in self._tenant.lacks:
                raise RefusedError(f"Unknown statistic {asked['name']}")
            definition = configured(str(asked["name"]), object_type)
        else:
            definition = read(asked["definition"])
        self._check_release(definition, object_type, object_id)
        status = self._tenant.status
        return definition, self._figures.find(definition, object_type, object_id, status)

    def _check_release(self, definition: Definition, object_type: str, object_id: str) -> None:
        """Refuse what this release lacks, and the voice category at other queues."""
        category = definition.category
        lacks = self._tenant.lacks_definitions
        if category in lacks or any(f"{category} {x}" in lacks for x in definition.main.named):
            raise RefusedError(f"Category {category} is not supported with this mask")
        is_voice = object_id.partition("@")[0] not in self._tenant.multimedia
        if category in ("EstimWaitTime", "EstimWaitingTime") and not is_voice:
            raise RefusedError(f"{object_type} {object_id} is not a queue of voice calls")

    def _statistic(self, name: str, asked: dict[str, Any]) -> Statistic:
        if not name:
            raise RefusedError("statisticId is required")
        definition, figure = self.figure(asked)
        statistic = Statistic(
            name,
            asked["objectType"],
            asked["objectId"],
            asked.get("name"),
            definition,
            figure,
            inf,
            self._today(),
            self._today(),
        )
        is_total = definition.category in _TOTALS and definition.window is None
        if self._tenant.counts_from == "opening" and is_total:
            statistic.base = figure.value or 0.0
        statistic.sent = self._counted(statistic)
        now = self._tenant.clock.monotonic()
        if definition.mode in ("Immediate", "Reset"):
            statistic.due = now + _PAUSE
        elif definition.mode == "Periodical":
            statistic.due = now + definition.frequency
        return statistic

    def _counted(self, statistic: Statistic) -> Any:
        """Return a value, of a total less what was counted before its opening on that day."""
        value = statistic.figure.value
        if not statistic.base or value is None or self._today() != statistic.opened:
            return value
        if value < statistic.base:
            statistic.base = 0.0  # the totals restarted
        return value - statistic.base

    def _today(self) -> date:
        return datetime.fromtimestamp(self._tenant.floor.now, self._zone).date()

    def values(
        self, subscription: Subscription, names: Iterable[str], *, verbose: bool
    ) -> tuple[list[dict[str, Any]], list[Failed]]:
        """Return the entries of a create or a peek, and the statistics that do not exist."""
        entries: list[dict[str, Any]] = []
        failed = []
        for name in names:
            statistic = subscription.statistics.get(name)
            try:
                if statistic is None:
                    raise GoneError  # noqa: TRY301
                self._figures.value(statistic.figure)
            except GoneError:
                failed.append(Failed(name, "Statistic not found"))
                continue
            entry: dict[str, Any] = {"statisticId": name}
            if verbose:
                entry |= {"objectId": statistic.object_id, "objectType": statistic.object_type}
                if statistic.name is not None:
                    entry["name"] = statistic.name
            entries.append(entry | self.encoded(statistic.figure, statistic))
        return entries, failed

    def encoded(self, figure: Figure, statistic: Statistic | None = None) -> dict[str, Any]:
        """Return the value and its timestamp as they are sent, of an open statistic its own."""
        value = figure.value if statistic is None else self._counted(statistic)
        return encode(value, figure.instant, self._tenant, is_state=figure.is_state)

    def look(self, deliver: Callable[[str], Callable[[Update], None] | None]) -> None:
        """Push due statistics; ``deliver`` returns the receiver of an HTTP session."""
        now = self._tenant.clock.monotonic()
        today = self._today()
        for subscription in self._open.values():
            send = deliver(subscription.session)
            if send is None:
                continue
            for statistic in subscription.statistics.values():
                if statistic.due <= now and self._has_news(statistic, now, today):
                    statistic.sent = self._counted(statistic)
                    send(self._update(subscription, statistic))

    def _has_news(self, statistic: Statistic, now: float, today: date) -> bool:
        """Return whether a due statistic is to be pushed, and schedule its next push."""
        try:
            self._figures.value(statistic.figure)
        except GoneError:
            statistic.due = inf
            return False
        if statistic.definition.mode == "Periodical":
            frequency = statistic.definition.frequency
            statistic.due += frequency * ((now - statistic.due) // frequency + 1)
        elif statistic.definition.mode == "Reset":
            passed, statistic.day = statistic.day < today, today
            return passed
        if not statistic.has_changed(self._counted(statistic)):
            return False
        if statistic.definition.mode == "Immediate":
            statistic.due = now + _PAUSE
        return True

    def _update(self, subscription: Subscription, statistic: Statistic) -> Update:
        entry: Update = {"statisticId": statistic.id, **self.encoded(statistic.figure, statistic)}
        if self._tenant.names_subscription:
            entry["subscriptionId"] = subscription.id
        return entry

    def again(self, older_by: float) -> dict[str, list[dict[str, Any]]]:
        """Return the last value of every statistic by HTTP session, with an older timestamp."""
        entries: dict[str, list[dict[str, Any]]] = {}
        for subscription in self._open.values():
            for statistic in subscription.statistics.values():
                entry = self._update(subscription, statistic)
                if "timestamp" in entry:
                    entry["timestamp"] -= int(older_by * 1000)
                entries.setdefault(subscription.session, []).append(entry)
        return entries
