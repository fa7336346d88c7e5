# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the Python versions of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# The versions of gateways that are tested, if this machine has them.
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


def interpreter(version: str) -> Path | None:
    """Return a bare Python of this version ("3.8") that can make environments: the system's (the fastest), pyenv's or the PATH's."""
    for folder in ["/usr/bin", *_kept_by_pyenv(version), *os.get_exec_path()]:
        python = Path(folder, f"python{version}")
        # pyenv's programs in PATH only report that a version is not enabled; the Python of an environment is not bare.
        if python.exists() and folder != str(Path(sys.prefix, "bin")) and _runs(python):
            return python
    return None


def _runs(python: Path) -> bool:
    return not subprocess.run([python, "-c", "import ensurepip"], check=False, capture_output=True).returncode


def _kept_by_pyenv(version: str) -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted((root / "versions").glob(f"{version}.*/bin"), reverse=True)
