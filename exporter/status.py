"""Status of the accounts and their feeds, as the status page shows it.

All times are seconds, relative to the moment at which the status was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from exporter.errors import Hold, ProviderError

FeedState = Literal["ok", "failing", "waiting", "stopped"]
Session = Literal["signing in", "signed in", "waiting", "stopped"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed, what to do about it, and how many times in a row it has failed."""

    reason: str
    message: str
    remedy: str
    times: int = 1

    @classmethod
    def of(cls, error: ProviderError, times: int) -> "Failure":
        """Return the failure that an error stands for."""
        return cls(error.reason, str(error), error.remedy, times)


@dataclass(frozen=True, slots=True)
class Quota:
    """A request limit of the platform, and how much of it is used."""

    operation: str
    window: str
    limit: float
    used: float


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed: ``waiting`` has no fresh figures and no failure, ``stopped`` is not read.

    ``age`` is the time since the last success, ``due_in`` the time until the next refresh
    (negative where it is late), ``None`` where there is none; ``seconds`` is the duration of the
    last refresh and ``samples`` the number of series of the last success. ``hold`` is the request
    limit that delays the next refresh; ``due_in`` includes it. ``notes`` say how the last answer
    did not fit the feed's tables.
    """

    name: str
    state: FeedState
    interval: float
    age: float | None = None
    due_in: float | None = None
    seconds: float | None = None
    samples: int | None = None
    failure: Failure | None = None
    hold: Hold | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One account: its session, why that failed, when it is retried, its feeds.

    ``up`` is the value of ``contactcenter_up``. ``survey`` is what is known of permissions and
    licences. ``skew`` is how many seconds the platform's clock is ahead, ``certificates`` the
    expiry (epoch seconds) of the certificates seen, by host.
    """

    account: str
    provider: str
    session: Session
    feeds: tuple[FeedStatus, ...]
    retry_in: float | None = None
    failure: Failure | None = None
    quotas: tuple[Quota, ...] = ()
    up: bool = False
    survey: object = None
    skew: float | None = None
    certificates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overview:
    """All accounts, and the configuration: ``config_age`` is the time since it was loaded.

    ``config_broken`` is set where the latest reload failed, and an earlier one is in force.
    """

    accounts: tuple[AccountStatus, ...] = ()
    config_age: float = 0.0
    config_broken: bool = False
