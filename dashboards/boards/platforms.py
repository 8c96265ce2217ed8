"""Which platforms give the figures of a panel, where not all of them do.

A panel without an entry shows something for every platform. The tests draw every dashboard with
the accounts of one platform and compare.
"""

from typing import Final

_FIVE9: Final = ("Five9",)
_VOXIMPLANT: Final = ("Voximplant",)
_BY_QUEUE: Final = ("Genesys", "Bright Pattern", "Voximplant")
# Dashboard → title → platforms.
GIVEN_BY: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "agents": {
        "Not ready by reason": ("Five9", "Bright Pattern", "Voximplant"),
        "Operator status: time by state": ("Bright Pattern", "Voximplant"),
        "Contacts handled": ("Five9", "Bright Pattern", "Voximplant"),
        "Mean handle time": _VOXIMPLANT,
        "Contacts offered and not answered": _VOXIMPLANT,
    },
    "campaigns": {
        **dict.fromkeys(
            (
                "Highest abandon rate",
                "Nearest to its limit",
                "Reached",
                "Agents ready",
                "Abandon rate against the limit",
                "Dials",
                "Dials that were connected",
                "Dialled for each free agent",
                "Calls offered today",
                "Calls abandoned",
                "Furthest below its objective",
                "Slowest against its objective",
                "Inbound campaigns",
                "Calls offered",
                "Service level of campaigns",
                "Speed of answer of campaigns",
                "Dispositions",
            ),
            _FIVE9,
        ),
        "Records available": ("Five9", "Bright Pattern"),
        "Records left": ("Five9", "Bright Pattern"),
    },
    "exporter": {
        "Quota used": _FIVE9,
        "Quotas": _FIVE9,
        "Age at the platform": _FIVE9,
        "Clock of the platform": _VOXIMPLANT,
        "Permissions": _FIVE9,
        "Licences": _FIVE9,
        "Money": _VOXIMPLANT,
    },
    "queues": {
        "Abandoned": _BY_QUEUE,
        "Service level by half-hour": _BY_QUEUE,
        "What became of contacts": _BY_QUEUE,
        "Contacts offered, and a week ago": _BY_QUEUE,
        "Mean speed of answer": _BY_QUEUE,
        "Mean handle time": _VOXIMPLANT,
        "Callbacks and voicemails waiting": _FIVE9,
        "Contacts active": _VOXIMPLANT,
        "Estimated wait": ("Genesys", "Voximplant"),
    },
    "wallboard": {"Abandoned": _BY_QUEUE},
}


def note(board: str, title: str) -> str:
    """Return a sentence on which platforms give a panel's figures; empty where all do."""
    platforms = GIVEN_BY.get(board, {}).get(title, ())
    return f" Platforms: {', '.join(platforms)}." if platforms else ""
