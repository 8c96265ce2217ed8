"""A simulated Voximplant account: who may ask, and how it chooses where nothing is said.

Facts are from the Management API reference on docs.voximplant.ai, from the vendor's guides on
voximplant.com, and from the types of the vendor's own clients. Where they are silent or disagree a
switch chooses, and a client has to cope with every setting.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from exporter.clock import Clock
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
from exporter.simulators.voximplant.tokens import Key, credentials, throw_away_key

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


@dataclass(eq=False)
class Account:
    """The floor that is shown, and every switch; all may be changed while the simulator runs."""

    floor: Floor
    clock: Clock
    _: KW_ONLY

    # Who may ask: one service-account key, its roles, and the accounts it speaks for.
    account_id: int = 1_234_567
    key_id: str = "11111111-2222-3333-4444-555555555555"
    private_key: RSAPrivateKey | None = None  # else one is made on demand
    public_key: RSAPublicKey | None = None  # else that of the private key
    roles: frozenset[str] = frozenset({"Owner"})
    children: Mapping[int, Floor] = field(default_factory=dict)  # child accounts, by id
    tick: Callable[[], None] | None = None  # called before each request
    seed: int = 1
    hang_seconds: float = 600.0

    # Refusals.
    clock_ahead: float = 0.0  # seconds by which the platform's clock is ahead of ours
    date_header: bool = False  # also tell that clock's time; a server in front may do so already
    auth_status: Literal[200, 401] = 200
    role_code: Literal[104, 100] = 104
    unpublished_roles: frozenset[str] | None = None  # for SmartQueue and others; None is any key
    resend_seconds: float = 0.0  # an identical request within so many is taken for a resend
    throttle: Literal["340", "429"] = "340"
    latency: float = 0.0

    # What the floor's states and reasons are called here.
    acd_statuses: Mapping[str, str] = field(default_factory=lambda: ACD_STATUSES)
    sq_statuses: Mapping[str, str] = field(default_factory=lambda: SQ_STATUSES)

    # What there is besides the floor. Its agents and queues belong to the first application.
    applications: Mapping[int, str] = field(
        default_factory=lambda: {
            5001: "contact-center.acme.n2.voximplant.com",
            5002: "website.acme.n2.voximplant.com",
        }
    )
    acd_media: frozenset[str] = frozenset({"voice"})  # ACD v1 knows calls only
    api_address: str = "api.voximplant.com"

    # Statistics: how intervals count, and how rows are laid out.
    open_stay: bool = True  # the stay still running counts up to now
    omit_zero: bool = True  # statuses without time, and rows without figures
    first_hour: Literal[0, 1] = 0
    none_by_aggregation: Literal["aggregation", "user"] = "aggregation"
    status_shape: Literal["object", "array"] = "object"
    ids: Literal["int", "str", "str_in_statistics"] = "int"
    calls_shape: Literal["array", "object"] = "array"  # answered, unanswered, rejected
    percent_scale: Literal[1, 100] = 100
    key_style: Literal["asked", "short", "long"] = "asked"
    default_report: tuple[str, ...] | None = None  # None is all keys

    # SmartQueue, and the rest.
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
        """What some answers carry, and no page or log may ever show."""
        return {
            "api_key": "planted-api-key-4f1c",
            "callback_salt": "planted-callback-salt-9a2e",
            "callback_url": "https://planted-user:planted-password@hooks.acme.example/",
            "account_email": "planted-owner@acme.example",
        }

    def credentials(self) -> dict[str, Any]:
        """Return what the vendor's ``credentials.json`` of this key would hold."""
        if self.private_key is None and self.public_key is not None:
            raise ValueError("only the public half of this key is known")
        private = self.private_key or throw_away_key()
        email = self.secrets["account_email"]
        return credentials(email, self.account_id, self.key_id, private)

    def floor_of(self, account_id: int) -> Floor | None:
        """Return the floor of the account itself or of a child, nothing if it is neither."""
        return self.floor if account_id == self.account_id else self.children.get(account_id)
