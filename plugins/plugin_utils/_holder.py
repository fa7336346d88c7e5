# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which process of which controller holds a lease. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=None)
def holder() -> str:
    """A name for the set of processes that this one can see: a host since its start, or one container on it."""
    parts = [socket.gethostname()]
    for read in (
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
        lambda: os.readlink("/proc/self/ns/pid"),
    ):
        try:
            parts.append(read())
        except OSError:
            parts.append("-")
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


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
