"""The simulated account: its key and tokens, its roles, and every switch.

Facts are from the Management API reference on docs.voximplant.ai, from the vendor's guides on
voximplant.com, and from the types of the vendor's own clients. Where they are silent or disagree a
switch chooses, and a client has to cope with every setting. Which code answers which fault of a
token follows from the names and texts of the vendor's error list.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from exporter.simulators import door
from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
)
from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.protocol import RefusalError

_LIFETIME = 3600
_MOST_SECONDS = 1e12


class Key(NamedTuple):
    """A service-account key as the platform knows it."""

    id: str
    public: RSAPublicKey


class Claims(NamedTuple):
    """The claims of a well-formed token."""

    account_id: int
    issued: float
    expires: float


@cache
def throw_away_key() -> RSAPrivateKey:
    """Return the key shared by all simulated accounts without one of their own."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def credentials(email: str, account_id: int, key_id: str, private: RSAPrivateKey) -> dict[str, Any]:
    """Return the result of CreateKey; the key is PKCS#8 in PEM."""
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "account_email": email,
        "account_id": account_id,
        "key_id": key_id,
        "private_key": pem.decode(),
    }


def authenticate(header: str | None, key: Key, now: float) -> int:
    """Return the account id of a token; raise ``RefusalError`` for a faulty one."""
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
    """Return the claims; some of the vendor's clients send the issuer as a number."""
    issuer, issued, expires = (claims.get(name) for name in ("iss", "iat", "exp"))
    digits = isinstance(issuer, str) and issuer.isascii() and issuer.isdecimal()
    times = _is_number(issued) and _is_number(expires)
    if not times or not (digits or (_is_number(issuer) and isinstance(issuer, int))):
        raise RefusalError(447)
    return Claims(int(issuer or 0), float(issued or 0.0), float(expires or 0.0))


def _is_number(value: object) -> bool:
    """Return whether a value is a finite number and not a boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _MOST_SECONDS


def _json(part: str) -> dict[str, Any]:
    value = json.loads(_decode(part))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _decode(part: str) -> bytes:
    """Decode base64url without padding; raises ``ValueError``."""
    if "=" in part:
        raise ValueError("padded")
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


# The eight of ACD v1 have none for a phone that rings: such an operator is READY, and locked.
ACD_STATUSES: Mapping[str, str] = MappingProxyType(
    {
        READY: "READY",
        RINGING: "READY",
        ON_CONTACT: "IN_SERVICE",
        ON_HOLD: "IN_SERVICE",
        AFTER_CONTACT_WORK: "AFTER_SERVICE",
        NOT_READY: "DND",
        LOGGED_OUT: "OFFLINE",
    }
)
SQ_STATUSES: Mapping[str, str] = MappingProxyType({**ACD_STATUSES, RINGING: "DIALING"})
CUSTOM_STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "Break": "CUSTOM_1",
        "Lunch": "CUSTOM_2",
        "Training": "CUSTOM_3",
        "Meeting": "CUSTOM_4",
        "Coaching": "CUSTOM_5",
    }
)


@dataclass
class Record(door.Record):
    """One request with its method and parameters; a token is never kept."""

    method: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    account_id: int | None = None  # the account that the token speaks for


@dataclass(eq=False)
class Account(door.SimulatedPlatform[Record]):
    """Every switch; all but ``seed`` may be changed while the simulator runs."""

    _: KW_ONLY

    # One service-account key, its roles, and the accounts it speaks for.
    account_id: int = 1_234_567
    key_id: str = "11111111-2222-3333-4444-555555555555"
    private_key: RSAPrivateKey | None = None  # None: one is generated on demand
    public_key: RSAPublicKey | None = None  # None: that of the private key
    roles: frozenset[str] = frozenset({"Owner"})
    children: Mapping[int, Floor] = field(default_factory=dict)  # child accounts, by id

    # Refusals.
    auth_status: Literal[200, 401] = 200
    role_code: Literal[104, 100] = 104
    unpublished_roles: frozenset[str] | None = None  # for SmartQueue and others; None: any key
    resend_seconds: float = 0.0  # an identical request within this time is refused with code 484
    throttle: Literal["340", "429"] = "340"
    latency: float = 0.0

    # The platform's words for the floor's states.
    acd_statuses: Mapping[str, str] = field(default_factory=lambda: ACD_STATUSES)
    sq_statuses: Mapping[str, str] = field(default_factory=lambda: SQ_STATUSES)

    # Applications: the floor's agents and queues belong to the first one.
    applications: Mapping[int, str] = field(
        default_factory=lambda: {
            5001: "contact-center.acme.n2.voximplant.com",
            5002: "website.acme.n2.voximplant.com",
        }
    )
    acd_media: frozenset[str] = frozenset({"voice"})  # ACD v1 knows calls only
    api_address: str = "api.voximplant.com"

    # Statistics: counting of intervals, and layout of rows.
    open_stay: bool = True  # the stay still running counts up to now
    omit_zero: bool = True  # statuses without time, and rows without figures
    first_hour: Literal[0, 1] = 0
    # Seconds: a window that ended so lately has the figures of now, instead of even shares.
    recent: float = 1.0
    none_by_aggregation: Literal["aggregation", "user"] = "aggregation"
    status_shape: Literal["object", "array"] = "object"
    ids: Literal["int", "str", "str_in_statistics"] = "int"
    calls_shape: Literal["array", "object"] = "array"  # answered, unanswered, rejected
    percent_scale: Literal[1, 100] = 100
    key_style: Literal["asked", "short", "long"] = "asked"
    default_report: tuple[str, ...] | None = None  # None: all keys

    # SmartQueue and call lists.
    sq_statuses_shape: Literal["array", "object"] = "array"
    sq_queues_shape: Literal["array", "object"] = "array"  # of a page that holds one queue
    details_count: Literal["page", "total"] = "page"

    @property
    def key(self) -> Key:
        """The key that signs the tokens, as the platform knows it."""
        public = self.public_key or (self.private_key or throw_away_key()).public_key()
        return Key(self.key_id, public)

    @property
    def secrets(self) -> dict[str, str]:
        """Secrets in some answers, which no page or log may ever show."""
        return {
            "api_key": "planted-api-key-4f1c",
            "callback_salt": "planted-callback-salt-9a2e",
            "callback_url": "https://planted-user:planted-password@hooks.acme.example/",
            "account_email": "planted-owner@acme.example",
        }

    def credentials(self) -> dict[str, Any]:
        """Return the content of the vendor's ``credentials.json`` for this key."""
        if self.private_key is None and self.public_key is not None:
            raise ValueError("only the public half of this key is known")
        private = self.private_key or throw_away_key()
        email = self.secrets["account_email"]
        return credentials(email, self.account_id, self.key_id, private)

    def floor_of(self, account_id: int) -> Floor | None:
        """Return the floor of the account itself or of a child account, None for others."""
        return self.floor if account_id == self.account_id else self.children.get(account_id)
