"""Dashboard of agents and operators: states and times."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards.frame import Shelf, board, section, shelf
from boards.panels import Column, Key, Query, bars, lines, number, rows
from boards.promql import Promql, by, grand, total

_Q = Promql()

_STATE = _Q.figure("agents", "state")
_WORK = "ringing|on_contact|on_hold|after_contact_work|other"


def _in(states: str) -> str:
    return grand(_Q.figure("agents", "state", where=f'state=~"{states}"'))


def agents() -> Dashboard:
    """Return the dashboard of agents."""
    return board(
        "agents",
        "Contact centre / Agents and operator status",
        "Agents by state and reason, time by state, and single agents where accounts show them.",
        _Q,
        [
            section("", _numbers()),
            section("States", *_states()),
            section("Work", _work()),
            section("Single agents", _single(), folded=True),
        ],
    )


def _numbers() -> Shelf:
    return shelf(
        4,
        number("Signed in", "Agents in any state but logged out.", Query(_in("[^l].*"))),
        number(
            "Ready",
            "Agents who could take a contact at once.",
            Query(_in("ready")),
            colours=look.NONE_IS_BAD,
        ),
        number(
            "On contact", "Agents with a contact, on hold too.", Query(_in("on_contact|on_hold"))
        ),
        number(
            "After-contact work",
            "Agents who work after a contact.",
            Query(_in("after_contact_work")),
        ),
        number("Not ready", "Agents signed in who take no contact.", Query(_in("not_ready"))),
        number(
            "Occupancy",
            "Agents at work with contacts, of those at work or ready. From 85 % on people tire.",
            Query(f"{_in(_WORK)} / ({_in(_WORK + '|ready')} > 0)"),
            unit="percentunit",
            colours=look.steps((0.85, look.WARNING), (0.9, look.CRITICAL)),
        ),
    )


def _states() -> tuple[Shelf, ...]:
    return (
        shelf(
            9,
            lines(
                "Agents by state",
                "Agents signed in, by state, of all accounts chosen.",
                Query(
                    f"sum by (state) ({_Q.figure('agents', 'state', where=_not_gone())})",
                    "{{state}}",
                ),
                stacked=True,
                colours=look.STATE_COLOURS,
            ),
            bars(
                "Not ready by reason",
                "Agents not ready now, by the platform's own reason.",
                Query(
                    f"sort_desc({_Q.figure('agents_not_ready', 'reason')} > 0)",
                    "{{reason}} · {{account}}",
                ),
                colours=look.BARS,
            ),
            widths=(16, 8),
        ),
        shelf(
            9,
            lines(
                "Occupancy by account",
                "Agents at work with contacts, of those at work or ready.",
                Query(
                    total(_Q.figure("agents", "state", where=f'state=~"{_WORK}"'))
                    + f" / on ({by()}) ("
                    + total(_Q.figure("agents", "state", where=f'state=~"{_WORK}|ready"'))
                    + " > 0)",
                    "{{account}}",
                ),
                unit="percentunit",
                most=1,
                thresholds=look.lines((0.85, look.WARNING), (0.9, look.CRITICAL)),
            ),
            lines(
                "Operator status: time by state",
                "How many agents' worth of time passed in each state, from the platform's own sums "
                "of time; logged out is left out. Where a platform gives such sums.",
                Query(
                    "sum by (state) ("
                    + _Q.speed("agents_state_seconds_total", "state", where=_not_gone())
                    + ")",
                    "{{state}}",
                ),
                unit="short",
                decimals=1,
                stacked=True,
                colours=look.STATE_COLOURS,
            ),
        ),
        shelf(
            8,
            rows(
                "Accounts by state",
                "Agents of each account by state.",
                [Key("account", "Account"), Key("provider", "Provider")],
                [
                    Column(heading, total(_Q.figure("agents", "state", where=f'state="{state}"')))
                    for state, heading in (
                        ("ready", "Ready"),
                        ("ringing", "Ringing"),
                        ("on_contact", "On contact"),
                        ("on_hold", "On hold"),
                        ("after_contact_work", "After-contact work"),
                        ("not_ready", "Not ready"),
                        ("logged_out", "Logged out"),
                        ("other", "Other"),
                    )
                ],
                sort="Ready",
                rising=True,
            ),
        ),
    )


def _work() -> Shelf:
    answered = _Q.rise("agents_contacts_answered_total")
    refused = _Q.rise("agents_contacts_unanswered_total")
    return shelf(
        8,
        lines(
            "Contacts handled",
            "Contacts that all agents of an account handled or answered in the interval.",
            Query(_Q.rise("agents_contacts_handled_total"), "{{account}} handled"),
            Query(answered, "{{account}} answered"),
            columns=True,
        ),
        lines(
            "Mean handle time",
            "Conversation and the work after it, for each contact answered in the interval.",
            Query(
                f"{_Q.rise('agents_handle_seconds_total')} / on ({by()}) ({answered} > 0)",
                "{{account}}",
            ),
            unit="s",
            interval="15m",
        ),
        lines(
            "Contacts offered and not answered",
            "Share of the contacts offered to an agent that the agent did not answer.",
            Query(
                f"{refused} / on ({by()}) ({answered} + on ({by()}) {refused} > 0)",
                "{{account}}",
            ),
            unit="percentunit",
            interval="15m",
        ),
    )


def _single() -> Shelf:
    state = _Q.figure("agent_state", "agent", "state")
    since = _Q.figure("agent_state_since_timestamp_seconds", "agent")
    handled = total(_Q.figure("agent_contacts_handled_total", "agent", "media"), "agent")
    return shelf(
        10,
        rows(
            "Agents",
            "The present state of each agent and how long it has lasted. Accounts have rows here "
            "where exporter.yml sets agents: hashed, id or name; the default shows sums alone.",
            [
                Key("agent", "Agent"),
                Key("account", "Account"),
                Key("state", "State"),
            ],
            [
                Column(
                    "For",
                    f"(time() - {since}) * on ({by('agent')}) group_right () {state}",
                    "s",
                ),
                Column(
                    "Handled today",
                    f"{handled} * on ({by('agent')}) group_right () {state}",
                ),
            ],
            sort="For",
        ),
    )


def _not_gone() -> str:
    return 'state!="logged_out"'
