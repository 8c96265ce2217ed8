"""Tests that the documentation is true of the program."""

import json
import re
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.config.load import Config, load
from exporter.metrics import catalogue, families
from exporter.providers import MODELS, PROVIDERS
from exporter.providers.five9.config import Five9Config
from support.certificates import Authority

_ROOT = Path(__file__).parent.parent
_SECRETS = "/run/secrets"
_TABLES = {name: provider.tables for name, provider in PROVIDERS.items()}
_NO_DEFAULTS = "# No defaults"
# A commented-out line of the sample: a hash that is not followed by one blank and a word.
_COMMENTED_OUT = re.compile(r"^(\s*)#(?=\S|\s\s+\S)", re.MULTILINE)
_ENVIRONMENT = {"FIVE9_USERNAME": "supervisor@acme.example"}
# Names that Prometheus and its client make themselves.
_FOREIGN = re.compile(r"(process|python)_\w+")


def _text(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def _config(folder: Path, sample: str) -> Config:
    """Load a sample whose secrets lie in ``folder``."""
    for name in ("five9-password", "agents-key"):
        (folder / name).write_text("secret\n", encoding="utf-8")
    file = folder / "exporter.yml"
    authority = Authority()
    (folder / "ca.pem").write_text(authority.pem, encoding="utf-8")
    pair = authority.sign("exporter", "exporter.example")
    (folder / "client.pem").write_text(pair.cert, encoding="utf-8")
    (folder / "client-key.pem").write_text(pair.key, encoding="utf-8")
    file.write_text(sample.replace(_SECRETS, str(folder)), encoding="utf-8")
    return load(file, _ENVIRONMENT, MODELS)


def _account(folder: Path, sample: str) -> Five9Config:
    """Load the only account of a sample."""
    (account,) = _config(folder, sample).accounts
    assert isinstance(account, Five9Config)
    return account


def _metric_names(text: str) -> set[str]:
    """Return the names of our metrics in a text; an ending in ``_`` or ``*`` names none."""
    return set(re.findall(r"\bcontactcenter_[a-z0-9_]*[a-z0-9]\b(?![_*<{]*[*<])", text))


def _known_metrics() -> set[str]:
    known = set(families.FAMILIES)
    for family in families.FAMILIES.values():
        if family.kind == "histogram":
            known |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
    return known


def test_catalogue_is_the_generated_one(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/metrics.md is what ``contactcenter-exporter metrics`` prints."""
    assert main(["metrics"]) == 0
    printed = capsys.readouterr().out

    assert printed == catalogue.markdown(_TABLES) + "\n"
    assert _text("docs/metrics.md") == printed, "run: make golden"


def test_catalogue_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """``contactcenter-exporter metrics --format json`` prints the same catalogue as JSON."""
    assert main(["metrics", "--format", "json"]) == 0
    printed = capsys.readouterr().out

    assert printed == catalogue.as_json(_TABLES) + "\n"
    assert json.loads(printed) == json.loads(json.dumps(catalogue.entries(_TABLES)))
    assert [entry["name"] for entry in json.loads(printed)] == sorted(families.FAMILIES)


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "ARCHITECTURE.md"])
def test_metrics_named_in_prose_exist(name: str) -> None:
    """Every metric that a page for people names is one that the exporter can export."""
    assert _metric_names(_text(name)) - _known_metrics() == set()


def test_changelog_lists_every_family() -> None:
    """A metric's name is an API, so each one is in the changelog from its first day."""
    listed = set(re.findall(r"`([a-z0-9_]+)`", _text("CHANGELOG.md")))
    short = {name.removeprefix(families.PREFIX) for name in families.FAMILIES}

    assert short - listed == set()


def test_readme_metrics_of_the_runtime_are_exported() -> None:
    """Names without our prefix come from the Prometheus client's collectors of the process."""
    from exporter.telemetry import Telemetry  # noqa: PLC0415 - makes a registry

    exported = {metric.name for metric in Telemetry().registry.collect()}
    named = {match.group() for match in _FOREIGN.finditer(_text("README.md"))}

    assert named <= exported


@pytest.mark.parametrize("target", ["demo", "test"])
def test_first_commands_of_the_readme_are_in_the_makefile(target: str) -> None:
    """``make demo`` and ``make test`` are in the README, and the Makefile knows them."""
    assert f"make {target}" in _text("README.md")
    assert re.search(rf"^{target}:", _text("Makefile"), re.MULTILINE)


def test_every_make_target_named_exists() -> None:
    """No page tells the reader to make what the Makefile does not make."""
    pages = "\n".join(_text(name) for name in ("README.md", "CONTRIBUTING.md", ".ci/run"))
    named = set(re.findall(r"^(?:    |\$ )?make ([a-z]+)|`make ([a-z]+)", pages, re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))

    assert {first or second for first, second in named} <= targets


def test_options_of_the_readme_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command and long option that the README gives to the exporter is in its help."""
    commands = re.findall(
        r"contactcenter-exporter ([a-z]+)((?: +[^\s`|>#\\]+)*)", _text("README.md")
    )
    assert {"run", "demo", "check", "metrics", "simulate"} <= {command for command, _ in commands}

    for command, rest in commands:
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        shown = capsys.readouterr().out
        for option in re.findall(r"--[a-z.-]+", rest):
            assert option in shown, (command, option)


def test_links_between_pages_lead_somewhere() -> None:
    """A relative link or picture in a page is a file of this tree."""
    for page in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", _text(page))

        assert [link for link in links if not (_ROOT / link).exists()] == [], page


def test_sample_loads(tmp_path: Path) -> None:
    """exporter.yml has no mistakes where its variable and its file exist."""
    account = _account(tmp_path, _text("exporter.yml"))

    assert account.username == _ENVIRONMENT["FIVE9_USERNAME"]
    assert account.password.get_secret_value() == "secret"


def test_sample_shows_true_defaults(tmp_path: Path) -> None:
    """Uncommenting every default of exporter.yml changes nothing."""
    sample = _text("exporter.yml")
    defaults, rest = sample.split(_NO_DEFAULTS)
    plain = _account(tmp_path, sample)
    shown = _account(tmp_path, _COMMENTED_OUT.sub(r"\1", defaults) + _NO_DEFAULTS + rest)

    assert shown.enabled_feeds() == plain.enabled_feeds()
    without_feeds = {"feeds"}
    assert shown.model_dump(exclude=without_feeds) == plain.model_dump(exclude=without_feeds)
    assert len(shown.model_fields_set) > len(plain.model_fields_set)


def test_sample_shows_working_examples(tmp_path: Path) -> None:
    """The keys of exporter.yml that have no default load as the sample shows them."""
    defaults, rest = _text("exporter.yml").split(_NO_DEFAULTS)
    account = _account(tmp_path, defaults + _NO_DEFAULTS + _COMMENTED_OUT.sub(r"\1", rest))

    assert account.budget.query_statistics is not None
    assert account.columns
    assert account.agents_key is not None


def test_sample_shows_objectives(tmp_path: Path) -> None:
    """Uncommented, exporter.yml has objectives with every key, and none before."""
    sample = _text("exporter.yml")
    defaults, rest = sample.split(_NO_DEFAULTS)
    found = _config(tmp_path, defaults + _NO_DEFAULTS + _COMMENTED_OUT.sub(r"\1", rest)).objectives
    named = {figure.family for entry in found.items for figure in entry.series}
    named |= {entry.open for entry in found.items if entry.hours}
    section = _text("exporter/metrics/families.py")
    settings = {x for x in families.FAMILIES.values() if x.help.endswith("Set in exporter.yml.")}

    assert not _config(tmp_path, sample).objectives.items
    assert named == settings
    assert section.count("_setting(") == len(settings) + 1
    assert any(entry.hours and entry.hours.holidays.countries for entry in found.items)


def test_sample_shows_every_key(tmp_path: Path) -> None:
    """No key of a Five9 account is missing from exporter.yml."""
    defaults, rest = (
        _COMMENTED_OUT.sub(r"\1", part) for part in _text("exporter.yml").split(_NO_DEFAULTS)
    )
    shown = set(_account(tmp_path, defaults + _NO_DEFAULTS).model_fields_set)
    examples = defaults.split("    # Connection")[0] + _NO_DEFAULTS + rest
    shown |= _account(tmp_path, examples).model_fields_set

    assert set(Five9Config.model_fields) - shown == set()
