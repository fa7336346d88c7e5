# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which process of which controller holds a lease. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import os
import socket
import typing as t
from functools import cache
from pathlib import Path


@cache
def holder() -> str:
    """A name for the set of processes that this one can see: a host since its start, or one container on it."""
    parts = [socket.gethostname(), _read(Path.read_text, "/proc/sys/kernel/random/boot_id")]
    parts.append(_read(Path.readlink, "/proc/self/ns/pid"))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _read(method: t.Callable[[Path], object], path: str) -> str:
    try:
        return str(method(Path(path))).strip()
    except OSError:
        return "-"


def started(pid: int) -> str:
    """When a process started, in the kernel's ticks; "-" if there is no such process, or no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return "-" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return "-"


def alive(pid: int, start: str) -> bool:
    """Whether the process that started then still runs; without /proc, whether any process has its number."""
    if start != "-":
        return started(pid) == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
