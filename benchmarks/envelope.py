"""A Five9 answer of any size: 30 columns, any number of rows."""

from benchmarks.workload import POOL, TEXTS

COLUMNS = 30
_SERVICE = "http://service.supervisor.ws.five9.com/"


def _row(tag: str, cells: list[str]) -> str:
    inner = "".join(f"<data>{cell}</data>" for cell in cells)
    return f"<{tag}><values>{inner}</values></{tag}>"


def answer(rows: int) -> bytes:
    """Return the body of an answer to ``getStatistics``."""
    names = ["Username", *(f"Figure {at:02}" for at in range(1, COLUMNS))]
    lines = [
        _row(
            "rows",
            [
                f"agent-{row:05}@example.com",
                *TEXTS[(at := row * 41 % (POOL // 2)) : at + COLUMNS - 1],
            ],
        )
        for row in range(rows)
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>'
        f'<ns2:getStatisticsResponse xmlns:ns2="{_SERVICE}"><return>'
        f"{_row('columns', names)}{''.join(lines)}"
        "<timestamp>1772452800000</timestamp><type>AgentStatistics</type>"
        "</return></ns2:getStatisticsResponse></env:Body></env:Envelope>"
    ).encode()
