# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the emulator."""

from __future__ import annotations

import hashlib
import os
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
        """Return a digest of the options and of the seed's content, to compare two runs."""
        seed = self.seed.read_bytes() if self.seed and self.seed.exists() else b""
        return hashlib.sha256(os.fsencode("\n".join(self.arguments())) + b"\0" + seed).hexdigest()
