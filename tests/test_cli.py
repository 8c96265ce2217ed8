"""The command line: commands, exit codes, and what is printed."""

import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from exporter import __version__
from exporter.cli import main
from exporter.metrics.families import FAMILIES
from support.served import platform

GOOD = """
accounts:
  - name: acme
    provider: five9
    username: ${FIVE9_USERNAME}
    password: secret
"""
BAD = """
acounts: []
accounts:
  - name: acme
    provider: five9
    usrname: someone
    password: hunter2
    feeds: {ACDStatus: {interval: 5 minutes}, Nothing: false}
  - name: acme
    provider: fife9
"""


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the exporter; give the process and the address it listens on."""
    command = [sys.executable, "-m", "exporter", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, _address(process)
        finally:
            process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        found = re.search(r"(?:address=|base_url=http://)(\S+)", line)
        if found:
            return found[1]
    raise AssertionError("the process ended before it listened")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is printed."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["run", "demo", "simulate", "check", "discover", "capture", "metrics"]
)
def test_help_names_every_default(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option is explained with its default, or is said to be required."""
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    _, _, options = capsys.readouterr().out.partition("show this help message and exit")
    for option in re.split(r"\n  (?=--)", options)[1:]:
        assert re.search(r"\((default|required)", option), option


def test_usage_errors_are_2(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage ends with 2."""
    with pytest.raises(SystemExit) as ended:
        main(["run", "--web.listen-address", "nowhere"])
    assert ended.value.code == 2
    assert "is not an address" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--config.file", "a.yml", "--config.file", "b.yml"],
        ["run", "--log.level", "info", "--log.level", "debug"],
        ["demo", "--agents", "5", "--agents=5"],
    ],
)
def test_an_option_given_twice_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A second value would replace the first in silence; options that may be repeated say so."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert f"{words[1]}: given twice" in capsys.readouterr().err


def test_account_needs_live(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``check --account`` without ``--live`` would check something else than it says."""
    file = tmp_path / "exporter.yml"
    file.write_text(GOOD.replace("${FIVE9_USERNAME}", "x"))
    assert main(["check", "--config.file", str(file), "--account", "acme"]) == 2
    assert "--account: only with --live" in capsys.readouterr().err


def test_check_says_what_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A good file ends with 0 and lists accounts and feeds."""
    monkeypatch.setenv("FIVE9_USERNAME", "someone")
    file = tmp_path / "exporter.yml"
    file.write_text(GOOD)
    assert main(["check", "--config.file", str(file)]) == 0
    out = capsys.readouterr().out
    assert "acme: five9, ACDStatus 12s" in out
    assert "no errors found" in out


def test_check_warns_of_probable_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning is printed with its place, and the file is accepted."""
    file = tmp_path / "exporter.yml"
    file.write_text(
        "accounts:\n"
        "  - {name: a, provider: genesys, base_url: https://x, client_id: c, client_secret: s,\n"
        "     username: u, password: p, objects: [{type: CampaignGroup, ids: [Spring]}]}\n"
    )
    assert main(["check", "--config.file", str(file)]) == 0
    out = capsys.readouterr().out
    assert f"? {file}:3: accounts[0].objects[0].ids[0]: expected campaign@group" in out
    assert "no errors found" in out


def test_check_warns_of_holidays_that_have_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A list of dates that have all passed is a warning with its place; another is none."""
    monkeypatch.setenv("FIVE9_USERNAME", "someone")
    file = tmp_path / "exporter.yml"
    hours = "{time_zone: UTC, weekly: Mon 08:00-09:00, holidays: [2020-12-25%s]}"
    items = "".join(f"- hours: {hours % more}\n" for more in (", 2021-01-01", ", 12-25", ", US"))
    file.write_text(f"{GOOD}\nqueues:\n{items}")
    assert main(["check", "--config.file", str(file)]) == 0
    out = capsys.readouterr().out
    warnings = [line for line in out.splitlines() if line.startswith("?")]
    assert warnings == [f"? {file}: queues[0].hours.holidays: all have passed"]
    assert "no errors found" in out


def test_check_and_run_list_every_mistake_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mistake is listed with file and line, by check and by run, and no secret with it."""
    file = tmp_path / "exporter.yml"
    file.write_text(BAD)
    codes, texts = [], []
    for command in ("check", "run"):
        codes.append(main([command, "--config.file", str(file)]))
        texts.append(capsys.readouterr().err)
    assert codes == [2, 2]
    assert texts[0] == texts[1]
    for line, words in (
        (2, "acounts: unknown key; did you mean 'accounts'?"),
        (6, "accounts[0].usrname: unknown key; did you mean 'username'?"),
        (4, "accounts[0].username: is required"),
        (8, "accounts[0].feeds.ACDStatus.interval: expected a duration such as 15s"),
        (8, "accounts[0].feeds.Nothing: unknown feed"),
        (9, "accounts[1].name: duplicate of accounts[0].name"),
        (10, "accounts[1].provider: expected one of"),
    ):
        assert f"{file}:{line}: {words}" in texts[0]
    assert "hunter2" not in texts[0]


def test_a_missing_file_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration that cannot be read is a mistake of the user's; run is the default."""
    assert main(["--config.file", str(tmp_path / "none.yml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    """The catalogue names every family, as Markdown and as JSON."""
    assert main(["metrics", "--format", "json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert {entry["name"] for entry in entries} == set(FAMILIES)
    assert main(["metrics"]) == 0
    assert capsys.readouterr().out.count("\n| `") == len(FAMILIES)


def test_a_page_once(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """``demo --once`` prints one page with figures of every feed, and ends."""
    assert main(["demo", "--once", "--agents", "12", "--log.level", "error"]) == 0
    page = capfdbinary.readouterr().out.decode()
    for name in ("queue_contacts_waiting", "agents", "campaign_offered_total", "up"):
        assert f"\ncontactcenter_{name}{{" in page
    assert 'contactcenter_up{account="demo-five9",provider="five9"} 1.0' in page


@pytest.mark.parametrize("terminal", [True, False])
def test_a_page_for_a_terminal(
    terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``run --once`` prints the page as it is for a program, and without hidden characters else."""
    file = tmp_path / "exporter.yml"
    file.write_text(GOOD)
    monkeypatch.setenv("FIVE9_USERNAME", "x")
    page = 'up{account="a\x1b]0;b\r\u2028"} 1\n'

    async def once(_: object) -> bytes:
        return page.encode()

    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(output, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("sys.stdout", output)
    monkeypatch.setattr("exporter.app.App.once", once)
    assert main(["run", "--once", "--config.file", str(file)]) == 0

    shown = 'up{account="a\\u001b]0;b\\r\\u2028"} 1\n'
    assert output.buffer.getvalue().decode() == (shown if terminal else page)  # type: ignore[attr-defined]


def test_a_taken_port_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use ends with 1 and a sentence, not a traceback."""
    with started("demo", "--web.listen-address", "127.0.0.1:0") as (_, address):
        file = tmp_path / "exporter.yml"
        file.write_text(GOOD.replace("${FIVE9_USERNAME}", "x"))
        code = main(["run", "--config.file", str(file), "--web.listen-address", address])
    assert code == 1
    assert "in use" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_serves_and_ends_in_order(number: signal.Signals) -> None:
    """The demo shows figures within seconds, and ends with 0 soon after a signal."""
    with started("demo", "--web.listen-address", "127.0.0.1:0") as (process, address):
        text = ""
        for _ in range(100):
            text = httpx.get(f"http://{address}/metrics", trust_env=False).text
            if "contactcenter_queue_contacts_waiting{" in text:
                break
            time.sleep(0.1)
        assert "contactcenter_queue_contacts_waiting{" in text
        process.send_signal(number)
        assert process.wait(timeout=10) == 0


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str, Path, str]]:
    """Start simulators and the exporter with one account; give what a reload needs."""
    with started("simulate", "--listen", "127.0.0.1:0") as (_, platform):
        file = folder / "exporter.yml"
        file.write_text(f"accounts:\n{_bright_pattern('first', platform)}")
        where = ("--config.file", str(file), "--web.listen-address", "127.0.0.1:0")
        with started("run", *where, *options) as (process, address):
            _until(address, 'contactcenter_up{account="first",provider="brightpattern"} 1.0')
            yield process, address, file, platform


def _bright_pattern(name: str, platform: str) -> str:
    return (
        f"  - {{name: {name}, provider: brightpattern, base_url: 'http://{platform}', "
        "tenant_url: acme.example.com, username: wallboard@example.com, api_secret: swordfish, "
        "ratio_scale: fraction}\n"
    )


def _five9(name: str, platform: str) -> str:
    return (
        f"  - {{name: {name}, provider: five9, base_url: 'http://{platform}', "
        "username: supervisor@example.com, password: correct horse}\n"
    )


def _until(address: str, wanted: str) -> str:
    text = ""
    for _ in range(200):
        text = httpx.get(f"http://{address}/metrics", trust_env=False).text
        if wanted in text:
            return text
        time.sleep(0.1)
    raise AssertionError(f"{wanted} never came: {text}")


def test_a_hang_up_picks_up_a_new_account(tmp_path: Path) -> None:
    """SIGHUP reads the file again, without any option; then SIGTERM ends with 0."""
    with running(tmp_path) as (process, address, file, platform):
        with file.open("a") as stream:
            stream.write(_five9("second", platform))
        process.send_signal(signal.SIGHUP)
        page = _until(address, 'contactcenter_up{account="second",provider="five9"} 1.0')
        assert 'signins_total{account="first",outcome="ok",provider="brightpattern"} 1.0' in page
        file.write_text("accounts: {}")
        process.send_signal(signal.SIGHUP)
        _until(address, "contactcenter_exporter_config_last_reload_successful 0.0")
        answer = httpx.post(f"http://{address}/-/reload", trust_env=False)
        assert (answer.status_code, answer.text) == (403, "Lifecycle API is not enabled.")
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        print(f"ended after {time.monotonic() - asked:.2f} s")


def test_a_reload_over_http_has_to_be_asked_for(tmp_path: Path) -> None:
    """With --web.enable-lifecycle POST /-/reload removes an account, and tells mistakes."""
    with running(tmp_path, "--web.enable-lifecycle") as (process, address, file, platform):
        reload = f"http://{address}/-/reload"
        file.write_text(f"accounts:\n{_five9('other', platform)}")
        answer = httpx.post(reload, trust_env=False)
        assert answer.text == "0 unchanged, 0 changed, 1 added, 1 removed\n"
        page = httpx.get(f"http://{address}/metrics", trust_env=False).text
        assert 'account="first"' not in page
        file.write_text("accounts: [{name: x, provider: five9, password: hunter2, nonsense: 1}]")
        answer = httpx.post(reload, trust_env=False)
        assert answer.status_code == 500
        assert f"{file}:1: accounts[0].nonsense: unknown key" in answer.text
        assert "hunter2" not in answer.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_the_demo_ignores_a_hang_up() -> None:
    """The demo has no file to read again: it says so and goes on."""
    with started("demo", "--web.listen-address", "127.0.0.1:0") as (process, address):
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        line = next(line for line in process.stderr if "reload refused" in line)
        assert "there is no configuration file" in line
        assert httpx.get(f"http://{address}/-/healthy", trust_env=False).status_code == 200


def test_simulate_serves_any_client() -> None:
    """The simulators alone answer on the address that the log names."""
    with started("simulate", "--listen", "127.0.0.1:0") as (process, address):
        url = f"http://{address}/wssupervisor/v13/SupervisorWebService"
        answer = httpx.get(url, params={"wsdl": "", "user": "x"}, trust_env=False)
        assert "getStatisticsUpdate" in answer.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_the_module_runs() -> None:
    """``python -m exporter`` is the command."""
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert __version__ in done.stdout


def test_both_files_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mistakes of both files are reported together, by check and by run, and then both as well."""
    config, web = tmp_path / "exporter.yml", tmp_path / "web.yml"
    config.write_text(BAD)
    web.write_text("basic_auth_users: {alice: hunter2}\n")
    files = ["--config.file", str(config), "--web.config.file", str(web)]
    for command in ("check", "run"):
        assert main([command, *files]) == 2
        text = capsys.readouterr().err
        assert f"{config}:2: acounts: unknown key" in text
        assert f"{web}:1: basic_auth_users.alice: is not a bcrypt hash" in text
        assert "hunter2" not in text
    config.write_text(GOOD.replace("${FIVE9_USERNAME}", "x"))
    assert main(["run", *files]) == 2
    assert capsys.readouterr().err.startswith(f"{web}:1: ")
    web.write_text("")
    assert main(["check", *files]) == 0
    assert f"{web}: no errors found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--web.telemetry-path", "/"], "--web.telemetry-path: '/' is the path of another page"),
        (["--web.external-url", "nowhere"], "--web.external-url: expected a URL"),
        (["--web.systemd-socket"], "--web.systemd-socket: systemd passed no socket"),
    ],
)
def test_wrong_web_options_are_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    """Options that cannot be served end with 2 and name the option."""
    file = tmp_path / "exporter.yml"
    file.write_text(GOOD.replace("${FIVE9_USERNAME}", "x"))
    assert main(["run", "--config.file", str(file), *options]) == 2
    assert says in capsys.readouterr().err


def test_several_addresses_below_a_prefix() -> None:
    """Every address serves the same site, below the path of the external URL."""
    options = ["--web.listen-address", "127.0.0.1:0"] * 2
    with started("demo", *options, "--web.external-url", "http://proxy/cc/") as (process, first):
        second = _address(process)
        assert first != second
        for address in (first, second):
            url = f"http://{address}"
            assert httpx.get(f"{url}/cc/-/healthy", trust_env=False).status_code == 200
            assert httpx.get(f"{url}/-/healthy", trust_env=False).status_code == 404
            assert httpx.get(url, trust_env=False).headers["location"] == "/cc/"


def test_a_socket_of_systemd() -> None:
    """A socket that is passed as descriptor 3, with this process named, is served."""
    shim = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); "
        "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); "
        "os.execv(sys.executable, [sys.executable, '-m', 'exporter', *sys.argv[2:]])"
    )
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port, number = opened.getsockname()[1], opened.fileno()
        command = [sys.executable, "-c", shim, str(number), "demo", "--web.systemd-socket"]
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, pass_fds=[number]
        ) as process:
            try:
                opened.close()
                assert _address(process) == f"127.0.0.1:{port}"
                answer = httpx.get(f"http://127.0.0.1:{port}/-/healthy", trust_env=False)
                assert answer.status_code == 200
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=15) == 0
            finally:
                process.kill()


def test_check_live(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``check --live`` ends with 0 where nothing is missing and with 1 where a permission is."""
    with platform(tmp_path) as (file, simulator):
        arguments = ["check", "--config.file", str(file), "--live", "--log.level", "error"]
        assert main(arguments) == 0
        assert "no faults" in capsys.readouterr().out
        simulator.permissions["Campaigns"] = False
        assert main([*arguments, "--account", "acme"]) == 1
    assert "! permission Campaigns: missing" in capsys.readouterr().out


def test_check_live_of_a_stranger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An account that is not in the file is a mistake of the user's."""
    with platform(tmp_path) as (file, simulator):
        for command in (["check", "--live"], ["discover"], ["capture", "--out", "unused.json"]):
            code = main([*command, "--config.file", str(file), "--account", "acne"])
            assert code == 2
            assert "did you mean 'acme'?" in capsys.readouterr().err
        assert simulator.log == []
    assert not Path("unused.json").exists()


def test_discover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``discover`` prints what there is, and ends with 1 where nobody can sign in."""
    with platform(tmp_path) as (file, _):
        assert main(["discover", "--config.file", str(file), "--account", "acme"]) == 0
        assert "Calls In Queue: contactcenter_queue_contacts_waiting" in capsys.readouterr().out
    with platform(tmp_path, password="wrong") as (file, _):
        assert main(["discover", "--config.file", str(file), "--account", "acme"]) == 1
        assert "not signed in" in capsys.readouterr().out


def test_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``capture`` writes a file for its owner alone, and no second time."""
    out = tmp_path / "recording.json"
    with platform(tmp_path) as (file, simulator):
        arguments = ["capture", "--config.file", str(file), "--account", "acme", "--out", str(out)]
        assert main(arguments) == 0
        assert "review the file before you send it" in capsys.readouterr().out
        requests = len(simulator.log)
        assert main(arguments) == 1
        assert "File exists" in capsys.readouterr().err
        assert len(simulator.log) == requests
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert json.loads(out.read_bytes())["provider"] == "five9"


def test_capture_leaves_no_empty_file(tmp_path: Path) -> None:
    """Where a certificate file cannot be used nothing is recorded, and no file is left."""
    out = tmp_path / "recording.json"
    with platform(tmp_path) as (file, _):
        account = json.loads(file.read_text())["accounts"][0]
        account["tls"] = {"ca_file": "none.pem"}
        file.write_text(json.dumps({"accounts": [account]}))
        arguments = ["capture", "--config.file", str(file), "--account", "acme", "--out", str(out)]
        assert main(arguments) == 2
    assert not out.exists()
