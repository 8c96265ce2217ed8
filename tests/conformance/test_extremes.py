"""Extreme values in any place of any answer: no bug, no wrong figure, and all is well after."""

import asyncio
import os
import re
from functools import cache
from itertools import islice

import pytest

from support.clock import run
from support.extremes import ABSENT, TWICE, VARIANTS, Case, Extremes, Place, Visit
from support.page import text_of

_SAMPLE = 60  # cases of a variant in a long run
_DATE = {"date": "Fri, 31 Dec 99999 23:59:59 GMT"}
_LAST = {"date": "Fri, 31 Dec 9999 23:59:59 GMT"}
_CONNECT = "POST /statistics/v3/notifications /meta/connect"
_HANDSHAKE = "POST /statistics/v3/notifications /meta/handshake"
_TOKEN = {
    "genesys": "POST /auth/v3/oauth/token",
    "brightpattern": "POST /configapi/v2/oauth/token",
}
_ACD = "getStatistics ACDStatus"


def _xml(answer: str, *path: str | int) -> Place:
    return Place(answer, "xml", path)


def _json(answer: str, *path: str | int) -> Place:
    return Place(answer, "json", path)


QUICK = [
    ("five9", Case(_xml("getCallCountersState", "limit"), "0")),
    ("five9", Case(_xml("getCallCountersState", "value"), "9" * 5_000, "late")),
    ("five9", Case(_xml("closeSession", 2), "x")),
    ("genesys", Case(_json(_TOKEN["genesys"], "expires_in"), "9" * 5_000)),
    ("brightpattern", Case(_json(_TOKEN["brightpattern"], "expires_in"), f'"{"9" * 400}"')),
    ("voximplant", Case(Place("POST /platform_api/GetAccountInfo", "header"), (None, _LAST))),
]
LONG = [
    *(
        ("five9", Case(_xml("getCallCountersState", name), extreme, how))
        for name, extremes in {
            "limit": ("-1", "", "null", "1e18", "9" * 400, "x", ABSENT, TWICE),
            "timeout": ("0", "-1", "", "1e18", "9" * 300, "9223372036854775807", ABSENT),
            "value": ("-1", "", "9" * 300, ABSENT, "true"),
            "operationType": ("", "x", ABSENT),
            "callCounterStates": ("null", ABSENT, "x"),
            "return": ("null", "x"),
        }.items()
        for extreme in extremes
        for how in ("early", "check")
    ),
    *(
        ("five9", Case(_xml(_ACD, "timestamp"), extreme))
        for extreme in (
            "0",
            "-1",
            "9223372036854775807",
            "9" * 300,
            "253402300800000",
            "NaN",
            ABSENT,
        )
    ),
    *(
        ("five9", Case(_xml("getUserLimits", name), extreme))
        for name in ("supervisorLimit", "mobileLoggedin")
        for extreme in ("-1", "x", "9" * 300, "", ABSENT)
    ),
    *(
        (variant, Case(Place(answer, "header"), (None, date), how))
        for variant, answer in (
            ("five9", "getCallCountersState"),
            ("genesys", _TOKEN["genesys"]),
            ("brightpattern", "GET /statsapi/subscription/data"),
            ("voximplant", "POST /platform_api/GetUsers"),
        )
        for date in (_DATE, _LAST, {"date": "Mon, 01 Jan 0001 00:00:00 +2359"})
        for how in ("early", "check")
    ),
    *(
        (variant, Case(Place(answer, "header"), (status, {"retry-after": "1000000000"})))
        for variant, answer in (
            ("five9", _ACD),
            ("five9", "setSessionParameters"),
            ("genesys", _TOKEN["genesys"]),
            ("genesys", "POST /statistics/v3/subscriptions"),
            ("genesys", _CONNECT),
            ("brightpattern", _TOKEN["brightpattern"]),
            ("brightpattern", "GET /statsapi/subscription/data"),
            ("voximplant", "POST /platform_api/GetACDState"),
            ("voximplant", "POST /platform_api/GetAccountInfo"),
        )
        for status in (429, 503)
    ),
    *(
        (variant, Case(_json(answer, "expires_in"), extreme))
        for variant, answer in _TOKEN.items()
        for extreme in ("0", "-1", "1e308", "1e400", "NaN", "true", '"1e999"', "[]", "null", ABSENT)
    ),
    *(
        ("genesys", Case(_json(_HANDSHAKE, "*", "advice", name), extreme))
        for name in ("interval", "timeout", "reconnect")
        for extreme in ("0", "-1", "1e18", "1e400", '"x"', "[]", "null", ABSENT)
    ),
    *(
        ("voximplant", Case(_json(f"POST /platform_api/{method}", "total_count"), extreme))
        for method in ("GetUsers", "GetQueues", "GetCallLists")
        for extreme in ("0", "-1", "1e9", "1000000000", "1e400", "true", '"2"', "null", ABSENT)
    ),
]


@cache
def _extremes(variant: str, looks: int) -> Extremes:
    return Extremes(variant, looks=looks)


@pytest.mark.parametrize(("variant", "case"), QUICK, ids=str)
def test_an_extreme(variant: str, case: Case) -> None:
    """The values that were seen to end in a bug."""
    outcome = _extremes(variant, 2).run(case)

    assert outcome.faults == []
    assert outcome.rewritten > 0


@pytest.mark.parametrize("extreme", ["x", "2", ABSENT])
def test_a_permission_that_cannot_be_read_is_absent(extreme: str) -> None:
    """It is neither granted nor missing."""

    async def main() -> set[str]:
        visit = Visit("five9")
        visit.line.case = Case(_xml("getMyPermissions", "value"), extreme)
        task = asyncio.create_task(visit.refresher.run())
        await asyncio.wait([task], timeout=30)
        names = {name for name, _ in visit.page()}
        task.cancel()
        await asyncio.wait([task])
        await visit.client.aclose()
        return names

    names = run(main())
    assert "contactcenter_account_licenses" in names
    assert "contactcenter_account_permission" not in names


@pytest.mark.parametrize(
    ("variant", "place"),
    [
        ("brightpattern", _json("GET /statsapi/cfg/services", "*", "name")),
        ("brightpattern", _json("GET /configapi/v3/campaign/getAll", "*", "name")),
        ("voximplant", _json("POST /platform_api/GetQueues", "result", "*", "acd_queue_name")),
        ("voximplant", _json("POST /platform_api/GetCallLists", "result", "*", "list_name")),
    ],
)
@pytest.mark.parametrize(
    "extreme",
    [
        '["x"]',
        *(
            pytest.param(extreme, marks=pytest.mark.slow)
            for extreme in ('{"x": 1}', "true", "[" * 1000 + "]" * 1000)
        ),
    ],
    ids=len,
)
def test_a_name_that_is_no_text(variant: str, place: Place, extreme: str) -> None:
    """It is absent, never shown as Python writes it."""

    async def main() -> str:
        visit = Visit(variant)
        visit.line.case = Case(place, extreme)
        task = asyncio.create_task(visit.refresher.run())
        await asyncio.wait([task], timeout=40)
        assert visit.line.rewritten > 0
        text = text_of(visit.store.page(visit.clock.monotonic()))
        task.cancel()
        await asyncio.wait([task])
        await visit.client.aclose()
        return text

    text = run(main())
    assert "contactcenter_" in text
    assert not re.search(r"=\"(\[|\{|True)", text)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("variant", "case"), LONG, ids=str)
def test_more_extremes(variant: str, case: Case) -> None:
    """Others of their kind."""
    outcome = _extremes(variant, 2).run(case)

    assert outcome.faults == []
    assert outcome.rewritten > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("variant", VARIANTS)
def test_extremes_anywhere(variant: str) -> None:
    """A sample of all extremes in all places; ``FUZZ_SEED`` draws another."""
    extremes = Extremes(variant, int(os.environ.get("FUZZ_SEED", "1")))
    applied = 0
    faults = {}
    for case in islice(extremes.cases(), _SAMPLE):
        outcome = extremes.run(case)
        applied += outcome.rewritten > 0
        if outcome.faults:
            faults[str(case)] = outcome.faults

    assert faults == {}
    assert applied > _SAMPLE / 3
