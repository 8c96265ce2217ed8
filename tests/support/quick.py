"""Parameters of which ``make test`` runs the first ones, and ``make test-all`` all."""

from collections.abc import Iterable
from typing import Any

import pytest


def first(number: int, values: Iterable[Any]) -> list[Any]:
    """Mark all parameters but the first ``number`` as slow; tuples are several parameters."""
    slow = pytest.mark.slow
    rows = [value if isinstance(value, tuple) else (value,) for value in values]
    return [
        pytest.param(*row, marks=() if place < number else slow) for place, row in enumerate(rows)
    ]
