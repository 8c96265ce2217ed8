"""Where work is done: small jobs at once, large ones in a thread so that the loop stays free."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from exporter.errors import ExporterError

P = ParamSpec("P")
T = TypeVar("T")


# One thread: as Python runs one at a time, more would only make scrapes wait behind all of them,
# and spread what they allocate over as many heaps, each of which grows to its own peak.
_worker = ThreadPoolExecutor(1, thread_name_prefix="worker")


async def run_job(large: bool, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a job, in the worker thread if it is large; a hop to a thread costs a small one more."""
    if large:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_worker, partial(job, *args, **kwargs))
    return job(*args, **kwargs)


class _Apart(Executor):
    """A thread for each job, which nobody waits for when the process ends."""

    def submit(self, job: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                future.set_result(job(*args, **kwargs))
            except ExporterError as error:
                future.set_exception(error)
            finally:
                if not future.done():  # a bug, whose traceback the thread prints
                    future.set_exception(RuntimeError("a job in a thread of its own broke"))

        threading.Thread(target=work, name="apart", daemon=True).start()
        return future


async def run_apart(job: Callable[[], T], seconds: float) -> T:
    """Run a job that may hang, in a thread of its own.

    Raises what the job raises on purpose, and ``TimeoutError`` where it takes longer.
    """
    loop = asyncio.get_running_loop()
    return await asyncio.wait_for(loop.run_in_executor(_Apart(), job), seconds)
