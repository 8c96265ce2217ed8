"""Test certificates: an authority, and the certificates that it signs."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


class Pair(NamedTuple):
    """A certificate and its private key, as PEM."""

    cert: str
    key: str

    def write(self, folder: Path, name: str) -> "Pair":
        """Write both as ``name.crt`` and ``name.key``."""
        (folder / f"{name}.crt").write_text(self.cert)
        (folder / f"{name}.key").write_text(self.key)
        return self


class Authority:
    """Signs certificates; ``pem`` is its own."""

    def __init__(self, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        basic = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder(self._name, self._name, self._key).add_extension(basic, critical=True)
        self.pem = _pem(builder.sign(self._key, hashes.SHA256()))

    def sign(self, common: str, *sans: str, use_rsa: bool = False) -> Pair:
        """Return a certificate for these alternative names: hosts, addresses, mail, URIs."""
        key = (
            rsa.generate_private_key(65537, 2048)
            if use_rsa
            else ec.generate_private_key(ec.SECP256R1())
        )
        names = x509.SubjectAlternativeName([_san(san) for san in sans])
        builder = _builder(_named(common), self._name, key).add_extension(names, critical=False)
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Pair(_pem(builder.sign(self._key, hashes.SHA256())), text.decode())


def encrypted(pair: Pair, passphrase: bytes) -> Pair:
    """Return the same pair with a passphrase on its key."""
    key = serialization.load_pem_private_key(pair.key.encode(), None)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )
    return Pair(pair.cert, text.decode())


def _builder(subject: x509.Name, issuer: x509.Name, key: object) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _san(text: str) -> x509.GeneralName:
    if "://" in text:
        return x509.UniformResourceIdentifier(text)
    if "@" in text:
        return x509.RFC822Name(text)
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
