import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.config.account import AccountConfig
from exporter.config.load import Config, load
from exporter.errors import ConfigError
from exporter.objectives.hours import parse_week
from exporter.objectives.model import Objective

ACCOUNTS = """\
accounts:
- {name: acme, provider: plain}
"""
Read = Callable[[str], Config]
BASE = {"provider": "plain", "account": "acme"}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(text: str) -> Config:
        file = tmp_path / "exporter.yml"
        file.write_text(ACCOUNTS + textwrap.dedent(text).lstrip(), encoding="utf-8")
        return load(file, {"LIMIT": "12"}, {"plain": AccountConfig})

    return read


@pytest.fixture
def faults(read: Read, tmp_path: Path) -> Callable[[str], list[str]]:
    """Return the faults of a text, whose first line is line 3, less the file's name."""

    def faults(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(text)
        return [
            fault.removeprefix(f"{tmp_path / 'exporter.yml'}:") for fault in caught.value.faults
        ]

    return faults


def figures(entry: Objective) -> dict[str, float]:
    return {
        " ".join([series.family.name.removeprefix("contactcenter_"), *series.labels.values()]): (
            series.value
        )
        for series in entry.series
    }


def test_everything(read: Read) -> None:
    """Every key of queues and campaigns is read, in the shapes that the documentation shows."""
    queue, campaign, inbound = read(
        """
        queues:
          - match: {provider: "*", account: "acme-*", queue: "Sales*"}
            waiting_limit: {warning: 10, critical: 25}
            answer_objective: 20s
            service_level_objective: 0.8
            hours:
              time_zone: America/New_York
              weekly: ["Mon-Fri 08:00-20:00", "Sat 09:00-13:00"]
              holidays: [2026-12-25]
        campaigns:
          - match: {account: acme-us, campaign: "*"}
            abandoned_limit: 0.03
            hours: {time_zone: America/New_York, weekly: "Mon-Sun 08:00-21:00"}
          - match: {direction: inbound}
            answer_objective: 20s
            service_level_objective: 0.8
        """
    ).objectives.items

    assert (queue.place, queue.subject) == ("queues[0]", "queue")
    assert queue.patterns == {"provider": "*", "account": "acme-*", "queue": "Sales*"}
    assert figures(queue) == {
        "queue_waiting_limit warning": 10,
        "queue_waiting_limit critical": 25,
        "queue_answer_objective_seconds": 20,
        "queue_service_level_objective_ratio": 0.8,
    }
    assert queue.hours is not None
    assert queue.hours.zone.key == "America/New_York"
    assert queue.hours.week == parse_week(["Mon-Fri 08:00-20:00", "Sat 09:00-13:00"])
    assert queue.hours.holidays.days == {"2026-12-25": ()}
    assert (campaign.place, campaign.subject) == ("campaigns[0]", "campaign")
    assert figures(campaign) == {"campaign_abandoned_limit_ratio": 0.03}
    assert campaign.patterns == {"provider": "*", "account": "acme-us", "campaign": "*"}
    assert inbound.patterns == {**dict.fromkeys(campaign.patterns, "*"), "direction": "inbound"}
    assert figures(inbound) == {
        "campaign_answer_objective_seconds": 20,
        "campaign_service_level_objective_ratio": 0.8,
    }
    assert campaign.hours is not None
    assert campaign.hours.week == parse_week(["Mon-Sun 08:00-21:00"])


def test_nothing(read: Read) -> None:
    """Without the two keys, and with empty lists, there are no objectives."""
    assert read("").objectives.items == ()
    assert read("queues: []\ncampaigns: []").objectives.items == ()


def test_half_of_it(read: Read) -> None:
    """Every key may be left out; one limit is enough, and may come from the environment."""
    some, none = read(
        """
        queues:
          - waiting_limit: {warning: "${LIMIT}"}
          - {}
        """
    ).objectives.items

    assert figures(some) == {"queue_waiting_limit warning": 12}
    assert some.hours is None
    assert some.patterns == {"provider": "*", "account": "*", "queue": "*"}
    assert figures(none) == {}


@pytest.mark.parametrize(
    ("match", "name", "expected"),
    [
        ('{queue: "Sales*"}', "Sales US", True),
        ('{queue: "Sales*"}', "sales", False),
        ('{queue: "*US", account: "a*"}', "Sales US", True),
        ('{queue: "*US", account: "b*"}', "Sales US", False),
        ("{provider: five9}", "Sales US", False),
        ('{provider: "pl?in", account: "[ab]cme"}', "Sales US", True),
        ('{queue: "[[]Default]"}', "[Default]", True),
        ('{queue: "a.c"}', "abc", False),
        ('{queue: "a*c"}', "a\nc", True),
        ('{queue: "Support [EN]"}', "Support [EN]", True),
        ('{queue: "Support [EN]"}', "Support [EN] ", False),
        ('{queue: "Support [EN]"}', "Support E", True),
        ('{queue: "What?*"}', "What?*", True),
        ('{queue: "[]"}', "[]", True),
    ],
)  # fmt: skip
def test_patterns(read: Read, match: str, name: str, *, expected: bool) -> None:
    """All patterns have to match, as in a shell and in full; a name's case counts."""
    (entry,) = read(f"queues: [{{match: {match}}}]").objectives.items

    assert (entry.covers(BASE) and entry.matches(name)) is expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("queue: []", "3: queue: unknown key; did you mean 'queues'?"),
        ("queues:", "3: queues: expected a list"),
        ("queues: {match: {}}", "3: queues: expected a list"),
        ("campaigns:\n- Sales", "4: campaigns[0]: expected a mapping"),
        (
            "queues:\n- match:\n    queues: x",
            "5: queues[0].match.queues: unknown key; did you mean 'queue'?",
        ),
        ("queues: [{match: {campaign: x}}]", "3: queues[0].match.campaign: unknown key"),
        ('queues: [{match: {queue: ""}}]', "3: queues[0].match.queue: must not be empty"),
        ("queues: [{match: {queue: 1}}]", "3: queues[0].match.queue: expected text"),
        (
            "queues: [{}, {waiting_limits: {}}]",
            "3: queues[1].waiting_limits: unknown key; did you mean 'waiting_limit'?",
        ),
        (
            "queues:\n- waiting_limit:\n    criticals: 5",
            "5: queues[0].waiting_limit.criticals: unknown key; did you mean 'critical'?",
        ),
        (
            "queues: [{waiting_limit: {warning: 5, critical: 4}}]",
            "3: queues[0].waiting_limit: critical must not be less than warning",
        ),
        (
            "queues: [{waiting_limit: {warning: -1}}]",
            "3: queues[0].waiting_limit.warning: must be at least 0",
        ),
        (
            "queues: [{waiting_limit: {warning: 1.5}}]",
            "3: queues[0].waiting_limit.warning: expected a whole number",
        ),
        (
            "queues: [{answer_objective: 20}]",
            "3: queues[0].answer_objective: expected a duration such as 15s",
        ),
        ("queues: [{answer_objective: 0}]", "3: queues[0].answer_objective: must be more"),
        (
            "queues: [{service_level_objective: 80}]",
            "3: queues[0].service_level_objective: must be at most 1",
        ),
        (
            "queues: [{service_level_objective: 0}]",
            "3: queues[0].service_level_objective: must be more than 0",
        ),
        ("campaigns: [{abandoned_limit: 3}]", "3: campaigns[0].abandoned_limit: must be at most"),
        (
            "campaigns: [{answer_objective: 20}]",
            "3: campaigns[0].answer_objective: expected a duration such as 15s",
        ),
        (
            "campaigns: [{service_level_objective: 80}]",
            "3: campaigns[0].service_level_objective: must be at most 1",
        ),
        (
            'campaigns: [{match: {direction: "*"}}]',
            "3: campaigns[0].match.direction: expected one of 'inbound' or 'outbound'",
        ),
        (
            "queues: [{match: {direction: inbound}}]",
            "3: queues[0].match.direction: unknown key",
        ),
        ("campaigns: [{waiting_limit: {}}]", "3: campaigns[0].waiting_limit: unknown key"),
        ("queues: [{hours: {weekly: Mon 08:00-09:00}}]", "3: queues[0].hours.time_zone: is requi"),
        ("queues: [{hours: {time_zone: UTC}}]", "3: queues[0].hours.weekly: is required"),
        (
            "queues: [{hours: {time_zone: Berlin, weekly: Mon 08:00-09:00}}]",
            "3: queues[0].hours.time_zone: expected an IANA time zone",
        ),
        (
            "queues: [{hours: {time_zone: UTC, weekly: []}}]",
            "3: queues[0].hours.weekly: expected days and hours such as Mon-Fri",
        ),
        (
            "queues: [{hours: {time_zone: UTC, weekly: Mon}}]",
            "3: queues[0].hours.weekly: expected days and hours such as Mon-Fri",
        ),
        (
            "queues:\n- hours:\n    time_zone: UTC\n    weekly:\n    - Mon 1:00-9:00\n    - Mo",
            "8: queues[0].hours.weekly[1]: expected days and hours such as",
        ),
        (
            "queues: [{hours: {time_zone: UTC, weekly: [5]}}]",
            "3: queues[0].hours.weekly[0]: expected days and hours such as",
        ),
        (
            "queues: [{hours: {time_zone: UTC, weekly: Mon 08:00-09:00, holidays: [x]}}]",
            "3: queues[0].hours.holidays[0]: expected a date such as 2026-12-25",
        ),
        (
            "queues: [{hours: {time_zone: UTC, weekly: Mon 08:00-09:00, holidays: [2026-02-30]}}]",
            "3: queues[0].hours.holidays[0]: expected a date such as",
        ),
    ],
)
def test_mistakes(faults: Callable[[str], list[str]], text: str, fault: str) -> None:
    """A mistake is named with its line, its path and what is wanted, and alone."""
    (found,) = faults(text)

    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("item", "more", "fault"),
    [
        ("XX", "", "unknown country; expected a code of ISO 3166 such as US or DE-BY"),
        ("us", "", "expected a date such as"),
        ("ZZZ-AA", "", "unknown country"),
        ("DE-XX", "", "unknown subdivision of DE; expected one of Augsburg, BB, BE"),
        ("FI-XX", "", "unknown subdivision of FI; expected one of 01"),
        ("AD-XX", "", "unknown subdivision of AD; expected one of 02"),
        ("JP-13", "", "unknown subdivision of JP; it has none"),
        ("US-", "", "unknown subdivision of US; expected one of AK"),
        ("XX", "- Columbus Day: open", "unknown country"),  # and no second fault
        ("Columbus Day: open", "", "expected a date such as"),
        ("Colombus Day: open", "- US", "US has no holiday of this name; did you mean 'columbus"),
        ("12-32", "", "expected a date such as 2026-12-25, a day of every year such as 12-25"),
        ("02-30: closed", "- US", "expected a date such as"),
        ("[1]", "", "expected a date such as"),
        ("null", "- US", "expected a date such as"),
        ("{}", "- US", "expected a date such as"),
        ("2026-12-24: 8-12", "", "expected hours such as 08:00-12:00, or closed, or open"),
        ("2026-12-24: 5", "", "expected hours such as 08:00-12:00, or closed, or open"),
        ("2026-12-24: [closed]", "", "expected hours such as 08:00-12:00, or closed, or open"),
        ("12-24: 22:00-06:00", "", "hours must end on the same day, at 24:00 at the latest"),
        ("2026-12-25: open", "", "an earlier item has other hours for the same day or name"),
    ],
)
def test_mistakes_in_holidays(
    faults: Callable[[str], list[str]], item: str, more: str, fault: str
) -> None:
    """A mistake in an item of ``holidays`` is named with the line and the index of the item."""
    hours = "queues:\n- hours:\n    time_zone: UTC\n    weekly: Mon 08:00-09:00\n"
    (found,) = faults(f"{hours}    holidays:\n    - 2026-12-25\n    - {item}\n    {more}")

    assert found.startswith(f"9: queues[0].hours.holidays[1]: {fault}")


def test_all_mistakes_at_once(faults: Callable[[str], list[str]]) -> None:
    """Mistakes in both lists and in the accounts are all reported together."""
    found = faults(
        """
        queues:
        - answer_objective: soon
          hours: {time_zone: x, weekly: y}
        - service_level_objective: 2
        campaigns:
        - abandoned_limit: x
        zzz: 1
        """
    )

    assert sorted(fault.split(": ")[1] for fault in found) == [
        "campaigns[0].abandoned_limit",
        "queues[0].answer_objective",
        "queues[0].hours.time_zone",
        "queues[0].hours.weekly",
        "queues[1].service_level_objective",
        "zzz",
    ]


def test_objectives_are_checked_without_accounts(tmp_path: Path) -> None:
    """Mistakes in objectives are reported also where the accounts cannot be read at all."""
    file = tmp_path / "exporter.yml"
    for text, expected in (("queues: 5", 2), ("[]", 1)):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load(file, {}, {})
        assert len(caught.value.faults) == expected


def test_all_kinds_of_holidays(read: Read) -> None:
    """Countries, dates, days of every year and names are read; a repeated date is no mistake."""
    (queue,) = read(
        """
        queues:
        - hours:
            time_zone: America/New_York
            weekly: Mon-Fri 08:00-20:00
            holidays:
            - Columbus Day: open
            - US-CA
            - NO
            - 2026-12-25
            - 20261225
            - 12-24: 08:00-12:00, 13:00-15:00
            - {2026-11-27: 10:00-24:00, Good Friday: closed}
            - 12-31
        """
    ).objectives.items

    assert queue.hours is not None
    assert queue.hours.holidays.countries == ("US-CA", "NO")
    assert queue.hours.holidays.days == {
        "columbus day": None,
        "2026-12-25": (),
        "12-24": ((480, 720), (780, 900)),
        "2026-11-27": ((600, 1440),),
        "good friday": (),
        "12-31": (),
    }
