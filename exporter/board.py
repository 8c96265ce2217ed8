"""The latest snapshot of every feed, and the page made of those that are still fresh."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exporter.page import Chapter, Page, assemble
from exporter.snapshot import Block, Snapshot

LONGEST_VALID = 10.0  # seconds: a page is made anew at least this often, come what may
_OWN_METRICS_EVERY = 1.0  # seconds between two renderings of the exporter's own metrics

Report = Callable[[str, str, int], None]  # account, feed, number of series


@dataclass(slots=True)
class Place:
    """One account's place on the board: its feeds in order of importance, and its cap."""

    feeds: Sequence[str]
    max_series: int
    snapshots: dict[str, Snapshot] = field(default_factory=dict)


class Board:
    """Where refreshers put snapshots and the web takes pages.

    Snapshots come from the event loop, pages are made in another thread; what both touch is
    guarded by one lock that is never held while bytes are made. ``dropped`` and ``doubled`` are
    told what was left out of a page.
    """

    def __init__(
        self,
        dropped: Report = lambda *_: None,
        doubled: Report = lambda *_: None,
    ) -> None:
        self._places: dict[str, Place] = {}
        self._lock = threading.Lock()
        self._dropped = dropped
        self._doubled = doubled
        self._trims: dict[tuple[Block, ...], Block] = {}
        self.changed = threading.Event()

    def reserve(self, account: str, feeds: Sequence[str], max_series: int) -> None:
        """Give an account its place."""
        with self._lock:
            self._places[account] = Place(feeds, max_series)

    def put(self, snapshot: Snapshot) -> None:
        """Replace a feed's snapshot."""
        with self._lock:
            self._places[snapshot.account].snapshots[snapshot.feed] = snapshot
        self.changed.set()

    def latest(self, account: str, feed: str) -> Snapshot | None:
        """Return a feed's last snapshot, fresh or not."""
        return self._places[account].snapshots.get(feed)

    def withdraw(self, account: str, feed: str) -> None:
        """Take a feed's figures off the page."""
        with self._lock:
            self._places[account].snapshots.pop(feed, None)
        self.changed.set()

    def clear(self, account: str) -> None:
        """Take an account's figures off the page."""
        with self._lock:
            self._places[account].snapshots = {}
        self.changed.set()

    def page(self, now: float, extra: Sequence[Chapter] = (), before: Page | None = None) -> Page:
        """Make the page of what is fresh at ``now`` (monotonic seconds), and ``extra`` chapters.

        ``before`` is an earlier page whose work is taken over where nothing has changed.
        """
        with self._lock:
            places = {
                account: (
                    place.max_series,
                    [place.snapshots[feed] for feed in place.feeds if feed in place.snapshots],
                )
                for account, place in sorted(self._places.items())
            }
        owned: dict[str, list[Block]] = {}
        valid_until = now + LONGEST_VALID
        trims: dict[tuple[Block, ...], Block] = {}
        for account, (limit, snapshots) in places.items():
            fresh = [snapshot for snapshot in snapshots if snapshot.expires_at > now]
            valid_until = min([valid_until, *(snapshot.expires_at for snapshot in fresh)])
            owned[account] = self._fit(account, fresh, limit, trims)
        self._trims = trims
        return assemble(owned, extra, valid_until, before)

    def _fit(
        self,
        account: str,
        snapshots: Sequence[Snapshot],
        limit: int,
        trims: dict[tuple[Block, ...], Block],
    ) -> list[Block]:
        """Return an account's blocks, less doubles between feeds and series over its cap."""
        fitted: list[Block] = []
        seen: dict[str, list[Block]] = {}
        left = limit
        for snapshot in snapshots:
            over = 0
            for found in sorted(snapshot.blocks.values(), key=lambda block: block.family.name):
                name = found.family.name
                block = self._undoubled(found, seen.get(name, []), snapshot, trims)
                if len(block.labels) > left:
                    over += len(block.labels) - left
                    block = self._headed(block, left, trims)
                left -= len(block.labels)
                seen.setdefault(name, []).append(block)
                if block.labels:
                    fitted.append(block)
            self._dropped(account, snapshot.feed, over)
        return fitted

    def _undoubled(
        self,
        block: Block,
        earlier: Sequence[Block],
        snapshot: Snapshot,
        trims: dict[tuple[Block, ...], Block],
    ) -> Block:
        """Drop the series that a more important feed of the account already shows."""
        if not earlier:
            return block
        taken = {label for other in earlier for label in other.labels}
        if taken.isdisjoint(block.labels):
            return block
        key = (block, *earlier)
        trim = self._trims.get(key)
        if trim is None:
            trim = block.without(taken)
            self._doubled(snapshot.account, snapshot.feed, len(block.labels) - len(trim.labels))
        trims[key] = trim
        return trim

    def _headed(self, block: Block, series: int, trims: dict[tuple[Block, ...], Block]) -> Block:
        """Keep the first series of a block; the same ones as long as the block is the same."""
        trim = self._trims.get((block,))
        if trim is None or len(trim.labels) != series:
            trim = block.head(series)
        trims[(block,)] = trim
        return trim


class Publisher:
    """Keeps one finished page at hand, in a thread of its own.

    ``own`` renders the exporter's own metrics, at most once a second.
    ``page`` is an instance attribute replaced by one assignment: CPython 3.11 has been seen to
    crash where threads share an object through a class attribute.
    """

    def __init__(
        self,
        board: Board,
        own: Callable[[], list[Chapter]],
        now: Callable[[], float],
        pause: float = 0.1,
    ) -> None:
        self._board = board
        self._render_own = own
        self._own: tuple[float, list[Chapter]] = (float("-inf"), [])
        self._now = now
        self._pause = pause
        self._making = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self.page = board.page(now(), self._own_chapters(now()))

    def start(self) -> None:
        """Start making pages."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the thread to end."""
        self._stop.set()
        self._board.changed.set()
        self._thread.join(timeout=5)

    def current(self) -> Page:
        """Return a page whose figures are all fresh now; made on the spot if need be."""
        now = self._now()
        if not now < self.page.valid_until <= now + LONGEST_VALID:
            self._publish()
        return self.page

    def _publish(self) -> None:
        with self._making:
            now = self._now()
            self.page = self._board.page(now, self._own_chapters(now), self.page)

    def _own_chapters(self, now: float) -> list[Chapter]:
        made, chapters = self._own
        if not made <= now < made + _OWN_METRICS_EVERY:
            chapters = self._render_own()
            self._own = (now, chapters)
        return chapters

    def _run(self) -> None:
        while not self._stop.is_set():
            self._board.changed.wait(timeout=_OWN_METRICS_EVERY)
            self._board.changed.clear()
            self._publish()
            self._stop.wait(self._pause)  # changes that come close together make one page
