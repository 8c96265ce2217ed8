"""Command line: parses the options and runs a command.

Exit codes: 0 success, 1 failure while running, 2 wrong usage or configuration.
"""

import argparse
import asyncio
import gc
import os
import platform
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from exporter import __version__
from exporter.app import App
from exporter.clock import SystemClock
from exporter.collector.threads import start_in_daemon
from exporter.config.load import Config, load
from exporter.errors import ConfigError
from exporter.logs import LEVELS, get_log, set_up
from exporter.metrics import catalogue
from exporter.preflight.capture import new_file
from exporter.preflight.commands import Preflight
from exporter.preflight.running import parse_url, report_running
from exporter.printable import escape_hidden, printable
from exporter.providers import MODELS, PROVIDERS
from exporter.signals import SIGNALS, Interrupted
from exporter.web.config import WebConfigWatcher
from exporter.web.server import Server
from exporter.web.site import Paths
from exporter.web.sockets import Address, listen_all, raise_descriptor_limit
from exporter.web.systemd import systemd_sockets

if TYPE_CHECKING:
    from exporter.simulators.centre import Centre

T = TypeVar("T")
_OK, _FAILED, _USAGE = 0, 1, 2
_READ_TIMEOUT = 30.0  # seconds at the start, when file systems may still be mounted
_STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)  # of commands that do not serve

_log = get_log(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the process's exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "run")
    options = _parser().parse_args(words)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ConfigError as error:
        _print(*error.faults, to=sys.stderr)
        return _USAGE
    except OSError as error:
        _print(f"contactcenter-exporter: {error}", to=sys.stderr)
        return _FAILED


class _StoreOnce(argparse.Action):
    """Stores the value of an option; a second one is an error, as it would replace the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        given: set[str] = namespace.__dict__.setdefault("given", set())
        if self.dest in given:
            parser.error(f"{option_string}: given twice")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="contactcenter-exporter",
        description="Prometheus exporter for contact-centre platforms.",
        epilog="The default command is run. COMMAND --help lists the options of a command.",
    )
    build = f"contactcenter-exporter {__version__} (python {platform.python_version()})"
    parser.add_argument("--version", action="version", version=build)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        added.register("action", None, _StoreOnce)
        added.set_defaults(command=command)
        return added

    run = add("run", _run, "read the accounts of a configuration and serve their metrics")
    _add_config(run)
    _add_web(run)
    run.add_argument(
        "--web.enable-lifecycle",
        dest="lifecycle",
        action="store_true",
        help="reload the configuration on POST /-/reload, as on SIGHUP (default: off)",
    )

    demo = add("demo", _demo, "run simulated platforms and the exporter that reads them")
    _add_size(demo)
    _add_web(demo)
    demo.set_defaults(lifecycle=False)  # there is no file to reload

    simulate = add("simulate", _simulate, "run only the simulated platforms, for any client")
    simulate.add_argument(
        "--listen",
        type=_address,
        default=Address("127.0.0.1", 10078),
        metavar="HOST:PORT",
        help="address to listen on (default %(default)s)",
    )
    _add_size(simulate)
    _add_log(simulate)

    check = add("check", _check, "check a configuration and list every error")
    _add_config(check)
    _add_web_config(check)
    check.add_argument(
        "--live",
        action="store_true",
        help="also sign in, read every feed once and report what is missing (default: off)",
    )
    check.add_argument(
        "--account", metavar="NAME", help="with --live: check only this account (default: all)"
    )
    check.add_argument(
        "--url",
        metavar="URL",
        help="with --live: report what a running exporter knows, read from URL/-/status, instead "
        "of signing in and of reading a configuration; for basic auth http://USER@HOST:PORT with "
        "--url.password-file, as other users of this host see a password in the URL in the list of "
        "processes (default: none)",
    )
    check.add_argument(
        "--url.password-file",
        dest="url_password_file",
        type=Path,
        metavar="FILE",
        help="with --url: file with the password of basic auth (default: none)",
    )
    check.add_argument(
        "--url.ca-file",
        dest="url_ca_file",
        metavar="FILE",
        help="with --url: CA certificates that sign the exporter's own (default: the public ones)",
    )
    check.add_argument(
        "--feed",
        dest="feeds",
        action="append",
        default=[],
        metavar="NAME",
        help="with --live: sign in and read only this feed, without permissions, licences and "
        "limits (default: all feeds); may be repeated",
    )
    _add_log(check)

    discover = add(
        "discover", _discover, "list what a platform offers, with YAML for what is not mapped"
    )
    _add_account(discover)

    capture = add(
        "capture", _capture, "record one cycle of requests, without secrets, for a bug report"
    )
    _add_account(capture)
    capture.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file to create (required)"
    )

    metrics = add("metrics", _metrics, "print the catalogue of metrics")
    metrics.add_argument(
        "--format",
        choices=("markdown", "json"),
        default="markdown",
        help="output format (default %(default)s)",
    )
    return parser


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config.file",
        dest="config",
        type=Path,
        default=Path("exporter.yml"),
        metavar="FILE",
        help="configuration file (default %(default)s)",
    )


def _add_account(parser: argparse.ArgumentParser) -> None:
    _add_config(parser)
    parser.add_argument(
        "--account", required=True, metavar="NAME", help="account to read (required)"
    )
    _add_log(parser)


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log.level",
        dest="log_level",
        choices=tuple(LEVELS),
        default="info",
        help="lowest level to log (default %(default)s)",
    )
    parser.add_argument(
        "--log.format",
        dest="log_format",
        choices=("logfmt", "json"),
        default="logfmt",
        help="format of log lines (default %(default)s)",
    )


def _add_web_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--web.config.file",
        dest="web_config",
        type=Path,
        metavar="FILE",
        help="file with TLS, users and headers of the web server, reloaded when it changes "
        "(default: none)",
    )


def _add_web(parser: argparse.ArgumentParser) -> None:
    listeners = parser.add_mutually_exclusive_group()
    listeners.add_argument(
        "--web.listen-address",
        dest="addresses",
        type=_address,
        action="append",
        metavar="HOST:PORT",
        help="address to listen on (default :10077); may be repeated",
    )
    listeners.add_argument(
        "--web.systemd-socket",
        dest="systemd_socket",
        action="store_true",
        help="listen on the sockets of a systemd .socket unit instead (default: off)",
    )
    _add_web_config(parser)
    parser.add_argument(
        "--web.telemetry-path",
        dest="telemetry_path",
        default="/metrics",
        metavar="PATH",
        help="path of the metrics (default %(default)s)",
    )
    parser.add_argument(
        "--web.external-url",
        dest="external_url",
        metavar="URL",
        help="URL under which browsers reach the exporter; its path precedes every link "
        "(default: none)",
    )
    parser.add_argument(
        "--web.route-prefix",
        dest="route_prefix",
        metavar="PATH",
        help="prefix of every path that is served (default: the path of --web.external-url)",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="print one page when every feed has been read or has failed, then exit (default: off)",
    )
    _add_log(parser)


def _add_size(parser: argparse.ArgumentParser) -> None:
    for option, default, text in (
        ("--agents", 60, "simulated agents"),
        ("--queues", 12, "simulated queues"),
        ("--campaigns", 6, "simulated campaigns"),
        ("--seed", 1, "seed of the random numbers"),
        ("--time-lapse", 1.0, "simulated seconds per second"),
    ):
        parser.add_argument(
            option,
            type=type(default),
            default=default,
            metavar="NUMBER",
            help=f"{text} (default %(default)s)",
        )


def _run(options: argparse.Namespace) -> int:
    config, watcher = _load(options)
    set_up(options.log_level, options.log_format)
    return _serve(
        config,
        options,
        watcher=watcher,
        reread=lambda: load(options.config, os.environ, MODELS),
    )


def _load(options: argparse.Namespace) -> tuple[Config, WebConfigWatcher | None]:
    """Read both files; raises ``ConfigError`` with the faults of both."""
    faults: list[str] = []
    try:
        config = _read(lambda: load(options.config, os.environ, MODELS), options.config)
    except ConfigError as error:
        faults += error.faults
    try:
        watcher = _watch(options)
    except ConfigError as error:
        faults += error.faults
    if faults:
        raise ConfigError(faults)
    return config, watcher


def _watch(options: argparse.Namespace) -> WebConfigWatcher | None:
    file = options.web_config
    return _read(lambda: WebConfigWatcher(file), file) if file else None


def _read(read: Callable[[], T], file: Path) -> T:
    """Call a function that reads a file. Where that hangs, a signal still ends the command.

    Raises ``ConfigError``.
    """
    try:
        return start_in_daemon(read).result(_READ_TIMEOUT)
    except TimeoutError:
        raise ConfigError([f"{file}: could not be read within {_READ_TIMEOUT:g} s"]) from None


def _serve(
    config: Config,
    options: argparse.Namespace,
    *,
    watcher: WebConfigWatcher | None = None,
    reread: Callable[[], Config] | None = None,
) -> int:
    paths = Paths.parse(options.telemetry_path, options.external_url, options.route_prefix)
    raise_descriptor_limit()
    sockets = [] if options.once else _sockets(options)
    gc.freeze()  # what is loaded by now stays; accounts are created later, and can be removed

    async def once() -> bytes:
        return await App(config, paths=paths).once()

    async def serve() -> None:
        app = App(
            config,
            reread=reread,
            lifecycle=options.lifecycle,
            paths=paths,
            environment=os.environ,
        )
        with _stop_event(hang_up=app.reload_on_signal) as stop:
            await app.serve(sockets, stop, watcher=watcher)

    if options.once:
        page = _run_until_signal(once())
        if sys.stdout.isatty():  # a program that reads the page needs every character
            page = "\n".join(map(escape_hidden, page.decode().split("\n"))).encode()
        sys.stdout.buffer.write(page)
    else:
        asyncio.run(serve())
    return _OK


def _sockets(options: argparse.Namespace) -> list[socket.socket]:
    if options.systemd_socket:
        return systemd_sockets(os.environ, os.getpid())
    return listen_all(options.addresses or [Address("", 10077)])


@contextmanager
def _stop_event(hang_up: Callable[[], None]) -> Iterator[asyncio.Event]:
    """Yield an event that SIGTERM and SIGINT set; SIGHUP calls ``hang_up``."""
    stop = asyncio.Event()
    receivers = {signal.SIGTERM: stop.set, signal.SIGINT: stop.set, signal.SIGHUP: hang_up}
    with SIGNALS.receiving(asyncio.get_running_loop(), receivers):
        yield stop


@contextmanager
def _simulators(options: argparse.Namespace, address: Address) -> Iterator[tuple["Centre", str]]:
    """Serve the simulated platforms; yield them and their base URL."""
    from exporter.simulators.centre import Centre, Size  # noqa: PLC0415 - not loaded in production

    size = (options.agents, options.queues, options.campaigns, options.seed, options.time_lapse)
    centre = Centre(Size(*size), SystemClock())
    server = Server(centre.app, address, "simulators")
    server.start()
    try:
        yield centre, f"http://{server.address}"
    finally:
        server.stop(at_once=True)


def _demo(options: argparse.Namespace) -> int:
    watcher = _watch(options)
    set_up(options.log_level, options.log_format)
    with _simulators(options, Address("127.0.0.1", 0)) as (centre, url):
        return _serve(centre.config(url), options, watcher=watcher)


def _simulate(options: argparse.Namespace) -> int:
    def refuse() -> None:
        _log.warning("reload refused", error="there is no configuration file to reload")

    async def wait() -> None:
        with _stop_event(hang_up=refuse) as stop:
            await stop.wait()

    set_up(options.log_level, options.log_format)
    with _simulators(options, options.listen) as (centre, url):
        user = centre.five9
        _log.info(
            "simulators listening", base_url=url, username=user.username, password=user.password
        )
        asyncio.run(wait())
    return _OK


def _check(options: argparse.Namespace) -> int:
    if options.account is not None and not options.live:
        raise ConfigError(["--account: only with --live; without it every account is checked"])
    if options.feeds and not options.live:
        raise ConfigError(["--feed: only with --live"])
    if options.url is not None:
        if not options.live:
            raise ConfigError(["--url: only with --live"])
        set_up(options.log_level, options.log_format)
        url = parse_url(options.url, options.url_password_file)
        selected = (options.account, options.feeds)
        return _print_report(report_running(url, options.url_ca_file, *selected, SystemClock()))
    if options.url_password_file is not None:
        raise ConfigError(["--url.password-file: only with --url"])
    config, watcher = _load(options)
    for account in config.accounts:
        feeds = ", ".join(
            f"{name} {times.interval:g}s" for name, times in account.enabled_feeds().items()
        )
        _print(f"{account.name}: {account.provider}, {feeds}")
    outdated = config.objectives.outdated(SystemClock().time())
    _print(
        *(f"? {warning}" for warning in config.warnings),
        *(f"? {options.config}: {item.place}.hours.holidays: all have passed" for item in outdated),
    )
    _print(f"{options.config}: no errors found")
    if watcher:
        _print(f"{options.web_config}: no errors found")
    if options.live:
        preflight = _preflight(options)
        try:
            return _print_report(preflight.check(options.account, options.feeds))
        except Interrupted:
            _print(*preflight.interrupted())
            raise
    return _OK


def _say(line: str) -> None:
    """Print a line of progress beside the command's result."""
    _print(line, to=sys.stderr)


def _print(*lines: str, to: TextIO | None = None) -> None:
    """Print lines, standard output by default; they may hold texts of a platform."""
    for line in lines:
        print(printable(line), file=to)


def _run_until_signal(work: Coroutine[Any, Any, T]) -> T:
    """Run a command that reads platforms; a signal cancels it, which signs out everywhere.

    Raises ``Interrupted`` after a signal.
    """
    received: list[signal.Signals] = []

    async def run() -> T:
        task = asyncio.current_task()
        assert task is not None

        def stop(number: signal.Signals) -> None:
            if not received:  # a second signal does not cut the sign-out
                task.cancel()
            received.append(number)

        receivers = {number: partial(stop, number) for number in _STOPPING}
        with SIGNALS.receiving(asyncio.get_running_loop(), receivers):
            return await work

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise Interrupted(f"{received[0].name}; signed out") from None


def _preflight(options: argparse.Namespace) -> Preflight:
    config = _read(lambda: load(options.config, os.environ, MODELS), options.config)
    set_up(options.log_level, options.log_format)
    return Preflight(config, SystemClock(), say=_say)


def _print_report(work: Coroutine[Any, Any, tuple[list[str], bool]]) -> int:
    lines, successful = _run_until_signal(work)
    _print(*lines)
    return _OK if successful else _FAILED


def _discover(options: argparse.Namespace) -> int:
    return _print_report(_preflight(options).discover(options.account))


def _capture(options: argparse.Namespace) -> int:
    preflight = _preflight(options)
    preflight.account(options.account)  # fails before the file is created
    with new_file(options.out) as file:
        recording, lines = _run_until_signal(preflight.capture(options.account))
        file.write(recording)
    _print(*lines, f"{options.out}: review the file before you send it")
    return _OK


def _metrics(options: argparse.Namespace) -> int:
    tables = {name: provider.tables for name, provider in PROVIDERS.items()}
    write = catalogue.markdown if options.format == "markdown" else catalogue.as_json
    print(write(tables))  # noqa: T201 - the command's result
    return _OK
