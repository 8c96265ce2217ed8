"""Faults of an account's TLS files: which file, and what is wrong with it."""

import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from exporter.collector.http import Tls
from exporter.config.load import load
from exporter.config.tls import tls_faults
from exporter.errors import ConfigError
from exporter.providers import MODELS
from support.certificates import Authority, encrypted

AUTHORITY = Authority()
PAIR = AUTHORITY.sign("exporter", "exporter.example")
OTHER = AUTHORITY.sign("other", "other.example")
DER = x509.load_pem_x509_certificate(PAIR.cert.encode()).public_bytes(serialization.Encoding.DER)
OLD_KEY = serialization.load_pem_private_key(OTHER.key.encode(), None).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.BestAvailableEncryption(b"planted"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    PAIR.write(tmp_path, "own")
    OTHER.write(tmp_path, "other")
    encrypted(PAIR, b"planted").write(tmp_path, "encrypted")
    (tmp_path / "ca.pem").write_text(AUTHORITY.pem)
    (tmp_path / "both.pem").write_text(PAIR.cert + PAIR.key)
    (tmp_path / "cert.der").write_bytes(DER)
    (tmp_path / "old.key").write_bytes(OLD_KEY)
    (tmp_path / "empty.pem").touch()
    (tmp_path / "text.pem").write_text("correct horse\n")
    lines = AUTHORITY.pem.splitlines()
    (tmp_path / "broken.pem").write_text("\n".join([*lines[:3], *lines[-2:]]))
    (tmp_path / "cut.key").write_text(PAIR.key[:80] + PAIR.key[-27:])
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("ca_file", "cert_file", "key_file", "expected"),
    [
        (None, None, None, []),
        ("ca.pem", None, None, []),
        ("ca.pem", "own.crt", "own.key", []),
        (None, "both.pem", "both.pem", []),
        ("none.pem", None, None, ["ca_file: cannot be read: No such file or directory"]),
        ("folder", None, None, ["ca_file: cannot be read: Is a directory"]),
        ("cert.der", None, None, ["ca_file: is DER; expected PEM"]),
        ("empty.pem", None, None, ["ca_file: is not PEM; expected PEM"]),
        ("text.pem", None, None, ["ca_file: is not PEM; expected PEM"]),
        ("own.key", None, None, ["ca_file: holds no certificate"]),
        ("broken.pem", None, None, ["ca_file: holds a certificate that cannot be parsed"]),
        (None, "own.key", "own.crt", ["cert_file: holds no cert", "key_file: holds no private"]),
        (None, "cert.der", "own.key", ["cert_file: is DER"]),
        (None, "own.crt", "folder", ["key_file: cannot be read: Is a directory"]),
        (None, "own.crt", "encrypted.key", ["key_file: the key is encrypted"]),
        (None, "own.crt", "old.key", ["key_file: the key is encrypted"]),
        (None, "own.crt", "other.key", ["key_file: is not the key of the certificate"]),
        (None, "own.crt", "cut.key", ["key_file: cannot be used with cert_file"]),
        ("none.pem", "none.crt", "none.key", ["ca_file: can", "cert_file: can", "key_file: can"]),
    ],
)
def test_files(
    folder: Path,
    ca_file: str | None,
    cert_file: str | None,
    key_file: str | None,
    expected: list[str],
) -> None:
    """Every file that cannot be used is a fault of its own, without what it holds."""
    files = [name and str(folder / name) for name in (ca_file, cert_file, key_file)]
    faults = [f"{path[-1]}: {message}" for path, message in tls_faults(Tls(*files))]

    assert len(faults) == len(expected)
    assert all(fault.startswith(start) for fault, start in zip(faults, expected, strict=True))


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    """A named pipe, which nobody may write to, is a fault and does not stop the check."""
    os.mkfifo(tmp_path / "pipe")
    ((path, fault),) = tls_faults(Tls(str(tmp_path / "pipe")))

    assert path == ("tls", "ca_file")
    assert fault == "cannot be read: is a pipe, which may have no writer; expected a file"


@pytest.mark.parametrize("provider", ["five9", "voximplant"])
def test_a_secret_that_is_a_pipe(tmp_path: Path, provider: str) -> None:
    """Files of secrets are read without waiting for a writer as well, and so are devices."""
    os.mkfifo(tmp_path / "pipe")
    key = "credentials_file" if provider == "voximplant" else "username: u, password_file"
    for name, kind in (("pipe", "a pipe"), ("/dev/zero", "a device"), ("/", "Is a directory")):
        file = tmp_path / "exporter.yml"
        file.write_text(f"accounts: [{{name: a, provider: {provider}, {key}: {name}}}]\n")
        with pytest.raises(ConfigError) as caught:
            load(file, {}, MODELS)
        (fault,) = [x for x in caught.value.faults if "cannot be read: " in x]
        assert kind in fault


def test_check_names_the_line(folder: Path) -> None:
    """Loading a configuration reports the file at its line, with every other fault."""
    file = folder / "exporter.yml"
    file.write_text(
        "accounts:\n- {name: a, provider: five9, username: u, password: p,\n"
        "   tls: {ca_file: cert.der}}\n- {name: b, provider: fife9}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(file, {}, MODELS)

    assert len(caught.value.faults) == 2
    assert caught.value.faults[0].startswith(f"{file}:3: accounts[0].tls.ca_file: is DER")
