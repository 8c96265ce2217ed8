"""Tests of the Voximplant account configuration and its faults."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exporter.config.load import load
from exporter.errors import ConfigError
from exporter.providers.voximplant.config import VoximplantConfig

PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
KEY = {"account_id": 1234567, "key_id": "11111111-2222", "private_key": PEM}


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_credentials(directory: Path, content: object, mode: int = 0o600) -> str:
    file = directory / "credentials.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    file.chmod(mode)
    return str(file)


def read(directory: Path, **account: Any) -> VoximplantConfig:
    file = directory / "exporter.yml"
    data = {"accounts": [{"name": "acme", "provider": "voximplant", **account}]}
    file.write_text(yaml.safe_dump(data))
    config = load(file, {}, {"voximplant": VoximplantConfig})
    (found,) = config.accounts
    assert isinstance(found, VoximplantConfig)
    return found


def faults(directory: Path, **account: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(directory, **account)
    return "\n".join(caught.value.faults)


def test_a_credentials_file_is_all_that_is_needed(directory: Path) -> None:
    """The service account's own file, or the whole answer that made the key."""
    for content in ({**KEY, "account_email": "x@example.com"}, {"result": KEY}):
        account = read(directory, credentials_file=write_credentials(directory, content))

        assert account.credentials.account_id == account.issuer == "1234567"
        assert account.credentials.private_key.get_secret_value() == PEM
        assert account.url == "https://api.voximplant.com/platform_api"


def test_the_three_parts_of_a_key_may_be_given_one_by_one(directory: Path) -> None:
    """As values or, the secret one, as a file."""
    (directory / "key.pem").write_text(PEM)
    with_file = {name: KEY[name] for name in ("account_id", "key_id")}
    account = read(directory, **with_file, private_key_file="key.pem", child_account_id=77)

    assert account.credentials.private_key.get_secret_value() == PEM.removesuffix("\n")
    assert account.issuer == "77"


@pytest.mark.parametrize(("mode", "told"), [(0o600, 0), (0o640, 1), (0o604, 1), (0o400, 0)])
def test_a_file_that_others_can_read_is_told(
    directory: Path, mode: int, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A private key that the group or the world can read is worth a warning."""
    read(directory, credentials_file=write_credentials(directory, KEY, mode))

    assert [record.getMessage() for record in caplog.records].count(
        "credentials file is readable by other users"
    ) == told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("secret", "is not valid JSON"),
        ("[]", "not a service account key file"),
        ({**KEY, "private_key": "secret"}, "service account key file; invalid: private_key"),
        ({"account_id": 1, "secret": 1}, "service account key file; invalid: key_id, private_key"),
    ],
)
def test_a_file_that_is_none_is_a_fault_that_shows_nothing(
    directory: Path, content: object, message: str
) -> None:
    """Every fault is at credentials_file and holds nothing of the content."""
    said = faults(directory, credentials_file=write_credentials(directory, content))

    assert message in said
    assert "accounts[0].credentials_file" in said
    assert "secret" not in said


def test_a_file_that_cannot_be_read_is_a_fault(directory: Path) -> None:
    """The system's own words say why."""
    said = faults(directory, credentials_file=str(directory / "missing.json"))

    assert "credentials_file: cannot be read: No such file or directory" in said


@pytest.mark.parametrize(
    ("account", "message"),
    [
        ({}, "expected credentials_file, or account_id, key_id and private_key"),
        ({"account_id": 1}, "key_id: is required without credentials_file"),
        ({**KEY, "private_key": "secret"}, "an RSA private key in PEM"),
        ({**KEY, "account_id": "acme"}, "account_id: has characters"),
        ({**KEY, "applications": [""]}, "must not be empty"),
        ({**KEY, "time_zone": "Mars/Olympus"}, "time_zone: expected an IANA time zone"),
        ({**KEY, "window": "week"}, "window: expected one of 'day'"),
        ({**KEY, "aplications": []}, "did you mean 'applications'?"),
        ({**KEY, "smartqueue": {"report": []}}, "did you mean 'reports'?"),
        ({**KEY, "smartqueue": {"reports": ["a;b"]}}, "has characters or a form"),
        ({**KEY, "feeds": {"stat": {}}}, "did you mean 'state'?"),
        ({**KEY, "feeds": {"smartqueue_state": {}}}, "smartqueue_state: requires smartqueue:"),
        ({**KEY, "feeds": {"operators": {"raw": True}}}, "rows are agents"),
        ({**KEY, "statistics": {"x": {"metric": "custom_x"}}}, "requires smartqueue:"),
        (
            {**KEY, "smartqueue": {}, "statistics": {"x": {"metric": "queue_waiting"}}},
            "unknown metric 'queue_waiting'",
        ),
    ],
)
def test_faults_are_told_with_their_place(
    directory: Path, account: dict[str, Any], message: str
) -> None:
    """What is missing, superfluous or meaningless; secrets are not in it."""
    said = faults(directory, **account)

    assert message in said
    assert "secret" not in said
    assert PEM.split("\n")[1] not in said


def test_a_key_is_given_once(directory: Path) -> None:
    """A credentials file and a part of a key beside it contradict each other."""
    file = write_credentials(directory, KEY)
    said = faults(directory, credentials_file=file, account_id=1)

    assert "account_id: is set in credentials_file too; set only one" in said


def test_two_accounts_with_one_key_are_refused(directory: Path) -> None:
    """Equal requests of one key might be taken for resends; child accounts are others."""
    file = directory / "exporter.yml"
    accounts = [{"name": name, "provider": "voximplant", **KEY} for name in ("a", "b", "c")]
    accounts[2]["child_account_id"] = 5
    file.write_text(yaml.safe_dump({"accounts": accounts}))
    with pytest.raises(ConfigError) as caught:
        load(file, {}, {"voximplant": VoximplantConfig})

    (fault,) = caught.value.faults
    assert "accounts[1]: same host and user as 'a'" in fault


def test_smartqueue_is_read_only_where_it_is_configured(directory: Path) -> None:
    """Its state with any smartqueue section, its reports only if some are named or mapped."""
    plain = read(directory, **KEY)
    state = read(directory, **KEY, smartqueue={})
    mapped = read(
        directory,
        **KEY,
        smartqueue={"reports": ["service_level"]},
        statistics={"occupancy_rate": {"metric": "custom_occupancy"}},
    )

    assert [name for name in plain.enabled_feeds() if "smart" in name] == []
    assert [name for name in state.enabled_feeds() if "smart" in name] == ["smartqueue_state"]
    assert "smartqueue_reports" in mapped.enabled_feeds()
    assert mapped.reports == ["service_level", "occupancy_rate"]


def test_nothing_of_a_key_is_in_the_models_text(directory: Path) -> None:
    """A configuration that is printed by mistake shows no key."""
    account = read(directory, credentials_file=write_credentials(directory, KEY))

    assert PEM.split("\n")[1] not in repr(account)


def test_logins_are_compared_without_keys(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload compares new logins with old ones; to validate a key each time takes 50 ms."""
    account = read(directory, **KEY)
    monkeypatch.setattr("exporter.providers.voximplant.config.read_private_key", None)

    assert account.login == ("api.voximplant.com", None, "1234567", "11111111-2222")
