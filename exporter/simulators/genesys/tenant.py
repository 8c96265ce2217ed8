"""Settings of the simulated tenant: user, undocumented behaviour.

Sources: the vendor's Statistics overview and API reference, its JS and Java clients, its samples
and its Workspace simulator, the CometD documentation, and captures of the official clients.
Nobody has published a real value of this API, so each plausible layout is a switch, and a client
has to cope with every setting.
"""

from dataclasses import KW_ONLY, dataclass, field
from math import inf
from typing import Any, Literal

from exporter.simulators import door


@dataclass
class Record(door.Record):
    """One request with its path and body; token requests keep no body."""

    method: str = ""
    path: str = ""
    body: Any = None
    channels: tuple[str, ...] = ()  # of its CometD messages
    cookies: frozenset[str] = field(default_factory=frozenset)  # their names


@dataclass(eq=False)
class Tenant(door.SimulatedPlatform[Record]):
    """Every switch; all but ``seed`` and the credentials may be changed while it runs."""

    _: KW_ONLY

    # Credentials.
    username: str = "acme\\monitor"
    password: str = "monitor-password"  # noqa: S105 - simulated
    client_id: str = "exporter"
    client_secret: str = "client-secret"  # noqa: S105 - simulated
    api_key: str = "0123456789abcdef"

    # Tokens.
    token_seconds: float = 1800.0
    says_expires_in: bool = True
    refused_status: Literal[401, 403] = 401  # for a token that is unknown or has expired
    may_read: bool = True  # the user may read statistics

    # Cookies.
    secure_browser_cookie: bool = False  # clients then send BAYEUX_BROWSER over https only
    balancer: bool = False  # two nodes; the AWSALB cookie names the one that has the session

    # REST.
    ok_code: Literal[0, 1] = 0
    partial_code: int = 0  # status.code where some statistics failed
    errors: Literal["message", "detail", "bare", "none"] = "message"  # how errors name a statistic
    lacks: frozenset[str] = frozenset()  # names of statistics that are not configured
    # Definitions that the release refuses: a category, or a category and an action of its mask.
    lacks_definitions: frozenset[str] = frozenset()
    multimedia: frozenset[str] = frozenset()  # queues that are not voice: EstimWaitTime is refused
    # What a refused statistic costs: itself, or its whole request by an HTTP status, a framework's
    # page, a code without data, or a code with an empty list.
    refusal: Literal["one", "400", "500", "503", "spring", "code", "empty"] = "one"
    refuses_unknown_names: bool = False  # a read of many fails if one name is unknown
    statistics_limit: int = 2000  # of one subscription; more are refused with 400
    body_limit: int | None = None  # bytes of a request; the gateway refuses larger ones
    too_large: Literal["400", "413", "414", "431", "html413"] = "413"  # how it refuses them
    keeps_subscriptions: bool = False  # after the CometD session has ended

    # What a subscription needs: an HTTP session that a handshake began, one that any request begins
    # (its cookie is then required), or its id alone.
    subscribes_with: Literal["handshake", "cookie", "id"] = "handshake"
    no_session_status: int = 403  # for a caller without that session
    unheard_seconds: float = inf  # a subscription is kept without a CometD session

    # CometD.
    notifications: Literal["served", "403", "404"] = "served"  # a gateway may block the endpoint
    # A proxy on the way ends requests after so many seconds, and sends this in place of an answer.
    cut_after: float | None = None
    cut_with: Literal["reset", "empty", "502", "504"] = "reset"
    max_interval: float = 10.0  # seconds a session lives without a connect outstanding
    unknown_session: Literal[
        "402::Unknown client", "402::unknown_session", "402::session_unknown"
    ] = "402::Unknown client"
    replies_with_client_id: bool = True
    handshake_advice: bool = True
    as_object: bool = False  # a single reply is sent as an object instead of an array of one
    ack: bool = False  # the acknowledgement extension is installed
    events: Literal["before", "after"] = "before"  # position relative to the replies
    events_on: Literal["connect", "any"] = "connect"  # replies that carry events

    # Events and values.
    stamp_ahead: float = 0.0  # seconds by which timestamps of values are ahead of the floor
    counts_from: Literal["midnight", "opening"] = "midnight"  # what a total of today covers
    nesting: Literal[0, 1, 2] = 1  # envelopes around the content of an event, inside of "data"
    names_subscription: bool = True  # updates carry a subscriptionId, as since November 2017
    service_message: Literal["statistics", "workspace"] = "statistics"
    value: Literal["event_info", "number", "string", "wrapped"] = "event_info"
    no_value: Literal["null", "absent", "nan", "empty"] = "null"
    state_value: Literal["stateValue", "objectValue", "bare"] = "stateValue"
    status: Literal["int", "digits", "name"] = "int"
