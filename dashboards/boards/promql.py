"""PromQL of figures, robust against replicas, filters and restarts of totals.

Every query begins with ``max by (...)``: a second replica of the exporter shows the same figures
again, and what is reduced first can be summed afterwards. The dashboards ask the exporter's own
metrics alone, so they work without our rule files; only alerts come from the rules.
"""

from dataclasses import dataclass

_PREFIX = "contactcenter_"
_ACCOUNT = ("provider", "account")
RATE = "$__rate_interval"
HALF_HOUR = "30m"  # what the alerts of service level and abandoned contacts judge
ALERTS = 'ALERTS{alertname=~"ContactCenter.*", alertstate="firing"'
# Some series of our recording rules is there: what no rule reports was looked for.
_RULES = "account:contactcenter_up:max"
_KNOWN = "1d"  # how long an account that has left the page is missed


def by(*labels: str) -> str:
    """Return the labels of an account's object, as they stand in ``by`` and ``on``."""
    return ", ".join((*_ACCOUNT, *labels))


def total(expression: str, *labels: str) -> str:
    """Sum a figure up to the account, or to one of its objects."""
    return f"sum by ({by(*labels)}) ({expression})"


def grand(expression: str) -> str:
    """Sum a figure over all that is chosen."""
    return f"sum({expression})"


def few(expression: str, most: int = 4) -> str:
    """Return the series only where there are few: lines of limits in a crowd help nobody."""
    return f"({expression}) and on () (count({expression}) <= {most})"


def most(expression: str, *labels: str, number: int = 10) -> str:
    """Return the series that were largest in the time shown, so that a graph can be read."""
    peaks = f"max_over_time(({expression})[$__range:$__interval] @ end())"
    return f"({expression}) and on ({by(*labels)}) topk({number}, {peaks})"


@dataclass(frozen=True)
class Promql:
    """Queries of one dashboard, limited by the variables that it defines and no others."""

    variables: tuple[str, ...] = _ACCOUNT

    def series(self, name: str, *labels: str, where: str = "") -> str:
        """Return the series of a family, limited to what is chosen above the dashboard."""
        own = [label for label in self.variables if label in (*_ACCOUNT, *labels)]
        chosen = [f'{label}=~"${label}"' for label in own]
        return f"{_PREFIX}{name}{{{', '.join([*chosen, *([where] if where else [])])}}}"

    def figure(self, name: str, *labels: str, where: str = "", ago: str = "") -> str:
        """Return a figure once, however many replicas show it."""
        offset = f" offset {ago}" if ago else ""
        return f"max by ({by(*labels)}) ({self.series(name, *labels, where=where)}{offset})"

    def rise(self, name: str, *labels: str, over: str = RATE, ago: str = "") -> str:
        """Return how much a total rose in the interval, once for all replicas."""
        offset = f" offset {ago}" if ago else ""
        counted = f"increase({self.series(name, *labels)}[{over}]{offset})"
        return f"max by ({by(*labels)}) ({counted})"

    def speed(self, name: str, *labels: str, where: str = "") -> str:
        """Return the rise of a total for each second, once for all replicas."""
        counted = f"rate({self.series(name, *labels, where=where)}[{RATE}])"
        return f"max by ({by(*labels)}) ({counted})"

    # Accounts ---------------------------------------------------------------------------------
    @property
    def up(self) -> str:
        """1 for each account with current figures, 0 for the others on the page."""
        return self.figure("up")

    @property
    def missing(self) -> str:
        """The accounts of the last day that have no current figures, on the page or not."""
        known = f"max by ({by()}) (last_over_time({self.series('up')}[{_KNOWN}]))"
        return f"({known} >= 0) unless on ({by()}) ({self.up} == 1)"

    @property
    def age(self) -> str:
        """Seconds since each feed was last read."""
        return f"(time() - {self.figure('feed_last_success_timestamp_seconds', 'feed')})"

    @property
    def lateness(self) -> str:
        """The age of each feed as a share of the age at which ContactCenterDataStale is due."""
        interval = self.figure("feed_interval_seconds", "feed")
        return f"{self.age} / on ({by('feed')}) clamp_min(3 * {interval}, 60)"

    @property
    def firing(self) -> str:
        """The alerts that fire for the accounts chosen."""
        return f'{ALERTS}, provider=~"$provider", account=~"$account"}}'

    @property
    def alerts(self) -> str:
        """How many alerts fire; nothing where our rules are not loaded."""
        return f"count({self.firing}) or 0 * count({_RULES})"

    @property
    def signed_in(self) -> str:
        """Agents in any state but logged out, by account."""
        return total(self.figure("agents", "state", where='state!="logged_out"'))

    # Queues now -------------------------------------------------------------------------------
    @property
    def waiting(self) -> str:
        """Contacts waiting by queue, all media together."""
        return total(self.figure("queue_contacts_waiting", "queue", "media"), "queue")

    @property
    def longest_wait(self) -> str:
        """The wait of each queue's oldest contact."""
        return self.figure("queue_longest_wait_seconds", "queue")

    @property
    def warning_limit(self) -> str:
        """The limit of waiting contacts by queue."""
        return self.figure("queue_waiting_limit", "queue", where='level="warning"')

    @property
    def critical_limit(self) -> str:
        """The critical limit of waiting contacts by queue."""
        return self.figure("queue_waiting_limit", "queue", where='level="critical"')

    @property
    def answer_objective(self) -> str:
        """The time within which contacts should be answered, by queue."""
        return self.figure("queue_answer_objective_seconds", "queue")

    @property
    def open(self) -> str:
        """1 for queues within their hours, 0 for the others that have hours."""
        return self.figure("queue_open", "queue")

    @property
    def closed(self) -> str:
        """The queues outside their hours."""
        return f"{self.open} == 0"

    @property
    def ready(self) -> str:
        """Agents of each queue who are ready."""
        return self.figure("queue_agents", "queue", where='state="ready"')

    @property
    def staffed(self) -> str:
        """Agents of each queue who are ready or at work.

        As in rules/queues.rules.yml: states where there are some, else ready and busy, else
        logged in.
        """
        working = 'state!~"ready|not_ready|logged_out"'
        states = total(self.figure("queue_agents", "queue", "state", where=working), "queue")
        occupied = f"{states} or {self.figure('queue_agents_busy', 'queue')}"
        logged_in = self.figure("queue_agents_logged_in", "queue")
        return f"(({occupied}) + on ({by('queue')}) {self.ready}) or {logged_in}"

    # Contacts of queues -------------------------------------------------------------------------
    def contacts(self, what: str, over: str = RATE, ago: str = "") -> str:
        """Return a count of contacts by queue over an interval; ``over`` is empty for today."""
        name, labels = f"queue_contacts_{what}_total", ("queue", "media")
        if not over:
            return total(self.figure(name, *labels), "queue")
        risen = self.rise(name, *labels, over=over, ago=ago)
        if over == HALF_HOUR and not ago:  # a total that has left the page has no half-hour either
            risen = f"{risen} and on ({by(*labels)}) {self.figure(name, *labels)}"
        return total(risen, "queue")

    def settled(self, over: str = RATE) -> str:
        """Return the contacts of which a share is taken, by queue.

        Those offered, or those answered or abandoned where that is more: contacts that waited
        when the interval began were offered before it, and no share may be over 100 %.
        """
        on = f"on ({by('queue')})"
        offered = self.contacts("offered", over)
        ended = f"({self.contacts('answered', over)} + {on} {self.contacts('abandoned', over)})"
        return f"(({offered} >= {on} {ended}) or {ended} or {offered})"

    def share(self, what: str, over: str = RATE) -> str:
        """Return contacts of a kind as a share of all, by queue."""
        return f"{self.contacts(what, over)} / on ({by('queue')}) ({self.settled(over)} > 0)"

    def grand_share(self, what: str, over: str = RATE) -> str:
        """Return contacts of a kind as a share of all, of all queues chosen together."""
        part = self.contacts(what, over)
        return f"sum({part}) / (sum({self.settled(over)} and on ({by('queue')}) {part}) > 0)"

    def service_level(self, over: str = RATE) -> str:
        """Return the service level by queue: counted, else as the platform gives it."""
        given = self.figure("queue_service_level_ratio", "queue", "media", "window")
        counted = self.share("answered_within_threshold", over)
        return f"{counted} or min by ({by('queue')}) ({given})"

    def grand_service_level(self, over: str = RATE) -> str:
        """Return the service level of all that is chosen.

        Counted where a platform counts. Else the shares that it gives of queues or inbound
        campaigns, each as heavy as the contacts that it was offered.
        """
        counted = self.grand_share("answered_within_threshold", over)
        share = self.figure("queue_service_level_ratio", "queue", "media", "window")
        queues = _weighed(
            f"min by ({by('queue')}) ({share})", self.contacts("offered", over), "queue"
        )
        share = self.figure("campaign_service_level_ratio", "campaign", "window")
        name = "campaign_offered_total"
        calls = self.rise(name, "campaign", over=over) if over else self.figure(name, "campaign")
        campaigns = _weighed(
            f"max by ({by('campaign')}) ({share})", f"({self.inbound(calls)})", "campaign"
        )
        return f"{counted} or {queues} or {campaigns}"

    # Campaigns --------------------------------------------------------------------------------
    @property
    def dialling(self) -> str:
        """The outbound campaigns; where nothing tells the direction, those that dial.

        As in rules/campaigns.rules.yml, which remember both for a day.
        """
        info = "campaign_info", "campaign"
        outbound = self.figure(*info, where='direction="outbound"')
        inbound = self.figure(*info, where='direction="inbound"')
        dials = self.figure("campaign_dials_total", "campaign")
        window = self.figure("campaign_dials_in_window", "campaign", "window")
        sliding = f"max by ({by('campaign')}) ({window})"
        return f"({outbound} or ({dials} or {sliding}) > 0 unless on ({by('campaign')}) {inbound})"

    def outbound(self, figure: str) -> str:
        """Return a figure of campaigns, of the outbound ones only."""
        return f"({figure}) and on ({by('campaign')}) {self.dialling}"

    def inbound(self, figure: str) -> str:
        """Return a figure of campaigns, of those that are not outbound."""
        return f"({figure}) unless on ({by('campaign')}) {self.dialling}"


def _weighed(share: str, weight: str, label: str) -> str:
    """Return the mean of shares by weight."""
    on = f"on ({by(label)})"
    return f"sum({share} * {on} {weight}) / (sum({weight} and {on} {share}) > 0)"
