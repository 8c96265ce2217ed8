"""The columns of our tables: what each statistic is called here. Category first, then its mask."""

from typing import Final

OBJECT: Final = "objectId"

WAITING: Final = "CurrentNumber CallWait"
LONGEST_WAIT: Final = "CurrentMaxTime CallWait"
OFFERED: Final = "TotalNumber CallEntered"
ANSWERED: Final = "TotalNumber CallAnswered"
ABANDONED: Final = "TotalNumber CallAbandoned"
HANDLED: Final = "TotalNumber CallReleased"
WITHIN: Final = "TotalNumberInTimeRange CallAnswered"
ANSWER_WAIT: Final = "TotalTime CallAnswered"
SERVICE_LEVEL: Final = "ServiceFactor1"
ESTIMATED_WAIT: Final = "EstimWaitTime"
THRESHOLD: Final = "timeRangeRight"

GROUP_STATES: Final = {
    state: f"CurrentNumber {label}"
    for state, label in {
        "ready": "WaitForNextCall",
        "ringing": "CallDialing, CallRinging",
        "on_contact": "CallInbound, CallOutbound, …",
        "on_hold": "CallOnHold",
        "after_contact_work": "AfterCallWork",
        "not_ready": "NotReadyForNextCall",
        "logged_out": "LoggedOut",
        "other": "LoggedIn, OnHook, OffHook",
    }.items()
}

AGENT_STATE: Final = "CurrentState"
STATE_SINCE: Final = "CurrentState time"
AGENT_CALLS: Final = {
    direction: f"TotalNumber Call{direction.capitalize()}"
    for direction in ("inbound", "outbound", "internal", "consult")
}
AGENT_HANDLED: Final = "TotalNumber CallInbound, CallOutbound"
AGENT_TALK: Final = "TotalAdjustedTime CallInbound, CallOutbound, …"
AGENT_HOLD: Final = "TotalAdjustedTime CallOnHold…"
AGENT_WORK: Final = "TotalAdjustedTime AfterCallWork"
AGENT_READY: Final = "TotalAdjustedTime WaitForNextCall"
AGENT_NOT_READY: Final = "TotalAdjustedTime NotReadyForNextCall"
AGENT_LOGIN: Final = "TotalTime logged in"

RUNNING: Final = "CurrentNumber StatusRunning"
ACTIVATED: Final = "CurrentNumber StatusActivated"
CAMPAIGN_STATE: Final = "campaign state"
STALLS: Final = {
    "agents": "CurrentNumber StatusWaitingAgents",
    "ports": "CurrentNumber StatusWaitingPorts",
    "records": "CurrentNumber StatusWaitingRecords",
    "system_error": "CurrentNumber StatusSystemError",
}
CAMPAIGN_STATUSES: Final = {
    header: header.split()[1] for header in (RUNNING, ACTIVATED, *STALLS.values())
}
PROCESSED: Final = "TotalNumber LeadProcessed"
