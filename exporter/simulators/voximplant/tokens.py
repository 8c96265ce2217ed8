"""Tokens as the simulator checks them: signed JSON, read by hand and strictly.

The token's rules are from the authorization page of the Management API reference; which code
answers which fault is told by the names and texts of the vendor's error list.
"""

import base64
import json
from functools import cache
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from exporter.simulators.voximplant.wire import RefusalError

_LIFETIME = 3600
_ENDLESS = 1e12


class Key(NamedTuple):
    """A service-account key as the platform knows it."""

    id: str
    public: RSAPublicKey


class Claims(NamedTuple):
    """What a token says, once its form is right."""

    account_id: int
    issued: float
    expires: float


@cache
def throw_away_key() -> RSAPrivateKey:
    """Make the one key of all simulated accounts that bring none."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def credentials(email: str, account_id: int, key_id: str, private: RSAPrivateKey) -> dict[str, Any]:
    """Return what CreateKey hands out, once: PKCS#8 in PEM, which the vendor does not keep."""
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "account_email": email,
        "account_id": account_id,
        "key_id": key_id,
        "private_key": pem.decode(),
    }


def authenticate(header: str | None, key: Key, now: float) -> int:
    """Return the account that a token speaks for, or refuse it."""
    if not header:
        raise RefusalError(100)
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise RefusalError(447)
    claims = _read(token, key)
    if claims.expires - claims.issued > _LIFETIME:
        raise RefusalError(454)
    if claims.issued > now:
        raise RefusalError(455)
    if claims.expires <= now:
        raise RefusalError(456)
    return claims.account_id


def _read(token: str, key: Key) -> Claims:
    try:
        head, body, signature = token.split(".")
        header, claims, signed = _json(head), _json(body), _decode(signature)
    except ValueError:
        raise RefusalError(447) from None
    if header.get("alg") != "RS256" or not isinstance(header.get("kid"), str):
        raise RefusalError(447)
    if header["kid"] != key.id:
        raise RefusalError(433)
    try:
        key.public.verify(signed, f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise RefusalError(100) from None
    return _claims(claims)


def _claims(claims: dict[str, Any]) -> Claims:
    """Return the claims: the issuer is a number with some of the vendor's clients, else text."""
    issuer, issued, expires = (claims.get(name) for name in ("iss", "iat", "exp"))
    digits = isinstance(issuer, str) and issuer.isascii() and issuer.isdecimal()
    times = all(_is_number(each) for each in (issued, expires))
    if not times or not (digits or (_is_number(issuer) and isinstance(issuer, int))):
        raise RefusalError(447)
    return Claims(int(issuer or 0), float(issued or 0.0), float(expires or 0.0))


def _is_number(value: object) -> bool:
    """Tell whether a value is a number that can be meant: no truth value, nothing endless."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _ENDLESS


def _json(part: str) -> dict[str, Any]:
    value = json.loads(_decode(part))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _decode(part: str) -> bytes:
    """Decode base64url without padding, and nothing else."""
    if "=" in part:
        raise ValueError("padded")
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
