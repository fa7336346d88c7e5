# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""python -m platform_emulator serve | prepare | start | stop | remove --state-dir DIR

All but `serve` and the check of a seed need only the standard library, so that `start` can report which packages are missing. The
role runs prepare, start, stop and remove; with --check they only report what they would do.
"""

from __future__ import annotations

import argparse
import ipaddress
import logging
import math
import os
import sys
from pathlib import Path

from platform_emulator import __version__, process, ready_file, state_dir
from platform_emulator.fields import Invalid
from platform_emulator.options import Options


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0 after a clean end, 2 for an invalid seed or state, 1 for any other failure."""
    parsed = parse(arguments)
    try:
        COMMANDS[parsed.command](parsed)
    except Invalid as error:
        print(f"platform_emulator: {error}", file=sys.stderr)
        return 2
    except (OSError, process.NotStarted) as error:
        print(f"platform_emulator: cannot {parsed.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(parsed: argparse.Namespace) -> None:
    options = _options(parsed)
    from platform_emulator.server import serve

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    serve(options)


def _prepare(parsed: argparse.Namespace) -> None:
    if parsed.check_seed:
        state_dir.owned(parsed.state_dir)
        _refuse_mistakes(None, parsed.state_dir)
    print("prepared" if state_dir.prepare(parsed.state_dir, check=parsed.check) else "already prepared")


def _start(parsed: argparse.Namespace) -> None:
    options = _options(parsed)
    log_file = parsed.log_file or options.state_dir / "emulator.log"

    def validate() -> None:
        # With --check, the role has not written the seed yet.
        if options.seed and (options.seed.exists() or not parsed.check):
            _refuse_mistakes(options.seed, options.state_dir)

    started = process.start(options, log_file, parsed.wait, validate, check=parsed.check)
    print("started" if started else "already running")


def _stop(parsed: argparse.Namespace) -> None:
    print("stopped" if process.stop(parsed.state_dir, check=parsed.check) else "not running")


def _remove(parsed: argparse.Namespace) -> None:
    print("removed" if state_dir.remove(parsed.state_dir, check=parsed.check) else "already absent")


COMMANDS = {
    "serve": _serve,
    "prepare": _prepare,
    "start": _start,
    "stop": _stop,
    "remove": _remove,
}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="platform_emulator", description="A local Alibaba Cloud IoT Platform.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve until SIGTERM")
    start = commands.add_parser(
        "start", help="serve in the background with these options; nothing to do if it already does"
    )
    stop = commands.add_parser("stop", help="stop the emulator that serves the state directory")
    prepare = commands.add_parser("prepare", help="make a new or empty directory a state directory, or refuse it")
    remove = commands.add_parser("remove", help="stop the emulator, and remove its files and the state directory")
    for command in (serve, prepare, start, stop, remove):
        command.add_argument("--state-dir", type=_path, required=True, help="directory of the state and the CA")
    for command in (prepare, start, stop, remove):
        command.add_argument("--check", action="store_true", help="change nothing; say what it would do")
    for command in (serve, start):
        command.add_argument("--listen", type=_address, default="127.0.0.1", help="IP address (default %(default)s)")
        command.add_argument(
            "--https-port", type=_port, default=0, help="0, the default, lets the system choose a port"
        )
        command.add_argument("--mqtts-port", type=_port, default=0, help="port of MQTT over TLS, likewise")
        command.add_argument("--mqtt-port", type=_port, default=0, help="port of MQTT without TLS, likewise")
        command.add_argument("--seed", type=_seed, help="YAML file of products, devices, settings and faults")
        command.add_argument("--ready-file", type=_path, help="JSON file of endpoints, written when all of them answer")
    prepare.add_argument(
        "--check-seed", action="store_true", help="first, refuse a seed with a mistake on standard input"
    )
    start.add_argument("--log-file", type=_path, help="default: emulator.log in the state directory")
    start.add_argument(
        "--wait", type=_seconds, default=30, help="seconds to wait until it is ready (default %(default)s)"
    )
    return parser.parse_args(arguments)


def _refuse_mistakes(seed_file: Path | None, directory: Path) -> None:
    """Raise Invalid for a seed that could not be applied to the state; None is standard input."""
    try:
        from platform_emulator import seed
    except ModuleNotFoundError as error:
        raise process.NotStarted(f"{error}\n{process.LACKS_PACKAGES}") from None
    if not seed_file and sys.stdin is None:
        raise Invalid("there is no seed on standard input; give --seed")
    sown = seed.load(seed_file) if seed_file else seed.parse(sys.stdin.buffer.read(), "seed")
    seed.check(sown, directory / state_dir.DATABASE)


def _options(parsed: argparse.Namespace) -> Options:
    """Return the options of serve or start; raises Invalid if a file that they would replace is somebody else's."""
    state_dir.owned(parsed.state_dir)
    read = {(parsed.state_dir / name).resolve() for name in state_dir.STATE} | {parsed.seed and parsed.seed.resolve()}
    for name, path in (("--ready-file", parsed.ready_file), ("--log-file", getattr(parsed, "log_file", None))):
        if path and path.resolve() in read:
            raise Invalid(f"{path}: {name} would overwrite the seed or the state; choose another file")
    if parsed.ready_file and getattr(parsed, "log_file", None) == parsed.ready_file:
        raise Invalid(
            f"{parsed.ready_file}: --log-file and --ready-file are the same file; choose another file for one"
        )
    ready = parsed.ready_file or (ready_file.default(parsed.state_dir) if parsed.command == "start" else None)
    if ready:
        ready_file.check(ready)
        process.refuse_ready_file(ready, parsed.state_dir)
    ports = parsed.https_port, parsed.mqtts_port, parsed.mqtt_port
    return Options(parsed.state_dir, parsed.listen, *ports, parsed.seed, ready)


def _path(value: str) -> Path:
    if not value:
        raise argparse.ArgumentTypeError("is empty; write a path")
    return Path(value).expanduser().absolute()


def _seed(value: str) -> Path:
    path = _path(value)
    if os.path.exists(path) and not os.path.isfile(path):
        raise argparse.ArgumentTypeError(f"{value} is not a regular file, so it cannot be read twice; write one")
    return path


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not an IP address; write one, such as 127.0.0.1") from None


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value) <= 65535):
        raise argparse.ArgumentTypeError(f"{value!r} is not a port; write a number from 0 to 65535")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number of seconds; write one, such as 30")
    return seconds
