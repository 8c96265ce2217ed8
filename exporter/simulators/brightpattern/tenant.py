"""Settings of the simulated Bright Pattern tenant: user, limits, undocumented behaviour.

Sources: the vendor's Real-Time Statistics API and List Management API v3.2 (Postman collections),
the wiki page of the former for version 3.10, and the behaviour of public clients. Where they are
silent or differ, the behaviour is a switch, and a client has to cope with every value of it.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal
from uuid import NAMESPACE_DNS, uuid5

from exporter.simulators import door

ShareScale = Literal["fraction", "percent", "signed"]  # 0.125, 12.5, 12.5%


@dataclass
class Record(door.Record):
    """One request with its method, path and user."""

    method: str = ""
    path: str = ""
    user: str = ""


@dataclass(eq=False)
class Tenant(door.SimulatedPlatform[Record]):
    """Every switch; all but ``reset_hour`` and ``seed`` may be changed while the simulator runs."""

    _: KW_ONLY

    # Credentials.
    username: str = "wallboard@example.com"
    api_secret: str = "swordfish"  # noqa: S105 - a simulated user's
    password: str = "correct horse"  # noqa: S105 - the same user's, for the old way to sign in
    other_users: Mapping[str, str] = field(default_factory=dict)  # API secrets by user
    tenant_url: str = "acme.example.com"
    lock_after: int | None = None  # consecutive wrong secrets that lock a user

    # Tokens: the same one is handed out while it is valid, with the seconds that are left.
    token_seconds: float = 3600.0
    expires_in: Literal["string", "number"] = "string"
    tokens_shared: bool = True  # or configapi v2 and v3 accept only tokens of their own

    # Sign-in by password and cookies, which releases from 5.36 on refuse.
    password_login: bool = False
    session_cookies: Literal["statsapi", "session"] = "statsapi"

    # Privileges of the user.
    may_read: bool = True  # "Access Realtime Stats API"
    may_see_agents: bool = True  # "View real-time agent metrics"
    may_see_services: bool = True  # "View real-time service metrics"
    may_see_campaigns: bool = True  # of the List Management API
    refusal_status: Literal[401, 403] = 403  # without "Access Realtime Stats API"
    unseen: Literal["empty", "absent"] = "empty"  # blocks without privilege or teams
    supervised_teams: frozenset[str] | None = None  # None: all

    # Subscriptions.
    max_active_subscriptions: int | None = 10  # the tenant's licence
    wallboards_open: int = 0  # subscriptions of other users
    subscription_per: Literal["user", "token"] = "user"
    taken_over: Literal["not_found", "unauthorized", "foreign"] = "not_found"
    delete_nothing_status: int = 404  # of DELETE without a subscription
    polls_until_ready: int = 1  # 204s after a subscription was made
    refresh_seconds: float = 0.0  # data is the same within this interval

    # Load balancer: its cookie, and whether a subscription is known to one node only.
    balancer: bool = True
    sticky_required: bool = False

    # Accepted by a subscription.
    unknown_statistics: Literal["refuse", "empty"] = "refuse"
    likely_statistics: bool = True  # also names that no source shows in a block
    column_key: Literal["both", "stat_name", "statName"] = "both"
    error_codes: Literal["number", "text"] = "number"
    default_limit: int | None = None  # rows of a grid without a limit

    # Format of values.
    numbers: Literal["strings", "bare_totals", "bare"] = "strings"
    nothing: Literal["empty", "null", "absent"] = "empty"
    # Scale of shares by block ("totals", "service") and statistic; the others are fractions in
    # totals and in per cent in service grids, as the vendor's wallboard shows them.
    share_scales: Mapping[tuple[str, str], ShareScale] = field(default_factory=dict)
    share_digits: int | None = None  # after the point; None: 4 of a fraction, 2 of a percentage
    share_cut: bool = False  # further digits are cut off instead of rounded
    media_case: Literal["upper", "lower"] = "upper"
    login_time: Literal["duration", "timestamp"] = "duration"
    logged_out_state: Literal["", "0"] = ""
    ringing_state: Literal["busy", "ready"] = "busy"

    # Day figures, dispositions, pages of records.
    reset_hour: float = 0.0  # when day figures restart, local time of the floor
    dispositions_shape: Literal["array", "object"] = "array"
    last_cursor: Literal["null", "empty", "absent", "page"] = "null"  # of the last page


def object_id(name: str) -> str:
    """Return a GUID for an object that the floor knows by name only."""
    return str(uuid5(NAMESPACE_DNS, name)).upper()
