"""The tokens that sign requests to Voximplant."""

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from exporter.providers.voximplant.auth import KeyAuth, read_private_key
from support.clock import NOON, VirtualClock

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def token_of(auth: KeyAuth) -> str:
    """Return the token that the next request carries."""
    request = next(auth.auth_flow(httpx.Request("POST", "https://platform/platform_api/X")))
    scheme, _, token = request.headers["Authorization"].partition(" ")
    assert scheme == "Bearer"
    return token


def claims(token: str) -> dict[str, object]:
    return jwt.decode(
        token, KEY.public_key(), ["RS256"], options={"verify_exp": False, "verify_iat": False}
    )


def test_a_token_says_who_with_which_key_and_for_how_long(clock: VirtualClock) -> None:
    """RS256 and the key's id in the header; a textual issuer, a back-dated start, an end."""
    token = token_of(KeyAuth("1234567", "key-1", KEY, clock))

    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": "key-1", "typ": "JWT"}
    assert claims(token) == {"iss": "1234567", "iat": NOON - 5, "exp": NOON + 300}


def test_a_token_is_kept_for_four_fifths_of_its_life(clock: VirtualClock) -> None:
    """A new one is signed ahead of the end of the old one, and not before."""
    auth = KeyAuth("1", "key-1", KEY, clock)
    first = token_of(auth)
    clock.elapsed = 239
    kept = token_of(auth)
    clock.elapsed = 241
    second = token_of(auth)

    assert kept == first
    assert claims(second)["exp"] == NOON + 541


def test_a_clock_that_is_set_back_makes_a_new_token(clock: VirtualClock) -> None:
    """A token from what is now the future is not sent."""
    auth = KeyAuth("1", "key-1", KEY, clock)
    token_of(auth)
    clock.elapsed = -100

    assert claims(token_of(auth))["iat"] == NOON - 105


def test_a_forced_renewal_uses_the_platforms_clock(clock: VirtualClock) -> None:
    """What the platform's clock says more than ours is in the times from then on."""
    auth = KeyAuth("1", "key-1", KEY, clock)
    first = token_of(auth)
    auth.renew(-120.0)
    second = token_of(auth)

    assert second != first
    assert claims(second)["iat"] == NOON - 125


def test_line_breaks_may_be_written_as_two_characters() -> None:
    """A key from an environment variable often has its line breaks escaped."""
    assert read_private_key(PEM.replace("\n", "\\n")).key_size == 2048


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret-text",
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
        KEY.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        ).decode(),
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
    ],
    ids=["nothing", "no PEM", "no key", "passphrase", "another kind"],
)
def test_what_is_no_key_is_refused_without_showing_it(text: str) -> None:
    """An error about a key holds nothing of the key, nor does what it was raised from."""
    with pytest.raises(ValueError, match="RSA private key") as caught:
        read_private_key(text)

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
