"""The status page in a real browser: live, in place, under its own strict policy, on a phone."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.errors import Unreachable
from exporter.exposition.publisher import Publisher
from exporter.exposition.store import SnapshotStore
from exporter.status import AccountStatus, Failure, FeedStatus, Overview
from exporter.telemetry import Telemetry
from exporter.web.server import Server
from exporter.web.site import Site
from exporter.web.sockets import Address
from support.browser import Tab, browser

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
REFRESH = 2.0  # seconds between two fetches of the page's script
STATES = "[...document.querySelectorAll('tbody .badge')].map(each => each.className).join()"
FEED = FeedStatus("InboundCampaignStatistics", "ok", 12.0, 3.0, 9.0, 0.2, 1312)
ACCOUNTS = tuple(
    AccountStatus(f"account-{number}", "five9", "signed in", (FEED,) * 9) for number in range(4)
)
FAILING = replace(FEED, state="failing", failure=Failure.of(Unreachable("gone " + 60 * "x"), 2))


class Exporter:
    """The exporter's site on a socket, showing whatever the test wants."""

    def __init__(self) -> None:
        self.overview = Overview(ACCOUNTS)
        telemetry = Telemetry()
        publisher = Publisher(SnapshotStore(), telemetry.exposed_families, time.monotonic)
        site = Site(publisher, telemetry, lambda: True, overview=lambda: self.overview)
        self.server = Server(site, Address("127.0.0.1", 0), "web")
        self.server.start()
        self.url = f"http://{self.server.address}/"


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    made = Exporter()
    yield made
    made.server.stop()


@pytest.fixture
def tab(exporter: Exporter, tmp_path: Path) -> Iterator[Tab]:
    """Start a browser that shows the exporter's status page."""
    with browser(tmp_path, exporter.url) as made:
        made.until("document.querySelectorAll('section').length == 4", 30)
        yield made


def test_a_failure_shows_by_itself(exporter: Exporter, tab: Tab) -> None:
    """A feed that fails shows within one refresh, in place: neither scrolling nor page is lost."""
    tab.evaluate("window.kept = true; scrollTo(0, 300)")
    assert "failing" not in tab.evaluate(STATES)
    first, *others = ACCOUNTS
    exporter.overview = Overview((replace(first, feeds=(FAILING, *first.feeds[1:])), *others))
    took = tab.until("document.querySelectorAll('tbody .failing').length == 1", 10)
    print(f"a failing feed was visible after {took:.2f} s")
    assert took < REFRESH + 1.0
    assert "No connection: check base_url" in tab.evaluate("document.body.innerText")
    assert tab.evaluate("document.title").startswith("(1)")
    assert tab.evaluate("[window.kept, scrollY].join()") == "true,300"
    assert tab.complaints == [], "the policy, or the script, had something to say"


def test_an_exporter_that_is_gone_shows(exporter: Exporter, tab: Tab) -> None:
    """When the exporter no longer answers, the page says that it is old."""
    visible = "!document.getElementById('lost').hidden"
    assert not tab.evaluate(visible)
    exporter.server.stop()
    tab.until(visible, 15)


def test_a_chosen_text_is_left_alone(exporter: Exporter, tab: Tab) -> None:
    """While text is selected, to be copied, the page stays as it is."""
    tab.evaluate("getSelection().selectAllChildren(document.querySelector('h2'))")
    exporter.overview = Overview(())
    time.sleep(2 * REFRESH)
    assert tab.evaluate("document.querySelectorAll('section').length") == 4
    tab.evaluate("getSelection().empty()")
    tab.until("document.querySelectorAll('section').length == 0", 10)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits(exporter: Exporter, tab: Tab, width: int, scheme: str) -> None:
    """On a phone and a large screen nothing is wider than the screen, in either scheme."""
    first, *others = ACCOUNTS
    long = replace(first, account=50 * "W", failure=FAILING.failure, feeds=(FAILING,))
    exporter.overview = Overview((long, *others))
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    tab.call("Emulation.setDeviceMetricsOverride", **screen)
    wanted = [{"name": "prefers-color-scheme", "value": scheme}]
    tab.call("Emulation.setEmulatedMedia", features=wanted)
    tab.until("document.querySelectorAll('tbody .failing').length == 1", 10)
    assert tab.evaluate("innerWidth") == width
    room, used = (tab.evaluate(f"document.documentElement.{x}Width") for x in ("client", "scroll"))
    assert used == room
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"
    assert light == (scheme == "light")
    shown = tab.call("Page.captureScreenshot", format="png")["data"]
    assert len(shown) > 10_000
    if folder := os.environ.get("SCREENSHOTS"):
        import base64  # noqa: PLC0415 - for a person who looks

        Path(folder, f"status-{width}-{scheme}.png").write_bytes(base64.b64decode(shown))
