"""Status page: every account and feed with its state, failures and what to do about them.

A short script fetches the page every two seconds and replaces its live part; without scripts the
browser reloads the page. Style and script are inline, and the content security policy names their
hashes, so that nothing else can run.
"""

import base64
import hashlib
import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files

from exporter import __version__
from exporter.printable import printable
from exporter.status import AccountStatus, Failure, FeedStatus, Overview, Quota

_STYLE = files("exporter.web").joinpath("status_page.css").read_text(encoding="utf-8")
_SCRIPT = files("exporter.web").joinpath("status_page.js").read_text(encoding="utf-8")


def escape(text: str) -> str:
    """Return a text for HTML, without characters that are not shown."""
    return html.escape(printable(text))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS: Mapping[str, str] = {
    "content-security-policy": f"default-src 'none'; style-src {_hash(_STYLE)}; "
    f"script-src {_hash(_SCRIPT)}; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_MARKS = {"ok": "✓", "failing": "✕", "waiting": "…", "stopped": "■"}
_SESSION_MARKS = {
    "signed in": ("ok", "✓"),
    "signing in": ("waiting", "…"),
    "waiting": ("failing", "✕"),
    "stopped": ("stopped", "■"),
}
_UP_MARKS = {True: ("ok", "✓", "up"), False: ("failing", "✕", "down")}
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))
_COLUMNS = ("Feed", "State", "Last success", "Next refresh", "Duration", "Series")


def render(overview: Overview, root: str, links: Mapping[str, str]) -> str:
    """Return the page as HTML; ``root`` is the path that precedes every path in ``links``.

    ``links`` has a description for each path.
    """
    states = [feed.state for account in overview.accounts for feed in account.feeds]
    not_ok = len(states) - states.count("ok")
    title = f"({not_ok}) contactcenter-exporter" if not_ok else "contactcenter-exporter"
    items = "".join(
        f'<li><a href="{escape(root + path)}">{escape(path)}</a> <span>{escape(text)}</span></li>'
        for path, text in links.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<noscript><meta http-equiv="refresh" content="10"></noscript>'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>"
        "<header><h1>contactcenter-exporter</h1>"
        f"<p>version {escape(__version__)}</p></header>"
        '<p id="lost" class="note" role="alert" hidden>'
        "The exporter does not respond. The data below is out of date.</p>"
        f'<main id="live">{"".join(_accounts(overview, states))}</main>'
        f'<nav aria-label="Endpoints"><ul>{items}</ul></nav>'
        f"<script>{_SCRIPT}</script></body></html>"
    )


def _accounts(overview: Overview, states: Sequence[str]) -> Iterator[str]:
    counts = ", ".join(f"{states.count(state)} {state}" for state in _MARKS if state in states)
    yield (
        f'<p class="sum">{_plural(len(overview.accounts), "account")}, '
        f"{_plural(len(states), 'feed')}{f': {counts}' if counts else ''}. "
        f"Configuration read {_duration(overview.config_age)} ago.</p>"
    )
    if overview.config_broken:
        yield (
            '<p class="note">The last reload of the configuration failed; the previous one is in '
            "force. The log and <code>contactcenter-exporter check</code> list every error.</p>"
        )
    for account in overview.accounts:
        yield from _account(account)


def _account(account: AccountStatus) -> Iterator[str]:
    style, mark = _SESSION_MARKS[account.session]
    name = escape(account.account)
    yield (
        f'<section><h2>{name}</h2><p class="facts"><span>{escape(account.provider)}</span>'
        f"{_badge(style, mark, account.session)}{_badge(*_UP_MARKS[account.up])}</p>"
    )
    if account.failure:
        yield f'<p class="why">{_failure(account.failure, account.retry_in)}</p>'
    if account.quotas:
        yield f'<ul class="quotas">{"".join(_quotas(account.quotas))}</ul>'
    heads = "".join(f'<th role="columnheader" scope="col">{column}</th>' for column in _COLUMNS)
    rows = "".join(row for feed in account.feeds for row in _feed(feed, account.session))
    yield (
        f'<table role="table"><caption>Feeds of {name}</caption>'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table></section>'
    )


def _feed(feed: FeedStatus, session: str) -> Iterator[str]:
    due = "after signing in" if session != "signed in" else "-"
    if feed.due_in is not None:
        due = _from_now(feed.due_in)
    cells = (
        "never" if feed.age is None else f"{_duration(feed.age)} ago",
        due,
        "-" if feed.seconds is None else f"{feed.seconds:.2f} s",
        "-" if feed.samples is None else f"{feed.samples:,}",
    )
    plain = "".join(
        f'<td role="cell" data-label="{column}">{cell}</td>'
        for column, cell in zip(_COLUMNS[2:], cells, strict=True)
    )
    yield (
        f'<tr role="row"><th role="rowheader" scope="row">{escape(feed.name)}</th>'
        f'<td role="cell">{_badge(feed.state, _MARKS[feed.state], feed.state)}</td>{plain}</tr>'
    )
    if feed.failure:
        yield _more(_failure(feed.failure, feed.due_in))
    elif feed.hold:
        yield _more(f"{'First' if feed.age is None else 'Next'} figures {escape(str(feed.hold))}.")


def _more(text: str) -> str:
    return f'<tr role="row" class="more"><td role="cell" colspan="6">{text}</td></tr>'


def _badge(style: str, mark: str, word: str) -> str:
    return f'<span class="badge {style}"><b aria-hidden="true">{mark}</b> {escape(word)}</span>'


def _failure(failure: Failure, retry_in: float | None) -> str:
    retry = ""
    if retry_in is not None:
        retry = f" Next attempt {_from_now(retry_in)}."
    times = f", {failure.times} times in a row" if failure.times > 1 else ""
    return (
        f"{escape(failure.remedy)}{retry} "
        f"<small>{escape(failure.reason)}{times}: <code>{escape(failure.message)}</code></small>"
    )


def _quotas(quotas: Iterable[Quota]) -> Iterator[str]:
    windows: dict[str, list[str]] = {}
    for quota in quotas:
        share = f" ({quota.used / quota.limit:.0%})" if quota.limit > 0 else ""
        text = f"{quota.used:,g} of {quota.limit:,g} per {escape(quota.window)}{share}"
        windows.setdefault(quota.operation, []).append(text)
    for operation, texts in windows.items():
        yield f"<li>{escape(operation)} requests: {', '.join(texts)}</li>"


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _from_now(seconds: float) -> str:
    return f"in {_duration(seconds)}" if seconds >= 1 else "now"


def _duration(seconds: float) -> str:
    """Return a duration in its largest unit: 8 s, 12 min, 3 h, 2 d."""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
