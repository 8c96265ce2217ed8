"""How the simulator writes a cell: durations, instants, shares and words as text."""

from datetime import datetime
from zoneinfo import ZoneInfo

from exporter.simulators.five9.domain import Domain

_STEP_SECONDS = 5.0
_PRICE_PER_MINUTE = 0.02


class Cells:
    """Writes cells for one table, in the style that the domain's switches choose."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._now = domain.floor.now
        self._zone = ZoneInfo(domain.zone)
        self._streams = domain.stream_durations

    def step(self, seconds: float) -> float:
        """Return a running duration as the platform counts it when it streams durations."""
        return seconds // _STEP_SECONDS * _STEP_SECONDS if self._streams else seconds

    def ms(self, seconds: float) -> str:
        """Write a duration."""
        return str(round(seconds * 1000))

    def age(self, since: float) -> str:
        """Write a duration that runs."""
        return self.ms(self.step(self._now - since))

    def mean(self, seconds: float, count: int) -> str:
        """Write a mean duration, zero where there is nothing to divide by."""
        return self.ms(seconds / count) if count else "0"

    def instant(self, at: float) -> str:
        """Write an instant as wall time of the data centre, without a zone."""
        return datetime.fromtimestamp(at, self._zone).isoformat(" ", "seconds")[:19]

    def state(self, words: str) -> str:
        """Write a state, given in title case."""
        style = self._domain.state_case
        return words if style == "title" else words.upper() if style == "upper" else words.lower()

    def word(self, words: str) -> str:
        """Write a word of an enumeration, given in title case; in upper case as the schema does."""
        style = self._domain.state_case
        return words.upper().replace(" ", "_") if style == "upper" else self.state(words)

    def percent(self, part: float, whole: float) -> str:
        """Write a share."""
        ratio = part / whole if whole else 0.0
        match self._domain.percent_style:
            case "fraction":
                return f"{ratio:.4f}"
            case "percent":
                return f"{100 * ratio:.2f}"
        return f"{100 * ratio:.2f}%"

    def share(self, part: int, whole: int) -> str:
        """Write a count that some clients have seen with its share behind it."""
        if self._domain.fcr_style == "count":
            return str(part)
        return f"{part}({round(100 * part / whole) if whole else 0}%)"

    def charges(self, seconds: float) -> str:
        """Write an amount of money."""
        return f"{seconds / 60 * _PRICE_PER_MINUTE:.2f}"
