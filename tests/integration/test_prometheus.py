"""A real Prometheus scrapes the running demo; promtool reads the golden page."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from exporter.config.objectives import CampaignObjectives, QueueObjectives, objectives_of
from exporter.exposition.encoding import Format
from support.clock import MIDNIGHT
from support.five9 import Centre
from support.programs import free_port, program
from support.prometheus import query

GOLDEN = Path(__file__).parents[1] / "golden" / "demo.prom"
# Of the exporter's own families, those that tell about the machine and not about the platform.
VOLATILE = re.compile(r"(# \w+ )?(process_|python_|contactcenter_exporter_)")


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """Start a demo; give its address."""
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = (re.search(r"address=(\S+)", line) for line in process.stderr)
        address = next(found[1] for found in lines if found)
        yield address
        process.terminate()
        process.wait(timeout=15)


@pytest.fixture(scope="module")
def prometheus(demo: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a Prometheus that scrapes the demo each second; give its address."""
    binary = program("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs: [{job_name: contactcenter, "
        f"static_configs: [{{targets: ['{demo}']}}]}}]\n"
    )
    address = f"127.0.0.1:{free_port()}"
    command = [
        binary,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    log = (folder / "log").open("w")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        yield address
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.real
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "expression",
    [
        "up == 1",
        "contactcenter_up == 1",
        "sum by (queue) (contactcenter_queue_contacts_waiting)",
        "contactcenter_agents",
        "contactcenter_campaign_offered_total",
        "contactcenter_campaign_dials_in_window",
        "contactcenter_account_licenses",
        "scrape_samples_scraped > 300",
        "rate(contactcenter_api_requests_total[1m]) >= 0",
    ],
)
def test_prometheus_reads_the_demo(prometheus: str, expression: str) -> None:
    """Queries over scraped figures have results."""
    assert query(prometheus, expression)


@pytest.mark.real
@pytest.mark.timeout(180)
def test_prometheus_has_no_complaint(prometheus: str) -> None:
    """The target is healthy and its last scrape had no error."""
    query(prometheus, "up == 1")
    targets = httpx.get(f"http://{prometheus}/api/v1/targets", trust_env=False).json()
    (target,) = targets["data"]["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")


async def golden_page() -> str:
    """Return the page of a small centre at ten in the morning, without volatile lines."""
    start = MIDNIGHT + 10 * 3600
    hours = {"time_zone": "Etc/GMT", "weekly": "Mon-Fri 08:00-20:00"}
    queue = {
        "waiting_limit": {"warning": 8, "critical": 20},
        "answer_objective": "20s",
        "service_level_objective": 0.8,
        "hours": hours,
    }
    campaigns = [
        {"match": {"direction": "outbound"}, "abandoned_limit": 0.03, "hours": hours},
        {"answer_objective": "20s", "service_level_objective": 0.8, "hours": hours},
    ]
    objectives = objectives_of(
        [QueueObjectives.model_validate(queue)],
        [CampaignObjectives.model_validate(item) for item in campaigns],
    )
    centre = Centre(start=start, agents="name", objectives=objectives)
    async with centre.running(until=start + 300):
        page = centre.store.page(centre.clock.monotonic(), centre.telemetry.exposed_families())
        text = b"".join(page.body(Format.TEXT, gzip=False)[0]).decode()
    return "".join(f"{line}\n" for line in text.splitlines() if not VOLATILE.match(line))


@pytest.mark.anyio
async def test_the_golden_page() -> None:
    """The page of a known centre is, to the letter, the one that was looked at and kept."""
    page = await golden_page()
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(page)
    assert page == GOLDEN.read_text()


def test_the_golden_page_has_no_series_twice() -> None:
    """No series and no header is there twice, which promtool does not look for."""
    lines = GOLDEN.read_text().splitlines()
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    headers = [line.split(" ", 3)[1:3] for line in lines if line.startswith("#")]
    assert len(series) == len(set(series)) > 300
    assert len(headers) == len({tuple(header) for header in headers})


@pytest.mark.real
@pytest.mark.timeout(180)
def test_promtool_likes_the_golden_page() -> None:
    """Promtool finds nothing to say of names, helps and types."""
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=GOLDEN.read_text(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
