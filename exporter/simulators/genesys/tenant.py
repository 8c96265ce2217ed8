"""What is simulated? One tenant of the service: its floor, its user, its switches."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from exporter.clock import Clock
from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.settings import Settings


@dataclass(eq=False)
class Tenant:
    """The floor that is shown, who may ask for it, and how."""

    floor: Floor
    clock: Clock
    _: KW_ONLY
    tick: Callable[[], None] | None = None  # moves the floor; called before each look at it
    settings: Settings = field(default_factory=Settings)
    username: str = "acme\\monitor"
    password: str = "monitor-password"  # noqa: S105 - simulated
    client_id: str = "exporter"
    client_secret: str = "client-secret"  # noqa: S105 - simulated
    api_key: str = "0123456789abcdef"
    seed: int = 1
    hang_seconds: float = 600.0
    clock_ahead: float = 0.0  # seconds by which the platform's clock is ahead of ours
    date_header: bool = False  # also tell that clock's time; a server in front may do so already

    def move(self) -> None:
        """Let the floor catch up with the time."""
        if self.tick is not None:
            self.tick()
