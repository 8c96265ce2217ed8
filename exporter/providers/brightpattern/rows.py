"""From a subscription's answer to the rows of our tables.

A figure of one object is left out where its cell is missing. A figure of all agents together is
left out where any row's cell is missing or unreadable: a sum of the rest would be wrong. A service
whose name is not in the directory is shown once it has stood for a while: a name is the only key,
and a spoiled one would look like another service.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from exporter.errors import InvalidAnswer
from exporter.logs import Log
from exporter.metrics.labels import AccountLabels
from exporter.metrics.parsers import Cell, Number, count, number, seconds
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Spread, Table, normalise
from exporter.providers.brightpattern import tables as t
from exporter.providers.brightpattern.subscription import Answer, Layout, Row

UNLISTED_PAUSE = 60.0  # seconds until a service that the directory lacks is believed
_STEADY = 2.0  # seconds by which a state's start, computed at each reading, may seem to move

Cells = dict[str, Cell]


class Grids:
    """Shapes one account's answers; ``wanted`` are the tables of its feed."""

    def __init__(self, wanted: Iterable[Table], labels: AccountLabels, log: Log) -> None:
        self._tables = {table.name: table for table in wanted}
        self._labels = labels
        self._log = log
        self._starts: dict[str, tuple[str, float]] = {}
        self._first: set[str] = set()  # names of the services in the first answer
        self._unlisted: dict[str, float] = {}  # names of services, and since when they stand
        self._strange_media: set[str] = set()

    def reading(
        self, layout: Layout, answer: Answer, now: float, names: frozenset[str] | None
    ) -> Reading:
        """Return an answer as rows by table.

        ``now`` is epoch seconds; ``names`` are those of all services, where they are known.
        """
        found: dict[str, Rows] = {}
        if answer.totals is not None:
            row = _with_sums({"app": layout.app, **answer.totals}, self._sums(t.TOTALS))
            found[t.TOTALS.name] = self._rows(t.TOTALS, [row], list(row))
        if "services" in answer.grids:
            found |= self._services(layout, answer, names, now)
        if "agents" in answer.grids:
            found |= self._agents(layout, answer.grids["agents"], now)
        return Reading({name: rows for name, rows in found.items() if name in self._tables})

    def _sums(self, table: Table) -> list[str]:
        return sums(self._tables.get(table.name, table))

    def _rows(self, table: Table, rows: Sequence[Cells], headers: Sequence[str]) -> Rows:
        """Make a table's grid, without what is asked for only to compute something else."""
        claimed = _claimed(self._tables.get(table.name, table))
        return _rows(rows, [header for header in headers if header in claimed])

    # Services ------------------------------------------------------------------------------

    def _services(
        self, layout: Layout, answer: Answer, listed: frozenset[str] | None, now: float
    ) -> dict[str, Rows]:
        rows = answer.grids["services"]
        self._note_unlisted(rows, listed, now)
        hidden = layout.selection.shared | doubled(answer)
        hidden |= {x for x, since in self._unlisted.items() if now < since + UNLISTED_PAUSE}
        known = [row for row in rows if _text(row.cells.get(t.NAME)) not in hidden]
        known += answer.namesakes
        sums_wanted = self._sums(t.SERVICES)
        headers = [*layout.asks("services"), *sums_wanted]
        cells = [_with_sums(row.cells, sums_wanted) for row in known]
        return {
            t.SERVICES.name: self._rows(t.SERVICES, cells, headers),
            t.SERVICE_DISPOSITIONS.name: _dispositions(layout, known, t.NAME),
        }

    def _note_unlisted(
        self, rows: Sequence[Row], listed: frozenset[str] | None, now: float
    ) -> None:
        """Note which names the directory lacks; forget those that went.

        Where there is no directory, the first answer has to stand for it.
        """
        names = {_text(row.cells.get(t.NAME)) for row in rows} - {""}
        self._first = self._first or names
        strange = names - (self._first if listed is None else listed)
        self._unlisted = {name: self._unlisted.get(name, now) for name in strange}

    @property
    def unlisted(self) -> frozenset[str]:
        """The services of the last answer that the directory lacked."""
        return frozenset(self._unlisted)

    # Agents --------------------------------------------------------------------------------

    def _agents(self, layout: Layout, rows: Sequence[Row], now: float) -> dict[str, Rows]:
        sums_wanted = list(dict.fromkeys((*self._sums(t.AGENTS), *self._sums(t.EACH_AGENT))))
        asked = [*layout.asks("agents"), *sums_wanted]
        cells = [_with_sums(row.cells, sums_wanted) for row in rows]
        logins = [_text(row.get(t.LOGIN)) for row in cells]
        if logins and not any(logins):
            raise InvalidAnswer(f"no agent has a {t.LOGIN}")
        named = all(logins)
        whole = [
            header
            for header in asked
            if header in (t.LOGIN, t.FULL_NAME) or (named and _is_whole(cells, header))
        ]
        found = {t.AGENTS.name: self._rows(t.AGENTS, cells, whole)}
        found[t.AGENT_TIMES.name] = self._times(cells, whole)
        if t.EACH_AGENT.name in self._tables:
            each = [self._each(row, now) for row in cells]
            found[t.EACH_AGENT.name] = self._rows(t.EACH_AGENT, each, [*asked, *_computed(asked)])
            found[t.AGENT_DISPOSITIONS.name] = _dispositions(layout, rows, t.LOGIN, (t.FULL_NAME,))
            self._starts = {x: self._starts[x] for x in logins if x in self._starts}
        return found

    def _times(self, cells: Sequence[Cells], whole: Sequence[str]) -> Rows:
        """Add up what the agents that the account wants have spent in each state."""
        wanted = [row for row in cells if self._labels.filter.accepts("agent", _names(row))]
        rows: list[Cells] = []
        for header, state in t.TIMES.items():
            if header in whole:
                values = [seconds(row[header]) for row in wanted if not _is_nothing(row[header])]
                if values:
                    rows.append({"state": state, "seconds": number(sum(values))})
        return _rows(rows, ["state", "seconds"])

    def _each(self, row: Cells, now: float) -> Cells:
        """Add the columns that are computed of an agent's row."""
        found = dict(row)
        if t.ACTIVE_MEDIA in row:
            word = normalise(_text(row[t.ACTIVE_MEDIA]))
            media = t.MEDIA.get(word, "other") if word else ""
            if media == "other" and word not in self._strange_media:
                self._strange_media.add(word)
                self._log.info("answer did not fit", kind="media", name=word)
            found |= {header: 1 if media == each else None for each, header in t.ACTIVE.items()}
        if t.STATE_DURATION in row:
            found[t.STATE_START] = self._start(row, now)
        return found

    def _start(self, row: Cells, now: float) -> Cell:
        """Return when an agent's state began, in epoch ms; steady against whole seconds."""
        try:
            start = now - seconds(row[t.STATE_DURATION])
        except ValueError:
            cell = row[t.STATE_DURATION]
            return cell or None  # an unreadable one is for the table to refuse
        login, state = _text(row.get(t.LOGIN)), _text(row.get(t.STATE))
        known_state, known = self._starts.get(login, ("", 0.0))
        if state == known_state and abs(start - known) <= _STEADY:
            start = known
        self._starts[login] = (state, start)
        return round(start * 1000)


def sums(table: Table) -> list[str]:
    """Return the headers of a table that are sums of statistics."""
    headers = [each.header for each in table.figures if not isinstance(each, Spread)]
    return [header for header in dict.fromkeys(headers) if t.PLUS in header]


def _claimed(table: Table) -> set[str]:
    """Return the headers that a table reads, or knows to be there."""
    figures = {each.header for each in table.figures if not isinstance(each, Spread)}
    return {*figures, *(key.header for key in table.key), table.display or "", *table.ignored}


def statistics(table: Table) -> list[tuple[str, bool]]:
    """Return the statistics that a table's figures need, and whether it is certain of them."""
    found: dict[str, bool] = {}
    for figure in table.figures:
        if isinstance(figure, Spread):
            continue
        header = figure.header
        for name in t.SOURCES.get(header, tuple(header.split(t.PLUS))):
            found[name] = found.get(name, False) or figure.certain
    return list(found.items())


def doubled(answer: Answer) -> frozenset[str]:
    """Return the names that several services of the main grid share: which is which?"""
    often = Counter(_text(row.cells.get(t.NAME)) for row in answer.grids.get("services", ()))
    return frozenset(name for name, rows in often.items() if name and rows > 1)


def _computed(asked: Sequence[str]) -> list[str]:
    return [header for header, needs in t.SOURCES.items() if set(needs) <= set(asked)]


def _rows(rows: Sequence[Mapping[str, Cell]], headers: Sequence[str]) -> Rows:
    """Make a grid of the headers that any row has, or of all of them where there is no row."""
    shown = [header for header in headers if not rows or any(header in row for row in rows)]
    return Rows(shown, [[row.get(header) for header in shown] for row in rows])


def _dispositions(
    layout: Layout, rows: Sequence[Row], key: str, also: tuple[str, ...] = ()
) -> Rows:
    """Make a grid of the columns that count by disposition."""
    labels = list(layout.selection.dispositions)
    names = (key, *also)
    found = _rows(
        [{x: row.cells[x] for x in names if x in row.cells} | row.dispositions for row in rows],
        [*names, *labels],
    )
    return Rows(found.headers, found.cells, {"dispositions": frozenset(labels)})


def _with_sums(row: Cells, headers: Iterable[str]) -> Cells:
    """Add the sums that can be made of a row: a missing term makes none, a bad one a bad sum.

    Terms that say nothing make a sum that says nothing; among others they are missing.
    """
    found = dict(row)
    for header in headers:
        names = header.split(t.PLUS)
        terms = [row[name] for name in names if name in row]
        nothing = [term for term in terms if _is_nothing(term)]
        if len(terms) == len(names) and len(nothing) in (0, len(terms)):
            found[header] = None if nothing else _sum(terms)
    return found


def _sum(terms: Sequence[Cell]) -> Cell:
    total: Number = 0
    for term in terms:
        try:
            total += number(term)
        except ValueError:
            return term
    return total


def _is_whole(cells: Sequence[Cells], header: str) -> bool:
    """Tell whether every row has a cell that can be counted or read."""
    parse: Callable[[Cell], object] = str if header in (t.STATE, t.REASON) else count
    for row in cells:
        if header not in row:
            return False
        try:
            if not _is_nothing(row[header]):
                parse(row[header])
        except ValueError:
            return False
    return True


def _names(row: Cells) -> list[str]:
    return [str(row[name]) for name in (t.LOGIN, t.FULL_NAME) if not _is_nothing(row.get(name))]


def _is_nothing(cell: Cell) -> bool:
    return cell is None or cell == ""


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell).strip()
