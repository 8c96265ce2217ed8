"""Pictures of the dashboards, drawn by Grafana's own components against a real Prometheus.

There is no Grafana here: ``tests/pictures`` bundles the components that its panels are made of,
and Chromium draws a dashboard's JSON with them. What every panel shows comes back as data.
"""

import base64
import fcntl
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import yaml

from support.browser import Tab, browser
from support.dashboards import RULES
from support.history import write
from support.node import modules
from support.panels import DOCUMENTS
from support.programs import free_port, program
from support.scenarios import rules
from support.stack import until

FOLDER = Path(__file__).parents[1] / "pictures"
NOW = 1_795_608_000.0  # 2026-11-25 12:00 UTC: the instant of every picture
_BUNDLE_TIMEOUT = 120.0
_DRAW_TIMEOUT = 90.0  # seconds
_QUALITY = 80
_WEEK = 7 * 86_400.0
_SHOWN = 3 * 3600.0  # seconds of the pictures, and of the same time last week
_RECORDED = 900.0  # seconds before NOW for which rules are evaluated
_RECORDS = re.compile(r"[a-z_]+:[\w:]+")
_PAGE = """<!doctype html>
<meta charset="utf-8">
<style>
  body { margin: 0; font-family: Inter, Helvetica, Arial, sans-serif; }
  .empty, .failed { height: 100%; display: grid; place-items: center; }
</style>
<script>window.__grafana_public_path__ = "file://MODULES/@grafana/ui/dist/public/";</script>
<div id="board"></div>
<script src="BUNDLE"></script>
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one panel shows: its values, an error, and texts that do not fit."""

    board: str
    title: str
    kind: str
    error: str
    series: int
    rows: int
    values: tuple[Mapping[str, Any], ...]
    clipped: tuple[str, ...]
    wide: bool

    @property
    def empty(self) -> bool:
        """Return whether there is nothing but the text for no data."""
        return not self.error and not any(
            isinstance(value["value"], int | float) for value in self.values
        )


class Pictures:
    """A browser that draws dashboards."""

    def __init__(self, tab: Tab, prometheus: str) -> None:
        self._tab = tab
        self._prometheus = f"http://{prometheus}"

    def draw(
        self,
        name: str,
        document: Mapping[str, Any],
        *,
        theme: str = "dark",
        width: int = 1920,
        now: float = NOW,
        file: Path | None = None,
        variables: Mapping[str, str] | None = None,
        unfold: bool = True,
    ) -> list[Shown]:
        """Draw a dashboard, into a WebP file where one is named; return what its panels show."""
        self._tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=1080,
            deviceScaleFactor=1,
            mobile=False,
        )
        request = {
            "document": document,
            "prometheus": self._prometheus,
            "time": now,
            "theme": theme,
            "width": width,
            "kiosk": name == "wallboard",
            "variables": dict(variables or {}),
            "unfold": unfold,
        }
        result = self._tab.call(
            "Runtime.evaluate",
            timeout=_DRAW_TIMEOUT,
            expression=f"draw({json.dumps(request)})",
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in result, json.dumps(result["exceptionDetails"])[:2000]
        drawn = result["result"]["value"]
        if file is not None:
            clip = {"x": 0, "y": 0, "width": width, "height": drawn["height"], "scale": 1}
            options = {"format": "webp", "quality": _QUALITY, "captureBeyondViewport": True}
            shot = self._tab.call("Page.captureScreenshot", clip=clip, **options)
            file.write_bytes(base64.b64decode(shot["data"]))
        return [_shown(name, panel) for panel in drawn["panels"]]


def _shown(board: str, panel: Mapping[str, Any]) -> Shown:
    return Shown(
        board,
        panel["title"],
        panel["type"],
        panel["error"],
        panel.get("series", 0),
        panel.get("rows", 0),
        tuple(panel["values"]),
        tuple(panel["clipped"]),
        panel.get("wide", False),
    )


def bundle() -> Path:
    """Return the script that draws, made anew where its sources are newer."""
    packages = modules(FOLDER)
    script = packages / ".bundle.js"
    sources = [FOLDER / name for name in ("draw.jsx", "bundle.mjs", "package-lock.json")]
    with (FOLDER / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        newest = max(source.stat().st_mtime for source in sources)
        if not script.exists() or script.stat().st_mtime < newest:
            subprocess.run(
                [program("node"), FOLDER / "bundle.mjs", script],
                check=True,
                timeout=_BUNDLE_TIMEOUT,
            )
    return script


@contextmanager
def drawing(folder: Path, prometheus: str) -> Iterator[Pictures]:
    """Start a browser that draws what a Prometheus has stored."""
    script = bundle()
    page = folder / "page.html"
    text = _PAGE.replace("MODULES", str(script.parent)).replace("BUNDLE", script.as_uri())
    page.write_text(text, encoding="utf-8")
    options = ("--allow-file-access-from-files", "--hide-scrollbars")
    with browser(folder, page.as_uri(), *options) as tab:
        tab.until("window.draw !== undefined", 60)
        yield Pictures(tab, prometheus)


def only(samples: Path, provider: str, into: Path) -> Path:
    """Copy the samples of one provider's accounts and of the exporter itself."""
    own = f'provider="{provider}"'.encode()
    with samples.open("rb") as source, into.open("wb") as target:
        target.writelines(line for line in source if own in line or b"provider=" not in line)
    return into


@contextmanager
def prometheus(folder: Path, *samples: Path) -> Iterator[str]:
    """Start a Prometheus that has stored samples, and what our rules make of their last minutes."""
    storage = folder / "storage"
    for file in samples:
        _promtool("tsdb", "create-blocks-from", "openmetrics", "-q", file, storage)
    for number, found in enumerate(_layers()):
        file = folder / f"layer-{number}.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "layer", "rules": found}]}))
        with _server(folder) as address:
            _promtool(
                *("tsdb", "create-blocks-from", "rules", f"--url=http://{address}"),
                *(f"--start={NOW - _RECORDED:.0f}", f"--end={NOW:.0f}", "--eval-interval=15s"),
                *(f"--output-dir={storage}", file),
            )
    with _server(folder) as address:
        yield address


def _layers() -> list[list[dict[str, Any]]]:
    """Return our rules as recording rules, each layer made of series of those before it.

    An alert becomes its series ALERTS: it fires where its condition has held for its ``for``.
    """
    left = list(rules(RULES))
    records = {rule["record"] for rule in left if "record" in rule}
    layers = []
    while left:
        layer = [rule for rule in left if not records & set(_RECORDS.findall(rule["expr"]))]
        assert layer, "rules read each other"
        records -= {rule["record"] for rule in layer if "record" in rule}
        left = [rule for rule in left if rule not in layer]
        layers.append([_recorded(rule) for rule in layer])
    return layers


def _recorded(rule: Mapping[str, Any]) -> dict[str, Any]:
    if "record" in rule:
        return {"record": rule["record"], "expr": rule["expr"]}
    minutes = int(rule.get("for", "1m").removesuffix("m"))
    held = f"count_over_time(({rule['expr']})[{minutes}m:1m]) >= {minutes}"
    labels = {"alertname": rule["alert"], "alertstate": "firing", **rule["labels"]}
    return {"record": "ALERTS", "expr": f"({held}) * 0 + 1", "labels": labels}


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    config = folder / "prometheus.yml"
    config.write_text("scrape_configs: []\n", encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'storage'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address={address}",
    ]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "prometheus.log").open("a"))
        process = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
        stack.callback(process.wait, timeout=20)
        stack.callback(process.terminate)
        url = f"http://{address}/-/ready"
        until(lambda: httpx.get(url, trust_env=False).is_success, "Prometheus is ready")
        yield address


def _promtool(*arguments: object) -> None:
    subprocess.run(
        [program("promtool"), *map(str, arguments)],
        check=True,
        capture_output=True,
        timeout=600,
    )


def main(folder: Path) -> None:
    """Draw every dashboard of the demo, dark and light, for two widths of screen, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary:
        work = Path(temporary)
        for part, end, seed in (("now.om", NOW, 1), ("last-week.om", NOW - _WEEK, 2)):
            with (work / part).open("wb") as out:
                write(out, end, _SHOWN, seed=seed)
        past = (work / "last-week.om", work / "now.om")
        with prometheus(work, *past) as address, drawing(work, address) as drawn:
            for name, document in DOCUMENTS.items():
                for theme, width in product(("dark", "light"), (1920, 1600)):
                    file = folder / f"{name}-{theme}-{width}.webp"
                    drawn.draw(name, document, theme=theme, width=width, file=file, unfold=False)
                    print(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
