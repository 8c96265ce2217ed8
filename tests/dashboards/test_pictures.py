"""Tests of what the dashboards show, drawn by Grafana's own components.

The demo has run for three quarters of an hour of virtual time. A panel is empty only for a reason
that its description gives, and nothing shows a zero that nobody counted.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.platforms import GIVEN_BY
from support import pictures
from support.history import write
from support.panels import DOCUMENTS, panels
from support.pictures import NOW, Pictures, Shown

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]
PROVIDERS = ("five9", "genesys", "brightpattern", "voximplant")
_PAST = 2700.0  # seconds
_GONE = 600.0  # seconds after the last scrape
_DESCRIPTIONS = {(name, panel["title"]): panel["description"] for name, panel in panels()}
_NAMES = dict(zip(PROVIDERS, ("Five9", "Genesys", "Bright Pattern", "Voximplant"), strict=True))
_CONDITION = re.compile(r"Nothing wh|where exporter\.yml sets")  # in a description


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the samples of the demo's last three quarters of an hour."""
    file = tmp_path_factory.mktemp("past") / "demo.om"
    with file.open("wb") as out:
        write(out, NOW, _PAST)
    return file


@pytest.fixture(scope="module")
def demo(past: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pictures]:
    """Give a browser that draws the demo."""
    folder = tmp_path_factory.mktemp("demo")
    with (
        pictures.prometheus(folder, past) as prometheus,
        pictures.drawing(folder, prometheus) as drawn,
    ):
        yield drawn


def shown(drawn: Pictures, name: str, width: int = 1920, now: float = NOW) -> list[Shown]:
    return drawn.draw(name, DOCUMENTS[name], width=width, now=now)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_panel_shows_something(demo: Pictures, name: str) -> None:
    """No panel fails, none uses a variable that is not defined, and none is empty."""
    drawn = shown(demo, name)

    assert {panel.title: panel.error for panel in drawn if panel.error} == {}
    empty = {panel.title for panel in drawn if panel.empty}
    assert {title for title in empty if not _is_conditional(name, title)} == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_share_is_over_all(demo: Pictures, name: str) -> None:
    """A share of contacts, calls or time is at most 100 %."""
    over = {
        (panel.title, value["name"]): value["value"]
        for panel in shown(demo, name)
        for value in panel.values
        if str(value["text"]).endswith("%")
        and not re.search("limit|objective", f"{panel.title} {value['name']}".lower())
        and isinstance(value["value"], int | float)
        and value["value"] > 1
    }

    assert over == {}


def test_the_wallboard_clips_nothing(demo: Pictures) -> None:
    """On a screen of 1920 by 1080 pixels every text of the wallboard is whole."""
    assert {panel.title: panel.clipped for panel in shown(demo, "wallboard") if panel.clipped} == {}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_tables_fit_a_smaller_screen(demo: Pictures, name: str) -> None:
    """At 1600 pixels no table is wider than its panel."""
    assert [panel.title for panel in shown(demo, name, width=1600) if panel.wide] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_one_platform_alone(provider: str, past: Path, tmp_path: Path) -> None:
    """With the accounts of one platform, those panels are empty that say that it gives nothing."""
    alone = pictures.only(past, provider, tmp_path / "alone.om")
    wrong = {}
    with (
        pictures.prometheus(tmp_path, alone) as prometheus,
        pictures.drawing(tmp_path, prometheus) as drawn,
    ):
        for name in DOCUMENTS:
            for panel in shown(drawn, name):
                assert panel.error == "", (name, panel.title)
                given = GIVEN_BY.get(name, {}).get(panel.title)
                expected = given is None or _NAMES[provider] in given
                if panel.empty == expected and not (
                    panel.empty and _is_conditional(name, panel.title)
                ):
                    wrong[name, panel.title] = "empty" if panel.empty else "not empty"

    assert wrong == {}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_dead_exporter_shows_no_zero(demo: Pictures, name: str) -> None:
    """Ten minutes after the last scrape every account is named as missing, and nothing is 0."""
    drawn = shown(demo, name, now=NOW + _GONE)
    (accounts,) = (panel for panel in drawn if panel.title == "Accounts" and panel.kind == "stat")

    assert {value["name"] for value in accounts.values} == {f"demo-{x}" for x in PROVIDERS}
    assert {value["text"] for value in accounts.values} == {"missing"}
    now = [panel for panel in drawn if panel.kind in ("stat", "bargauge", "table")]
    figures = {panel.title: len(panel.values) for panel in now if panel is not accounts}
    assert {title: count for title, count in figures.items() if count} == {}


def test_a_dead_account_is_named(tmp_path: Path) -> None:
    """An account whose platform is gone is named on every board, and has no figure on any."""
    file = tmp_path / "dead.om"
    with file.open("wb") as out:
        write(out, NOW, 1800.0, dead="genesys")
    with (
        pictures.prometheus(tmp_path, file) as prometheus,
        pictures.drawing(tmp_path, prometheus) as drawn,
    ):
        for name in DOCUMENTS:
            panels_shown = shown(drawn, name)
            accounts = next(panel for panel in panels_shown if panel.title == "Accounts")
            assert [value["name"] for value in accounts.values] == ["demo-genesys"], name
            if name == "exporter":
                continue  # it is about feeds and requests, of a dead account too
            for panel in panels_shown:
                if panel.kind not in ("stat", "bargauge") or panel is accounts:
                    continue
                named = [value for value in panel.values if "genesys" in str(value["name"])]
                assert named == [], panel.title


def _is_conditional(name: str, title: str) -> bool:
    return bool(_CONDITION.search(_DESCRIPTIONS[name, title]))
