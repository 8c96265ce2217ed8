"""The thread that makes the page."""

import threading
from collections.abc import Callable

from exporter.exposition.page import ExposedFamily, Page
from exporter.exposition.store import LONGEST_VALID, SnapshotStore

_OWN_METRICS_EVERY = 1.0  # seconds between two renderings of the exporter's own metrics


class Publisher:
    """Keeps one finished page at hand, in a thread of its own.

    ``own`` renders the exporter's own metrics, at most once a second.
    ``page`` is an instance attribute replaced by one assignment: CPython 3.11 has been seen to
    crash where threads share an object through a class attribute.
    """

    def __init__(
        self,
        store: SnapshotStore,
        own: Callable[[], list[ExposedFamily]],
        now: Callable[[], float],
        pause: float = 0.1,
    ) -> None:
        self._board = store
        self._render_own = own
        self._own: tuple[float, list[ExposedFamily]] = (float("-inf"), [])
        self._now = now
        self._pause = pause
        self._making = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self.page = store.page(now(), self._own_chapters(now()))

    def start(self) -> None:
        """Start making pages."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the thread to end."""
        self._stop.set()
        self._board.changed.set()
        self._thread.join(timeout=5)

    def renew(self) -> None:
        """Make a page of what is known now, the exporter's own metrics included."""
        with self._making:
            self._own = (float("-inf"), [])
        self._publish()

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

    def _own_chapters(self, now: float) -> list[ExposedFamily]:
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
