"""A real Prometheus for tests: its binary, a free port, results of queries."""

import time
from typing import Any

import httpx


def query(address: str, expression: str) -> list[dict[str, Any]]:
    """Return the result of a query, waited for until there is one."""
    for _ in range(900):  # a machine that is busy starts slowly
        try:
            answer = httpx.get(
                f"http://{address}/api/v1/query", params={"query": expression}, trust_env=False
            ).json()
        except (httpx.TransportError, ValueError):  # it is starting: no socket, or no JSON yet
            answer = {}
        if answer.get("data", {}).get("result"):
            result: list[dict[str, Any]] = answer["data"]["result"]
            return result
        time.sleep(0.1)
    raise AssertionError(f"no result for {expression}")
