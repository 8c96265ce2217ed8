"""What can be read of a contact: where it belongs, and how far it has come."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Contact:
    """One call, chat, e-mail or voicemail, from its arrival until its work is done.

    ``queue`` and ``campaign`` are names, None where it belongs to none (any more). ``started`` is
    when the agent and the other party came together, ``ended`` when they parted.
    ``hold_seconds`` is the time on hold before ``hold_since``, the start of the present hold.
    """

    id: int
    media: str
    direction: str  # inbound, outbound, manual or internal
    arrived: float
    queue: str | None = None
    campaign: str | None = None
    started: float | None = None
    ended: float | None = None
    hold_seconds: float = 0.0
    hold_since: float | None = None
    previewed: bool = False
    visual_ivr: bool = False
    agent: str | None = None  # whose phone rings, or who handles it

    def held(self, now: float) -> float:
        """Return the seconds on hold so far, the present hold included."""
        return self.hold_seconds + (0.0 if self.hold_since is None else now - self.hold_since)

    def talked(self, now: float) -> float:
        """Return the seconds the parties have talked so far, without holds."""
        if self.started is None:
            return 0.0
        return (now if self.ended is None else self.ended) - self.started - self.held(now)
