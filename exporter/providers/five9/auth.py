"""Session of one user: opened by its parameters (``setSessionParameters``), renewed and closed."""

import contextlib

from exporter.clock import Clock
from exporter.errors import ProviderError
from exporter.providers.five9.budget import FULL, Budget
from exporter.providers.five9.client import Client
from exporter.providers.five9.config import Five9Config


class Session:
    """Session of one supervisor user, with the view settings of the account.

    Five9 knows the session by the user name; HTTP Basic credentials come with every request
    (Statistics Web Services API Reference Guide).
    """

    def __init__(self, config: Five9Config, client: Client, budget: Budget, clock: Clock) -> None:
        self._config = config
        self._client = client
        self._budget = budget
        self._clock = clock
        self._offset: int | None = None

    async def open(self) -> None:
        """Open the session. Raises ``ProviderError``."""
        self._budget.check("request budget has no call left for signing in", FULL)
        self._client.forget_cookies()
        await self._set_parameters(self._current_offset())

    async def update_offset(self) -> bool:
        """Send the parameters again where daylight saving changed the offset from UTC.

        Return whether they were sent: figures read before are then void.
        """
        offset = self._current_offset()
        if offset == self._offset or self._budget.wait(FULL) > 0:
            return False
        await self._set_parameters(offset)
        return True

    async def close(self) -> None:
        """Close the session where the platform allows it."""
        with contextlib.suppress(ProviderError):
            await self._client.close_session()

    def _current_offset(self) -> int:
        return self._config.view.offset(self._clock.time())

    async def _set_parameters(self, offset: int) -> None:
        view = self._config.view
        with self._budget.call(FULL):
            await self._client.set_session_parameters(
                {
                    "forceLogoutSession": self._config.force_logout,
                    "idleTimeOut": int(self._config.idle_timeout),
                    "rollingPeriod": view.rolling_period,
                    "shiftStart": view.shift_start_milliseconds(),
                    "statisticsRange": view.statistics_range,
                    "timeZone": offset,
                }
            )
        self._offset = offset
