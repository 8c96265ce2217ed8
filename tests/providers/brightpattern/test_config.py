"""Tests of the Bright Pattern account configuration and its faults."""

from pathlib import Path

import pytest

from exporter.config.load import Config, load
from exporter.errors import ConfigError
from exporter.providers.brightpattern.config import BrightPatternConfig

ACCOUNT = """\
  - name: acme
    provider: brightpattern
    base_url: https://acme.example.com
    username: api
    api_secret: s3cret
"""


def read(folder: Path, text: str) -> Config:
    file = folder / "exporter.yml"
    file.write_text("accounts:\n" + text, encoding="utf-8")
    return load(file, {}, {"brightpattern": BrightPatternConfig})


def faults(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return "\n".join(caught.value.faults)


def test_defaults(tmp_path: Path) -> None:
    """A short account reads two feeds, by OAuth, of the tenant that its host names."""
    (account,) = read(tmp_path, ACCOUNT).accounts
    assert isinstance(account, BrightPatternConfig)
    feeds = account.enabled_feeds()
    assert {name: times.interval for name, times in feeds.items()} == {
        "subscription": 5.0,
        "directory": 3600.0,
    }
    assert (account.tenant, account.auth, account.scale("service_level")) == (
        "acme.example.com",
        "oauth",
        None,
    )
    assert account.scale("in_calls_abandoned_percent_per_day") is None


def test_campaigns_are_read_where_named(tmp_path: Path) -> None:
    """Naming the feed, with or without settings, switches campaigns on; false leaves it off."""
    for setting, wanted in (("{interval: 1h}", 3600.0), ("", 900.0), ("false", None)):
        text = f"{ACCOUNT}    feeds: {{campaigns: {setting}}}\n"
        (account,) = read(tmp_path, text).accounts
        found = account.enabled_feeds().get("campaigns")
        assert (found.interval if found else None) == wanted


def test_two_accounts_on_one_user_are_refused(tmp_path: Path) -> None:
    """Two accounts of one host and user would take each other's subscription."""
    second = ACCOUNT.replace("acme\n", "other\n").replace("username: api", "username: API")
    said = faults(tmp_path, ACCOUNT + second)
    assert "one subscription per user" in said
    read(tmp_path, ACCOUNT + second.replace("API", "other-user"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("    auth: password\n", "password: is required"),
        ("    ratio_scale: {service_levels: fraction}\n", "did you mean"),
        ("    ratio_scale: auto\n", "ratio_scale"),
        ("    reset_time: noon\n", "a time of day"),
        ("    time_zone: Mars/Base\n", "IANA"),
        ("    column_key: name\n", "column_key"),
        ("    services: [1]\n", "services"),
        ("    statistics: {services: {SUM: {metric: custom_x}}}\n", "joined by ' + '"),
        (
            "    statistics: {services: {name: {metric: custom_x}}}\n",
            "is the key column of the table",
        ),
        ("    statistics: {services: {a b: {metric: custom_x}}}\n", "protocol name"),
        ("    statistics: {services: {x: {metric: queue_contact_waiting}}}\n", "unknown metric"),
        ("    statistics: {totals: {x: {metric: queue_contacts_waiting}}}\n", "labels"),
        ("    statistics: {agents: {x: {metric: custom_x}}}\n", "rows are agents"),
        ("    feeds: {subscriptions: {interval: 5s}}\n", "unknown feed"),
    ],
)
def test_faults_are_told(tmp_path: Path, change: str, said: str) -> None:
    """Each mistake is told in words that help."""
    assert said in faults(tmp_path, ACCOUNT + change)


def test_secret_is_required_and_never_shown(tmp_path: Path) -> None:
    """OAuth needs the API secret, and no fault repeats one."""
    without = ACCOUNT.replace("    api_secret: s3cret\n", "")
    assert "api_secret: is required" in faults(tmp_path, without)
    assert "s3cret" not in faults(tmp_path, ACCOUNT + "    time_zone: s3cret-zone\n    x: 1\n")


def test_password_accounts_have_no_campaigns_without_a_secret(tmp_path: Path) -> None:
    """List Management takes OAuth only."""
    password = ACCOUNT.replace("api_secret: s3cret", "password: pw") + "    auth: password\n"
    read(tmp_path, password)
    assert "api_secret" in faults(tmp_path, password + "    feeds: {campaigns: {}}\n")


def test_base_url_is_required(tmp_path: Path) -> None:
    """There is no default tenant, and the other faults are still looked for."""
    text = ACCOUNT.replace("    base_url: https://acme.example.com\n", "")
    said = faults(tmp_path, text + "    statistics: {services: {name: {metric: custom_x}}}\n")
    assert "base_url: is required" in said
    assert "is the key column of the table" in said
