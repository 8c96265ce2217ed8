"""Checks the TLS files of an account: which of them cannot be used, and why."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from exporter.collector.http import Tls
from exporter.config.files import read_file
from exporter.config.schema import Fault


def tls_faults(tls: Tls) -> Iterator[Fault]:
    """Yield what is wrong with the files, with the path inside the account."""
    faults = {
        "ca_file": tls.ca_file and (_fault(tls.ca_file, "CERTIFICATE") or _ca_fault(tls.ca_file)),
        "cert_file": tls.cert_file and _fault(tls.cert_file, "CERTIFICATE"),
        "key_file": tls.key_file and _fault(tls.key_file, "PRIVATE KEY"),
    }
    if tls.cert_file and tls.key_file and not faults["cert_file"] and not faults["key_file"]:
        faults["key_file"] = _pair_fault(tls.cert_file, tls.key_file)
    yield from ((("tls", name), fault) for name, fault in faults.items() if fault)


def _fault(file: str, kind: str) -> str:
    """Return what is wrong with a PEM file that has to hold a ``kind``, or an empty string."""
    try:
        content = read_file(Path(file))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if b"-----BEGIN ENCRYPTED" in content or b"Proc-Type: 4,ENCRYPTED" in content:
        return "the key is encrypted, and there is nobody to enter its passphrase; decrypt it"
    if b"-----BEGIN " not in content:
        form = "DER" if content[:1] == b"\x30" else "not PEM"
        return f"is {form}; expected PEM, text that begins with -----BEGIN"
    if f"{kind}-----".encode() not in content:
        return f"holds no {kind.lower()}"
    return ""


def _ca_fault(file: str) -> str:
    try:
        ssl.create_default_context(cafile=file)
    except (ssl.SSLError, OSError):
        return "holds a certificate that cannot be parsed"
    return ""


def _pair_fault(cert_file: str, key_file: str) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(cert_file, key_file, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return "is not the key of the certificate in cert_file"
        return "cannot be used with cert_file: a certificate or the key cannot be parsed"
    except (OSError, ValueError):
        return "cannot be used with cert_file"
    return ""


def _no_passphrase() -> str:
    raise ValueError("encrypted")
