# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""python -m platform_emulator serve | start | stop --state-dir DIR

`start` and `stop` need only the standard library, so that they can report which packages `serve` lacks.
"""

from __future__ import annotations

import argparse
import ipaddress
import logging
import sqlite3
import sys
from pathlib import Path

from platform_emulator import __version__, process
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
    except (OSError, sqlite3.Error, process.NotStarted) as error:
        print(f"platform_emulator: cannot {parsed.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(parsed: argparse.Namespace) -> None:
    from platform_emulator.server import serve

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    serve(_options(parsed))


def _start(parsed: argparse.Namespace) -> None:
    options = _options(parsed)
    started = process.start(options, parsed.log_file or options.state_dir / "emulator.log", parsed.wait)
    print("started" if started else "already running")


def _stop(parsed: argparse.Namespace) -> None:
    print("stopped" if process.stop(parsed.state_dir) else "not running")


COMMANDS = {"serve": _serve, "start": _start, "stop": _stop}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="platform_emulator", description="A local Alibaba Cloud IoT Platform.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve until SIGTERM")
    start = commands.add_parser(
        "start", help="serve in the background with these options; nothing to do if it already does"
    )
    stop = commands.add_parser("stop", help="stop the emulator that serves the state directory")
    for command in (serve, start, stop):
        command.add_argument("--state-dir", type=_path, required=True, help="directory of the state and the CA")
    for command in (serve, start):
        command.add_argument("--listen", type=_address, default="127.0.0.1", help="IP address (default %(default)s)")
        command.add_argument(
            "--https-port", type=_port, default=0, help="0, the default, lets the system choose a port"
        )
        command.add_argument("--mqtts-port", type=_port, default=0, help="port of MQTT over TLS, likewise")
        command.add_argument("--mqtt-port", type=_port, default=0, help="port of MQTT without TLS, likewise")
        command.add_argument("--seed", type=_path, help="YAML file of products, devices, settings and faults")
        command.add_argument("--ready-file", type=_path, help="JSON file of endpoints, written when all of them answer")
    start.add_argument("--log-file", type=_path, help="default: emulator.log in the state directory")
    start.add_argument("--wait", type=float, default=30, help="seconds to wait until it is ready (default %(default)s)")
    return parser.parse_args(arguments)


def _options(parsed: argparse.Namespace) -> Options:
    ports = parsed.https_port, parsed.mqtts_port, parsed.mqtt_port
    return Options(parsed.state_dir, parsed.listen, *ports, parsed.seed, parsed.ready_file)


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _address(value: str) -> str:
    return str(ipaddress.ip_address(value))


def _port(value: str) -> int:
    port = int(value)
    if not 0 <= port <= 65535:
        raise ValueError(port)
    return port


if __name__ == "__main__":
    sys.exit(main())
