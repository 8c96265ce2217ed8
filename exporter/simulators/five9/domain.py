"""Settings of the simulated Five9 domain: users, limits, undocumented behaviour.

Sources: the Statistics Web Services API Reference Guide, 2015, and the platform's service
descriptions. Where they are silent, the behaviour is a switch, and a client has to cope with every
value of it.
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


ShareStyle = Literal["signed", "percent", "fraction"]


@dataclass(eq=False)
class Domain(door.SimulatedPlatform[Record]):
    """Every switch; all but ``seed`` may be changed while the simulator runs."""

    _: KW_ONLY

    # Credentials and data centre.
    username: str = "supervisor@example.com"
    password: str = "correct horse"  # noqa: S105 - simulated
    other_users: Mapping[str, str] = field(default_factory=dict)
    version: str = "v13"
    zone: str = "America/Los_Angeles"  # of the data centre: "Since" texts, windows of the limits

    # Limits and permissions.
    limits: Mapping[str, Mapping[int, int]] = field(default_factory=lambda: DEFAULT_LIMITS)
    new_operation_types: int = 0  # operation types with new names in each report of the counters
    permissions: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(PERMISSIONS, True))
    missing_permission: Literal["fault", "disallowed", "empty"] = "fault"

    # Updates.
    stream_durations: bool = False  # running durations make updates, in steps of 5 s
    announce_added: bool = True
    timestamp_ahead: float = 0.0  # seconds by which timestamps are ahead of the floor

    # Rows.
    mixed_campaigns: bool = False  # the statistics of each campaign type list all campaigns

    # Format of answers and cells.
    envelope_prefix: Literal["env", "soap", "S"] = "env"
    nil_style: Literal["empty", "nil"] = "empty"
    empty_containers: bool = False
    state_case: Literal["title", "upper", "lower"] = "title"
    # Shares: 12.50%, 12.5 or 0.125; of all columns but those in ``share_styles``.
    share_style: ShareStyle = "signed"
    share_styles: Mapping[str, ShareStyle] = field(default_factory=dict)
    share_digits: int | None = None  # after the point; None: 2 of a percentage, 4 of a fraction
    share_cut: bool = False  # further digits are cut off instead of rounded
    fcr_style: Literal["count", "count_percent"] = "count"
