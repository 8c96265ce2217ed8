"""Publisher: a thread that keeps a finished page ready."""

import threading
from collections.abc import Callable

from exporter.exposition.page import ExposedFamily, Page
from exporter.exposition.store import LONGEST_VALID, SnapshotStore

_OWN_INTERVAL = 1.0  # seconds between two renderings of the exporter's own metrics


class Publisher:
    """Keeps the latest page ready, in a thread of its own.

    ``own`` renders the exporter's own metrics; it is called at most once a second. ``now`` returns
    monotonic seconds, ``pause`` is the shortest time between two pages in seconds. ``page`` is an
    instance attribute replaced by one assignment: CPython 3.11 has been seen to crash where
    threads share an object through a class attribute.
    """

    def __init__(
        self,
        store: SnapshotStore,
        own: Callable[[], list[ExposedFamily]],
        now: Callable[[], float],
        pause: float = 0.1,
    ) -> None:
        self._store = store
        self._render_own = own
        self._removals = store.removals
        self._own: tuple[float, list[ExposedFamily]] = (float("-inf"), [])
        self.now = now
        self._pause = pause
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self.page = store.page(now(), self._own_families(now()))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait up to 5 seconds for its end."""
        self._stop.set()
        self._store.changed.set()
        self._thread.join(timeout=5)

    def renew(self) -> None:
        """Make a page now, with the exporter's own metrics rendered again."""
        with self._lock:
            self._own = (float("-inf"), [])
        self._publish()

    def current(self) -> Page:
        """Return a page without expired figures; made now if necessary."""
        now = self.now()
        if not now < self.page.valid_until <= now + LONGEST_VALID:
            self._publish()
        return self.page

    def _publish(self) -> None:
        with self._lock:
            now, removals = self.now(), self._store.removals
            if now >= self.page.valid_until or removals != self._removals:
                self._own = (float("-inf"), [])  # an account may be up no more
            self._removals = removals
            self.page = self._store.page(now, self._own_families(now), self.page)

    def _own_families(self, now: float) -> list[ExposedFamily]:
        rendered_at, families = self._own
        if not rendered_at <= now < rendered_at + _OWN_INTERVAL:
            families = self._render_own()
            self._own = (now, families)
        return families

    def _run(self) -> None:
        while not self._stop.is_set():
            self._store.changed.wait(timeout=_OWN_INTERVAL)
            self._store.changed.clear()
            self._publish()
            self._stop.wait(self._pause)  # changes within the pause make one page
