"""``tls_server_config``: its schema, and the server's TLS context made of it."""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import SecretStr

from exporter.config.files import read_file
from exporter.config.schema import Fault, Model
from exporter.config.yaml import suggest

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS = ("TLS10", "TLS11")
_CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
_CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
# Go's names, which the file uses, and OpenSSL's. Those of TLS 1.3 cannot be chosen, as in Go.
_CIPHERS: Mapping[str, str | None] = {
    "TLS_AES_128_GCM_SHA256": None,
    "TLS_AES_256_GCM_SHA384": None,
    "TLS_CHACHA20_POLY1305_SHA256": None,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}


class TlsServerConfig(Model):
    """``tls_server_config``; an empty text means none."""

    cert: str = ""
    key: SecretStr = SecretStr("")
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    client_auth_type: str = ""
    client_allowed_sans: list[str] | None = None
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: list[str] = []
    prefer_server_cipher_suites: bool = True
    curve_preferences: list[str] = []

    @property
    def enabled(self) -> bool:
        """Whether to serve TLS."""
        return bool(self.model_fields_set)

    def faults(self) -> Iterator[Fault]:
        """Yield faults that the schema cannot express, with the path inside this section."""
        if self.enabled:
            yield from self._certificate_faults()
            yield from self._client_faults()
            yield from self._version_faults()
            yield from self._choice_faults()

    def _certificate_faults(self) -> Iterator[Fault]:
        given = {
            "cert": self.cert,
            "key": self.key.get_secret_value(),
            "client_ca": self.client_ca,
        }
        for name, inline in given.items():
            file = getattr(self, f"{name}_file")
            if inline and file:
                yield (name,), f"set either {name} or {name}_file, not both"
            elif not inline and not file and name != "client_ca":
                yield (f"{name}_file",), f"is required, or {name}"
            if inline and not hasattr(os, "memfd_create"):
                yield (name,), f"is supported on Linux only; use {name}_file"

    def _client_faults(self) -> Iterator[Fault]:
        kind = self.client_auth_type or "NoClientCert"
        if kind in _UNVERIFIED:
            message = (
                "Python's TLS cannot request a client certificate without verifying it; use "
                "VerifyClientCertIfGiven or RequireAndVerifyClientCert"
            )
            yield ("client_auth_type",), message
        elif kind not in _CLIENT_AUTH:
            known = [*_CLIENT_AUTH]
            hint = suggest(kind, known)
            yield ("client_auth_type",), f"expected one of {', '.join(known)}{hint}"
        elif kind == "NoClientCert" and (self.client_ca or self.client_ca_file):
            name = "client_ca_file" if self.client_ca_file else "client_ca"
            yield (name,), "has no effect without client_auth_type: RequireAndVerifyClientCert"
        if self.client_allowed_sans is not None and kind != "RequireAndVerifyClientCert":
            message = "needs client_auth_type: RequireAndVerifyClientCert"
            yield ("client_allowed_sans",), message

    def _version_faults(self) -> Iterator[Fault]:
        for name in ("min_version", "max_version"):
            word = getattr(self, name)
            if word in _OLD_VERSIONS:
                yield (name,), "TLS 1.0 and 1.1 are not supported; expected TLS12 or TLS13"
            elif word not in _VERSIONS:
                yield (name,), "expected TLS12 or TLS13"
        if (self.min_version, self.max_version) == ("TLS13", "TLS12"):
            yield ("max_version",), "is lower than min_version"

    def _choice_faults(self) -> Iterator[Fault]:
        for index, name in enumerate(self.cipher_suites):
            if name not in _CIPHERS:
                hint = suggest(name, list(_CIPHERS))
                yield ("cipher_suites", index), f"is not a known cipher suite{hint}"
        for index, name in enumerate(self.curve_preferences):
            if name not in _CURVES:
                hint = suggest(name, list(_CURVES))
                yield ("curve_preferences", index), f"expected one of {', '.join(_CURVES)}{hint}"
        if len(self.curve_preferences) > 1:
            message = "Python's TLS supports one curve only; name one, or none for all"
            yield ("curve_preferences",), message


def make_context(tls: TlsServerConfig, folder: Path) -> tuple[ssl.SSLContext, list[Fault]]:
    """Return a server's context, and the faults of certificates and keys.

    Relative paths start at ``folder``. ``tls`` has to be free of faults.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if tls.curve_preferences:
        context.set_ecdh_curve(_CURVES[tls.curve_preferences[0]])
    faults = [*_set_ciphers(context, tls)]
    with ExitStack() as files:
        faults += _load_own(context, tls, folder, files)
    faults += _load_clients(context, tls, folder)
    return context, faults


def _set_ciphers(context: ssl.SSLContext, tls: TlsServerConfig) -> Iterator[Fault]:
    if not tls.cipher_suites:
        return
    older = [cipher for name in tls.cipher_suites if (cipher := _CIPHERS[name])]
    if older:
        try:
            context.set_ciphers(":".join(older))
        except ssl.SSLError:
            yield ("cipher_suites",), "the OpenSSL of this machine supports none of them"
    elif tls.max_version == "TLS12":
        yield ("cipher_suites",), "has none for TLS 1.2, the highest version that is allowed"
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_3


def _load_own(
    context: ssl.SSLContext, tls: TlsServerConfig, folder: Path, files: ExitStack
) -> Iterator[Fault]:
    """Load the server's certificate and key."""
    inline = {"cert": tls.cert, "key": tls.key.get_secret_value()}
    paths, unread = {}, False
    for name, text in inline.items():
        file = getattr(tls, f"{name}_file")
        paths[name] = files.enter_context(_in_memory(text)) if text else str(folder / file)
        problem = _unreadable(paths[name])
        if problem:
            unread = True
            yield (f"{name}_file",), f"cannot be read: {problem}"
    if unread:
        return
    try:
        # Without a passphrase callback OpenSSL would ask for it on the terminal.
        context.load_cert_chain(paths["cert"], paths["key"], password=lambda: "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None)
        cert = "cert" if tls.cert else "cert_file"
        key = "key" if inline["key"] else "key_file"
        if reason == "KEY_VALUES_MISMATCH":
            yield (key,), "does not match the certificate"
        elif not _has_certificates(paths["cert"]):
            yield (cert,), "has no certificate in PEM format"
        elif reason and reason.endswith(("KEY_TOO_SMALL", "MD_TOO_WEAK")):
            yield (cert,), "is too weak for the OpenSSL of this machine"
        else:
            yield (key,), "has no private key in PEM format, or an encrypted one"


def _load_clients(context: ssl.SSLContext, tls: TlsServerConfig, folder: Path) -> Iterator[Fault]:
    """Load the authorities that sign client certificates; by default those of the machine."""
    context.verify_mode = _CLIENT_AUTH[tls.client_auth_type or "NoClientCert"]
    if context.verify_mode is ssl.CERT_NONE:
        return
    if not tls.client_ca and not tls.client_ca_file:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    name = "client_ca" if tls.client_ca else "client_ca_file"
    problem = None if tls.client_ca else _unreadable(str(folder / tls.client_ca_file))
    if problem:
        yield (name,), f"cannot be read: {problem}"
        return
    try:
        if tls.client_ca:
            context.load_verify_locations(cadata=tls.client_ca)
        else:
            context.load_verify_locations(cafile=folder / tls.client_ca_file)
    except (OSError, ValueError, TypeError):
        yield (name,), "has no certificate in PEM format"


def _unreadable(path: str) -> str | None:
    """Return why a file cannot be read, ``None`` if it can."""
    try:
        read_file(Path(path))
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or "not a valid path"
    return None


def _has_certificates(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=path)
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Give a text a path without writing it to disk: OpenSSL loads chains from files only."""
    with os.fdopen(os.memfd_create("pem"), "wb") as file:
        file.write(text.encode())
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
