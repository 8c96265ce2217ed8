"""Grids of rows that are given as mappings, whose columns a platform may name itself."""

import pytest

from exporter.metrics import reading
from exporter.metrics.reading import MOST_COLUMNS, Rows


def test_columns_without_end() -> None:
    """Of too many columns those that most rows have are kept, wherever they come in a row."""
    rows = [
        {**{f"extra {row} {number}": 1 for number in range(50)}, "name": f"q{row}", "waiting": row}
        for row in range(100)
    ]
    grid = Rows.of(rows)

    assert len(grid.headers) == MOST_COLUMNS
    assert {"name", "waiting"} < {*grid.headers}
    assert [row[grid.headers.index("waiting")] for row in grid.cells] == [*range(100)]


@pytest.mark.parametrize(("most", "headers"), [(1_000, 10), (250, 2), (99, 0)])
def test_many_rows_have_fewer_columns(
    monkeypatch: pytest.MonkeyPatch, most: int, headers: int
) -> None:
    """A grid is no larger than its limit of cells."""
    monkeypatch.setattr(reading, "MOST_CELLS", most)
    rows = [{"name": str(row), f"{row % 9} extra": 1} for row in range(100)]

    assert len(Rows.of(rows).headers) == headers
