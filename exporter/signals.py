"""Signals: caught from the first line of the program, and delivered on its event loop.

``SIGTERM`` and ``SIGINT`` stop the program. ``SIGHUP`` reloads the configuration of a program that
serves, and stops every other command. A signal never ends the process by itself, at any moment
between ``SIGNALS.catch`` and its end.
"""

import signal
import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final

_ALL: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal ended the command. The message is its name, for example ``SIGTERM``."""


class Signals:
    """The signals of this process; there is one object, since handlers are process-wide."""

    def __init__(self) -> None:
        self._caught = False  # by ``catch``: the handlers stay until the process ends
        self._serves = False
        self._hung_up = False  # SIGHUP came before there was an event loop
        self._receivers: Mapping[signal.Signals, Callable[[], object]] = {}
        self._loop: AbstractEventLoop | None = None

    def catch(self, *, serves: bool) -> None:
        """Catch all signals from now on.

        Until ``receiving``, a signal raises ``Interrupted`` in the main thread; ``SIGHUP`` of a
        program that ``serves`` is kept and delivered later.
        """
        self._caught, self._serves = True, serves
        for number in _ALL:
            signal.signal(number, self._handle)

    def release(self) -> None:
        """Ignore all signals: the program has stopped, and the interpreter ends."""
        for number in _ALL:
            signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def receiving(
        self, loop: AbstractEventLoop, receivers: Mapping[signal.Signals, Callable[[], object]]
    ) -> Iterator[None]:
        """Call a receiver on the event loop for each signal that arrives in this context.

        Afterwards signals are ignored if ``catch`` was called, else their handlers are restored.
        """
        before = {number: signal.getsignal(number) for number in receivers}
        # A signal may reach another thread while the main one waits for input: it is woken by this.
        reader, writer = socket.socketpair()
        with reader, writer:
            reader.setblocking(False)  # noqa: FBT003 - its own name
            writer.setblocking(False)  # noqa: FBT003 - its own name
            loop.add_reader(reader, reader.recv, 4096)
            old_wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            self._receivers, self._loop = receivers, loop
            for number in receivers:
                signal.signal(number, self._handle)
            try:
                if self._hung_up and signal.SIGHUP in receivers:
                    loop.call_soon(receivers[signal.SIGHUP])
                yield
            finally:
                if self._caught:
                    self.release()
                else:
                    for number, handler in before.items():
                        signal.signal(number, handler)
                self._receivers, self._loop, self._hung_up = {}, None, False
                signal.set_wakeup_fd(old_wakeup)
                loop.remove_reader(reader)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number)
        if self._loop is not None and name in self._receivers:
            self._loop.call_soon_threadsafe(self._receivers[name])
        elif name == signal.SIGHUP and self._serves:
            self._hung_up = True
        else:
            raise Interrupted(name.name)


SIGNALS: Final = Signals()
"""The signals of this process."""
