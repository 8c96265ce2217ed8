"""A real Prometheus scrapes each account apart, configured as the README says."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.programs import free_port, program
from support.prometheus import query

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
README = Path(__file__).parents[2] / "README.md"
ACCOUNTS = ["demo-brightpattern", "demo-five9"]


def documented(address: str, accounts: list[str]) -> dict[str, object]:
    """Return the README's configuration for other accounts and another address."""
    blocks = re.findall(r"```yaml\n(scrape_configs:.*?)```", README.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if "__param_account" in block]
    config: dict[str, object] = yaml.safe_load(
        found.replace("[acme-us, acme-eu]", str(accounts)).replace("127.0.0.1:10077", address)
    )
    return config


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a demo and a Prometheus that scrapes two of its accounts; give the latter's address."""
    binary = program("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    address = f"127.0.0.1:{free_port()}"
    demo = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(demo, stderr=subprocess.PIPE, text=True) as exporter,
    ):
        assert exporter.stderr is not None
        lines = (re.search(r"address=(\S+)", line) for line in exporter.stderr)
        served = next(found[1] for found in lines if found)
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            **documented(served, [*ACCOUNTS, "demo-typo"]),
        }
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        command = [
            binary,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ]
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            yield address
            process.terminate()
            process.wait(timeout=20)
        exporter.terminate()
        exporter.wait(timeout=15)


@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_account_comes_from_its_own_target(prometheus: str, account: str) -> None:
    """Each account's figures and what is told about it come once, from the target of its name."""
    for metric in ("contactcenter_agents", "contactcenter_feed_up"):
        query(prometheus, f'{metric}{{account="{account}"}}')
        (found,) = query(
            prometheus,
            f'count by (instance) (count by (instance) ({metric}{{account="{account}"}}))',
        )

        assert found["metric"]["instance"] == account


def test_the_process_comes_once(prometheus: str) -> None:
    """What is about no account comes from the one target that asks for it."""
    (found,) = query(prometheus, "process_start_time_seconds")
    (build,) = query(prometheus, "contactcenter_exporter_build_info")

    assert found["metric"]["job"] == build["metric"]["job"] == "contactcenter-exporter"


def test_a_typo_is_seen(prometheus: str) -> None:
    """A target whose name is no account is down, and the others are not."""
    (down,) = query(prometheus, "up == 0")
    up = query(prometheus, "count(up == 1) == 3")

    assert down["metric"]["instance"] == "demo-typo"
    assert up
