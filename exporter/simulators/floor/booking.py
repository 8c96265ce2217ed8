"""How a handled contact comes out, and into which figures it goes."""

from random import Random

from exporter.simulators.floor.agents import Agent
from exporter.simulators.floor.campaigns import Campaign
from exporter.simulators.floor.contacts import Contact
from exporter.simulators.floor.queues import Queue

# How handled contacts come out: name, weight, settled at the first contact.
_OUTCOMES = {
    "inbound": (
        ("Resolved", 60, True),
        ("Follow-up", 15, False),
        ("Complaint", 6, False),
        ("Réclamation", 4, False),
        ("Wrong Number", 5, False),
        ("No Disposition", 10, False),
    ),
    "outbound": (
        ("Sale", 20, True),
        ("No Sale", 45, False),
        ("Callback Requested", 20, False),
        ("Do Not Call", 5, False),
        ("No Disposition", 10, False),
    ),
    "manual": (("Follow-up", 60, False), ("No Answer", 30, False), ("No Disposition", 10, False)),
    "internal": (("Internal", 1, False),),
}
_NAMES = {kind: [name for name, _, _ in rows] for kind, rows in _OUTCOMES.items()}
_WEIGHTS = {kind: [weight for _, weight, _ in rows] for kind, rows in _OUTCOMES.items()}
_SETTLED = {name for rows in _OUTCOMES.values() for name, _, settled in rows if settled}
HANDLED_DISPOSITIONS = tuple(dict.fromkeys(name for names in _NAMES.values() for name in names))


def book(
    now: float,
    rng: Random,
    agent: Agent,
    contact: Contact,
    queue: Queue | None,
    campaign: Campaign | None,
) -> None:
    """Count a contact as handled, in all figures at one instant."""
    talked = contact.talked(now)
    worked = now - (contact.ended or now)
    names, weights = _NAMES[contact.direction], _WEIGHTS[contact.direction]
    disposition = rng.choices(names, weights)[0]
    _book_agent(agent, contact, disposition, talked, worked)
    from_the_line = contact.direction == "inbound" and contact.media != "voicemail"
    if queue is not None and from_the_line:
        queue.day.handled += 1
        queue.day.talk_seconds += talked
        queue.day.handle_seconds += talked + contact.hold_seconds + worked
    if campaign is not None:
        life = campaign.life
        life.handled += 1
        life.talk_seconds += talked
        life.after_contact_work_seconds += worked
        life.handle_seconds += talked + contact.hold_seconds + worked
        life.resolved += disposition in _SETTLED
        life.dispose(disposition)


def _book_agent(
    agent: Agent, contact: Contact, disposition: str, talked: float, worked: float
) -> None:
    day = agent.day
    voicemail = contact.media == "voicemail"
    day.handled += 1
    day.voicemails += voicemail
    day.inbound += contact.direction == "inbound" and not voicemail
    day.outbound += contact.direction == "outbound"
    day.manual += contact.direction == "manual"
    day.internal += contact.direction == "internal"
    day.preview += contact.previewed
    day.resolved += disposition in _SETTLED
    day.talk_seconds += talked
    day.hold_seconds += contact.hold_seconds
    day.after_contact_work_seconds += worked
    day.handle_seconds += talked + contact.hold_seconds + worked
    day.dispositions[disposition] += 1
