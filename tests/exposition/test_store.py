import re
import threading
import zlib
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)

from exporter.exposition.encoding import Format
from exporter.exposition.page import ExposedFamily, Page, parse_exposition
from exporter.exposition.publisher import Publisher
from exporter.exposition.store import LONGEST_VALID, Limits, SnapshotStore
from exporter.metrics import families as f
from exporter.metrics.families import Family
from exporter.metrics.snapshot import Block, Snapshot

NOON = 1_772_452_800.0
ACCOUNTS = ("acme", "beta", "cola")
FEEDS = ("first", "second", "third")
FAMILIES = (f.QUEUE_AGENTS, f.QUEUE_LONGEST_WAIT, f.CAMPAIGN_DIALS)
AGENTS = f.QUEUE_AGENTS.name
OWN = "# HELP a_own X.\n# TYPE a_own gauge\na_own {}\n"

Content = Mapping[Family, Mapping[str, float]]


def labels(account: str, queue: str) -> bytes:
    return f'{{account="{account}",queue="{queue}"}} '.encode()


def snapshot(
    content: Content, account: str = "acme", feed: str = "first", expires_at: float = NOON + 60
) -> Snapshot:
    blocks = {
        family: Block.render(
            family, [labels(account, queue) for queue in series], list(series.values())
        )
        for family, series in content.items()
    }
    return Snapshot(account, feed, blocks, expires_at - 60, None, expires_at)


def agents(
    feed: str = "first", account: str = "acme", expires_at: float = NOON + 60, **series: float
) -> Snapshot:
    return snapshot({f.QUEUE_AGENTS: series}, account, feed, expires_at)


class Reports:
    """Records the series that the store reports as left out."""

    def __init__(self) -> None:
        self.dropped: list[tuple[str, str, int]] = []
        self.duplicated: list[tuple[str, str, int]] = []

    def drop(self, *report: object) -> None:
        self.dropped.append(report)

    def duplicate(self, *report: object) -> None:
        self.duplicated.append(report)


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def store(reports: Reports) -> SnapshotStore:
    store = SnapshotStore(dropped=reports.drop, duplicated=reports.duplicate)
    store.add_account("acme", FEEDS, Limits(1000))
    return store


def body(page: Page, form: Format = Format.TEXT) -> bytes:
    return b"".join(page.body(form, gzip=False)[0])


def shown(page: Page) -> dict[str, float]:
    """Return the series on a page by queue; of one account and family."""
    found = re.findall(r'queue="(\w+)"\} (\S+)$', body(page).decode(), re.MULTILINE)
    assert len(found) == len(dict(found))
    return {queue: float(value) for queue, value in found}


# What is shown --------------------------------------------------------------------------------


def test_put(store: SnapshotStore) -> None:
    """A snapshot is on the next page."""
    store.put(agents(a=1))

    assert shown(store.page(NOON)) == {"a": 1}


def test_put_replaces(store: SnapshotStore) -> None:
    """A feed's new snapshot replaces the old one whole."""
    store.put(agents(a=1, b=2))
    store.put(agents(b=3))

    assert shown(store.page(NOON)) == {"b": 3}


def test_feeds_add_up(store: SnapshotStore) -> None:
    """Feeds of one account that show one family stand side by side."""
    store.put(agents("first", a=1))
    store.put(agents("second", b=2))

    assert shown(store.page(NOON)) == {"a": 1, "b": 2}


def test_clear(store: SnapshotStore) -> None:
    """Clearing an account takes its figures off the page, and no other's."""
    store.add_account("beta", FEEDS, Limits(1000))
    store.put(agents(a=1))
    store.put(agents(account="beta", b=2))
    store.clear_account("acme")

    assert shown(store.page(NOON)) == {"b": 2}


def test_latest(store: SnapshotStore) -> None:
    """The last snapshot of a feed can be had, fresh or not."""
    old = agents(a=1, expires_at=NOON - 1)
    store.put(old)

    assert old is store.latest("acme", "first")
    assert store.latest("acme", "second") is None


def test_a_feed_without_a_place(store: SnapshotStore) -> None:
    """A snapshot of an account that has no place is a mistake that is not passed over."""
    with pytest.raises(KeyError):
        store.put(agents(account="nobody", a=1))


def test_changes_are_signalled(store: SnapshotStore) -> None:
    """Both putting and clearing wake who waits for a change."""
    seen = []
    for change in (lambda: store.put(agents(a=1)), lambda: store.clear_account("acme")):
        change()
        seen.append(store.changed.is_set())
        store.changed.clear()

    assert seen == [True, True]


def test_accounts_in_order() -> None:
    """The order in which accounts were added does not matter."""
    bodies = []
    for names in (ACCOUNTS, ACCOUNTS[::-1]):
        store = SnapshotStore()
        for name in names:
            store.add_account(name, FEEDS, Limits(1000))
            store.put(agents(account=name, a=1))
        bodies.append(body(store.page(NOON)))

    assert bodies[0] == bodies[1]


# Freshness ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "expected"), [(NOON, True), (NOON + 59.9, True), (NOON + 60, False)]
)
def test_expiry(store: SnapshotStore, now: float, expected: bool) -> None:
    """A snapshot is shown until the instant at which it expires."""
    store.put(agents(a=1))

    assert expected is bool(shown(store.page(now)))


def test_expired_feeds_take_nothing_along(store: SnapshotStore) -> None:
    """A feed that has expired does not hide the doubles that another feed still shows."""
    store.put(agents("first", a=1, expires_at=NOON - 1))
    store.put(agents("second", a=2))

    assert shown(store.page(NOON)) == {"a": 2}


def test_valid_until_the_first_expiry(store: SnapshotStore) -> None:
    """A page is valid until the first of its figures is too old."""
    store.put(agents("first", a=1, expires_at=NOON + 7))
    store.put(agents("second", b=1, expires_at=NOON + 3))
    store.put(agents("third", c=1, expires_at=NOON - 3))

    assert store.page(NOON).valid_until == NOON + 3


def test_valid_for_so_long_at_most(store: SnapshotStore) -> None:
    """A page is valid for a limited time, even if nothing on it expires."""
    store.put(agents(a=1, expires_at=NOON + 3600))

    assert store.page(NOON).valid_until == NOON + LONGEST_VALID


# Cap and doubles ------------------------------------------------------------------------------


def test_the_cap(store: SnapshotStore, reports: Reports) -> None:
    """Series over the cap are left out and reported; important feeds come first."""
    store.add_account("acme", FEEDS, Limits(3))
    store.put(agents("first", a=1, b=2))
    store.put(agents("second", e=5, d=4, c=3))

    assert shown(store.page(NOON)) == {"a": 1, "b": 2, "c": 3}
    assert reports.dropped == [("acme", "first", 0), ("acme", "second", 2)]


def test_the_cap_counts_whole_families_too(store: SnapshotStore, reports: Reports) -> None:
    """Families for which nothing is left are reported as well."""
    store.add_account("acme", FEEDS, Limits(1))
    store.put(snapshot({f.QUEUE_AGENTS: {"a": 1}, f.QUEUE_LONGEST_WAIT: {"a": 1, "b": 2}}))
    page = store.page(NOON)

    assert [family.name for family in page.families] == [AGENTS]
    assert reports.dropped == [("acme", "first", 2)]


@given(st.permutations("abcdef"), st.integers(1, 7))
def test_the_cap_is_deterministic(order: list[str], cap: int) -> None:
    """Which series stay does not depend on the order in which they came."""
    store = SnapshotStore()
    store.add_account("acme", FEEDS, Limits(cap))
    store.put(agents(**dict.fromkeys(order, 1)))

    assert sorted("abcdef")[:cap] == sorted(shown(store.page(NOON)))


def test_a_capped_block_keeps_its_segment(store: SnapshotStore) -> None:
    """A block over the cap that did not change is not compressed again."""
    store.add_account("acme", FEEDS, Limits(2))
    store.put(agents(a=1, b=2, c=3))
    first = store.page(NOON)
    second = store.page(NOON + 1, before=first)

    assert first.families[0].segments[0] is second.families[0].segments[0]


def test_the_cap_on_bytes(store: SnapshotStore, reports: Reports) -> None:
    """Series over the cap on bytes are left out as those over the number, the first ones kept."""
    line = len(f"{AGENTS}{labels('acme', 'a').decode()}1\n")
    store.add_account("acme", FEEDS, Limits(1000, 3 * line))
    store.put(agents("first", b=2, a=1))
    store.put(agents("second", e=5, d=4, c=3))

    assert shown(store.page(NOON)) == {"a": 1, "b": 2, "c": 3}
    assert reports.dropped == [("acme", "first", 0), ("acme", "second", 2)]
    store.put(agents("second", c=3))
    assert shown(store.page(NOON)) == {"a": 1, "b": 2, "c": 3}
    assert reports.dropped[2:] == [("acme", "first", 0), ("acme", "second", 0)]


@given(st.permutations("abcdef"), st.integers(0, 400), st.integers(1, 7))
def test_the_cap_on_bytes_is_kept(order: list[str], size: int, series: int) -> None:
    """The series are at most as large as the cap, and the next one would not have fitted."""
    store = SnapshotStore()
    store.add_account("acme", FEEDS, Limits(series, size))
    store.put(agents(**{name: 10**place for place, name in enumerate(order)}))

    lines = [line for line in body(store.page(NOON)).splitlines(keepends=True) if line[:1] != b"#"]
    every = agents(**{name: 10**place for place, name in enumerate(order)}).blocks[f.QUEUE_AGENTS]
    expected, left = [], size
    for line in sorted(every.text.splitlines(keepends=True))[:series]:
        if len(line) > left:
            break
        left -= len(line)
        expected.append(line)
    assert sorted(lines) == expected


def test_a_block_over_the_bytes_keeps_its_segment(store: SnapshotStore) -> None:
    """A block over the cap on bytes that did not change is not compressed again."""
    store.add_account("acme", FEEDS, Limits(1000, 200))
    store.put(agents(a=1, b=2, c=3, d=4))
    first = store.page(NOON)
    store.put(agents("second", a=1))
    second = store.page(NOON + 1, before=first)

    assert first.families[0].segments[0] is second.families[0].segments[0]


def test_the_cap_of_one_account_is_its_own(store: SnapshotStore) -> None:
    """One account over its cap costs another nothing."""
    store.add_account("acme", FEEDS, Limits(1))
    store.add_account("beta", FEEDS, Limits(2))
    store.put(agents(a=1, b=2))
    store.put(agents(account="beta", c=3, d=4))

    assert shown(store.page(NOON)) == {"a": 1, "c": 3, "d": 4}


def test_doubles(store: SnapshotStore, reports: Reports) -> None:
    """Of a series that two feeds show the more important feed's stands; the other is reported."""
    store.put(agents("second", a=2, b=3))
    store.put(agents("first", a=1))

    assert shown(store.page(NOON)) == {"a": 1, "b": 3}
    assert reports.duplicated == [("acme", "second", 1)]


def test_doubles_are_reported_once(store: SnapshotStore, reports: Reports) -> None:
    """Pages made of the same snapshots do not report the same doubles again."""
    store.put(agents("first", a=1))
    store.put(agents("second", a=2, b=3))
    page = None
    for seconds in range(3):
        page = store.page(NOON + seconds, before=page)

    assert reports.duplicated == [("acme", "second", 1)]


def test_doubles_of_three(store: SnapshotStore) -> None:
    """A series that three feeds show stands once."""
    for value, feed in enumerate(FEEDS, 1):
        store.put(agents(feed, a=value))

    assert shown(store.page(NOON)) == {"a": 1}


def test_doubles_do_not_use_up_the_cap(store: SnapshotStore) -> None:
    """A double that is dropped does not count as a series."""
    store.add_account("acme", FEEDS, Limits(2))
    store.put(agents("first", a=1))
    store.put(agents("second", a=2, b=3))

    assert shown(store.page(NOON)) == {"a": 1, "b": 3}


# The exporter's own metrics -------------------------------------------------------------------


def test_extra_families_come_last(store: SnapshotStore) -> None:
    """Extra families of a page follow the figures, whatever their names."""
    store.put(agents(a=1))
    page = store.page(NOON, parse_exposition(OWN.format(1)))

    assert [family.name for family in page.families] == [AGENTS, "a_own"]
    assert body(page).endswith(b"\na_own 1\n")


def test_extra_chapters_are_not_taken_over(store: SnapshotStore) -> None:
    """Families passed to an earlier page are not on the next one."""
    store.put(agents(a=1))
    page = store.page(NOON, before=store.page(NOON, parse_exposition(OWN.format(1))))

    assert [family.name for family in page.families] == [AGENTS]


def test_own_metrics_come_last_and_not_too_often(store: SnapshotStore) -> None:
    """The exporter's own metrics follow the figures and are rendered once a second at most."""
    made = []
    now = [NOON]

    def own() -> list[ExposedFamily]:
        made.append(len(made))
        return parse_exposition(OWN.format(len(made)))

    store.put(agents("second", b=1))
    publisher = Publisher(store, own, lambda: now[0])
    pages = []
    for moment in (0, 0.5, 1.0, 1.5):
        now[0] = NOON + moment
        store.put(agents(a=moment))
        publisher._publish()
        pages.append(publisher.current())

    assert len(set(map(id, pages))) == len(pages)
    for page in pages:
        assert [family.name for family in page.families] == [AGENTS, "a_own"]
    assert [int(body(page).split()[-1]) for page in pages] == [1, 1, 2, 2]


def test_own_metrics_follow_figures_that_leave(store: SnapshotStore) -> None:
    """Where figures expire or are removed, the own metrics on that page are no older."""
    now = [NOON]

    def own() -> list[ExposedFamily]:
        latest = store.latest("acme", "first")
        return parse_exposition(OWN.format(int(bool(latest and latest.expires_at > now[0]))))

    def last() -> int:
        return int(body(publisher.current()).split()[-1])

    store.put(agents(a=1, expires_at=NOON + 0.3))
    publisher = Publisher(store, own, lambda: now[0])
    assert last() == 1
    now[0] += 0.3
    assert (last(), shown(publisher.current())) == (0, {})
    for remove in (
        lambda: store.remove_feed("acme", "first"),
        lambda: store.clear_account("acme"),
    ):
        store.put(agents(a=1))
        publisher.renew()
        assert last() == 1
        remove()
        publisher._publish()
        assert (last(), shown(publisher.current())) == (0, {})


def test_own_metrics_after_a_clock_went_back(store: SnapshotStore) -> None:
    """A clock that is set back does not freeze the exporter's own metrics."""
    made = []
    now = [NOON]
    publisher = Publisher(store, lambda: made.append(1) or [], lambda: now[0])
    now[0] -= 3600
    publisher.current()

    assert len(made) == 2


# Deltas ---------------------------------------------------------------------------------------

series = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 9), max_size=8)
contents = st.dictionaries(st.sampled_from(FAMILIES), series, max_size=3)
puts = st.builds(
    snapshot,
    contents,
    st.sampled_from(ACCOUNTS),
    st.sampled_from(FEEDS),
    st.integers(-5, 200).map(lambda seconds: NOON + seconds),
)
clears = st.sampled_from(ACCOUNTS)
waits = st.floats(0, 60)
deltas = st.lists(st.one_of(puts, puts, puts, clears, waits), min_size=1, max_size=25)


@settings(max_examples=150)
@given(deltas, st.sampled_from([3, 10, 1000]))
def test_any_series_of_deltas(steps: list[Snapshot | str | float], cap: int) -> None:
    """After any changes the page, plain and gzipped, is the page made from scratch of the same."""
    store = SnapshotStore()
    for account in ACCOUNTS:
        store.add_account(account, FEEDS, Limits(cap))
    now, page = NOON, None
    latest: dict[tuple[str, str], Snapshot] = {}
    for step in steps:
        if isinstance(step, Snapshot):
            store.put(step)
            latest[step.account, step.feed] = step
        elif isinstance(step, str):
            store.clear_account(step)
            latest = {key: each for key, each in latest.items() if key[0] != step}
        else:
            now += step
        page = store.page(now, before=page)
    scratch = SnapshotStore()
    for account in ACCOUNTS:
        scratch.add_account(account, FEEDS, Limits(cap))
    for each in latest.values():
        scratch.put(each)
    fresh = scratch.page(now)

    assert page is not None
    assert page.valid_until == fresh.valid_until
    for form in Format:
        plain = body(page, form)
        assert plain == body(fresh, form)
        assert plain == zlib.decompress(b"".join(page.body(form, gzip=True)[0]), 31)
        lines = [line.rpartition(b" ")[0] for line in plain.splitlines() if line[:1] != b"#"]
        assert len(lines) == len(set(lines))
    parsed = parse_openmetrics(body(page, Format.OPENMETRICS).decode())
    assert len(page.families) == len(list(parsed))


def test_an_unchanged_account_is_not_compressed_again(store: SnapshotStore) -> None:
    """One account's new figures leave another's segments as they are, if they are large enough."""
    store.add_account("beta", FEEDS, Limits(1000))
    many = {f"q{at}": float(at) for at in range(200)}
    store.put(agents(**many))
    store.put(agents(account="beta", **many))
    first = store.page(NOON)
    store.put(agents(account="beta", **{**many, "q1": 99.0}))
    second = store.page(NOON, before=first)

    assert [
        one is two
        for one, two in zip(first.families[0].segments, second.families[0].segments, strict=True)
    ] == [True, False]


def test_only_what_has_changed_is_fitted_anew(store: SnapshotStore) -> None:
    """An account's blocks are the same list as long as no feed of it has other blocks."""
    store.add_account("beta", FEEDS, Limits(2))
    store.put(agents(a=1, b=2))
    store.put(agents(account="beta", a=1, b=2, c=3))
    first = store.page(NOON)
    store.put(agents(a=1, b=3))
    second = store.page(NOON, before=first)

    assert first.accounts_part.blocks["acme"] is not second.accounts_part.blocks["acme"]
    assert first.accounts_part.blocks["beta"] is second.accounts_part.blocks["beta"]


# Publisher ------------------------------------------------------------------------------------


def test_current_is_fresh(store: SnapshotStore) -> None:
    """A page whose figures have become too old is made anew before it is handed out."""
    now = [NOON]
    store.put(agents(a=1, expires_at=NOON + 5))
    publisher = Publisher(store, list, lambda: now[0])
    before = shown(publisher.current())
    now[0] += 5

    assert (before, shown(publisher.current())) == ({"a": 1}, {})


def test_current_is_reused(store: SnapshotStore) -> None:
    """While its figures are fresh the same page is handed out."""
    publisher = Publisher(store, list, lambda: NOON)

    assert publisher.current() is publisher.current()


def test_current_after_a_clock_went_back(store: SnapshotStore) -> None:
    """A page from the future is not kept until that future comes."""
    now = [NOON]
    publisher = Publisher(store, list, lambda: now[0])
    before = publisher.current()
    now[0] -= 3600

    assert before is not publisher.current()


def test_renewed_at_once(store: SnapshotStore) -> None:
    """A page that is asked for anew shows what has just left, the exporter's own part included."""
    made = []
    store.put(agents(a=1))

    def own() -> list[ExposedFamily]:
        made.append(1)
        return parse_exposition(OWN.format(len(made)))

    publisher = Publisher(store, own, lambda: NOON)
    before = body(publisher.page)
    store.remove_account("acme")
    store.remove_account("acme")
    publisher.renew()

    assert b'account="acme"' in before
    assert body(publisher.page) == OWN.format(2).encode()


def test_publisher_follows_changes(store: SnapshotStore) -> None:
    """A running publisher makes a new page when the store changes, and stops when asked."""
    made = threading.Event()
    ticks = iter(range(10**9))

    def own() -> list[ExposedFamily]:
        if store.latest("acme", "first"):
            made.set()
        return []

    publisher = Publisher(store, own, lambda: NOON + 2 * next(ticks), pause=0.001)
    publisher.start()
    store.put(agents(a=1, expires_at=NOON + 10**9))
    came = made.wait(timeout=5)
    publisher.stop()

    assert came
    assert shown(publisher.page) == {"a": 1}
    assert "publisher" not in [thread.name for thread in threading.enumerate()]
