"""Series by name and labels, and the figures of a page, read with prometheus-client's parser."""

from functools import lru_cache

from prometheus_client.parser import text_string_to_metric_families

from exporter.exposition.encoding import Format
from exporter.exposition.page import Page

Series = tuple[str, frozenset[tuple[str, str]]]


def series(name: str, **labels: str) -> Series:
    """Name a series."""
    return name, frozenset(labels.items())


@lru_cache(maxsize=100_000)
def named(text: str) -> Series:
    """Read a series' name and labels with the official parser, once for each."""
    (family,) = text_string_to_metric_families(f"{text} 0\n")
    (sample,) = family.samples
    return series(sample.name, **sample.labels)


def text_of(page: Page) -> str:
    """Return a page in the text format."""
    return b"".join(page.body(Format.TEXT, gzip=False)[0]).decode()


def figures_of(page: Page) -> dict[Series, float]:
    """Return the figures on a page by series."""
    lines = (x.rpartition(" ") for x in text_of(page).split("\n") if x and x[0] != "#")
    return {named(name): float(value) for name, _, value in lines}
