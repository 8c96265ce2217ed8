"""Fixtures of the dashboards' tests: one chain of real components, started once."""

from collections.abc import Iterator

import pytest

from support.stack import Stack, running


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a running exporter, Prometheus and Alertmanager."""
    with running(tmp_path_factory.mktemp("stack")) as found:
        yield found
