"""What commands print of a platform's texts, and of another exporter's: no hidden characters."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter import cli
from exporter.config.load import Config
from exporter.preflight import running
from exporter.simulators.floor import factory
from support.platforms import NAMES, Platform, platform

Captured = pytest.CaptureFixture[str]
FORGED = "! forged"
HIDDEN = f"Sales\r\n\x85\u2028{FORGED}\u2029\x9b31m\u202e\u2066\u200b"  # XML has no ESC
JSON_HIDDEN = HIDDEN + "\x1b]0;title\x07\x00\x7f"
COMMANDS = (["check", "--live"], ["discover", "--account", "acme"])


def error_of(provider: str) -> httpx.Response:
    """Return an answer with which a platform declines a request, in its own form."""
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    references = "".join(f"&#{ord(character)};" for character in HIDDEN)
    fault = f"<faultcode>s:Server</faultcode><faultstring>{references}</faultstring>"
    body = f"<s:Body><s:Fault>{fault}</s:Fault></s:Body>"
    envelope = f'<s:Envelope xmlns:s="{soap}">{body}</s:Envelope>'
    oauth = {"error": JSON_HIDDEN, "error_description": JSON_HIDDEN}
    genesys = {**oauth, "status": {"code": 9, "message": JSON_HIDDEN}}
    brightpattern = {**oauth, "error_code": JSON_HIDDEN, "error_message": JSON_HIDDEN}
    return {
        "five9": httpx.Response(500, content=envelope, headers={"content-type": "text/xml"}),
        "genesys": httpx.Response(400, json=genesys),
        "brightpattern": httpx.Response(400, json=brightpattern),
        "voximplant": httpx.Response(200, json={"error": {"code": 9999, "msg": JSON_HIDDEN}}),
    }[provider]


def rename_all(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give everybody and everything on the floor a name that begins with the text."""
    for name in ("_QUEUES", "_TOPICS"):
        rows = tuple((f"{text}{at}", "voice", 1.0) for at in range(12))
        monkeypatch.setattr(factory, name, rows)
    for name in ("_FIRST_NAMES", "_LAST_NAMES", "_TEAMS", "_OUTBOUND_NAMES", "_INBOUND_NAMES"):
        monkeypatch.setattr(factory, name, tuple(f"{text}{at}" for at in range(12)))


def check_lines(text: str) -> list[str]:
    """Return the lines of a text, of which none may be forged or hold a hidden character."""
    lines = text.split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if line.strip().startswith(FORGED)] == []
    return lines


def printed(
    world: Platform, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> list[str]:
    """Run a command that reads a platform; return what it printed, on both streams."""
    monkeypatch.setattr(cli, "_preflight", lambda _: world.preflight)
    monkeypatch.setattr(cli, "_load", lambda _: (Config((world.account,), Path()), None))
    cli.main(words)
    return check_lines("\n".join(capsys.readouterr()))


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("provider", NAMES)
def test_names(
    provider: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Names of queues, agents, campaigns and columns forge no line and move no cursor."""
    # Genesys' names are in the configuration, which refuses control characters.
    text = HIDDEN.replace("\r\n", "") if provider == "genesys" else HIDDEN
    rename_all(text, monkeypatch)
    world = platform(provider, agents="name", include={"queues": ["none*"]})
    world.add_unmapped_column(HIDDEN.replace("\n", ""))
    lines = printed(world, words, monkeypatch, capsys)

    assert [line for line in lines if line.startswith("acme")]


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("provider", NAMES)
def test_errors(
    provider: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """The text of an error forges no line and moves no cursor."""
    world = platform(provider)
    transport = httpx.MockTransport(lambda _: error_of(provider))
    monkeypatch.setattr(world, "client", lambda *_: httpx.AsyncClient(transport=transport))
    lines = printed(world, words, monkeypatch, capsys)

    assert [line for line in lines if line.startswith("acme")]


def status(text: str) -> dict[str, Any]:
    """Return the status of an exporter in which every text is the given one."""
    failure = {"reason": text, "message": text, "remedy": text, "times": 2}
    feed = {"name": text, "state": text, "interval": 1.0, "age": None, "samples": None}
    feed |= {"failure": failure, "hold": {"at": 1.0, "limit": text}, "notes": [text]}
    permission = {"name": text, "granted": False, "consequence": text, "needed": True}
    licence = {"kind": text, "used": 1.0, "limit": 2.0}
    account = {"account": text, "provider": text, "session": text, "failure": failure}
    account |= {"feeds": [feed], "certificates": {text: 1.0}, "skew": 99.0}
    account["quotas"] = [{"operation": text, "window": text, "limit": 9.0, "used": 1.0}]
    account["survey"] = {"permissions": [permission], "licences": [licence]}
    return account


def asked(
    answer: object, monkeypatch: pytest.MonkeyPatch, capsys: Captured, *words: str
) -> tuple[int, list[str]]:
    """Report a running exporter that answers so; return the exit code and the lines printed."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    monkeypatch.setattr(running, "open_client", lambda *_: httpx.AsyncClient(transport=transport))
    code = cli.main(["check", "--live", "--url", "http://127.0.0.1:1", *words])
    return code, check_lines("\n".join(capsys.readouterr()))


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("words", [(), ("--account", "Sales"), ("--feed", "Sales")])
def test_another_exporter(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Nor does any text of an exporter that answers ``--url``, in a report or in a suggestion."""
    code, lines = asked({"accounts": [status(JSON_HIDDEN)]}, monkeypatch, capsys, *words)

    assert code == (2 if words else 1)
    assert any(r"\r\n\u0085" in line for line in lines) or words


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize(
    "accounts",
    [
        [{}],
        ["x"],
        [{"account": None, "feeds": 7}],
        [status("x") | {"skew": "x"}],
        [status("x") | {"survey": None}],
        [status("x") | {"certificates": {"x": 1e300}}],
        [status("x") | {"feeds": [{}]}],
        [status("x") | {"feeds": [status("x")["feeds"][0] | {"hold": {"at": 1e300, "limit": ""}}]}],
        [status("x") | {"feeds": [status("x")["feeds"][0] | {"hold": {"at": -1e18, "limit": ""}}]}],
        [status("x"), status("x") | {"account": 7}],
    ],
)
def test_another_program(
    accounts: list[object], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """An answer that is no exporter's status is one line of a report, without a traceback."""
    code, lines = asked({"accounts": accounts}, monkeypatch, capsys)

    assert code == 1
    assert not any("Traceback" in line for line in lines)
