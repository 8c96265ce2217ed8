"""Where work is done: small jobs at once, large ones in a thread so that the loop stays free."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def run_job(large: bool, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a job, in a worker thread if it is large; a hop to a thread costs a small one more."""
    if large:
        return await asyncio.to_thread(job, *args, **kwargs)
    return job(*args, **kwargs)
