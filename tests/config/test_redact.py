"""Tests of redaction: what may be shown of a configuration."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from exporter.config.load import Config, load
from exporter.config.objectives import QueueObjectives, objectives_of
from exporter.config.redact import SECRET, Redactor, as_yaml
from exporter.providers import MODELS
from support.certificates import Authority

PLANTED = "planted-hunter2"
FILE = """
accounts:
  - name: acme
    provider: five9
    username: ${USER_NAME}
    password: ${PASSWORD}
    proxy_url: http://proxy-user:proxy-planted@proxy.example:3128
    agents_key_file: key
    labels: {site: "berlin-${PASSWORD}", docs: "https://wiki-user:wiki-planted@wiki.example/x"}
    timeout: 1m30s
    stale_after: 1h
    feeds: {AgentStatistics: false, ACDStatus: {interval: 15s, raw: true}}
    view: {time_zone: Europe/Berlin, shift_start: "08:00"}
    budget: {query_statistics: {hour: 15}}
  - name: bp
    provider: brightpattern
    base_url: https://bp.example
    username: planted-hunter2
    api_secret: abc
    services: [abc, abcdef]
    ratio_scale: percent
  - name: vox
    provider: voximplant
    credentials_file: vox.json
    tls: {ca_file: ca.pem}
"""


@pytest.fixture(scope="module")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def config(tmp_path: Path, key: str) -> Config:
    (tmp_path / "key").write_text("pseudonym-planted\n")
    (tmp_path / "ca.pem").write_text(Authority().pem)
    credentials = {"account_id": 7, "key_id": "vox-key-id", "private_key": key}
    (tmp_path / "vox.json").write_text(json.dumps(credentials))
    (tmp_path / "vox.json").chmod(0o600)
    file = tmp_path / "exporter.yml"
    file.write_text(FILE)
    return load(file, {"USER_NAME": "someone", "PASSWORD": PLANTED}, MODELS)


def test_no_secret_is_shown(config: Config, key: str) -> None:
    """No secret is in it: from the environment, a file, an address, or another key's text."""
    text = as_yaml(config)
    for secret in (
        PLANTED,
        "pseudonym-planted",
        "proxy-user",
        "proxy-planted",
        "wiki-user",
        "wiki-planted",
        "vox-key-id",
        *key.splitlines(),
    ):
        assert secret not in text
    acme, bright, vox = yaml.safe_load(text)["accounts"]
    for name in ("password", "proxy_url", "agents_key"):
        assert acme[name] == SECRET
    assert acme["labels"] == {
        "site": f"berlin-{SECRET}",
        "docs": f"https://{SECRET}@wiki.example/x",
    }
    assert bright["username"] == SECRET, "it is another account's password"
    assert bright["services"] == [SECRET, "abcdef"], "what is short is hidden where it is all"
    assert vox["credentials_file"] == SECRET
    assert vox["tls"]["ca_file"] == "ca.pem"


def test_no_hidden_character_is_shown() -> None:
    """Characters that reverse or split a line are YAML's escapes, and read back as they were."""
    name = "a\u202eb\x85\u2028\x9b"
    account = MODELS["five9"].model_validate(
        {"name": name, "provider": "five9", "username": "x", "password": "x"}
    )
    text = as_yaml(Config((account,), Path()))

    assert all(line.isprintable() for line in text.split("\n"))
    assert yaml.safe_load(text)["accounts"][0]["name"] == name


def test_the_rest_is_shown_as_it_is_in_force(config: Config) -> None:
    """Other keys are there as a user writes them, defaults filled in."""
    acme, bright, _ = yaml.safe_load(as_yaml(config))["accounts"]
    assert acme["username"] == "someone"
    assert (acme["timeout"], acme["auth_retry"]) == ("1m30s", "15m")
    assert acme["view"]["time_zone"] == "Europe/Berlin"
    assert acme["budget"] == {"query_statistics": {"hour": 15}}
    assert acme["feeds"]["AgentStatistics"] is False
    assert acme["feeds"]["ACDStatus"] == {
        "interval": "15s",
        "timeout": "1m30s",
        "stale_after": "1h",
        "raw": True,
    }
    assert bright["feeds"]["campaigns"] is False
    assert bright["feeds"]["subscription"]["stale_after"] == "30s"


def test_what_is_shown_can_be_read_again(config: Config, tmp_path: Path, key: str) -> None:
    """With its secrets put back, what is shown is the same configuration."""
    shown: dict[str, Any] = yaml.safe_load(as_yaml(config))
    acme, bright, vox = shown["accounts"]
    acme |= {"password": PLANTED, "agents_key": "pseudonym-planted"}
    acme |= {"proxy_url": "http://proxy-user:proxy-planted@proxy.example:3128"}
    acme["labels"] = dict(config.accounts[0].labels)
    bright |= {"username": PLANTED, "api_secret": "abc", "services": ["abc", "abcdef"]}
    vox["credentials_file"] = "vox.json"
    file = tmp_path / "again.yml"
    file.write_text(yaml.safe_dump(shown, sort_keys=False))
    again = load(file, {}, MODELS)
    assert as_yaml(again) == as_yaml(config)
    for old, new in zip(config.accounts, again.accounts, strict=True):
        assert old.enabled_feeds() == new.enabled_feeds()
        assert old.model_copy(update={"feeds": {}, "stale_after": None}) == new.model_copy(
            update={"feeds": {}, "stale_after": None}
        )


def test_objectives_are_shown_as_written(config: Config) -> None:
    """What is to hold for queues and campaigns is shown as in the file, without secrets."""
    written = QueueObjectives.model_validate(
        {
            "match": {"queue": PLANTED},
            "waiting_limit": {"warning": 3},
            "answer_objective": "20s",
            "hours": {"time_zone": "UTC", "weekly": "Mon-Fri 08:00-20:00", "holidays": []},
        }
    )
    larger = replace(config, objectives=objectives_of([written], []))
    shown = yaml.safe_load(as_yaml(larger))
    assert list(shown) == ["accounts", "queues"]
    (queue,) = shown["queues"]
    assert queue["match"]["queue"] == SECRET
    assert queue["waiting_limit"] == {"warning": 3}
    assert queue["answer_objective"] == "20s"
    assert queue["hours"]["weekly"] == ["Mon-Fri 08:00-20:00"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing to hide", "nothing to hide"),
        (f"HTTP 401: {PLANTED} is wrong", f"HTTP 401: {SECRET} is wrong"),
        ("http://u:p@host/ failed", f"http://{SECRET}@host/ failed"),
        ("write to me@example.com", "write to me@example.com"),
        ("http://host/a@b", "http://host/a@b"),
        ("abc", SECRET),
    ],
)
def test_texts_are_cleaned(config: Config, text: str, expected: str) -> None:
    """Secrets and the users of addresses are taken out of any text."""
    assert Redactor(*config.accounts).redact(text) == expected
