"""A simulated Bright Pattern tenant: its user and limits, and its choices where nothing is said.

Facts are from the vendor's Real-Time Statistics API and List Management API v3.2 (Postman
collections), from the wiki page of the former for version 3.10, and from the behaviour of public
clients. Where they are silent or differ a switch chooses, and a client has to cope with every
setting.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal
from uuid import NAMESPACE_DNS, uuid5

from exporter.clock import Clock
from exporter.simulators.floor.floor import Floor

Scale = Literal["fraction", "percent"]


@dataclass(eq=False)
class Tenant:
    """The floor that is shown, and every switch; all may be changed while the simulator runs.

    Only the moment of the daily reset and the seed are settled when the simulator is made.
    """

    floor: Floor
    clock: Clock
    _: KW_ONLY

    # Who may sign in, and where.
    username: str = "wallboard@example.com"
    api_secret: str = "swordfish"  # noqa: S105 - a simulated user's
    password: str = "correct horse"  # noqa: S105 - the same user's, for the old way to sign in
    other_users: Mapping[str, str] = field(default_factory=dict)  # with their API secrets
    tenant_url: str = "acme.example.com"
    lock_after: int | None = None  # wrong secrets in a row that lock a user out
    seed: int = 1
    tick: Callable[[], None] | None = None  # called before each request
    hang_seconds: float = 600.0
    clock_ahead: float = 0.0  # seconds by which the platform's clock is ahead of ours
    date_header: bool = False  # also tell that clock's time; a server in front may do so already

    # Tokens: handed out again, with the life that is left, while they are valid.
    token_seconds: float = 3600.0
    expires_in: Literal["string", "number"] = "string"
    tokens_shared: bool = True  # else each of configapi v2 and v3 takes only tokens of its own
    raw_tokens: bool = False  # "Authorization" may do without the word Bearer

    # The old way to sign in: a password and a cookie. Closed from release 5.36 on.
    password_login: bool = False
    session_cookies: Literal["statsapi", "session"] = "statsapi"  # of two generations
    login_details: bool = True  # privileges and user id beside the token, as later releases add

    # What the user may and can see.
    may_read: bool = True  # "Access Realtime Stats API"
    may_see_agents: bool = True  # "View real-time agent metrics"
    may_see_services: bool = True  # "View real-time service metrics"
    may_see_campaigns: bool = True  # of the List Management API
    refusal_status: Literal[401, 403] = 403  # without "Access Realtime Stats API"
    unseen: Literal["empty", "absent"] = "empty"  # blocks of the other two, or without teams
    supervised_teams: frozenset[str] | None = None  # all, if none are named
    count_other_teams: bool = True  # agents per service include teams that are not supervised
    subteam: frozenset[str] = frozenset()  # who is left with my_subteam_only

    # Subscriptions.
    max_active_subscriptions: int | None = 10  # the tenant's licence
    wallboards_open: int = 0  # subscriptions of other users, which count too
    subscription_per: Literal["user", "token"] = "user"
    subscription_idle_seconds: float | None = 900.0
    polling_keeps_alive: bool = True
    taken_over: Literal["not_found", "unauthorized", "foreign"] = "not_found"
    delete_nothing_status: int = 404  # for deleting what is not there
    polls_until_ready: int = 1  # answers 204 after a subscription was made
    refresh_seconds: float = 0.0  # data stays the same for so long

    # The load balancer: its cookie, and whether the nodes behind it know each other's.
    balancer: bool = True
    sticky_required: bool = False

    # What a subscription may say.
    unknown_statistics: Literal["refuse", "empty"] = "refuse"
    likely_statistics: bool = True  # also names where nobody outside has seen them
    more_statistics: Mapping[str, str] = field(default_factory=dict)  # with their value anywhere
    sum_columns: bool = True  # documented up to release 5.2
    foreign_keys: Literal["refuse", "ignore"] = "refuse"
    column_key: Literal["both", "stat_name", "statName"] = "both"
    error_codes: Literal["number", "text"] = "number"
    default_limit: int | None = None  # rows of a grid that names no limit
    logged_in_agents_only: bool = False  # for a grid that does not say
    comparison: Literal["numeric", "text"] = "numeric"  # of cells that are numbers

    # How values are written.
    numbers: Literal["strings", "bare_totals", "bare"] = "strings"
    nothing: Literal["empty", "null", "absent"] = "empty"
    service_level_scale: Scale = "fraction"
    target_scale: Scale = "percent"
    ratio_scale: Scale = "fraction"  # names with "ratio"
    percent_scale: Scale = "percent"  # names with "percent"
    totals_scale: Scale | None = None  # of all of them in totals, where it differs from grids
    booleans: tuple[str, str] = ("false", "true")
    media_case: Literal["upper", "lower"] = "upper"
    login_time: Literal["duration", "timestamp"] = "duration"
    logged_out_state: Literal["", "0"] = ""
    ringing_state: Literal["busy", "ready"] = "busy"
    other_states: Mapping[str, str] = field(default_factory=dict)  # by login, such as supervising

    # What is configured or counted.
    service_level_target: float = 0.8
    reset_hour: float = 0.0  # when the day figures restart, as wall time
    reset_zone: str | None = None  # else the floor's
    dispositions_shape: Literal["array", "object"] = "array"
    tenant_url_required: bool = False  # by check_available_agents, in older releases
    last_cursor: Literal["null", "empty", "absent", "page"] = "null"  # of the last page of records


def object_id(name: str) -> str:
    """Return the id of something that the floor knows by name only."""
    return str(uuid5(NAMESPACE_DNS, name)).upper()
