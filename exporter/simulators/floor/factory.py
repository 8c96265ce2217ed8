"""Creates the agents, queues and campaigns, with names, sizes and assignments."""

import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import chain, count
from random import Random
from uuid import UUID

from exporter.simulators.floor.figures import (
    LOGGED_OUT,
    Agent,
    AgentDay,
    Campaign,
    Contact,
    Queue,
    QueueDay,
    Records,
)
from exporter.simulators.floor.timing import Timeline

# The odd names are legal on every platform and have broken somebody's dashboard before.
_QUEUES = (
    ("Support", "voice", 1.3),
    ("Sales", "voice", 1.2),
    ("Chat", "chat", 0.7),
    ("E-mail", "email", 0.5),
    ('VIP "Gold" \\ Silver', "voice", 0.7),
    ("Rückfragen", "voice", 0.8),
    ("1", "voice", 0.8),
    ("[Default]", "voice", 0.3),
    ("Billing", "voice", 1.2),
    ("Retention", "voice", 0.9),
    ("Technical", "voice", 1.2),
    ("Claims", "voice", 1.0),
)
_TOPICS = (
    ("Support", "voice", 1.1),
    ("Sales", "voice", 1.0),
    ("Billing", "voice", 1.0),
    ("Technical", "voice", 1.0),
    ("Orders", "voice", 0.9),
    ("Chat", "chat", 0.7),
    ("Returns", "voice", 0.8),
    ("E-mail", "email", 0.5),
)
_THRESHOLDS = {"voice": 20.0, "chat": 45.0, "email": 3600.0}
_TEAMS = ("Blue", "Green", "Night Owls", "Équipe Sud")
_FIRST_NAMES = (
    "Ada",
    "Ben",
    "Chloé",
    "Dmitri",
    "Elena",
    "Farid",
    "Grace",
    "Hiro",
    "Inês",
    "Jonas",
    "Kavita",
    "Liam",
    "Mona",
    "Noah",
    "Olga",
    "Pablo",
    "Quinn",
    "Rosa",
    "Samir",
    "Tove",
    "Uma",
    "Victor",
    "Wanda",
    "Xavier",
    "Yara",
    "Zoë",
    "Amara",
    "Björn",
    "Carla",
    "Dan",
    "Esra",
    "Finn",
)
_LAST_NAMES = (
    "Adler",
    "Brown",
    "Castro",
    "Díaz",
    "Evans",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jensen",
    "Khan",
    "Lopez",
    "Müller",
    "Novak",
    "Okafor",
    "Patel",
    "Quist",
    "Rossi",
    "Sato",
    "Taylor",
    "Ueda",
    "Vargas",
    "Weber",
    "Xu",
    "Young",
    "Zhang",
    "Andersen",
    "Bauer",
    "Costa",
    "O'Neill",
    "Farrell",
)
_OUTBOUND_NAMES = ("Renewals", "Win-back", "Welcome", "Survey")
_AUTODIAL_NAMES = ("Reminders", "Outage Notice")
_INBOUND_NAMES = ("Main Line", "Service Line", "Partner Line")

# Twenty agents' shifts, as minutes after midnight.
_EARLY, _DAY, _LATE, _EVENING, _NIGHT = 420.0, 510.0, 690.0, 840.0, 1320.0
_SHIFTS = (_EARLY,) * 4 + (_DAY,) * 9 + (_LATE,) * 4 + (_EVENING,) * 2 + (_NIGHT,)
_SKILLS = 4  # queues of an ordinary agent
_WIDE_SKILLS = 12  # queues of one who works when few others do
_OUTBOUND_EACH = 5  # one agent in so many also takes calls of an outbound campaign
_RECORDS_PER_AGENT = 90


class Factory:
    """Makes agents, queues and campaigns, each with ids of its own."""

    def __init__(self, clock: Timeline, rng: Random) -> None:
        self._clock = clock
        self._rng = rng
        self._agent_ids = count(1001)
        self._queue_ids = count(201)
        self._campaign_ids = count(301)
        self._shifts: list[float] = []

    def campaigns(self, number: int, agents: int) -> Iterator[Campaign]:
        """Make campaigns: of six, three are inbound, two outbound and one autodial."""
        outbound, autodial = round(number / 3), number // 6
        inbound = number - outbound - autodial
        for name in _names(_INBOUND_NAMES, inbound):
            yield self._campaign(name, "inbound", "predictive", 0)
        size = max(50, _RECORDS_PER_AGENT * agents // (_OUTBOUND_EACH * max(outbound, 1)))
        for index, name in enumerate(_names(_OUTBOUND_NAMES, outbound)):
            yield self._campaign(name, "outbound", ("predictive", "preview")[index % 2], size)
        size = max(50, 10 * agents // max(autodial, 1))
        for name in _names(_AUTODIAL_NAMES, autodial):
            yield self._campaign(name, "autodial", "predictive", size)

    def queues(self, number: int, inbound: list[str]) -> Iterator[Queue]:
        """Make queues and spread them over the inbound campaigns."""
        for index in range(number):
            name, media, weight = _QUEUES[index] if index < len(_QUEUES) else _topic(index)
            yield self.queue(
                name, media, weight, inbound[index % len(inbound)] if inbound else None
            )

    def queue(self, name: str, media: str, weight: float, campaign: str | None) -> Queue:
        """Make one queue."""
        waiting: OrderedDict[int, Contact] = OrderedDict()
        return Queue(
            id=next(self._queue_ids),
            guid=self._guid(),
            name=name,
            media=media,
            campaign=campaign,
            threshold_seconds=_THRESHOLDS[media],
            weight=weight,
            clock=self._clock,
            day=QueueDay(self._clock, waiting),
            waiting=waiting,
        )

    def agents(
        self, number: int, queues: list[Queue], outbound: list[str], around_the_clock: list[str]
    ) -> Iterator[Agent]:
        """Make agents. Those on an evening or at night also serve what never closes."""
        taken: set[str] = set()
        names = [queue.name for queue in queues]
        for index in range(number):
            first, last = _person(index)
            username = _login(first, last, taken)
            agent = self.agent(username, first, last, _serves(index, names))
            if outbound and index % _OUTBOUND_EACH == _OUTBOUND_EACH - 1:
                agent.campaigns = (outbound[index // _OUTBOUND_EACH % len(outbound)],)
                agent.queues = agent.queues[:2]
            elif agent.shift_start >= _EVENING:
                wide = _rotated(around_the_clock, index)[:_WIDE_SKILLS]
                agent.queues = tuple(dict.fromkeys((*agent.queues, *wide)))
            yield agent

    def agent(self, username: str, first: str, last: str, queues: Iterable[str]) -> Agent:
        """Create an agent, logged out."""
        number = next(self._agent_ids)
        return Agent(
            id=number,
            guid=self._guid(),
            username=username,
            first_name=first,
            last_name=last,
            team=_TEAMS[number % len(_TEAMS)],
            queues=tuple(queues),
            campaigns=(),
            shift_start=self._shift(number) + self._rng.uniform(-12.0, 12.0),
            since=self._clock.now,
            day=AgentDay(self._clock, LOGGED_OUT),
        )

    def _shift(self, number: int) -> float:
        """Deal the shifts in rounds of twenty; the very first agents work by day."""
        if number <= 1002:  # noqa: PLR2004 - a floor of one or two is not empty by day
            return _DAY
        if not self._shifts:
            self._shifts = self._rng.sample(_SHIFTS, len(_SHIFTS))
        return self._shifts.pop()

    def _campaign(self, name: str, kind: str, mode: str, size: int) -> Campaign:
        return Campaign(
            id=next(self._campaign_ids),
            guid=self._guid(),
            name=name,
            kind=kind,
            mode=mode,
            since=self._clock.now,
            list_size=size,
            records=Records(available=size),
            ratio_target={"inbound": 0.0, "autodial": 1.0}.get(kind, 1.8),
        )

    def _guid(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))


def split_login(username: str) -> tuple[str, str]:
    """Guess a first and last name from a login such as jane.doe@example.com."""
    first, _, last = username.partition("@")[0].partition(".")
    return first.capitalize(), last.capitalize()


def _names(known: tuple[str, ...], number: int) -> Iterator[str]:
    for index in range(number):
        again, which = divmod(index, len(known))
        yield f"{known[which]} {again + 1}" if again else known[which]


def _topic(index: int) -> tuple[str, str, float]:
    again, which = divmod(index - len(_QUEUES), len(_TOPICS))
    name, media, weight = _TOPICS[which]
    return f"{name} {again + 2}", media, weight


def _person(index: int) -> tuple[str, str]:
    """Return first and last name; the lists have coprime lengths, so that pairs repeat late."""
    return _FIRST_NAMES[index % len(_FIRST_NAMES)], _LAST_NAMES[index % len(_LAST_NAMES)]


def _login(first: str, last: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode()
    stem = plain.lower().replace("'", "")
    numbered = (f"{stem}{number}" for number in count(2))
    login = next(login for login in chain((stem,), numbered) if login not in taken)
    taken.add(login)
    return f"{login}@acme.example"


def _serves(index: int, queues: list[str]) -> tuple[str, ...]:
    """Return the queues of an ordinary agent; neighbours share some."""
    step = max(len(queues) // _SKILLS, 1)
    return tuple(dict.fromkeys(_rotated(queues, index)[::step][:_SKILLS]))


def _rotated(names: list[str], by: int) -> list[str]:
    shift = by % len(names) if names else 0
    return names[shift:] + names[:shift]
