"""Storms: an account of each provider read for many ticks while things go wrong, seeded.

``STORMS`` has them by provider and name. A storm takes the number of ticks, runs on a
``VirtualLoop`` and returns what came of comparing the page with the floor at each tick.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol


class Comparison(Protocol):
    """How the page compares with what the floor said when each feed was last read.

    ``equal`` and ``absent`` count figures, ``wrong`` lists those that differ, ``late`` those that
    were right a moment ago; ``most_absent`` is the share of absent figures that is expected.
    """

    ticks: int
    equal: int
    late: int
    absent: int
    wrong: list[str]
    most_absent: float


Storm = Callable[[int], Coroutine[Any, Any, Comparison]]


def storms() -> Mapping[str, Mapping[str, Storm]]:
    """Return the storms of every provider."""
    from support.storms import brightpattern, five9, genesys, voximplant  # noqa: PLC0415 - a circle

    return {
        "five9": five9.STORMS,
        "genesys": genesys.STORMS,
        "brightpattern": brightpattern.STORMS,
        "voximplant": voximplant.STORMS,
    }
