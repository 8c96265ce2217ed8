"""Rows of the tables from a subscription's data.

A figure of one object is left out where its cell is missing. A figure of all agents together is
left out where the cell of any row is missing or unreadable, as a sum of the others would be wrong.
A service whose name is not in the directory is left out for a minute: the name is the only key, and
a damaged one would look like another service.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from exporter.logs import Log
from exporter.metrics.labels import AccountLabels, bounded
from exporter.metrics.parsers import Cell, count, number, seconds, total
from exporter.metrics.reading import REPLACEMENT, Reading, Rows
from exporter.metrics.tables import Spread, Table, normalise
from exporter.providers.brightpattern import tables as t
from exporter.providers.brightpattern.subscription import GridRow, Subscription, SubscriptionData

UNLISTED_PAUSE = 60.0  # seconds until a service that the directory lacks is exported
_MOST_UNKNOWN_MEDIA = 100  # that are logged
_TOLERANCE = 2.0  # seconds by which a state's computed start may differ between readings

Cells = dict[str, Cell]


class RowBuilder:
    """Builds the rows of one account; ``tables`` are those of its feeds."""

    def __init__(self, tables: Iterable[Table], labels: AccountLabels, log: Log) -> None:
        self._tables = {table.name: table for table in tables}
        self._labels = labels
        self._log = log
        self._starts: dict[str, tuple[str, float]] = {}  # state and its start, by login
        self._first_names: set[str] = set()  # of services in the first data
        self._unlisted: dict[str, float] = {}  # names of services, and since when they are there
        self._unknown_media: set[str] = set()

    def reading(
        self,
        subscription: Subscription,
        data: SubscriptionData,
        now: float,
        names: frozenset[str] | None,
    ) -> Reading:
        """Return data as rows by table.

        ``now`` is epoch seconds; ``names`` are those of all services, ``None`` if not known.
        """
        tables: dict[str, Rows] = {}
        if data.totals is not None:
            row = _with_sums({"app": subscription.app, **data.totals}, self._sums(t.TOTALS))
            tables[t.TOTALS.name] = self._rows(t.TOTALS, [row], list(row))
        if "services" in data.grids:
            tables |= self._services(subscription, data, names, now)
        if "agents" in data.grids:
            tables |= self._agents(subscription, data, now)
        return Reading({name: rows for name, rows in tables.items() if name in self._tables})

    def _sums(self, table: Table) -> list[str]:
        """Return the headers of a table that are sums of statistics."""
        figures = self._tables.get(table.name, table).figures
        headers = [figure.header for figure in figures if not isinstance(figure, Spread)]
        return [header for header in dict.fromkeys(headers) if t.PLUS in header]

    def _rows(self, table: Table, rows: Sequence[Cells], headers: Sequence[str]) -> Rows:
        """Return rows without the columns that only other columns are computed from."""
        table = self._tables.get(table.name, table)
        figures = (figure.header for figure in table.figures if not isinstance(figure, Spread))
        keys = (key.header for key in table.key)
        known = {*figures, *keys, table.display or "", *table.ignored}
        return _rows(rows, [header for header in headers if header in known])

    # Services ------------------------------------------------------------------------------

    def _services(
        self,
        subscription: Subscription,
        data: SubscriptionData,
        listed: frozenset[str] | None,
        now: float,
    ) -> dict[str, Rows]:
        rows = data.grids["services"]
        self._update_unlisted(rows, listed, now)
        hidden = subscription.objects.shared | duplicate_names(data)
        hidden |= {name for name, at in self._unlisted.items() if now < at + UNLISTED_PAUSE}
        shown = [row for row in rows if _name(row.cells.get(t.NAME)) not in hidden]
        shown += data.namesakes
        names = (t.NAME, t.PLAIN_NAME) if data.namesakes else (t.NAME,)
        sums = self._sums(t.SERVICES)
        headers = [*subscription.names("services"), *sums, *names[1:]]
        cells = [_with_sums(row.cells, sums) for row in shown]
        return {
            t.SERVICES.name: replace(
                self._rows(t.SERVICES, cells, headers),
                refused=data.refused.get("services", ()),
                repeated=data.repeated + _hidden_repeats(subscription, data),
            ),
            t.SERVICE_DISPOSITIONS.name: _dispositions(subscription, shown, names),
        }

    def _update_unlisted(
        self, rows: Sequence[GridRow], listed: frozenset[str] | None, now: float
    ) -> None:
        """Update which names the directory lacks; without a directory the first data stand in."""
        names = {name for row in rows if (name := _name(row.cells.get(t.NAME))).strip()}
        self._first_names = self._first_names or names
        unlisted = names - (self._first_names if listed is None else listed)
        self._unlisted = {name: self._unlisted.get(name, now) for name in unlisted}

    @property
    def unlisted(self) -> frozenset[str]:
        """The names of services in the last data that the directory lacks."""
        return frozenset(self._unlisted)

    # Agents --------------------------------------------------------------------------------

    def _agents(
        self, subscription: Subscription, data: SubscriptionData, now: float
    ) -> dict[str, Rows]:
        rows = _first_by_login(data.grids["agents"])
        repeated = len(data.grids["agents"]) - len(rows)
        refused = data.refused.get("agents", [])
        sums = list(dict.fromkeys((*self._sums(t.AGENTS), *self._sums(t.EACH_AGENT))))
        headers = [*subscription.names("agents"), *sums]
        cells = [_with_sums(row.cells, sums) for row in rows]
        for row in cells:
            if t.STATE in row and not _text(row[t.STATE]):
                row[t.STATE] = t.LOGGED_OUT
        complete = [
            header
            for header in headers
            if header in (t.LOGIN, t.FULL_NAME) or (not refused and _is_complete(cells, header))
        ]
        tables = {
            t.AGENTS.name: replace(
                self._rows(t.AGENTS, cells, complete), refused=refused, repeated=repeated
            ),
            t.AGENT_TIMES.name: self._times(cells, complete),
        }
        if t.EACH_AGENT.name in self._tables:
            computed = [header for header, names in t.SOURCES.items() if {*names} <= {*headers}]
            agents = [self._with_computed(row, now) for row in cells]
            tables[t.EACH_AGENT.name] = self._rows(t.EACH_AGENT, agents, [*headers, *computed])
            keys = (t.LOGIN, t.FULL_NAME)
            tables[t.AGENT_DISPOSITIONS.name] = _dispositions(subscription, rows, keys)
            logins = [_name(row.get(t.LOGIN)) for row in cells]
            self._starts = {login: self._starts[login] for login in logins if login in self._starts}
        return tables

    def _times(self, cells: Sequence[Cells], complete: Sequence[str]) -> Rows:
        """Return the time in each state, summed over the agents that pass the filter."""
        agents = [row for row in cells if self._passes(row)]
        rows: list[Cells] = []
        for header, state in t.TIMES.items():
            if header in complete:
                values = [seconds(row[header]) for row in agents if not _is_empty(row[header])]
                if values:
                    rows.append({"state": state, "seconds": total(values)})
        return _rows(rows, ["state", "seconds"])

    def _passes(self, row: Cells) -> bool:
        login, name = _name(row.get(t.LOGIN)), _name(row.get(t.FULL_NAME))
        return self._labels.accepts_agent(login, name)

    def _with_computed(self, row: Cells, now: float) -> Cells:
        """Return an agent's row with its computed columns."""
        result = dict(row)
        if t.ACTIVE_MEDIA in row:
            word = normalise(_text(row[t.ACTIVE_MEDIA]))
            media = t.MEDIA.get(word, "other") if word else ""
            if media == "other" and REPLACEMENT in str(row[t.ACTIVE_MEDIA]):
                media = ""  # it may be any of them
            if media == "other":
                self._log_unknown_media(bounded(word))
            result |= {header: 1 if media == name else None for name, header in t.ACTIVE.items()}
        if t.STATE_DURATION in row:
            result[t.STATE_START] = self._start(row, now)
        return result

    def _log_unknown_media(self, word: str) -> None:
        """Log an unknown word for media once."""
        if word not in self._unknown_media and len(self._unknown_media) < _MOST_UNKNOWN_MEDIA:
            self._unknown_media.add(word)
            self._log.info("answer did not fit", kind="media", name=word)

    def _start(self, row: Cells, now: float) -> Cell:
        """Return when an agent's state began (epoch ms), without the jitter of whole seconds."""
        try:
            start = now - seconds(row[t.STATE_DURATION])
        except ValueError:
            return row[t.STATE_DURATION] or None  # the table rejects an unreadable cell
        login, state = _name(row.get(t.LOGIN)), _text(row.get(t.STATE))
        last_state, last_start = self._starts.get(login, ("", 0.0))
        if state == last_state and abs(start - last_start) <= _TOLERANCE:
            start = last_start
        self._starts[login] = (state, start)
        return round(start * 1000)


def _first_by_login(rows: Sequence[GridRow]) -> list[GridRow]:
    """Return rows without those whose login came before."""
    first: dict[str, GridRow] = {}
    for row in rows:
        first.setdefault(_name(row.cells.get(t.LOGIN)), row)
    return [*first.values()]


def _hidden_repeats(subscription: Subscription, data: SubscriptionData) -> int:
    """Return the number of rows that are left out because services share a name unexpectedly."""
    names = duplicate_names(data) - subscription.objects.shared
    return sum(_name(row.cells.get(t.NAME)) in names for row in data.grids["services"])


def duplicate_names(data: SubscriptionData) -> frozenset[str]:
    """Return the names that several services of the main grid share."""
    rows = Counter(_name(row.cells.get(t.NAME)) for row in data.grids.get("services", ()))
    return frozenset(name for name, number_of in rows.items() if name.strip() and number_of > 1)


def service_names(data: SubscriptionData) -> frozenset[str]:
    """Return the names of all services in the data, the labels of namesakes among them."""
    rows = (*data.grids.get("services", ()), *data.namesakes)
    return frozenset(_name(row.cells.get(t.NAME)) for row in rows)


def _rows(rows: Sequence[Mapping[str, Cell]], headers: Sequence[str]) -> Rows:
    """Return rows with the headers that any row has, all headers where there is no row."""
    present = [header for header in headers if not rows or any(header in row for row in rows)]
    return Rows(present, [[row.get(header) for header in present] for row in rows])


def _dispositions(subscription: Subscription, rows: Sequence[GridRow], keys: Sequence[str]) -> Rows:
    """Return the columns that count by disposition."""
    labels = list(subscription.objects.dispositions)
    result = _rows(
        [
            {key: row.cells[key] for key in keys if key in row.cells} | row.dispositions
            for row in rows
        ],
        [*keys, *labels],
    )
    return Rows(result.headers, result.cells, {"dispositions": frozenset(labels)})


def _with_sums(row: Cells, headers: Iterable[str]) -> Cells:
    """Return a row with its sums.

    A sum is absent where a term is absent, or empty while others are not; empty where all terms
    are; unreadable where one is.
    """
    result = dict(row)
    for header in headers:
        names = header.split(t.PLUS)
        terms = [row[name] for name in names if name in row]
        empty = [term for term in terms if _is_empty(term)]
        if len(terms) == len(names) and len(empty) in (0, len(terms)):
            result[header] = None if empty else _sum(terms)
    return result


def _sum(terms: Sequence[Cell]) -> Cell:
    numbers = []
    for term in terms:
        try:
            numbers.append(number(term))
        except ValueError:
            return term
    return total(numbers)


def _is_complete(cells: Sequence[Cells], header: str) -> bool:
    """Return whether the cell of every row is there, and empty or readable."""
    parse: Callable[[Cell], object] = str if header in (t.STATE, t.REASON) else count
    for row in cells:
        if header not in row:
            return False
        try:
            if not _is_empty(row[header]):
                parse(row[header])
        except ValueError:
            return False
    return True


def _is_empty(cell: Cell) -> bool:
    return cell is None or cell == ""


def _name(cell: Cell) -> str:
    """Return a name as the platform sends it: names are compared by every character."""
    return "" if cell is None else str(cell)


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell).strip()
