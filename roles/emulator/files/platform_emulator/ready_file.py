# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of endpoints, which the emulator writes when it is ready, and removes when it ends."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from platform_emulator.fields import Invalid
from platform_emulator.files import read_own

KEYS = {"register_url", "admin_url", "pid"}  # of every version of the emulator


def default(state_dir: Path) -> Path:
    return state_dir / "endpoints.json"


def check(path: Path) -> None:
    """Raise Invalid for anything but a new or empty file, or the file of an emulator of this user: it will be replaced."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        problem = "is a link or not a regular file"
    elif found.st_uid != os.geteuid():
        problem = f"belongs to another user (uid {found.st_uid})"
    elif found.st_size and not _content(path).keys() >= KEYS:
        problem = "is not a list of an emulator's endpoints"
    else:
        return
    raise Invalid(f"{path}: {problem}, so --ready-file does not replace it; choose another file")


def endpoints_of(path: Path, pid: int) -> dict[str, object]:
    """Return what the process has written to the file; nothing if the file is another process's, or another user's."""
    try:
        endpoints = _content(path)
    except (OSError, Invalid):
        return {}
    return endpoints if endpoints.get("pid") == pid else {}


def writer_of(path: Path) -> int | None:
    """Return the number of the process that has written the file; None if there is no such file."""
    try:
        pid = _content(path).get("pid")
    except (OSError, Invalid):
        return None
    return pid if isinstance(pid, int) else None


def _content(path: Path) -> dict[str, object]:
    """Return the mapping in a file, an empty one if the file has other content; raises OSError or Invalid."""
    try:
        content = json.loads(read_own(path))
    except Invalid:
        raise
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
