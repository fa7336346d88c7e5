# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the emulator."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """The options of `serve`; paths are absolute, port 0 lets the system choose."""

    state_dir: Path
    listen: str
    https_port: int
    mqtts_port: int
    mqtt_port: int
    seed: Path | None
    ready_file: Path | None

    def arguments(self) -> list[str]:
        """Return these options as arguments of the command line."""
        return [f"--{name.replace('_', '-')}={value}" for name, value in vars(self).items() if value is not None]

    def fingerprint(self) -> str:
        """Return a digest of what runs, to compare two runs: Python, the emulator, the options, the seed's content."""
        sources = sorted(Path(__file__).parent.rglob("*.py"))
        seed = [self.seed] if self.seed and self.seed.exists() else []
        digest = hashlib.sha256(os.fsencode("\n".join([sys.executable, *self.arguments()])))
        for file in [*sources, *seed]:
            digest.update(b"\0" + file.read_bytes())
        return digest.hexdigest()


def reachable(listen: str) -> str:
    """Return the address at which this machine reaches a listener; for `::` it is one of IPv6."""
    address = ipaddress.ip_address(listen)
    loopback = "127.0.0.1" if address.version == 4 else "::1"
    return loopback if address.is_unspecified else str(address)
