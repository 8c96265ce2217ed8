"""The latest snapshot of every feed, and the page made of those that are still fresh."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from exporter.clock import SystemClock
from exporter.exposition.page import ExposedFamily, Page, assemble
from exporter.metrics.families import Family
from exporter.metrics.snapshot import Block, Snapshot
from exporter.objectives.model import Entry, Objectives
from exporter.objectives.series import Applied, apply

LONGEST_VALID = 10.0  # seconds: a page is made anew at least this often, come what may

Report = Callable[[str, str, int], None]  # account, feed, number of series


@dataclass(slots=True)
class AccountSlot:
    """One account's place on the board: its feeds in order of importance, and its cap.

    ``base`` are the labels of its series, without which no objectives hold for it; ``tried``
    tells whether every feed has been read or has failed.
    """

    feeds: Sequence[str]
    max_series: int
    base: Mapping[str, str] | None
    tried: Callable[[], bool]
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    applied: Applied | None = None
    fitted: "ShownBlocks | None" = None


@dataclass(frozen=True, slots=True, eq=False)
class ShownBlocks:
    """An account's blocks as they are shown.

    ``of`` are the blocks of its snapshots, and ``trims`` those that had to lose series, by what
    they are trimmed from.
    """

    of: Sequence[Mapping[Family, Block]]
    blocks: Sequence[Block]
    trims: Mapping[tuple[Block, ...], Block]

    def still(self, snapshots: Sequence[Snapshot]) -> bool:
        """Tell whether these snapshots have the very same blocks."""
        pairs = zip_longest(self.of, snapshots)
        return all(snapshot and blocks is snapshot.blocks for blocks, snapshot in pairs)


class SnapshotStore:
    """Where refreshers put snapshots and the web takes pages.

    Snapshots come from the event loop, pages are made in another thread; what both touch is
    guarded by one lock that is never held while bytes are made. ``dropped`` and ``doubled`` are
    told what was left out of a page. ``wall`` tells the time that opening hours are about.
    """

    def __init__(
        self,
        dropped: Report = lambda *_: None,
        doubled: Report = lambda *_: None,
        *,
        objectives: Objectives | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._places: dict[str, AccountSlot] = {}
        self._lock = threading.Lock()
        self._dropped = dropped
        self._doubled = doubled
        self._objectives = objectives or Objectives()
        self._wall = wall or SystemClock().time
        self.changed = threading.Event()

    def add_account(
        self,
        account: str,
        feeds: Sequence[str],
        max_series: int,
        base: Mapping[str, str] | None = None,
        tried: Callable[[], bool] = lambda: True,
    ) -> None:
        """Give an account its place."""
        with self._lock:
            self._places[account] = AccountSlot(feeds, max_series, base, tried)

    def set_objectives(self, objectives: Objectives) -> None:
        """Let other objectives hold from the next page on."""
        self._objectives = objectives
        self.changed.set()

    def release(self, account: str) -> None:
        """Take an account and its figures off the page."""
        with self._lock:
            self._places.pop(account, None)
        self.changed.set()

    def put(self, snapshot: Snapshot) -> None:
        """Replace a feed's snapshot."""
        with self._lock:
            self._places[snapshot.account].snapshots[snapshot.feed] = snapshot
        self.changed.set()

    def latest(self, account: str, feed: str) -> Snapshot | None:
        """Return a feed's last snapshot, fresh or not."""
        place = self._places.get(account)  # it may have been given up meanwhile
        return place.snapshots.get(feed) if place else None

    def withdraw(self, account: str, feed: str) -> None:
        """Take a feed's figures off the page."""
        with self._lock:
            if account in self._places:
                self._places[account].snapshots.pop(feed, None)
        self.changed.set()

    def clear(self, account: str) -> None:
        """Take an account's figures off the page."""
        with self._lock:
            self._places[account].snapshots = {}
        self.changed.set()

    def page(
        self, now: float, extra: Sequence[ExposedFamily] = (), before: Page | None = None
    ) -> Page:
        """Make the page of what is fresh at ``now`` (monotonic seconds), and ``extra`` chapters.

        ``before`` is an earlier page whose work is taken over where nothing has changed.
        """
        owned: dict[str, Sequence[Block]] = {}
        valid_until = now + LONGEST_VALID
        objectives, wall = self._objectives, self._wall()
        for account, place, fresh in self._fresh(now):
            valid_until = min([valid_until, *(snapshot.expires_at for snapshot in fresh)])
            shown = fresh
            applied = self._apply(objectives, place, fresh, wall)
            if applied is not None:
                valid_until = min(valid_until, now + applied.until - wall)
                shown = [*fresh, applied.snapshot]  # last: the first to go where there are too many
            if place.fitted is None or not place.fitted.still(shown):
                place.fitted = self._fit(account, shown, place)
            owned[account] = place.fitted.blocks
        return assemble(owned, extra, valid_until, before)

    def unmatched(self, now: float) -> list[Entry] | None:
        """Return the objectives that match nothing live at ``now`` (monotonic seconds).

        ``None`` while an account has not been tried, because then nobody knows.
        """
        objectives, wall = self._objectives, self._wall()
        matched: set[Entry] = set()
        for _, place, fresh in self._fresh(now):
            if not place.tried():
                return None
            applied = self._apply(objectives, place, fresh, wall)
            if applied is not None:
                matched |= applied.matched
        return [entry for entry in objectives.entries if entry not in matched]

    def _fresh(self, now: float) -> list[tuple[str, AccountSlot, list[Snapshot]]]:
        """Return every account with its fresh snapshots, by name."""
        with self._lock:
            found = [
                (
                    account,
                    place,
                    [place.snapshots[feed] for feed in place.feeds if feed in place.snapshots],
                )
                for account, place in sorted(self._places.items())
            ]
        return [
            (account, place, [each for each in snapshots if each.expires_at > now])
            for account, place, snapshots in found
        ]

    def _apply(
        self, objectives: Objectives, place: AccountSlot, fresh: Sequence[Snapshot], wall: float
    ) -> Applied | None:
        """Return what holds for an account, or ``None`` where nothing ever did."""
        if place.base is not None and (objectives.entries or place.applied is not None):
            place.applied = apply(objectives, place.base, fresh, wall, place.applied)
        return place.applied

    def _fit(self, account: str, snapshots: Sequence[Snapshot], place: AccountSlot) -> ShownBlocks:
        """Choose an account's blocks: less doubles between feeds and series over its cap."""
        blocks = [block for snapshot in snapshots for block in snapshot.blocks.values()]
        names = {block.family.name for block in blocks}
        size = sum(snapshot.size for snapshot in snapshots)
        if size <= place.max_series and len(names) == len(blocks):  # so it is nearly always
            for snapshot in snapshots:
                self._dropped(account, snapshot.feed, 0)
            return ShownBlocks([snapshot.blocks for snapshot in snapshots], blocks, {})
        fitter = _Fitter(place.fitted.trims if place.fitted else {})
        left = place.max_series
        for snapshot in snapshots:
            over = 0
            for found in sorted(snapshot.blocks.values(), key=lambda block: block.family.name):
                block, doubles = fitter.undoubled(found)
                if doubles:
                    self._doubled(account, snapshot.feed, doubles)
                if len(block.labels) > left:
                    over += len(block.labels) - left
                    block = fitter.headed(block, left)
                left -= len(block.labels)
                fitter.take(block)
            self._dropped(account, snapshot.feed, over)
        return ShownBlocks([snapshot.blocks for snapshot in snapshots], fitter.blocks, fitter.trims)


class _Fitter:
    """Fits blocks to what is there already; ``before`` are the trims that were made last time."""

    def __init__(self, before: Mapping[tuple[Block, ...], Block]) -> None:
        self.blocks: list[Block] = []
        self.trims: dict[tuple[Block, ...], Block] = {}
        self._before = before
        self._seen: dict[str, list[Block]] = {}

    def take(self, block: Block) -> None:
        """Let a block be shown."""
        self._seen.setdefault(block.family.name, []).append(block)
        if block.labels:
            self.blocks.append(block)

    def undoubled(self, block: Block) -> tuple[Block, int]:
        """Drop the series that a more important feed shows; return how many doubles are new."""
        earlier = self._seen.get(block.family.name)
        if not earlier:
            return block, 0
        taken = {label for other in earlier for label in other.labels}
        if taken.isdisjoint(block.labels):
            return block, 0
        key = (block, *earlier)
        trim = self._before.get(key)
        doubles = 0
        if trim is None:
            trim = block.without(taken)
            doubles = len(block.labels) - len(trim.labels)
        self.trims[key] = trim
        return trim, doubles

    def headed(self, block: Block, series: int) -> Block:
        """Keep the first series of a block; the same ones as long as the block is the same."""
        trim = self._before.get((block,))
        if trim is None or len(trim.labels) != series:
            trim = block.head(series)
        self.trims[(block,)] = trim
        return trim
