"""Store of the latest snapshot of every feed; makes the page of those that are still fresh."""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from exporter.clock import SystemClock
from exporter.exposition.page import ExposedFamily, Page, assemble
from exporter.metrics.families import Family
from exporter.metrics.snapshot import Block, Snapshot
from exporter.objectives.model import Objective, Objectives
from exporter.objectives.series import AccountObjectives, apply_objectives

LONGEST_VALID = 10.0  # seconds after which a page is made again, even if nothing expired

Report = Callable[[str, str, int], None]  # account, feed, number of series


class Limits(NamedTuple):
    """The limits of an account's series on the page: their number, and their size in bytes."""

    series: int
    size: int = sys.maxsize


@dataclass(slots=True)
class AccountSlot:
    """One account in the store: its feeds in order of importance, and its limits.

    ``base`` are its base labels, ``None`` if no objectives apply to it; ``tried`` returns whether
    every feed has been read or has failed.
    """

    feeds: Sequence[str]
    limits: Limits
    base: Mapping[str, str] | None
    tried: Callable[[], bool]
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    objectives: AccountObjectives | None = None
    shown: "ShownBlocks | None" = None


@dataclass(frozen=True, slots=True, eq=False)
class ShownBlocks:
    """The blocks that an account shows.

    ``sources`` are the blocks of its snapshots; ``trimmed`` are the blocks that had to lose
    series, by the blocks that they depend on.
    """

    sources: Sequence[Mapping[Family, Block]]
    blocks: Sequence[Block]
    trimmed: Mapping[tuple[Block, ...], Block]

    def is_current(self, snapshots: Sequence[Snapshot]) -> bool:
        """Return whether they were made of the blocks of these snapshots."""
        pairs = zip_longest(self.sources, snapshots)
        return all(snapshot and blocks is snapshot.blocks for blocks, snapshot in pairs)


class SnapshotStore:
    """The latest snapshots of all accounts.

    Snapshots come from the event loop, pages are made in another thread; shared state is guarded
    by one lock, which is not held while bytes are rendered. ``dropped`` and ``duplicated`` are
    called with the series that a page leaves out. ``wall`` returns the time for opening hours, in
    epoch seconds.
    """

    def __init__(
        self,
        dropped: Report = lambda *_: None,
        duplicated: Report = lambda *_: None,
        *,
        objectives: Objectives | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._slots: dict[str, AccountSlot] = {}
        self._lock = threading.Lock()
        self._dropped = dropped
        self._duplicated = duplicated
        self._objectives = objectives or Objectives()
        self._wall = wall or SystemClock().time
        self.changed = threading.Event()
        self.removals = 0  # snapshots removed before they expired

    def add_account(
        self,
        account: str,
        feeds: Sequence[str],
        limits: Limits,
        base: Mapping[str, str] | None = None,
        tried: Callable[[], bool] = lambda: True,
    ) -> None:
        """Add an account; for the parameters see ``AccountSlot``."""
        with self._lock:
            self._slots[account] = AccountSlot(feeds, limits, base, tried)

    def remove_account(self, account: str) -> None:
        """Remove an account and its series."""
        with self._lock:
            self._slots.pop(account, None)
        self.changed.set()

    def clear_account(self, account: str) -> None:
        """Remove an account's snapshots; the account stays."""
        with self._lock:
            self._slots[account].snapshots = {}
            self.removals += 1
        self.changed.set()

    def remove_feed(self, account: str, feed: str) -> None:
        """Remove a feed's snapshot, if the account is still there."""
        with self._lock:
            if account in self._slots:
                self._slots[account].snapshots.pop(feed, None)
                self.removals += 1
        self.changed.set()

    def put(self, snapshot: Snapshot) -> None:
        """Replace a feed's snapshot."""
        with self._lock:
            self._slots[snapshot.account].snapshots[snapshot.feed] = snapshot
        self.changed.set()

    def latest(self, account: str, feed: str) -> Snapshot | None:
        """Return a feed's last snapshot, fresh or not."""
        slot = self._slots.get(account)  # it may have been removed meanwhile
        return slot.snapshots.get(feed) if slot else None

    def set_objectives(self, objectives: Objectives) -> None:
        """Replace the objectives, from the next page on."""
        self._objectives = objectives
        self.changed.set()

    def page(
        self, now: float, extra: Sequence[ExposedFamily] = (), before: Page | None = None
    ) -> Page:
        """Return the page of what is fresh at ``now`` (monotonic seconds), then ``extra``.

        Unchanged parts are taken from the earlier page ``before``.
        """
        blocks: dict[str, Sequence[Block]] = {}
        valid_until = now + LONGEST_VALID
        objectives, wall = self._objectives, self._wall()
        for account, slot, fresh in self._fresh(now):
            valid_until = min([valid_until, *(snapshot.expires_at for snapshot in fresh)])
            snapshots = fresh
            applied = self._apply(objectives, slot, fresh, wall)
            if applied is not None:
                valid_until = min(valid_until, now + applied.until - wall)
                snapshots = [*fresh, applied.snapshot]  # last, so over the cap they go first
            if slot.shown is None or not slot.shown.is_current(snapshots):
                slot.shown = self._select(account, snapshots, slot)
            blocks[account] = slot.shown.blocks
        return assemble(blocks, extra, valid_until, before)

    def unmatched(self, now: float) -> list[Objective] | None:
        """Return the objectives that match nothing fresh at ``now`` (monotonic seconds).

        ``None`` while an account has not been tried.
        """
        objectives, wall = self._objectives, self._wall()
        matched: set[Objective] = set()
        for _, slot, fresh in self._fresh(now):
            if not slot.tried():
                return None
            applied = self._apply(objectives, slot, fresh, wall)
            if applied is not None:
                matched |= applied.matched
        return [objective for objective in objectives.items if objective not in matched]

    def outdated(self) -> list[Objective]:
        """Return the objectives whose holidays have all passed."""
        return self._objectives.outdated(self._wall())

    def _fresh(self, now: float) -> list[tuple[str, AccountSlot, list[Snapshot]]]:
        """Return every account with its fresh snapshots, by name."""
        with self._lock:
            return [
                (
                    account,
                    slot,
                    [
                        slot.snapshots[feed]
                        for feed in slot.feeds
                        if feed in slot.snapshots and slot.snapshots[feed].expires_at > now
                    ],
                )
                for account, slot in sorted(self._slots.items())
            ]

    def _apply(
        self, objectives: Objectives, slot: AccountSlot, fresh: Sequence[Snapshot], wall: float
    ) -> AccountObjectives | None:
        """Return an account's objectives and directions, ``None`` for one without base labels."""
        if slot.base is not None:
            slot.objectives = apply_objectives(objectives, slot.base, fresh, wall, slot.objectives)
        return slot.objectives

    def _select(
        self, account: str, snapshots: Sequence[Snapshot], slot: AccountSlot
    ) -> ShownBlocks:
        """Return an account's blocks without duplicates between feeds, cut to its limits."""
        sources = [snapshot.blocks for snapshot in snapshots]
        blocks = [block for by_family in sources for block in by_family.values()]
        names = {block.family.name for block in blocks}
        size = sum(snapshot.size for snapshot in snapshots)
        fits = (
            size <= slot.limits.series
            and sum(snapshot.bytes for snapshot in snapshots) <= slot.limits.size
        )
        if fits and len(names) == len(blocks):  # the usual case
            for snapshot in snapshots:
                self._dropped(account, snapshot.feed, 0)
            return ShownBlocks(sources, blocks, {})
        trimmer = _Trimmer(slot.shown.trimmed if slot.shown else {})
        left, bytes_left = slot.limits
        for snapshot in snapshots:
            over = 0
            for source in sorted(snapshot.blocks.values(), key=lambda block: block.family.name):
                block, duplicates = trimmer.without_duplicates(source)
                if duplicates:
                    self._duplicated(account, snapshot.feed, duplicates)
                if len(block.labels) > left or len(block.text) > bytes_left:
                    series = len(block.labels)
                    block = trimmer.first(block, left, bytes_left)
                    over += series - len(block.labels)
                left -= len(block.labels)
                bytes_left -= len(block.text)
                trimmer.add(block)
            self._dropped(account, snapshot.feed, over)
        return ShownBlocks(sources, trimmer.blocks, trimmer.trimmed)


class _Trimmer:
    """Removes series from blocks; ``before`` are the trimmed blocks of the last time."""

    def __init__(self, before: Mapping[tuple[Block, ...], Block]) -> None:
        self.blocks: list[Block] = []
        self.trimmed: dict[tuple[Block, ...], Block] = {}
        self._before = before
        self._by_name: dict[str, list[Block]] = {}

    def add(self, block: Block) -> None:
        """Add a block to those that are shown."""
        self._by_name.setdefault(block.family.name, []).append(block)
        if block.labels:
            self.blocks.append(block)

    def without_duplicates(self, block: Block) -> tuple[Block, int]:
        """Drop the series that are shown already; return how many were not dropped last time."""
        earlier = self._by_name.get(block.family.name)
        if not earlier:
            return block, 0
        shown = {labels for shown_block in earlier for labels in shown_block.labels}
        if shown.isdisjoint(block.labels):
            return block, 0
        key = (block, *earlier)
        trimmed = self._before.get(key)
        duplicates = 0
        if trimmed is None:
            trimmed = block.without(shown)
            duplicates = len(block.labels) - len(trimmed.labels)
        self.trimmed[key] = trimmed
        return trimmed, duplicates

    def first(self, block: Block, series: int, size: int) -> Block:
        """Keep the first series of a block; the same object while the result is the same."""
        trimmed = self._before.get((block,))
        if trimmed is None or len(trimmed.labels) != series or len(trimmed.text) > size:
            first = block.first(series, size)
            if trimmed is None or not trimmed.has(first.labels, first.values):
                trimmed = first
        self.trimmed[(block,)] = trimmed
        return trimmed
