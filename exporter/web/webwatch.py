"""The web configuration as it is now: has a file changed, and can the new version be used?"""

from pathlib import Path

from exporter.errors import ConfigError
from exporter.logs import get_log
from exporter.web.config import Stamp, WebConfig, attempt, stamp

_log = get_log(__name__)


class WebWatch:
    """Keeps the last version of a web configuration, with its certificates, that could be used.

    Raises ``ConfigError`` where the first one cannot.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        reading = attempt(file)
        if reading.config is None:
            raise ConfigError(reading.faults)
        self.current: WebConfig = reading.config
        self.well = True  # the latest version is the one that is used
        self._taken = reading.stamps
        self._changed: dict[Path, Stamp] = {}

    def poll(self) -> None:
        """Look at the files once, to be called about each second.

        A change is taken when it has stood still from one look to the next, so that nothing is
        read while it is being written.
        """
        seen = {file: stamp(file) for file in self._taken}
        if seen == self._taken:
            self._changed = {}
        elif seen != self._changed:
            self._changed = seen
        else:
            self._take()

    def _take(self) -> None:
        reading = attempt(self._file)
        self._taken, self._changed = reading.stamps, {}
        faults = reading.faults
        if reading.config is not None:
            faults = [f"{self._file}: {each}" for each in self._needs_restart(reading.config)]
        self.well = not faults
        if reading.config is None or faults:
            _log.error("web configuration was not taken", faults="\n".join(faults))
            return
        self.current = reading.config
        _log.info("web configuration was read again", file=str(self._file))

    def _needs_restart(self, new: WebConfig) -> list[str]:
        """Return what is not changed while running: nothing opens to everybody by a slip."""
        faults = []
        if (new.tls is None) != (self.current.tls is None):
            faults.append("tls_server_config: is added or removed by a restart only")
        if self.current.users and not new.users:
            faults.append("basic_auth_users: is removed by a restart only")
        return faults
