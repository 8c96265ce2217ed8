"""Tests of the status page: its content, escaping and content security policy."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from exporter.errors import Hold, ProviderError, Unauthorized
from exporter.providers import PROVIDERS
from exporter.status import AccountStatus, Failure, FeedStatus, Overview, Quota
from exporter.web.status_page import HEADERS, render

NASTY = "<script>alert(1)</script>\"'&"
OK = FeedStatus("calls", "ok", 12.0, age=3.2, due_in=8.8, seconds=0.21, samples=1312)
ACCOUNT = AccountStatus("acme", "five9", "signed in", (OK,))


class Reader(HTMLParser):
    """Takes a page apart, and checks that every element is closed in its turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.tags if each == tag]


def read(*accounts: AccountStatus, root: str = "", **options: float) -> Reader:
    overview = Overview(accounts, **options)  # type: ignore[arg-type]
    return Reader(render(overview, root, {"/metrics": "the figures"}))


def test_a_feed_in_figures() -> None:
    """A row names feed, state, last success, next due, duration and series."""
    page = read(ACCOUNT, config_age=7300.0)
    for words in ("acme", "five9", "signed in", "calls", "3 s ago", "in 9 s", "0.21 s", "1,312"):
        assert words in page.text
    assert "1 account, 1 feed: 1 ok. Configuration read 2 h ago." in page.text


def test_whether_an_account_is_up() -> None:
    """An account that is signed in and has no live figures is shown as down."""
    assert "✓ signed in ✓ up" in read(replace(ACCOUNT, up=True)).text
    assert "✓ signed in ✕ down" in read(ACCOUNT).text


def test_what_is_not_known_is_not_shown() -> None:
    """A feed that was never read has no age, duration or series, and no time but the sign-in."""
    waiting = replace(ACCOUNT, session="signing in", feeds=(FeedStatus("calls", "waiting", 12.0),))
    text = read(waiting).text
    assert "never after signing in - -" in text
    assert "0 s" not in text.split("Series")[1]


def _errors() -> list[type[ProviderError]]:
    """Return every class of failure, those of the providers included."""
    assert all(PROVIDERS.values())  # their own classes are loaded
    classes = [ProviderError]
    for each in classes:
        classes += each.__subclasses__()
    return [each for each in classes if each.__module__.startswith("exporter.")]


@pytest.mark.parametrize("kind", _errors(), ids=lambda kind: kind.__name__)
def test_failures_come_with_a_remedy(kind: type[ProviderError]) -> None:
    """A failure shows what to do, when it is tried again, and the details."""
    failure = Failure(kind.reason, "HTTP 418", kind.remedy, 3)
    feed = replace(OK, state="failing", failure=failure, due_in=720.0)
    text = read(replace(ACCOUNT, feeds=(feed,))).text
    assert f"{kind.remedy} Next attempt in 12 min." in text
    assert f"{kind.reason}, 3 times in a row: HTTP 418" in text
    assert "(1) contactcenter-exporter" in text


def test_an_account_that_is_stopped() -> None:
    """Refused credentials are told at the account, with the time of the next try."""
    stopped = replace(
        ACCOUNT,
        session="stopped",
        failure=Failure.of(Unauthorized("HTTP 401"), 1),
        retry_in=840.0,
        feeds=(replace(OK, state="stopped", due_in=None),),
    )
    text = read(stopped).text
    assert "The platform rejected the credentials: check" in text
    assert "Next attempt in 14 min. auth: HTTP 401" in text
    assert "■ stopped" in text
    assert "Next attempt now." in read(replace(stopped, retry_in=0.0)).text


def test_every_reason_has_a_remedy() -> None:
    """Errors of the kernel and of the providers share a remedy only where they share a reason."""
    reasons: dict[str, set[str]] = {}
    for kind in _errors():
        reasons.setdefault(kind.remedy, set()).add(kind.reason)
    assert all(len(words) == 1 for words in reasons.values())
    assert all(remedy.endswith(".") for remedy in reasons)


def test_quotas() -> None:
    """Request limits are shown by operation, with the share that is used."""
    quotas = (
        Quota("Query", "minute", 60, 15),
        Quota("Query", "hour", 1200, 600),
        Quota("Other", "day", 0, 3),
    )
    text = read(replace(ACCOUNT, quotas=quotas)).text
    assert "Query requests: 15 of 60 per minute (25%), 600 of 1,200 per hour (50%)" in text
    assert "Other requests: 3 of 0 per day" in text


def test_everything_is_escaped() -> None:
    """Names and messages are text, whatever is in them."""
    failure = Failure(NASTY, NASTY, NASTY)
    feed = replace(OK, name=NASTY, state="failing", failure=failure)
    account = AccountStatus(
        NASTY, NASTY, "waiting", (feed,), 1.0, failure, (Quota(NASTY, NASTY, 1, 1),)
    )
    page = read(account, root='/a"b<')
    assert len(page.all("script")) == 1
    assert page.text.count("alert(1)") == 12
    assert page.all("a") == [{"href": '/a"b</metrics'}]


def test_no_hidden_character_is_shown() -> None:
    """Characters that reverse or split a line are shown as escapes, wherever a text comes from."""
    text = "a\u202eb\r\n\x9b\u2028"
    failure = Failure(text, text, text)
    feed = replace(OK, name=text, state="failing", failure=failure)
    account = AccountStatus(
        text, text, "waiting", (feed,), 1.0, failure, (Quota(text, text, 1, 1),)
    )
    words = "".join(read(account).words)

    assert words.isprintable()
    assert words.count(r"a\u202eb\r\n\u009b\u2028") == 12


def test_links_are_under_the_root() -> None:
    """Links lead to where the site is, which may be under a prefix."""
    assert read(ACCOUNT, root="/exporter").all("a") == [{"href": "/exporter/metrics"}]


def test_a_broken_configuration_is_told() -> None:
    """After a reload that failed the page says so."""
    assert "The last reload of the configuration failed" in read(config_broken=True).text
    assert "The last reload of the configuration failed" not in read().text


def test_tables_are_for_everybody() -> None:
    """Tables have a caption, headers with a scope, and states that are words."""
    page = read(ACCOUNT)
    assert len(page.all("caption")) == 1
    assert [each["scope"] for each in page.all("th")] == ["col"] * 6 + ["row"]
    assert {each["role"] for each in page.all("td")} == {"cell"}
    assert page.all("html") == [{"lang": "en"}]
    assert "✓ ok" in page.text


def test_nothing_else_can_run() -> None:
    """The policy names the one style and the one script by their hash, and nothing else."""
    text = render(Overview((ACCOUNT,)), "", {})
    policy = HEADERS["content-security-policy"]
    for tag in ("style", "script"):
        (inner,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert " style=" not in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    """Every text stands out from what is behind it: 4.5 to 1 or better, in both schemes."""
    (css,) = re.findall(r"<style>(.*?)</style>", render(Overview(), "", {}), re.DOTALL)
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", light if scheme == "light" else dark))
    pairs = [(each, f"{each}-back") for each in ("ok", "failing", "waiting", "stopped")]
    pairs += [(text, back) for text in ("text", "dim", "link") for back in ("page", "card")]
    pairs += [("text", "failing-back"), ("dim", "failing-back")]
    ratios = {pair: contrast(*(colours[each] for each in pair)) for pair in pairs}
    assert min(ratios.values()) >= 4.5, ratios


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as the Web Content Accessibility Guidelines have it."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_request_limit_that_delays_figures() -> None:
    """A feed that a limit holds back is due when the limit ends, and the page says which it is."""
    hold = Hold(1_772_478_000.0, "QueryStatistics of an hour")
    for age, words in ((None, "First figures"), (90.0, "Next figures")):
        feed = replace(OK, state="waiting", age=age, due_in=840.0, hold=hold)
        page = render(Overview((replace(ACCOUNT, feeds=(feed,)),)), "", {})
        assert f"{words} at 19:00 UTC: request limit QueryStatistics of an hour." in page
        assert "in 14 min" in page
        assert ">now<" not in page
