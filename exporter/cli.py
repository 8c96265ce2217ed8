"""The command line: what is to be done?

Exit codes: 0 done, 1 a failure while running, 2 wrong usage or configuration.
"""

import argparse
import asyncio
import gc
import os
import platform
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from exporter import __version__
from exporter.app import App
from exporter.clock import SystemClock
from exporter.config.load import Config, load
from exporter.errors import ConfigError
from exporter.logs import LEVELS, get_log, set_up
from exporter.metrics import catalogue
from exporter.preflight.capture import new_file
from exporter.preflight.commands import Enquiries
from exporter.providers import MODELS, PROVIDERS
from exporter.web.config import WebConfigWatcher
from exporter.web.server import Server
from exporter.web.site import Paths
from exporter.web.sockets import Address, listen_all, systemd_sockets

if TYPE_CHECKING:
    from exporter.simulators.centre import Size

T = TypeVar("T")
_OK, _FAILED, _USAGE = 0, 1, 2

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
        print(error, file=sys.stderr)  # noqa: T201 - for a person, as it stands
        return _USAGE
    except OSError as error:
        print(f"contactcenter-exporter: {error}", file=sys.stderr)  # noqa: T201 - same
        return _FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="contactcenter-exporter",
        description="Prometheus exporter for contact-centre platforms.",
        epilog="Without a command, 'run' is meant.",
    )
    build = f"contactcenter-exporter {__version__} (python {platform.python_version()})"
    parser.add_argument("--version", action="version", version=build)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="read the accounts of a configuration and serve /metrics")
    _add_config(run)
    _add_web(run)
    run.add_argument(
        "--web.enable-lifecycle",
        dest="lifecycle",
        action="store_true",
        help="let POST /-/reload read the configuration again, as SIGHUP does",
    )
    run.set_defaults(command=_run)

    demo = commands.add_parser("demo", help="simulated platforms, and the exporter reading them")
    _add_size(demo)
    _add_web(demo)
    demo.set_defaults(command=_demo)

    simulate = commands.add_parser("simulate", help="only the simulated platforms, for any client")
    simulate.add_argument("--listen", type=_address, default=Address("127.0.0.1", 10078))
    _add_size(simulate)
    _add_log(simulate)
    simulate.set_defaults(command=_simulate)

    check = commands.add_parser("check", help="report every mistake in a configuration")
    _add_config(check)
    _add_web_config(check)
    check.add_argument(
        "--live",
        action="store_true",
        help="sign in too, read every feed once, and report what is there and what is missing",
    )
    check.add_argument("--account", metavar="NAME", help="only this account, with --live")
    _add_log(check)
    check.set_defaults(command=_check)

    discover = commands.add_parser(
        "discover", help="what a platform offers, what is mapped, and YAML for the rest"
    )
    _add_account(discover)
    discover.set_defaults(command=_discover)

    capture = commands.add_parser(
        "capture", help="record one cycle of requests and answers for a bug report, sanitised"
    )
    _add_account(capture)
    capture.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")
    capture.set_defaults(command=_capture)

    metrics = commands.add_parser("metrics", help="print the catalogue of metrics")
    metrics.add_argument("--format", choices=("markdown", "json"), default="markdown")
    metrics.set_defaults(command=_metrics)
    return parser


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config.file", dest="config", type=Path, default=Path("exporter.yml"))


def _add_account(parser: argparse.ArgumentParser) -> None:
    _add_config(parser)
    parser.add_argument("--account", required=True, metavar="NAME")
    _add_log(parser)


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log.level", dest="log_level", choices=tuple(LEVELS), default="info")
    parser.add_argument(
        "--log.format", dest="log_format", choices=("logfmt", "json"), default="logfmt"
    )


def _add_web_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--web.config.file",
        dest="web_config",
        type=Path,
        metavar="FILE",
        help="TLS, users and headers of our own server; read again when it changes",
    )


def _add_web(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--web.listen-address",
        dest="addresses",
        type=_address,
        action="append",
        metavar="HOST:PORT",
        help="where to listen, :10077 if nothing is said; can be given several times",
    )
    where.add_argument(
        "--web.systemd-socket",
        dest="systemd_socket",
        action="store_true",
        help="listen on the sockets of a systemd .socket unit",
    )
    _add_web_config(parser)
    parser.add_argument(
        "--web.telemetry-path", dest="telemetry_path", default="/metrics", metavar="PATH"
    )
    parser.add_argument(
        "--web.external-url",
        dest="external_url",
        metavar="URL",
        help="how browsers reach this exporter; its path comes before every link",
    )
    parser.add_argument(
        "--web.route-prefix",
        dest="route_prefix",
        metavar="PATH",
        help="what comes before every path here; the path of --web.external-url if left out",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="print one page when every feed has answered or failed, and end",
    )
    _add_log(parser)


def _add_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agents", type=int, default=60)
    parser.add_argument("--queues", type=int, default=12)
    parser.add_argument("--campaigns", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--time-lapse", type=float, default=1.0, help="simulated seconds in one real second"
    )


def _run(options: argparse.Namespace) -> int:
    config, watcher = _load(options)
    set_up(options.log_level, options.log_format)
    return _serve(
        config,
        options,
        watcher=watcher,
        reread=lambda: load(options.config, os.environ, MODELS),
        lifecycle=options.lifecycle,
    )


def _load(options: argparse.Namespace) -> tuple[Config, WebConfigWatcher | None]:
    """Read both files; raises ``ConfigError`` with the faults of both."""
    faults: list[str] = []
    try:
        config = load(options.config, os.environ, MODELS)
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
    return WebConfigWatcher(options.web_config) if options.web_config else None


def _serve(
    config: Config,
    options: argparse.Namespace,
    *,
    watcher: WebConfigWatcher | None = None,
    reread: Callable[[], Config] | None = None,
    lifecycle: bool = False,
) -> int:
    paths = _paths(options)
    sockets = [] if options.once else _sockets(options)
    gc.freeze()  # what is loaded by now stays; accounts, made after this, come and go

    async def work() -> None:
        app = App(config, reread=reread, lifecycle=lifecycle, paths=paths)
        if options.once:
            sys.stdout.buffer.write(await app.once())
            return
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, app.reload_on_signal)
        await app.serve(sockets, _stop_event(), watcher=watcher)

    asyncio.run(work())
    return _OK


def _paths(options: argparse.Namespace) -> Paths:
    try:
        return Paths.parse(options.telemetry_path, options.external_url, options.route_prefix)
    except ValueError as error:
        raise ConfigError([str(error)]) from error


def _sockets(options: argparse.Namespace) -> list[socket.socket]:
    if options.systemd_socket:
        return systemd_sockets(os.environ, os.getpid())
    return listen_all(options.addresses or [Address("", 10077)])


def _stop_event() -> asyncio.Event:
    """Return what is set when the process is asked to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _demo(options: argparse.Namespace) -> int:
    from exporter.simulators.centre import Centre  # noqa: PLC0415 - production loads no simulator

    watcher = _watch(options)
    set_up(options.log_level, options.log_format)
    centre = Centre(_size(options), SystemClock())
    server = Server(centre.app, Address("127.0.0.1", 0), "simulators")
    server.start()
    try:
        return _serve(centre.config(f"http://{server.address}"), options, watcher=watcher)
    finally:
        server.stop(at_once=True)


def _simulate(options: argparse.Namespace) -> int:
    from exporter.simulators.centre import Centre  # noqa: PLC0415 - production loads no simulator

    set_up(options.log_level, options.log_format)
    centre = Centre(_size(options), SystemClock())
    server = Server(centre.app, options.listen, "simulators")
    server.start()
    url = f"http://{server.address}"
    user = centre.five9
    _log.info("simulating", base_url=url, username=user.username, password=user.password)

    async def wait() -> None:
        await _stop_event().wait()

    try:
        asyncio.run(wait())
    finally:
        server.stop(at_once=True)
    return _OK


def _size(options: argparse.Namespace) -> "Size":
    from exporter.simulators.centre import Size  # noqa: PLC0415 - production loads no simulator

    return Size(options.agents, options.queues, options.campaigns, options.seed, options.time_lapse)


def _check(options: argparse.Namespace) -> int:
    config, watcher = _load(options)
    for account in config.accounts:
        feeds = ", ".join(
            f"{name} {times.interval:g}s" for name, times in account.wanted_feeds().items()
        )
        print(f"{account.name}: {account.provider}, {feeds}")  # noqa: T201 - the command's result
    print(f"{options.config}: no mistakes found")  # noqa: T201 - same
    if watcher:
        print(f"{options.web_config}: no mistakes found")  # noqa: T201 - same
    return _check_live(options) if options.live else _OK


def _ask(work: Coroutine[Any, Any, T]) -> T:
    """Run what asks platforms; a signal ends it in order, signed out everywhere.

    Raises ``InterruptedError`` then.
    """

    async def run() -> T:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await work

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise InterruptedError("ended by a signal; signed out") from None


def _say(lines: list[str], *, well: bool) -> int:
    print("\n".join(lines))  # noqa: T201 - the command's result
    return _OK if well else _FAILED


def _enquiries(options: argparse.Namespace) -> Enquiries:
    config = load(options.config, os.environ, MODELS)
    set_up(options.log_level, options.log_format)
    return Enquiries(config, SystemClock())


def _check_live(options: argparse.Namespace) -> int:
    lines, well = _ask(_enquiries(options).check(options.account))
    return _say(lines, well=well)


def _discover(options: argparse.Namespace) -> int:
    lines, well = _ask(_enquiries(options).discover(options.account))
    return _say(lines, well=well)


def _capture(options: argparse.Namespace) -> int:
    enquiries = _enquiries(options)
    enquiries.account(options.account)  # before there is a file
    with new_file(options.out) as file:
        recording, lines = _ask(enquiries.capture(options.account))
        file.write(recording)
    return _say([*lines, f"{options.out}: read it before you send it"], well=True)


def _metrics(options: argparse.Namespace) -> int:
    tables = {name: provider.tables for name, provider in PROVIDERS.items()}
    write = catalogue.markdown if options.format == "markdown" else catalogue.as_json
    text = write(tables)
    print(text)  # noqa: T201 - the command's result
    return _OK
