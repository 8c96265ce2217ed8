"""Report of a running exporter for ``check --live --url``: asks it, and no platform."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

import httpx

from exporter.clock import Clock
from exporter.collector.http import Http, Tls, json_array, open_client
from exporter.collector.survey import Licence, Permission, Survey
from exporter.config.files import read_file
from exporter.config.secrets import describe_hidden
from exporter.config.yaml import suggest
from exporter.errors import ConfigError, Hold, ProviderError, Unauthorized
from exporter.preflight.report import Report, add_certificates, add_clock, add_survey
from exporter.telemetry import AccountTelemetry, Telemetry

_PATH = "/-/status"
_TIMEOUT = 10.0  # seconds


def parse_url(text: str, password_file: Path | None = None) -> SplitResult:
    """Return the URL of an exporter, with the password that a file holds.

    Raises ``ConfigError``; the text may hold a password.
    """
    try:
        url = urlsplit(text)
        valid = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        valid = False
    if not valid or url.query or url.fragment:
        raise ConfigError(["--url: expected a URL such as http://user@127.0.0.1:10077"])
    if password_file is None:
        return url
    if not url.username or url.password:
        raise ConfigError(["--url.password-file: expected --url with a user and no password"])
    user, _, host = url.netloc.rpartition("@")
    password = quote(_password(password_file), safe="")
    return url._replace(netloc=f"{user.rstrip(':')}:{password}@{host}")


def _password(file: Path) -> str:
    """Return the password in a file, less a trailing newline. Raises ``ConfigError``."""
    try:
        password = read_file(file).decode().removesuffix("\n").removesuffix("\r")
        fault = describe_hidden(password) if password else "is empty"
    except UnicodeDecodeError:
        fault = "is not UTF-8"
    except (OSError, ValueError) as error:
        fault = f"cannot be read: {getattr(error, 'strerror', None) or 'not a valid path'}"
    if fault:
        raise ConfigError([f"--url.password-file: {file}: {fault}"])
    return password


async def report_running(
    url: SplitResult, ca_file: str | None, account: str | None, feeds: Sequence[str], clock: Clock
) -> tuple[list[str], bool]:
    """Return the report of an exporter's accounts, and whether it has no fault.

    Raises ``ConfigError`` if there is no account or feed of that name, ``OSError`` where the
    CA file cannot be used.
    """
    where = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"
    async with open_client(Tls(ca_file=ca_file), None) as client:
        http = Http(client, AccountTelemetry(Telemetry(), "exporter", where), clock)
        if url.username:
            client.auth = httpx.BasicAuth(unquote(url.username), unquote(url.password or ""))
        request = client.build_request("GET", where + _PATH)
        try:
            accounts = await http.json(request, "status", _accounts, _TIMEOUT, size=http.max_answer)
        except Unauthorized as error:
            return [f"{where}: {error}: check the user in --url and the password"], False
        except ProviderError as error:
            return [f"{where}: status not read ({error.reason}): {error}"], False
    try:
        return _reports(accounts, account, feeds, clock.time())
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        shape = f"the answer has an unexpected shape ({type(error).__name__})"
        return [f"{where}: status not read (invalid): {shape}"], False


def _reports(
    accounts: list[dict[str, Any]], account: str | None, feeds: Sequence[str], now: float
) -> tuple[list[str], bool]:
    names = [item["account"] for item in accounts]
    if account is not None and account not in names:
        raise ConfigError([f"no account named {account!r}{suggest(account, names)}"])
    accounts = [item for item in accounts if account in (None, item["account"])]
    known = sorted({feed["name"] for item in accounts for feed in item["feeds"]})
    unknown = [
        f"no enabled feed named {feed!r}{suggest(feed, known)}"
        for feed in feeds
        if feed not in known
    ]
    if unknown:
        raise ConfigError(unknown)
    reports = [_report(item, feeds, now) for item in accounts]
    lines = [line for report in reports for line in report.lines]
    return lines, not any(report.faults for report in reports)


def _accounts(body: object) -> list[dict[str, Any]]:
    if not isinstance(body, dict):
        raise TypeError("expected an object")
    return json_array(body["accounts"])


def _report(account: dict[str, Any], feeds: Sequence[str], now: float) -> Report:
    report = Report([f"{account['account']} ({account['provider']}): {account['session']}"])
    if account["failure"]:
        report.fault(_failure("session", account["failure"]))
    for feed in account["feeds"]:
        if not feeds or feed["name"] in feeds:
            _add_feed(report, feed)
    for quota in account["quotas"]:
        used = f"{quota['used']:g} of {quota['limit']:g} requests used"
        report.info(f"{quota['operation']}: {used} in this {quota['window']}")
    if not feeds:
        _add_knowledge(report, account, now)
    report.info(f"faults: {report.faults}, see the lines with !" if report.faults else "no faults")
    return report


def _add_knowledge(report: Report, account: dict[str, Any], now: float) -> None:
    """Add what is known of the account itself: permissions, licences, clock, certificates."""
    survey = Survey(
        permissions=[Permission(**item) for item in account["survey"]["permissions"]],
        licences=[Licence(**item) for item in account["survey"]["licences"]],
    )
    add_survey(report, survey)
    if not survey.permissions and not survey.licences:
        report.info("permissions and licences: not read by a feed of this account")
    add_clock(report, account["skew"])
    add_certificates(report, account["certificates"], now)


def _add_feed(report: Report, feed: dict[str, Any]) -> None:
    name, age = feed["name"], feed["age"]
    hold = Hold(**feed["hold"]) if feed["hold"] else None
    if feed["failure"]:
        report.fault(_failure(name, feed["failure"]))
    elif feed["state"] == "ok":
        report.info(f"{name}: ok, {feed['samples']} series, read {age:.0f} s ago")
    elif hold is None:
        report.hint(f"{name}: {feed['state']}, no fresh figures")
    if hold is not None:
        report.hint(f"{name}: {'first' if age is None else 'next'} figures {hold}")
    for note in feed["notes"]:
        report.hint(note)


def _failure(name: str, failure: dict[str, Any]) -> str:
    times = f", {failure['times']} times in a row" if failure["times"] > 1 else ""
    reason = f"{failure['reason']}{times}"
    return f"{name}: failed ({reason}): {failure['message']}. {failure['remedy']}"
