"""The Genesys simulator's CometD endpoint: sessions, held connects, channels, cookies."""

import asyncio
from typing import Any

import httpx
import pytest

from support.genesys_wire import (
    NOTIFICATIONS,
    SERVICE,
    UPDATES,
    Wire,
    connecting,
    simulate,
    state,
    virtual,
)

HANDSHAKE = {"channel": "/meta/handshake", "supportedConnectionTypes": ["long-polling"]}
AT_ONCE = {"timeout": 0}


@virtual
async def test_a_handshake_begins_a_session() -> None:
    """A handshake gives a client id, advice and both cookies, each with its flags."""
    wire = await Wire(simulate()).sign_in()

    answer = await wire.post({"id": "7", "version": "1.0", **HANDSHAKE})

    (reply,) = answer.json()
    assert reply["successful"] is True
    assert reply["id"] == "7"
    assert reply["clientId"]
    assert reply["supportedConnectionTypes"] == ["long-polling"]
    assert reply["advice"] == {"reconnect": "retry", "interval": 0, "timeout": 20000}
    session, browser = answer.headers.get_list("set-cookie")
    assert session.startswith("STATISTICS_SESSIONID=")
    assert session.endswith("; Path=/statistics/v3; HttpOnly")
    assert browser.startswith("BAYEUX_BROWSER=")
    assert browser.endswith("; Path=/; HttpOnly")


@virtual
async def test_cookies_are_set_once() -> None:
    """A second handshake with both cookies sets neither, and stays in the same HTTP session."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    await wire.create(state("s", simulator.objects()["Agent"][0]))

    answer = await wire.post(dict(HANDSHAKE))

    assert "set-cookie" not in answer.headers
    assert (await wire.peek()).status_code == 200


@virtual
async def test_a_secure_cookie_is_not_sent_over_http() -> None:
    """Over plain http a Secure browser cookie is not sent, so that the session is unknown."""
    wire = await Wire(simulate(secure_browser_cookie=True)).sign_in()
    await wire.handshake()

    (reply,) = await wire.connect(advice=AT_ONCE)

    assert reply["error"] == "402::Unknown client"


@virtual
async def test_handshakes_that_are_refused() -> None:
    """A handshake has to be alone, and to know long polling."""
    wire = await Wire(simulate()).sign_in()

    both = await wire.send(dict(HANDSHAKE), connecting())
    (other,) = await wire.send({**HANDSHAKE, "supportedConnectionTypes": ["websocket"]})

    assert [each["successful"] for each in [*both, other]] == [False] * 3


@virtual
async def test_a_handshake_may_have_no_advice() -> None:
    """Advice is left out of the handshake, and client ids of other replies, by switches."""
    wire = await Wire(simulate(handshake_advice=False, replies_with_client_id=False)).sign_in()

    assert "advice" not in await wire.handshake()
    assert "clientId" not in (await wire.subscribe())[0]
    assert "clientId" not in (await wire.connect(advice=AT_ONCE))[0]


@pytest.mark.parametrize("suffix", ["", "/", "/connect", "/subscribe", "/anything"])
@virtual
async def test_paths(suffix: str) -> None:
    """The endpoint has the paths of the official clients, and no others."""
    wire = await Wire(simulate()).begin()

    answer = await wire.post(connecting(advice=AT_ONCE), suffix=suffix)

    assert answer.status_code == (404 if suffix == "/anything" else 200)


@virtual
async def test_a_first_connect_is_answered_at_once() -> None:
    """A connect with timeout 0 is answered at once with the server's advice."""
    wire = await Wire(simulate()).begin()

    (reply,) = await wire.connect(advice=AT_ONCE)

    assert wire.simulator.clock.monotonic() == 0
    assert reply["successful"] is True
    assert reply["advice"]["timeout"] == 20000


@virtual
async def test_a_connect_is_held() -> None:
    """With no news a connect is answered after the timeout, without advice."""
    wire = await Wire(simulate()).begin()

    (reply,) = await wire.connect()

    assert wire.simulator.clock.monotonic() == 20.0
    assert reply == {
        "id": "c",
        "channel": "/meta/connect",
        "successful": True,
        "clientId": wire.client_id,
    }


@virtual
async def test_a_client_may_wait_for_less() -> None:
    """A connect is held for the shorter timeout that it names; a longer one changes nothing."""
    wire = await Wire(simulate()).begin()

    await wire.connect(advice={"timeout": 1500})
    after_short = wire.simulator.clock.monotonic()
    await wire.connect(advice={"timeout": 60000})

    assert (after_short, wire.simulator.clock.monotonic()) == (1.5, 21.5)


@virtual
async def test_an_event_releases_the_connect() -> None:
    """A held connect is answered when an event comes, and the event stands before the reply."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    held = asyncio.ensure_future(wire.connect())
    await simulator.clock.sleep(3.1)

    simulator.unavailable()
    event, reply = await held

    assert simulator.clock.monotonic() == 3.25
    assert event["channel"] == SERVICE
    assert event["data"] == {
        "name": "ServiceStateChange",
        "topic": SERVICE,
        "data": {"serviceState": "UNAVAILABLE"},
    }
    assert reply["channel"] == "/meta/connect"


@virtual
async def test_a_connect_in_a_batch_is_not_held() -> None:
    """A connect beside another message is answered at once."""
    wire = await Wire(simulate()).begin()

    replies = await wire.send(connecting(), {"channel": "/meta/subscribe", "subscription": UPDATES})

    assert wire.simulator.clock.monotonic() == 0
    assert [reply["channel"] for reply in replies] == ["/meta/connect", "/meta/subscribe"]


@virtual
async def test_one_connect_at_a_time() -> None:
    """A second connect ends the first with an empty 500, and is held itself."""
    wire = await Wire(simulate()).begin()
    first = asyncio.ensure_future(wire.post(connecting()))
    await wire.simulator.clock.sleep(2.0)

    second = await wire.connect()

    answer = await first
    assert (answer.status_code, answer.content) == (500, b"")
    assert second[0]["successful"] is True
    assert wire.simulator.clock.monotonic() == 22.0


@virtual
async def test_a_disconnect_releases_the_connect() -> None:
    """A disconnect ends the session; the held connect gets a normal reply."""
    wire = await Wire(simulate()).begin()
    held = asyncio.ensure_future(wire.connect())
    await wire.simulator.clock.sleep(1.0)

    (reply,) = await wire.send({"channel": "/meta/disconnect"})

    assert reply["successful"] is True
    assert (await held)[0]["successful"] is True
    assert wire.simulator.clock.monotonic() == 1.0
    assert wire.simulator.live_sessions == []


@virtual
async def test_a_disconnect_without_a_connect() -> None:
    """A session without an outstanding connect can be ended too."""
    wire = await Wire(simulate()).begin()

    assert (await wire.send({"channel": "/meta/disconnect"}))[0]["successful"] is True
    assert wire.simulator.live_sessions == []


@pytest.mark.parametrize(
    "text", ["402::Unknown client", "402::unknown_session", "402::session_unknown"]
)
@virtual
async def test_unknown_sessions(text: Any) -> None:
    """An unknown client id gets the error of the server version; only a connect has advice."""
    wire = await Wire(simulate(unknown_session=text)).begin()

    connect, subscribe = await wire.send(
        connecting(clientId="other"),
        {"channel": "/meta/subscribe", "clientId": "other", "subscription": UPDATES},
    )

    assert connect["error"] == subscribe["error"] == text
    assert connect["advice"] == {"reconnect": "handshake", "interval": 0}
    assert "advice" not in subscribe


@virtual
async def test_the_browser_cookie_is_needed() -> None:
    """The right client id without the browser's cookie is unknown, and so is no client id."""
    wire = await Wire(simulate()).begin()
    wire.http.cookies.delete("BAYEUX_BROWSER")

    (reply,) = await wire.connect()
    (nobody,) = await wire.connect(clientId=None)

    assert reply["error"].startswith("402")
    assert nobody["error"].startswith("402")


@virtual
async def test_sessions_expire() -> None:
    """A session lives for ten seconds without a connect; its subscriptions go with it."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    await wire.create(state("s", simulator.objects()["Agent"][0]))
    await wire.connect()

    await simulator.clock.sleep(10.0)
    alive = await wire.connect(advice=AT_ONCE)
    await simulator.clock.sleep(10.1)
    (reply,) = await wire.connect()

    assert alive[-1]["successful"] is True
    assert reply["error"].startswith("402")
    assert simulator.open_statistics == 0


@virtual
async def test_subscriptions_may_outlive_the_session() -> None:
    """By a switch the statistics stay open for the HTTP session, and end with that."""
    simulator = simulate(keeps_subscriptions=True, token_seconds=3600.0)
    wire = await Wire(simulator).begin()
    await wire.create(state("s", simulator.objects()["Agent"][0]))

    simulator.expire_sessions()
    kept = await wire.peek()
    await simulator.clock.sleep(1801.0)
    gone = await wire.peek()

    assert (kept.status_code, gone.status_code) == (200, 403)
    assert simulator.open_statistics == 0


@virtual
async def test_an_old_session_leaves_the_new_ones_statistics() -> None:
    """When a session expires whose HTTP session has another one, nothing is closed."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    await wire.handshake()
    await wire.create(state("s", simulator.objects()["Agent"][0]))

    await wire.connect()

    assert len(simulator.live_sessions) == 1
    assert simulator.open_statistics == 1


@virtual
async def test_a_restart() -> None:
    """Sessions forgotten during a held connect end it as unknown."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    held = asyncio.ensure_future(wire.connect())
    await simulator.clock.sleep(1.0)

    simulator.expire_sessions(http=True)

    (reply,) = await held
    assert reply["error"].startswith("402")
    assert (await wire.create(state("s", "nobody"))).status_code == 403


@virtual
async def test_events_wait_after_a_client_has_given_up() -> None:
    """What comes after a client has given up waits for its next connect."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    held = asyncio.ensure_future(wire.connect())
    await simulator.clock.sleep(1.0)
    held.cancel()
    await asyncio.wait([held])

    simulator.unavailable()
    event, _ = await wire.connect()

    assert event["channel"] == SERVICE


@virtual
async def test_a_connection_that_closes_ends_the_waiting() -> None:
    """On a socket a held connect notices that nobody listens any more."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    wanted = connecting(clientId=wire.client_id)
    request = wire.http.build_request("POST", NOTIFICATIONS, json=[wanted])
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": request.content, "more_body": False},
        {"type": "http.disconnect"},
    ]
    sent = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": NOTIFICATIONS,
        "query_string": b"",
        "headers": request.headers.raw,
    }

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(name.lower(), value) for name, value in request.headers.raw]
    await simulator.app({**scope, "headers": headers}, receive, send)  # type: ignore[arg-type]

    assert sent[0]["status"] == 500
    assert simulator.clock.monotonic() == 0


@virtual
async def test_channels() -> None:
    """A subscription names one channel or several, and its reply repeats it as it was."""
    simulator = simulate()
    wire = await Wire(simulator).sign_in()
    await wire.handshake()

    (one,) = await wire.send({"channel": "/meta/subscribe", "subscription": SERVICE})
    (both,) = await wire.subscribe(SERVICE, UPDATES)
    (gone,) = await wire.send({"channel": "/meta/unsubscribe", "subscription": SERVICE})
    (none,) = await wire.send({"channel": "/meta/subscribe"})
    simulator.unavailable()

    assert (one["subscription"], both["subscription"]) == (SERVICE, [SERVICE, UPDATES])
    assert gone["successful"] is True
    assert none["error"].startswith("403::")
    assert len(await wire.connect(advice=AT_ONCE)) == 1  # nobody listens to the service's state


@virtual
async def test_an_invalid_channel_breaks_the_service() -> None:
    """A channel that does not exist gives the framework's own failure."""
    wire = await Wire(simulate()).begin()

    answer = await wire.post({"channel": "/meta/subscribe", "subscription": "pepe"})

    body = answer.json()
    assert answer.status_code == 500
    assert body["message"] == "java.lang.IllegalArgumentException: Invalid channel id: pepe"
    assert body["path"] == NOTIFICATIONS


@virtual
async def test_publishing_is_refused() -> None:
    """A message to a channel of the service is refused."""
    wire = await Wire(simulate()).begin()

    (reply,) = await wire.send({"channel": UPDATES, "data": {}})

    assert reply["successful"] is False


@virtual
async def test_other_transports() -> None:
    """A connect for another transport is refused."""
    wire = await Wire(simulate()).begin()

    assert (await wire.connect(connectionType="websocket"))[0]["error"].startswith("400")


@pytest.mark.parametrize("body", [b"[]", b"{}", b"[1]", b'[{"id":"1"}]', b"nonsense"])
@virtual
async def test_bad_bodies(body: bytes) -> None:
    """What is no array of messages is a bad request, with an empty answer."""
    wire = await Wire(simulate()).begin()
    json = {"Content-Type": "application/json"}

    answer = await wire.http.post(NOTIFICATIONS, content=body, headers=json)

    assert (answer.status_code, answer.content) == (400, b"")


@virtual
async def test_two_sessions_in_one_browser() -> None:
    """Beside a held connect, another session of the same browser is told to come back later."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    held = asyncio.ensure_future(wire.connect())
    await simulator.clock.sleep(1.0)
    await wire.handshake()

    (reply,) = await wire.connect()

    assert simulator.clock.monotonic() == 1.0
    assert reply["advice"] == {"multiple-clients": True, "reconnect": "retry", "interval": 2000}
    await held


@virtual
async def test_acknowledgements() -> None:
    """With the extension on, events come again until their batch is acknowledged."""
    simulator = simulate(ack=True)
    wire = await Wire(simulator).sign_in()
    hello = await wire.handshake(ext={"ack": True})
    await wire.subscribe()

    (first,) = await wire.connect(ext={"ack": -1}, advice=AT_ONCE)
    simulator.unavailable()
    event, second = await wire.connect(ext={"ack": 1})
    again, third = await wire.connect(ext={"ack": 1})
    (fourth,) = await wire.connect(ext={"ack": 3}, advice=AT_ONCE)
    (odd,) = await wire.connect(advice=AT_ONCE)

    assert hello["ext"] == {"ack": True}
    assert [each["ext"]["ack"] for each in (first, second, third, fourth, odd)] == [1, 2, 3, 4, 5]
    assert event == again


@virtual
async def test_no_acknowledgements() -> None:
    """Without the extension nothing says so."""
    wire = await Wire(simulate()).sign_in()

    assert "ext" not in await wire.handshake(ext={"ack": True})
    assert "ext" not in (await wire.connect(ext={"ack": -1}, advice=AT_ONCE))[0]


@virtual
async def test_events_may_ride_on_any_reply() -> None:
    """By a switch the next reply of any kind takes the events along, before or after it."""
    for order in ("before", "after"):
        simulator = simulate(events_on="any", events=order)
        wire = await Wire(simulator).begin()
        simulator.unavailable()

        replies = await wire.subscribe()

        channels = [reply["channel"] for reply in replies]
        expected = [SERVICE, "/meta/subscribe"]
        assert channels == (expected if order == "before" else expected[::-1])


@virtual
async def test_events_wait_for_a_connect() -> None:
    """Events do not ride on other replies unless a switch says so, and never on a handshake's."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    simulator.unavailable()

    assert len(await wire.subscribe()) == 1
    assert len(await wire.connect()) == 2


@virtual
async def test_an_object_instead_of_an_array() -> None:
    """A single reply comes without its array, once on request or always by a switch."""
    wire = await Wire(simulate()).begin()
    wire.simulator.fail_next("object")
    once = (await wire.post(connecting(advice=AT_ONCE))).json()
    then = (await wire.post(connecting(advice=AT_ONCE))).json()
    always = await Wire(simulate(as_object=True)).sign_in()

    assert once["channel"] == "/meta/connect"
    assert isinstance(then, list)
    assert (await always.post(dict(HANDSHAKE))).json()["successful"] is True


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("unsuccessful", None),
        ("reconnect:none", {"reconnect": "none", "interval": 0}),
        ("reconnect:handshake", {"reconnect": "handshake", "interval": 0}),
    ],
)
@virtual
async def test_unsuccessful_replies(kind: str, advice: Any) -> None:
    """A connect fails on request with the advice that is asked for, or without any."""
    wire = await Wire(simulate()).begin()
    wire.simulator.fail_next(kind, target="*/meta/connect")

    await wire.subscribe()
    (reply,) = await wire.connect()
    (bare,) = await wire.send({"channel": "/meta/connect", "connectionType": "long-polling"})

    assert (reply["successful"], reply.get("advice")) == (False, advice)
    assert bare["successful"] is True


@virtual
async def test_failures_without_an_id() -> None:
    """A reply has an id only where its message has one."""
    wire = await Wire(simulate()).begin()
    wire.simulator.fail_next("unsuccessful")

    (failed,) = await wire.send({"channel": "/meta/connect"})
    (refused,) = await wire.send({"channel": "/meta/subscribe"})

    assert "id" not in failed
    assert "id" not in refused


@virtual
async def test_multiple_clients_on_request() -> None:
    """The advice for several clients is given on request, and not to REST."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    simulator.fail_next("multiple_clients")

    await wire.create(state("s", simulator.objects()["Agent"][0]))
    *_, reply = await wire.connect(advice=AT_ONCE)

    assert reply["advice"] == {"multiple-clients": True, "interval": 2000}


@virtual
async def test_an_http_failure_of_a_connect() -> None:
    """A connect fails with an empty status on request, other messages do not."""
    wire = await Wire(simulate()).begin()
    wire.simulator.fail_next("500", target="*/meta/connect")

    assert (await wire.post({"channel": "/meta/subscribe"})).status_code == 200
    answer = await wire.post(connecting())
    assert (answer.status_code, answer.content) == (500, b"")


@virtual
async def test_an_expired_token_in_a_connect() -> None:
    """A connect with a dead token is refused by HTTP, and goes on with a new one."""
    wire = await Wire(simulate()).begin()
    wire.simulator.expire_tokens()

    refused = await wire.post(connecting())
    await wire.sign_in()

    assert refused.status_code == 401
    assert (await wire.connect(advice=AT_ONCE))[0]["successful"] is True


@virtual
async def test_a_balancer() -> None:
    """Behind a balancer a session lives on one node: without its cookie some requests miss it."""
    simulator = simulate(balancer=True)
    wire = await Wire(simulator).begin()
    known = [(await wire.connect(advice=AT_ONCE))[0]["successful"] for _ in range(3)]

    async def without_cookie() -> httpx.Response:
        wire.http.cookies.delete("AWSALB")
        return await wire.post(connecting(advice=AT_ONCE))

    lost = [(await without_cookie()).json()[0]["successful"] for _ in range(4)]
    created = set()
    for key in ("a", "b"):
        wire.http.cookies.delete("AWSALB")
        created.add((await wire.create(state("s", "nobody"), key=key)).status_code)

    assert known == [True, True, True]
    assert sorted(lost) == [False, False, True, True]
    assert created == {200, 403}


@virtual
async def test_old_sessions_make_room() -> None:
    """No more than a thousand sessions are kept; the oldest goes first."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    first = wire.client_id

    for _ in range(1000):
        wire.http.cookies.clear()
        await wire.handshake()

    assert len(simulator.live_sessions) == 1000
    assert first not in simulator.live_sessions
