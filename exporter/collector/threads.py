"""Threads for long work, so that the event loop stays free."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from exporter.errors import ExporterError

P = ParamSpec("P")
T = TypeVar("T")


# One thread: as Python runs one at a time, more would only make scrapes wait behind all of them,
# and spread what they allocate over as many heaps, each of which grows to its own peak.
_worker = ThreadPoolExecutor(1, thread_name_prefix="worker")
_hanging: set[Hashable] = set()  # keys of calls with a timeout that have not ended


async def run_in_worker_if(
    large: bool, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call a function, in the worker thread where ``large``; for short work a thread costs more."""
    if large:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_worker, partial(function, *args, **kwargs))
    return function(*args, **kwargs)


async def run_in_fresh_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that parses XML, in a thread of its own, one at a time.

    libxml2 keeps every name that it has met in a thread until that thread ends.
    """
    return await run_in_worker_if(True, _in_fresh_thread, partial(function, *args, **kwargs))  # noqa: FBT003


def _in_fresh_thread(function: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1, thread_name_prefix="parser") as thread:
        return thread.submit(function).result()


def start_in_daemon(function: Callable[[], T], key: Hashable = None) -> "Future[T]":
    """Call a function that may hang, in a thread that does not keep the process alive.

    The future has its result or its ``ExporterError``. ``key`` is known as hanging until it ends.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def work() -> None:
        try:
            try:
                result = function()
            finally:
                _hanging.discard(key)
            future.set_result(result)
        except ExporterError as error:
            future.set_exception(error)
        finally:
            if not future.done():  # a bug, whose traceback the thread prints
                future.set_exception(RuntimeError("a function in a thread failed"))

    _hanging.add(key)
    threading.Thread(target=work, name="daemon", daemon=True).start()
    return future


async def run_with_timeout(function: Callable[[], T], seconds: float, key: Hashable) -> T:
    """Call a function as ``start_in_daemon`` does and return its result.

    Raises its ``ExporterError``, and ``TimeoutError`` after that many seconds, or at once while an
    earlier call with the same ``key`` hangs: threads do not pile up.
    """
    if key in _hanging:
        raise TimeoutError
    return await asyncio.wait_for(asyncio.wrap_future(start_in_daemon(function, key)), seconds)
