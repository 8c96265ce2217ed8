"""Real parsers, and backends that strip suffixes, read pages of every kind of account."""

import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.encoding import Format
from exporter.exposition.page import assemble
from support.clock import MIDNIGHT
from support.five9 import Centre
from support.programs import program

Texts = dict[Format, str]
_RESERVED = re.compile("_(total|created|bucket|count|sum|gcount|gsum|info)$")


@pytest.fixture(scope="module")
def demo() -> Iterator[Texts]:
    """Start the demo; give its page in both formats, once all four platforms have figures."""
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = (re.search(r"address=(\S+)", line) for line in process.stderr)
        address = next(match[1] for match in lines if match)
        try:
            yield _complete_page(f"http://{address}/metrics")
        finally:
            process.terminate()
            process.communicate(timeout=15)


def _complete_page(url: str) -> Texts:
    for _ in range(300):
        texts = {
            form: httpx.get(url, headers={"Accept": form.value}, trust_env=False).text
            for form in Format
        }
        up = re.findall(r"^contactcenter_up\{.*\} (\S+)$", texts[Format.TEXT], re.MULTILINE)
        feeds = re.findall(r"^contactcenter_feed_up\{.*\} (\S+)$", texts[Format.TEXT], re.MULTILINE)
        if len(up) >= 4 and {float(value) for value in up + feeds} == {1}:
            return texts
        time.sleep(0.2)
    raise AssertionError("a feed of the demo has no figures")


@pytest.fixture(params=["RollingHour", "CurrentDay"])
async def mixed(request: pytest.FixtureRequest) -> Texts:
    """Give the page of an account over the day and one over another range, in both formats."""
    pages = {}
    ranges = {"day": "CurrentDay", "other": request.param}
    for name, statistics_range in ranges.items():
        rolling = "Minutes30" if name == "day" else "Today"
        view = {"statistics_range": statistics_range, "rolling_period": rolling}
        start = MIDNIGHT + 10 * 3600
        centre = Centre(start=start, name=name, agents="name", view=view)
        async with centre.running(until=start + 300):
            extra = centre.telemetry.exposed_families()
            pages[name] = centre.store.page(centre.clock.monotonic(), extra)
    blocks = {name: page.accounts_part.blocks[name] for name, page in pages.items()}
    page = assemble(blocks, extra, 0)
    return {form: b"".join(page.body(form, gzip=False)[0]).decode() for form in Format}


def _kinds(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)


def _check(texts: Texts) -> None:
    """Check what both formats say of names and types, as parsers and as backends read it."""
    families = {
        Format.TEXT: list(parse_text(texts[Format.TEXT])),
        Format.OPENMETRICS: list(parse_openmetrics(texts[Format.OPENMETRICS])),
    }
    for form, parsed in families.items():
        kinds = _kinds(texts[form])
        assert len(parsed) == len(kinds) > 50
        assert {kind for _, kind in kinds} == {"counter", "gauge", "histogram"}
        assert {family.type for family in parsed} == {"counter", "gauge", "histogram"}
        by_stem = defaultdict(list)
        for name, kind in kinds:
            by_stem[_RESERVED.sub("", name)].append((name, kind))
        assert [clash for clash in by_stem.values() if len(clash) > 1] == []
    # Both formats have the same families once _total is stripped.
    kinds = [(name.removesuffix("_total"), kind) for name, kind in _kinds(texts[Format.TEXT])]
    assert kinds == _kinds(texts[Format.OPENMETRICS])
    for parsed in families.values():
        for family in parsed:
            windows = {"window" in sample.labels for sample in family.samples}
            assert len(windows) <= 1, f"{family.name} mixes a window and a period"
            assert windows != {True} or family.type == "gauge"


def test_the_demo(demo: Texts) -> None:
    """The full page of all four platforms: every family has one type, and none is unknown."""
    assert "contactcenter_campaign_dials_in_window{" in demo[Format.TEXT]
    _check(demo)


@pytest.mark.anyio
async def test_accounts_of_different_ranges(mixed: Texts) -> None:
    """A period total and a figure over a window are two families, whatever else is on the page."""
    assert "contactcenter_campaign_dials_in_window{" in mixed[Format.TEXT]
    assert "contactcenter_campaign_dials_total{" in mixed[Format.TEXT]
    assert 'account="day"' in mixed[Format.TEXT]
    assert 'account="other"' in mixed[Format.TEXT]
    _check(mixed)


@pytest.mark.real
@pytest.mark.anyio
async def test_promtool(demo: Texts, mixed: Texts) -> None:
    """Promtool finds nothing to say of either page's names, HELP texts and types."""
    for texts in (demo, mixed):
        done = subprocess.run(  # noqa: ASYNC221 - short, and nothing else runs
            [program("promtool"), "check", "metrics"],
            input=re.sub(r"^(# \S+ )?python_.*\n", "", texts[Format.TEXT], flags=re.MULTILINE),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
