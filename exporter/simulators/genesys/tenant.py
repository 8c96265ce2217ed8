"""The simulated tenant: its floor, its user, and every switch for what the documents leave open.

Sources: the vendor's Statistics overview and API reference, its JS and Java clients, its samples
and its Workspace simulator, the CometD documentation, and captures of the official clients.
Nobody has published a real value of this API, so each plausible layout is a switch, and a client
has to cope with every setting.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from exporter.clock import Clock
from exporter.simulators.floor.floor import Floor

ValueLayout = Literal["event_info", "number", "string", "wrapped"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Every switch; the simulator's ``settings`` may be replaced while it runs."""

    # Signing in.
    token_seconds: float = 1800.0
    says_expires_in: bool = True
    refused_status: Literal[401, 403] = 401  # for a token that is unknown or has expired
    may_read: bool = True  # whether the user may ask for statistics at all

    # Cookies.
    secure_browser_cookie: bool = False  # BAYEUX_BROWSER then stays at home on plain http
    balancer: bool = False  # two nodes behind a balancer; AWSALB says which one knows a session

    # REST.
    ok_code: Literal[0, 1] = 0
    partial_code: int = 0  # status.code where some statistics failed
    errors: Literal["message", "detail", "bare", "none"] = "message"  # how a failed one is named
    lacks: frozenset[str] = frozenset()  # names of statistics that this tenant has not
    refuses_unknown_names: bool = False  # of all that is read by name, for one that is unknown
    statistics_limit: int = 2000  # statistics of one subscription; more are refused with 400
    keeps_subscriptions: bool = False  # once the CometD session that heard of them is gone

    # CometD.
    max_interval: float = 10.0  # seconds a session lives without a connect outstanding
    unknown_session: Literal[
        "402::Unknown client", "402::unknown_session", "402::session_unknown"
    ] = "402::Unknown client"
    replies_with_client_id: bool = True
    handshake_advice: bool = True
    as_object: bool = False  # a single reply is sent as an object instead of an array of one
    ack: bool = False  # the acknowledgement extension is installed
    events: Literal["before", "after"] = "before"  # or after the replies of the same answer
    events_on: Literal["connect", "any"] = "connect"  # the replies that events may ride on

    # Messages and values.
    nesting: Literal[0, 1, 2] = 1  # envelopes around what an event says, inside of "data"
    names_subscription: bool = True  # updates carry a subscriptionId, as since November 2017
    service_message: Literal["statistics", "workspace"] = "statistics"
    value: ValueLayout = "event_info"
    no_value: Literal["null", "absent", "nan", "empty"] = "null"
    state_value: Literal["stateValue", "objectValue", "bare"] = "stateValue"
    status: Literal["int", "digits", "name"] = "int"


@dataclass(eq=False)
class Tenant:
    """The floor that is shown, who may ask for it, and how."""

    floor: Floor
    clock: Clock
    _: KW_ONLY
    tick: Callable[[], None] | None = None  # moves the floor; called before each look at it
    settings: Settings = field(default_factory=Settings)
    username: str = "acme\\monitor"
    password: str = "monitor-password"  # noqa: S105 - simulated
    client_id: str = "exporter"
    client_secret: str = "client-secret"  # noqa: S105 - simulated
    api_key: str = "0123456789abcdef"
    seed: int = 1
    hang_seconds: float = 600.0
    clock_ahead: float = 0.0  # seconds by which the platform's clock is ahead of ours
    date_header: bool = False  # also tell that clock's time; a server in front may do so already

    def move(self) -> None:
        """Let the floor catch up with the time."""
        if self.tick is not None:
            self.tick()
