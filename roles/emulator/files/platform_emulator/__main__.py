# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""python -m platform_emulator serve --state-dir DIR"""

from __future__ import annotations

import argparse
import ipaddress
import logging
import sqlite3
import sys
from pathlib import Path

from platform_emulator.fields import Invalid
from platform_emulator.server import Options, serve


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0 after a clean stop, 2 for a bad seed or state, 1 when it could not start otherwise."""
    options = parse(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        serve(options)
    except Invalid as error:
        print(f"platform_emulator: {error}", file=sys.stderr)
        return 2
    except (OSError, sqlite3.Error) as error:
        print(f"platform_emulator: cannot serve: {error}", file=sys.stderr)
        return 1
    return 0


def parse(arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="platform_emulator", description="A local Alibaba Cloud IoT Platform.")
    command = parser.add_subparsers(required=True).add_parser("serve", help="serve until SIGTERM")
    command.add_argument("--state-dir", type=Path, required=True, help="keeps the state and the CA; created if missing")
    command.add_argument("--listen", type=_address, default="127.0.0.1", help="IP address (default %(default)s)")
    command.add_argument("--https-port", type=_port, default=0, help="0, the default, chooses a free one")
    command.add_argument("--seed", type=Path, help="YAML file of products, devices, settings and faults")
    command.add_argument("--ready-file", type=Path, help="JSON file of endpoints, written when all of them answer")
    return Options(**vars(parser.parse_args(arguments)))


def _address(value: str) -> str:
    return str(ipaddress.ip_address(value))


def _port(value: str) -> int:
    port = int(value)
    if not 0 <= port <= 65535:
        raise ValueError(port)
    return port


if __name__ == "__main__":
    sys.exit(main())
