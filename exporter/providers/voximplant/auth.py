"""Authentication: a short-lived token signed with a service account's key."""

from collections.abc import Generator

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from exporter.clock import Clock

LIFETIME = 300.0  # seconds; the platform allows 3600 (Voximplant, "Service accounts")
_BACKDATED = 5.0  # seconds, as the vendor's Python and Java clients do
_RENEW_AFTER = 0.8  # of the lifetime


def read_private_key(pem: str, *, validated: bool = False) -> RSAPrivateKey:
    r"""Return the RSA key in a PEM text, whose line breaks may be written as ``\n``.

    To validate its numbers takes 50 ms; a ``validated`` key is read in 0.05 ms. Raises
    ``ValueError``, whose message does not hold the text.
    """
    try:
        key = load_pem_private_key(
            pem.replace("\\n", "\n").encode(), None, unsafe_skip_rsa_key_validation=validated
        )
    except (ValueError, TypeError, UnicodeEncodeError):
        raise ValueError("expected an RSA private key in PEM without a passphrase") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("expected an RSA private key: tokens are signed with RS256")
    return key


class KeyAuth(httpx.Auth):
    """Signs requests as the account ``issuer``, which may be a child of the key's own account."""

    def __init__(self, issuer: str, key_id: str, private_key: RSAPrivateKey, clock: Clock) -> None:
        self._issuer = issuer
        self._key_id = key_id
        self._private_key = private_key
        self._clock = clock
        self._offset = 0.0
        self._token = ""
        self._signed_at = float("-inf")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token to a request."""
        request.headers["Authorization"] = f"Bearer {self._valid_token()}"
        yield request

    def renew(self, offset: float) -> None:
        """Sign a new token for the next request; the platform's clock is ``offset`` s ahead."""
        self._offset = offset
        self._token = ""

    def _valid_token(self) -> str:
        now = self._clock.time() + self._offset
        fresh = self._signed_at <= now < self._signed_at + LIFETIME * _RENEW_AFTER
        if not self._token or not fresh:
            self._token = jwt.encode(
                {
                    "iss": self._issuer,  # PyJWT 2.10 and later refuse a number
                    "iat": int(now - _BACKDATED),
                    "exp": int(now + LIFETIME),
                },
                self._private_key,
                algorithm="RS256",
                headers={"kid": self._key_id},
            )
            self._signed_at = now
        return self._token
