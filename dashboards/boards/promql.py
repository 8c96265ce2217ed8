"""PromQL of figures, robust against replicas, filters and restarts of totals.

Every query begins with ``max by (...)``: a second replica of the exporter shows the same figures
again, and what is reduced first can be summed afterwards. The dashboards ask the exporter's own
metrics alone, so they work without our rule files.
"""

_PREFIX = "contactcenter_"
_ACCOUNT = ("provider", "account")
_CHOSEN = ("provider", "account", "queue", "campaign")  # labels that have a variable
RATE = "$__rate_interval"


def by(*labels: str) -> str:
    """Return the labels of an account's object, as they stand in ``by`` and ``on``."""
    return ", ".join((*_ACCOUNT, *labels))


def series(name: str, *labels: str, where: str = "") -> str:
    """Return the series of a family, limited to what is chosen above the dashboard."""
    chosen = [f'{label}=~"${label}"' for label in _CHOSEN if label in (*_ACCOUNT, *labels)]
    return f"{_PREFIX}{name}{{{', '.join([*chosen, *([where] if where else [])])}}}"


def figure(name: str, *labels: str, where: str = "") -> str:
    """Return a figure once, however many replicas show it."""
    return f"max by ({by(*labels)}) ({series(name, *labels, where=where)})"


def rise(name: str, *labels: str, where: str = "") -> str:
    """Return how much a total rose in the interval, once for all replicas."""
    counted = f"increase({series(name, *labels, where=where)}[{RATE}])"
    return f"max by ({by(*labels)}) ({counted})"


def speed(name: str, *labels: str, where: str = "") -> str:
    """Return the rise of a total for each second, once for all replicas."""
    counted = f"rate({series(name, *labels, where=where)}[{RATE}])"
    return f"max by ({by(*labels)}) ({counted})"


def total(expression: str, *labels: str) -> str:
    """Sum a figure up to the account, or to one of its objects."""
    return f"sum by ({by(*labels)}) ({expression})"


def grand(expression: str) -> str:
    """Sum a figure over all that is chosen."""
    return f"sum({expression})"


def few(expression: str, most: int = 4) -> str:
    """Return the series only where there are few: lines of limits in a crowd help nobody."""
    return f"({expression}) and on () (count({expression}) <= {most})"


# What several dashboards show ---------------------------------------------------------------------
WAITING = total(figure("queue_contacts_waiting", "queue", "media"), "queue")
LONGEST_WAIT = figure("queue_longest_wait_seconds", "queue")
WARNING_LIMIT = figure("queue_waiting_limit", "queue", where='level="warning"')
CRITICAL_LIMIT = figure("queue_waiting_limit", "queue", where='level="critical"')
ANSWER_OBJECTIVE = figure("queue_answer_objective_seconds", "queue")
CLOSED = f"{figure('queue_open', 'queue')} == 0"
READY = figure("queue_agents", "queue", where='state="ready"')
# As in rules/queues.rules.yml: states where there are some, else ready and busy, else logged in.
OCCUPIED = (
    total(
        figure("queue_agents", "queue", "state", where='state!~"ready|not_ready|logged_out"'),
        "queue",
    )
    + f" or {figure('queue_agents_busy', 'queue')}"
)
STAFFED = (
    f"(({OCCUPIED}) + on ({by('queue')}) {READY}) or {figure('queue_agents_logged_in', 'queue')}"
)
OFFERED = total(rise("queue_contacts_offered_total", "queue", "media"), "queue")
ANSWERED = total(rise("queue_contacts_answered_total", "queue", "media"), "queue")
ABANDONED = total(rise("queue_contacts_abandoned_total", "queue", "media"), "queue")
IN_TIME = total(rise("queue_contacts_answered_within_threshold_total", "queue", "media"), "queue")
# Counted where the platform counts, else its own share over its own period.
_SHARE = figure("queue_service_level_ratio", "queue", "media", "window")
SERVICE_LEVEL = (
    f"{IN_TIME} / on ({by('queue')}) ({OFFERED} > 0) or min by ({by('queue')}) ({_SHARE})"
)
SIGNED_IN = total(figure("agents", "state", where='state!="logged_out"'))
ALERTS = 'ALERTS{alertname=~"ContactCenter.*", alertstate="firing"'
