"""A simulated Five9 domain: its users, its data centre, and how it chooses where nothing is said.

Facts are from the Statistics Web Services API Reference Guide, 2015, and from the platform's
service descriptions. Where they are silent a switch chooses, and a client has to cope with every
setting.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from exporter.simulators import door

DAY = 86_400
# Requests per minute, hour and day: Statistics Web Services API Reference Guide, 2015.
DEFAULT_LIMITS: Mapping[str, Mapping[int, int]] = {
    "QueryChangedStatistics": {60: 30, 3600: 1200, DAY: 24_000},
    "QueryStatistics": {60: 2, 3600: 15, DAY: 240},
}
PERMISSIONS = (
    *("Users", "Agents", "CallMonitoring", "Stations", "ChatSessions", "Campaigns"),
    *("CampaignManagement", "AllSkills", "BillingInfo", "BargeInMonitor", "WhisperMonitor"),
    *("ViewDataForAllAgentGroups", "ReviewVoiceRecordings", "EditAgentSkills", "NICEEnabled"),
    *("CanAccessDashboardMenu", "CampaignManagementStart", "CampaignManagementStop"),
    *("CampaignManagementReset", "CampaignManagementResetDispositions"),
    *("CampaignManagementResetListPositions", "CampaignManagementResetAbandonCallRate"),
    *("CanViewTextDetailsTab", "CanAccessShowFields"),
)


@dataclass
class Record(door.Record):
    """One request. Its outcome may also be "nothing" or the name of a fault."""

    user: str = ""
    operation: str = ""
    statistic_type: str = ""


@dataclass(eq=False)
class Domain(door.SimulatedPlatform[Record]):
    """The floor that is served, and every switch; all may be changed while the simulator runs."""

    _: KW_ONLY

    # Who may sign in, and where the platform stands.
    username: str = "supervisor@example.com"
    password: str = "correct horse"  # noqa: S105 - a simulated user's
    other_users: Mapping[str, str] = field(default_factory=dict)
    version: str = "v13"
    zone: str = "America/Los_Angeles"  # of the data centre: "Since" texts, windows of the limits

    # Requests: strict as the schema, or lax as live servers are.
    lax: bool = False
    overlap_fault: Literal["UserAlreadyLoggedIn", "Server", "ServiceUnavailable"] = (
        "UserAlreadyLoggedIn"
    )
    strict_counters: bool = True  # unlisted operations count as QueryStatistics
    limits: Mapping[str, Mapping[int, int]] = field(default_factory=lambda: DEFAULT_LIMITS)

    # Sessions and permissions.
    supervisor_limit: int | None = None  # else the floor's
    supervisors_elsewhere: int | None = None  # else the floor's, who may include our sessions
    user_limits_need_session: bool = False
    settings_invalidate_timestamps: bool = False
    permissions: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(PERMISSIONS, True))
    missing_permission: Literal["fault", "empty"] = "fault"
    own_skills: frozenset[str] = frozenset()  # what is left without AllSkills
    own_groups: frozenset[str] = frozenset()  # teams left without ViewDataForAllAgentGroups

    # The service knows calls only: a queue of another medium is no skill here.
    skill_media: frozenset[str] = frozenset({"voice"})

    # Updates.
    batch_seconds: float = 1.0
    stream_durations: bool = False  # running durations make updates, in steps of 5 s
    announce_added: bool = True
    filter_updates: bool = False  # the columns asked for also hold for updates
    internal_names: bool = False

    # How answers and cells are written.
    envelope_prefix: Literal["env", "soap", "S"] = "env"
    nil_style: Literal["empty", "nil"] = "empty"
    empty_containers: bool = False
    echo_settings: bool = False
    guess_columns: bool = True  # also columns whose spelling no public source shows
    state_case: Literal["title", "upper", "lower"] = "title"
    percent_style: Literal["percent_sign", "percent", "fraction"] = "percent_sign"
    fcr_style: Literal["count", "count_percent"] = "count"
