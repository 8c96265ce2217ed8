import asyncio
import functools
import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    ServerTrouble,
    SessionLost,
    Throttled,
    Unauthorized,
    Unexplained,
    Unreachable,
)
from exporter.logs import get_log
from exporter.providers.genesys.cometd import CometdSession
from support.bayeux import SECRET, After, Message, Server, no, unknown, yes
from support.clock import LoopClock, run

UPDATES, SERVICE = "/statistics/v3/updates", "/statistics/v3/service"
CHANNELS = (SERVICE, UPDATES)
SPRING = {  # a real answer of the service
    "timestamp": 1536851691737,
    "status": 500,
    "error": "Internal Server Error",
    "message": "java.lang.IllegalArgumentException: Invalid channel id: pepe",
    "path": "/statistics/v3/notifications",
}
NO_MESSAGES = [
    SPRING,
    "<html>bad gateway</html>",
    None,
    7,
    True,
    [None],
    ["x"],
    [[]],
    [{"channel": 3}],
    [{}],
]
ODD_DATA = [
    None,
    0,
    -1.5,
    True,
    "",
    "\x00\ud7ff\U0001f600",
    [],
    {},
    10**400,
    math.inf,
    "x" * 1_000_000,
]


class Lab:
    """A session at a strict server, and what was heard."""

    def __init__(self, **options: float) -> None:
        self.clock = LoopClock(0.0)
        self.server = Server(self.clock, **options)
        self.events: list[tuple[str, Any]] = []
        self.rolled = 0.0
        log = get_log("exporter.test")
        self.session = CometdSession(
            self.server.post, self.clock, self.hear, log, roll=lambda: self.rolled
        )

    def hear(self, channel: str, data: object) -> None:
        self.events.append((channel, data))

    def script(self, operation: str, *answers: object) -> None:
        self.server.script[operation].extend(answers)

    def posted(self, operation: str) -> list[Message]:
        return [
            message
            for post in self.server.posted
            for message in post.messages
            if post.operation == operation
        ]

    async def start(self) -> None:
        await self.session.handshake(CHANNELS)

    async def stay_on(self, times: int) -> None:
        """Start and stay a minute, so many times over."""
        for _ in range(times):
            await self.start()
            await self.stay(60)

    async def stay(self, seconds: float) -> bool:
        """Stay for so long at most; return whether a new handshake is wanted."""
        task = asyncio.create_task(self.session.receive())
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            task.result()
            return True
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False


def virtual(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Give an async test a lab and a loop on virtual time."""

    @functools.wraps(test)
    def runs(**arguments: Any) -> None:
        async def main() -> None:
            await test(Lab(), **arguments)

        run(main())

    _, *others = inspect.signature(test).parameters.values()
    runs.__signature__ = inspect.Signature(others)  # type: ignore[attr-defined]
    return runs


# Starting ---------------------------------------------------------------------------------------


@virtual
async def test_start(lab: Lab) -> None:
    """A handshake goes alone; then all channels are subscribed with the new client id."""
    await lab.start()

    assert lab.server.operations() == ["handshake", "subscribe"]
    assert lab.server.subscribed == set(CHANNELS)
    assert lab.posted("handshake") == [
        {
            "id": "1",
            "channel": "/meta/handshake",
            "version": "1.0",
            "supportedConnectionTypes": ["long-polling"],
        }
    ]


@virtual
async def test_no_channels(lab: Lab) -> None:
    """Where nothing is to be subscribed, no empty list is posted, which servers refuse."""
    await lab.session.handshake([])

    assert lab.server.operations() == ["handshake"]


@virtual
async def test_connects(lab: Lab) -> None:
    """The first connect asks to be answered at once; the next ones are held, with no gap."""
    await lab.start()
    await lab.stay(50)
    first, *others = lab.posted("connect")

    assert first["advice"] == {"timeout": 0}
    assert all("advice" not in other for other in others)
    assert lab.server.times("connect") == pytest.approx([0, 0, 20, 40])
    assert [each.limit for each in lab.server.posted if each.operation == "connect"] == [30] * 4


@virtual
async def test_unknown_hold(lab: Lab) -> None:
    """Where no advice says how long a connect is held, thirty seconds are taken for granted."""
    lab.script("handshake", lambda sent: [yes(sent[0], clientId="c")])
    lab.script("connect", lambda sent: [yes(sent[0])], After(99, None))
    await lab.start()
    await lab.stay(35)

    assert [each.limit for each in lab.server.posted if each.operation == "connect"] == [40, 40]


@virtual
async def test_an_object_for_an_array(lab: Lab) -> None:
    """A reply that comes without an array around it is a reply."""
    lab.script("subscribe", lambda sent: yes(sent[0]))
    lab.script("connect", lambda sent: yes(sent[0]))
    await lab.session.handshake([UPDATES])

    assert not await lab.stay(25)
    assert lab.server.times("connect") == pytest.approx([0, 0, 20])


@pytest.mark.parametrize("operation", ["handshake", "subscribe"])
@pytest.mark.parametrize("body", [*NO_MESSAGES, []])
def test_start_gets_no_messages(operation: str, body: object) -> None:
    """What is no Bayeux message fails a start as an invalid answer."""

    async def main() -> None:
        lab = Lab()
        lab.script(operation, body)
        with pytest.raises(InvalidAnswer):
            await lab.start()

    run(main())


@pytest.mark.parametrize("client", [None, 7, "", ["c"], "c" * 1001])
def test_handshake_without_client(client: object) -> None:
    """A handshake whose reply has no usable client id is an invalid answer."""

    async def main() -> None:
        lab = Lab()
        lab.script("handshake", lambda sent: [yes(sent[0], clientId=client)])
        with pytest.raises(InvalidAnswer, match="client id"):
            await lab.start()

    run(main())


@pytest.mark.parametrize("successful", [None, "true", 1, 0, []])
@pytest.mark.parametrize("operation", ["handshake", "subscribe"])
def test_neither_yes_nor_no(operation: str, successful: object) -> None:
    """A reply whose ``successful`` is missing or no boolean counts for nothing."""

    async def main() -> None:
        lab = Lab()
        lab.script(operation, lambda sent: [yes(each, successful=successful) for each in sent])
        with pytest.raises(InvalidAnswer, match="lacks a valid 'successful'"):
            await lab.start()

    run(main())


@pytest.mark.parametrize(
    ("operation", "error", "expected"),
    [
        ("handshake", "401::who", Unauthorized),
        ("handshake", "403::denied", Unauthorized),
        ("handshake", "400::no", Unexplained),
        ("handshake", None, Unexplained),
        ("subscribe", "401::who", Unauthorized),
        ("subscribe", "403::subscription_missing", Unexplained),
        ("subscribe", "404:x:y", Unexplained),
        ("subscribe", 402, Unexplained),
        ("subscribe", "4021:x", Unexplained),
        ("subscribe", "402::Unknown client", SessionLost),
        ("subscribe", "402::unknown_session", SessionLost),
        ("subscribe", "402::session_unknown", SessionLost),
        ("subscribe", f"402:{SECRET}:gone", SessionLost),
    ],
)
def test_start_is_declined(operation: str, error: Any, expected: type[ProviderError]) -> None:
    """The number that an error begins with says what was declined; its text never gets out."""

    async def main() -> None:
        lab = Lab()
        lab.script(operation, lambda sent: [no(each, error) for each in sent])
        with pytest.raises(expected) as caught:
            await lab.start()
        assert type(caught.value) is expected
        assert SECRET not in str(caught.value)

    run(main())


@virtual
async def test_one_of_two_acks(lab: Lab) -> None:
    """One subscription of two that is declined fails the start."""
    lab.script("subscribe", lambda sent: [yes(sent[0]), no(sent[1], "403::denied")])

    with pytest.raises(Unexplained):
        await lab.start()


@virtual
async def test_an_ack_never_comes(lab: Lab) -> None:
    """A subscription that the answer says nothing about has failed."""
    lab.script("subscribe", lambda sent: [yes(sent[0])])

    with pytest.raises(InvalidAnswer, match="no reply to /meta/subscribe"):
        await lab.start()


@virtual
async def test_acks_in_any_order(lab: Lab) -> None:
    """Acks are known by their ids, whatever their order."""
    lab.script("subscribe", lambda sent: [yes(each) for each in reversed(sent)])
    await lab.start()


@virtual
async def test_acks_without_ids(lab: Lab) -> None:
    """An ack without an id is known by what it was subscribed to, alone or in an array."""

    def answer(sent: list[Message]) -> list[Message]:
        replies = [yes(each, id=None) for each in reversed(sent)]
        replies[0]["subscription"] = [replies[0]["subscription"]]
        return replies

    lab.script("subscribe", answer)
    await lab.start()


@virtual
async def test_another_id(lab: Lab) -> None:
    """The reply to another request acknowledges nothing, but the events beside it are heard."""
    lab.script(
        "subscribe",
        lambda sent: [{"channel": UPDATES, "data": 1}, *(yes(each, id="99") for each in sent)],
    )

    with pytest.raises(InvalidAnswer, match="no reply"):
        await lab.start()
    assert lab.events == [(UPDATES, 1)]


@pytest.mark.parametrize("operation", ["handshake", "subscribe"])
def test_start_in_trouble(operation: str) -> None:
    """What goes wrong on the way fails a start as it is, with nothing tried twice."""

    async def main() -> None:
        lab = Lab()
        error = ServerTrouble("HTTP 503", retry_after=7)
        lab.script(operation, error)
        with pytest.raises(ServerTrouble) as caught:
            await lab.start()
        assert caught.value is error
        assert lab.server.operations().count(operation) == 1

    run(main())


# Events -----------------------------------------------------------------------------------------


@virtual
async def test_events_on_any_reply(lab: Lab) -> None:
    """Events are heard in their order, on whatever reply they ride and wherever they stand."""

    def riding(number: int) -> Callable[[list[Message]], list[Message]]:
        def answer(sent: list[Message]) -> list[Message]:
            before, after = ({"channel": UPDATES, "data": number + each} for each in (0, 1))
            return [before, *(yes(each, clientId="c") for each in sent), after]

        return answer

    lab.script("handshake", riding(0))
    lab.script("subscribe", riding(2))
    lab.script("connect", riding(4))
    lab.script("disconnect", riding(6))
    await lab.start()
    await lab.stay(0.01)
    await lab.session.disconnect(5)

    assert [data for _, data in lab.events] == list(range(8))


@virtual
async def test_an_event_releases_a_connect(lab: Lab) -> None:
    """An event that comes while a connect is held is heard at once, and the next connect made."""
    await lab.start()
    asyncio.get_running_loop().call_later(7, lab.server.publish, UPDATES, {"a": 1})
    await lab.stay(10)

    assert lab.events == [(UPDATES, {"a": 1})]
    assert lab.server.times("connect") == pytest.approx([0, 0, 7])


@virtual
async def test_what_is_no_event(lab: Lab) -> None:
    """Messages without data, acks of a publish and meta messages are no events."""
    lab.script(
        "connect",
        lambda sent: [
            {"channel": UPDATES},
            {"channel": UPDATES, "data": 1, "successful": True},
            {"channel": "/meta/other", "data": 1},
            yes(sent[0]),
        ],
    )
    await lab.start()
    await lab.stay(1)

    assert lab.events == []


@pytest.mark.parametrize("data", ODD_DATA, ids=lambda data: str(type(data)))
def test_odd_data(data: object) -> None:
    """Data of any kind and size is handed on untouched."""

    async def main() -> None:
        lab = Lab()
        await lab.start()
        lab.server.publish(UPDATES, data)
        await lab.stay(1)
        assert lab.events == [(UPDATES, data)]

    run(main())


@virtual
async def test_a_flood_of_events(lab: Lab) -> None:
    """A server that has an event for every connect is asked twenty times a second at most."""
    event = {"channel": UPDATES, "data": 1}
    lab.script("connect", *[lambda sent: [event, yes(sent[0])]] * 500)
    await lab.start()
    await lab.stay(10)

    assert 190 <= len(lab.events) <= 202


@virtual
async def test_a_server_that_holds_nothing(lab: Lab) -> None:
    """A server that answers at once without events is asked once a second."""
    lab.script("connect", *[lambda sent: [yes(sent[0])]] * 100)
    await lab.start()
    await lab.stay(10.5)

    assert lab.server.times("connect") == pytest.approx([0, *range(11)])


# Advice -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "advice",
    [
        {"interval": 2000},
        {"long-polling": {"interval": 2000}},
        {"interval": 9, "long-polling": {"interval": 2000.0}},
    ],
)
@pytest.mark.parametrize("operation", ["handshake", "subscribe", "connect"])
def test_interval(operation: str, advice: Message) -> None:
    """The interval is left before each connect, wherever it was advised, until it is not."""

    async def main() -> None:
        lab = Lab()
        lab.script(
            operation, lambda sent: [yes(each, clientId="c", advice=advice) for each in sent]
        )
        lab.script("connect", *[lambda sent: [yes(sent[0])]] * 2)
        lab.script("connect", lambda sent: [yes(sent[0], advice={"interval": 0})])
        lab.script("connect", After(3, lambda sent: [yes(sent[0])]))
        await lab.start()
        await lab.stay(12)
        start = 0 if operation == "connect" else 2
        last = 6 if operation == "connect" else 4
        expected = [start, start + 2, start + 4, *([6] if last == 6 else [])]
        assert lab.server.times("connect")[: len(expected)] == pytest.approx(expected)

    run(main())


@virtual
async def test_a_silly_interval(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """An interval of weeks is cut to a minute, and warned of once."""
    lab.script("connect", *[lambda sent: [yes(sent[0], advice={"interval": 10**400})]] * 4)
    await lab.start()
    await lab.stay(130)

    assert lab.server.times("connect") == pytest.approx([0, 60, 120])
    assert lab.session.alive_until == pytest.approx(120 + 60 + 20 + 10)
    assert caplog.messages.count("advised interval capped") == 1


@virtual
async def test_a_negative_interval(lab: Lab) -> None:
    """A negative interval forbids the next connect, which leaves a new handshake."""
    lab.script("connect", lambda sent: [yes(sent[0], advice={"interval": -1})])
    await lab.start()

    assert await lab.stay(1)


@pytest.mark.parametrize(
    ("advised", "limit"),
    [(4000, 14), (4000.5, 14.0005), (0, 30), (-5, 30), (10**400, 310), (1e308, 310)],
)
def test_hold(advised: float, limit: float) -> None:
    """A connect may take as long as the server holds it, and ten seconds; hours are cut."""

    async def main() -> None:
        lab = Lab()
        lab.script("connect", lambda sent: [yes(sent[0], advice={"timeout": advised})])
        await lab.start()
        await lab.stay(0.1)
        assert lab.server.posted[-1].limit == pytest.approx(limit)

    run(main())


@pytest.mark.parametrize(
    "advice",
    [
        None,
        "retry",
        [],
        {},
        {"reconnect": None, "interval": None, "timeout": None},
        {"reconnect": ["none"], "interval": "5000", "timeout": "1"},
        {"reconnect": "NONE", "interval": True, "timeout": False},
        {"interval": math.nan, "timeout": math.nan},
        {"long-polling": None, "multiple-clients": "true"},
        {"websocket": {"reconnect": "none", "interval": 9000}},
        {"hosts": []},
    ],
)
def test_garbled_advice(advice: object, caplog: pytest.LogCaptureFixture) -> None:
    """What advice leaves out or garbles stays as it was."""

    async def main() -> None:
        lab = Lab()
        lab.script("connect", lambda sent: [yes(sent[0], advice=advice)])
        await lab.start()
        await lab.stay(25)
        assert lab.server.times("connect") == pytest.approx([0, 0, 20])
        assert lab.server.posted[-1].limit == 30
        assert lab.session.alive_until == pytest.approx(50)
        assert not caplog.records

    run(main())


@pytest.mark.parametrize("operation", ["handshake", "subscribe", "connect"])
@pytest.mark.parametrize("successful", [True, False])
def test_advised_not_to_come_again(operation: str, *, successful: bool) -> None:
    """Advice not to reconnect ends the session for five minutes, whatever it comes with."""

    async def main() -> None:
        lab = Lab()
        advice = {"reconnect": "none"}
        lab.script(
            operation,
            lambda sent: [
                yes(each, successful=successful, clientId="c", advice=advice) for each in sent
            ],
        )
        with pytest.raises(SessionLost) as caught:
            await lab.stay_on(1)
        assert caught.value.retry_after == 300

    run(main())


@virtual
async def test_multiple_clients(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """A second session under one cookie slows this one as advised, and is warned of once."""
    advice = {"multiple-clients": True, "reconnect": "retry", "interval": 2000}
    lab.script("connect", *[lambda sent: [yes(sent[0], advice=advice)]] * 9)
    await lab.start()
    await lab.stay(5)

    assert lab.server.times("connect") == pytest.approx([0, 2, 4])
    assert caplog.messages == ["another session sends the same browser cookie"]


# The end of a session ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    ["402::Unknown client", "402::unknown_session", "402::session_unknown", "402:x:whatever"],
)
@pytest.mark.parametrize("advice", [None, {"reconnect": "handshake"}, {"reconnect": "retry"}])
def test_an_unknown_session(error: str, advice: Message | None) -> None:
    """A 402 asks for a new handshake, with advice or without; after it events come again."""

    async def main() -> None:
        lab = Lab()
        await lab.start()
        lab.script("connect", After(15, lambda sent: [no(sent[0], error, advice=advice)]))
        assert await lab.stay(16)
        await lab.start()
        lab.server.publish(UPDATES, 1)
        assert not await lab.stay(1)
        assert lab.events == [(UPDATES, 1)]
        assert lab.server.times("handshake") == pytest.approx([0, 15])

    run(main())


@pytest.mark.parametrize("successful", [True, False])
def test_advised_to_handshake(*, successful: bool) -> None:
    """Advice to handshake is followed after its interval, whatever it comes with."""

    async def main() -> None:
        lab = Lab()
        advice = {"reconnect": "handshake", "interval": 3000}
        lab.script("connect", lambda sent: [yes(sent[0], successful=successful, advice=advice)])
        await lab.start()
        assert await lab.stay(5)
        assert lab.clock.monotonic() == pytest.approx(3)

    run(main())


@virtual
async def test_advice_starts_afresh(lab: Lab) -> None:
    """A handshake whose reply has no advice leaves nothing of the advice to handshake."""
    lab.script("connect", After(12, lambda sent: [unknown(sent[0])]))
    await lab.start()
    assert await lab.stay(13)
    lab.script("handshake", lambda sent: [yes(sent[0], clientId="c")])
    lab.script("connect", lambda sent: [yes(sent[0])])
    await lab.start()

    assert not await lab.stay(60)
    assert lab.server.times("handshake") == pytest.approx([0, 12])


@virtual
async def test_a_declined_connect_keeps_the_advice(lab: Lab) -> None:
    """A connect that is declined without advice is made again under the last advice."""
    lab.script("connect", lambda sent: [yes(sent[0], advice={"interval": 500})])
    lab.script("connect", lambda sent: [no(sent[0], "404::what")])
    await lab.start()

    assert not await lab.stay(5)
    assert lab.server.times("connect")[:3] == pytest.approx([0, 0.5, 1])


@virtual
async def test_sessions_that_end_at_once(lab: Lab) -> None:
    """Where each session is unknown at once (a lost cookie), handshakes slow down and stop."""
    lab.script("connect", *[lambda sent: [unknown(sent[0])]] * 9)
    with pytest.raises(SessionLost, match="right after its handshake"):
        await lab.stay_on(9)

    assert lab.server.times("handshake") == pytest.approx([0, 0, 4, 12, 28])


@virtual
async def test_sessions_that_last(lab: Lab) -> None:
    """Sessions that last less than a minute are replaced ever later, those that last at once."""
    for seconds in (*[11] * 9, *[120] * 3):
        await lab.start()
        lab.script("connect", After(min(seconds, 25), lambda sent: [unknown(sent[0])]))
        if seconds > 25:
            lab.server.script["connect"].clear()
            asyncio.get_running_loop().call_later(seconds, lab.server.forget)
        assert await lab.stay(190)

    times = lab.server.times("handshake")
    assert times[:9] == pytest.approx([0, 11, 22, 33, 49, 81, 145, 215, 285])
    assert all(later - earlier <= 160 for earlier, later in pairwise(times[8:]))
    assert times[-1] - times[-2] <= 142, "at once, after the long poll"


@virtual
async def test_an_expired_session(lab: Lab) -> None:
    """A client that was held up for too long begins anew, and is subscribed again."""
    await lab.start()
    await asyncio.sleep(11)
    assert await lab.stay(1)
    await lab.start()

    assert lab.server.subscribed == set(CHANNELS)


@virtual
async def test_without_a_session(lab: Lab) -> None:
    """Where no session has begun there is nowhere to stay."""
    with pytest.raises(SessionLost):
        await lab.session.receive()


# Failures ---------------------------------------------------------------------------------------


@virtual
async def test_failures(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """The first failure is met by a connect at once, the next after 1, 2, 4 and 4 seconds."""
    await lab.start()
    client = lab.server.client
    lab.script("connect", *[Unreachable("reset")] * 5)
    await lab.stay(12.5)

    assert lab.server.times("connect") == pytest.approx([0, 0, 1, 3, 7, 11, 12])
    assert {each["clientId"] for each in lab.posted("connect")} == {client}
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "connect failed"
    ]


@virtual
async def test_recovery(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """After failures a connect asks to be answered at once, and that it was is logged."""
    caplog.set_level(logging.INFO, "exporter")
    await lab.start()
    lab.script("connect", *[ServerTrouble("HTTP 502")] * 3)
    await lab.stay(30)

    assert lab.server.times("connect") == pytest.approx([0, 0, 1, 3, 4, 24])
    assert ["advice" in each for each in lab.posted("connect")] == [True] * 4 + [False] * 2
    assert caplog.messages == ["connect failed", "connect recovered"]


@virtual
async def test_jitter(lab: Lab) -> None:
    """Chance takes up to a tenth off a pause."""
    lab.rolled = 1.0
    await lab.start()
    lab.script("connect", *[Unreachable("reset")] * 3)
    await lab.stay(3)

    assert lab.server.times("connect") == pytest.approx([0, 0, 0.9, 2.7])


@virtual
async def test_a_balancer_that_cuts(lab: Lab) -> None:
    """Held connects that are all cut short, later than patience lasts, cost no session."""
    lab.server.hold = 60
    cut = After(35, Unreachable("reset"))
    lab.script("connect", *[lambda sent: [yes(sent[0])], cut] * 3)
    await lab.start()

    assert not await lab.stay(120)
    times = pytest.approx([0, 0, 35, 36, 71, 72, 107, 112, 117])
    assert lab.server.times("connect") == times, "after three no connect is held for a while"
    assert lab.session.is_cut


@virtual
async def test_patience(lab: Lab) -> None:
    """Half a minute after the last good answer failures end the session, as the last one says."""
    lab.script("connect", *[ServerTrouble("HTTP 503", retry_after=3)] * 50)
    await lab.start()
    with pytest.raises(SessionLost, match="HTTP 503") as caught:
        await lab.stay(60)

    assert 30 < lab.clock.monotonic() <= 35
    assert caught.value.retry_after == 3
    assert isinstance(caught.value.__cause__, ServerTrouble)


@virtual
async def test_the_first_failure_has_a_second_try(lab: Lab) -> None:
    """A connect that was lost in silence, longer than patience lasts, is made once more."""
    lab.server.max_interval = 3600
    lab.script("connect", lambda sent: [yes(sent[0])], After(3600, None))
    await lab.start()

    assert not await lab.stay(60)
    assert lab.server.times("connect") == pytest.approx([0, 0, 30, 31, 51])


@virtual
async def test_retry_after(lab: Lab) -> None:
    """A failure that names a time is not met before it."""
    lab.script("connect", Throttled("HTTP 429", retry_after=5))
    await lab.start()
    await lab.stay(5.5)

    assert lab.server.times("connect") == pytest.approx([0, 5])


@virtual
async def test_a_long_retry_after(lab: Lab) -> None:
    """A time that no session outlives ends it at once, and is handed on."""
    lab.script("connect", Throttled("HTTP 429", retry_after=3600))
    await lab.start()

    with pytest.raises(SessionLost) as caught:
        await lab.stay(1)
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize("error", [Unauthorized("HTTP 401"), SessionLost("HTTP 403")])
def test_what_passes_through(error: ProviderError) -> None:
    """Rejected credentials and a lost session are for the owner, at once and as they are."""

    async def main() -> None:
        lab = Lab()
        await lab.start()
        lab.script("connect", error)
        with pytest.raises(type(error)) as caught:
            await lab.stay(5)
        assert caught.value is error
        assert lab.clock.monotonic() == 0

    run(main())


@virtual
async def test_a_declined_token(lab: Lab) -> None:
    """A connect that is answered 401 in Bayeux' own words is one of the credentials."""
    lab.script("connect", lambda sent: [no(sent[0], "401::token")])
    await lab.start()

    with pytest.raises(Unauthorized):
        await lab.stay(5)


@pytest.mark.parametrize(
    "body", [*NO_MESSAGES, [], [{"channel": "/meta/connect"}], [{"channel": UPDATES, "data": 1}]]
)
def test_a_connect_gets_no_messages(body: object) -> None:
    """What is no reply to a connect is a failure like any other, and gone with the next."""

    async def main() -> None:
        lab = Lab()
        lab.script("connect", body)
        await lab.start()
        assert not await lab.stay(25)
        assert lab.server.times("connect") == pytest.approx([0, 0, 1, 21])

    run(main())


@virtual
async def test_a_restarted_server(lab: Lab) -> None:
    """A server that was away for a while and knows nobody after it is joined anew."""
    await lab.start()
    lab.script("connect", lambda sent: [yes(sent[0])], After(8, Unreachable("reset")))
    lab.script("connect", *[Unreachable("refused")] * 3)
    asyncio.get_running_loop().call_later(8, lab.server.forget)
    assert await lab.stay(60)
    await lab.start()

    assert lab.server.subscribed == set(CHANNELS)
    assert lab.server.times("connect") == pytest.approx([0, 0, 8, 9, 11, 15])
    assert lab.server.times("handshake") == pytest.approx([0, 15])


# Life and end -----------------------------------------------------------------------------------


@virtual
async def test_alive_until(lab: Lab) -> None:
    """A session is alive until the next good answer is overdue; a stopped one is not."""
    assert lab.session.alive_until == -math.inf
    await lab.start()
    assert lab.session.alive_until == pytest.approx(30)
    await lab.stay(19)
    assert lab.session.alive_until == pytest.approx(30)
    lab.script("connect", lambda sent: [yes(sent[0])], *[Unreachable("x")] * 3)
    await lab.stay(3)
    assert lab.session.alive_until == pytest.approx(49)
    await lab.session.disconnect(5)
    assert lab.session.alive_until == -math.inf


@virtual
async def test_stop(lab: Lab) -> None:
    """A stop disconnects within its time, once; without a session it says nothing."""
    await lab.session.disconnect(5)
    await lab.start()
    client = lab.server.client
    await lab.session.disconnect(5)
    await lab.session.disconnect(5)

    (posted,) = (each for each in lab.server.posted if each.operation == "disconnect")
    assert posted.limit == 5
    assert posted.messages[0]["clientId"] == client
    assert lab.server.client is None


@pytest.mark.parametrize(
    "answer",
    [
        *NO_MESSAGES,
        [],
        Unreachable("reset"),
        Unauthorized("HTTP 401"),
        After(60, None),
        lambda sent: [no(sent[0], "402::x", advice={"reconnect": "none"})],
    ],
)
def test_stop_never_fails(answer: object) -> None:
    """Whatever a server makes of a disconnect, the session is over in the time given."""

    async def main() -> None:
        lab = Lab()
        await lab.start()
        lab.script("disconnect", answer)
        await lab.session.disconnect(5)
        assert lab.clock.monotonic() <= 5
        with pytest.raises(SessionLost):
            await lab.session.receive()

    run(main())


@virtual
async def test_cancellation(lab: Lab) -> None:
    """A session whose stay was cancelled can be stayed in again, and be stopped."""
    await lab.start()
    for _ in range(3):
        assert not await lab.stay(5)
    lab.server.publish(UPDATES, 1)
    assert not await lab.stay(5)
    await lab.session.disconnect(1)

    assert lab.events == [(UPDATES, 1)]
    assert lab.server.operations()[-1] == "disconnect"


@virtual
async def test_cancelled_start(lab: Lab) -> None:
    """A start that was cancelled can be made again."""
    lab.server.latency = 2
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await lab.start()
    await lab.start()

    assert lab.server.operations() == ["handshake", "subscribe"] * 2


@virtual
async def test_nothing_secret_is_logged(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """No client id and nothing of a body is in any line of the log."""
    caplog.set_level(logging.DEBUG, "exporter")
    lab.script("connect", lambda sent: [no(sent[0], f"403:{SECRET}:{SECRET}")])
    lab.script("connect", {"error": SECRET}, [SECRET])
    await lab.start()
    lab.server.publish(UPDATES, SECRET)
    await lab.stay(30)
    lab.server.forget()
    await lab.stay(30)
    lab.script("disconnect", SECRET)
    await lab.start()
    await lab.session.disconnect(1)

    assert {"connect failed", "new handshake required", "cometd session left open"} <= set(
        caplog.messages
    )
    assert not [record for record in caplog.records if SECRET in str(vars(record))]


# Anything ---------------------------------------------------------------------------------------

_NUMBERS = st.one_of(st.integers(), st.floats(), st.just(10**400))
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
_ADVICE = st.fixed_dictionaries(
    {},
    optional={
        "reconnect": st.one_of(st.sampled_from(["retry", "handshake", "none"]), _JSON),
        "interval": st.one_of(st.sampled_from([0, -1, 1, 2000]), _JSON),
        "timeout": st.one_of(st.sampled_from([0, 1, 20_000]), _JSON),
        "multiple-clients": st.booleans(),
        "long-polling": st.one_of(st.just({"interval": 1}), _JSON),
    },
)
_OURS = object()  # stands for the id and the channel of what was sent
_MESSAGE = st.fixed_dictionaries(
    {"channel": st.one_of(st.just(_OURS), st.just(_OURS), st.just(UPDATES), _JSON)},
    optional={
        "id": st.one_of(st.just(_OURS), _JSON),
        "successful": st.one_of(st.sampled_from([True, True, False]), _JSON),
        "clientId": st.one_of(st.just("c"), _JSON),
        "error": st.one_of(st.sampled_from(["402::x", "403::x", "401:a:b"]), _JSON),
        "advice": st.one_of(_ADVICE, _JSON),
        "subscription": st.one_of(st.sampled_from(CHANNELS), _JSON),
        "data": _JSON,
    },
)
_BODY = st.one_of(_JSON, _MESSAGE, st.lists(_MESSAGE, max_size=4))
_GOOD = {"channel": _OURS, "id": _OURS, "successful": True, "clientId": "c"}


def addressed(body: Any, sent: Sequence[Message]) -> Any:
    """Put the id and the channel of what was sent into a body, a copy for each message sent."""
    if not isinstance(body, list):
        return body
    return [
        {key: request[key] if value is _OURS else value for key, value in each.items()}
        if isinstance(each, dict)
        else each
        for each in body
        for request in sent
    ]


@pytest.mark.fuzz
@given(
    starts=st.lists(st.one_of(st.just([_GOOD]), _BODY), min_size=1, max_size=3),
    connects=st.lists(st.one_of(st.just([_GOOD]), _BODY), min_size=1, max_size=4),
)
@example(starts=[[_GOOD]], connects=[[_GOOD]])
@example(starts=[[_GOOD]], connects=[[_GOOD, {"channel": UPDATES, "data": 1}]])
@example(starts=[[_GOOD]], connects=[[{**_GOOD, "advice": {"reconnect": "handshake"}}]])
@example(starts=[[_GOOD]], connects=[[{**_GOOD, "successful": False, "error": "402::x"}]])
@example(starts=[[_GOOD]], connects=[None, [_GOOD]])
@example(starts=[[_GOOD]], connects=[[_GOOD, {"channel": UPDATES, "data": 1}], None])
@example(starts=[[{**_GOOD, "advice": {"interval": -1}}]], connects=[[_GOOD]])
def test_any_answers(starts: list[Any], connects: list[Any]) -> None:
    """Any JSON for an answer ends in one of our errors or in waiting, never in anything else."""
    at: list[float] = []

    async def main() -> None:
        clock = LoopClock(0.0)

        async def post(messages: Sequence[Message], operation: str, limit: float) -> Any:
            assert 0 < limit <= 310
            at.append(clock.monotonic())
            if operation == "disconnect":
                return addressed(connects[-1], messages)
            bodies = connects if operation == "connect" else starts
            return addressed(bodies[len(at) % len(bodies)], messages)

        log = get_log("exporter.test")
        session = CometdSession(post, clock, lambda *_: None, log, roll=lambda: 0.0)
        try:
            async with asyncio.timeout(15):
                while True:
                    await session.handshake(CHANNELS)
                    await session.receive()
        except (ProviderError, TimeoutError):
            await session.disconnect(5)

    run(main())
    for each in at:
        assert sum(each <= other < each + 1 for other in at) <= 45
