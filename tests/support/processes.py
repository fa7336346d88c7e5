# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find and kill the processes of a test, and read what every user of the machine can read of them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

SECONDS = 60

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str) -> T:
    """Return the condition's first true value; fail the test after SECONDS."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {SECONDS} seconds in vain for {what}"
        time.sleep(0.02)
    return value


def at_home(home: Path) -> list[int]:
    """Return the processes that were started with this HOME, which children inherit in every session.

    A forked run has the environment of its server in /proc, so it is found by its working directory, which is its home or below.
    """
    entry = b"HOME=" + os.fsencode(home)
    return [pid for pid in everyone() if entry in read(pid, "environ").split(b"\0") or _forked_in(pid, home)]


def kill(find: Callable[[], Iterable[int]]) -> None:
    """Kill all processes that `find` returns at one moment: stop all of them first, then kill them."""
    stopped: set[int] = set()
    while new := set(find()) - stopped:
        for pid in new:
            _send(pid, signal.SIGSTOP)
        stopped |= new
    for pid in stopped:
        _send(pid, signal.SIGKILL)
    if stopped:
        wait_for(lambda: not any(pid in stopped for pid in find()), "processes to end")


def everyone() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read(pid: int, name: str) -> bytes:
    """Return a file of /proc/PID; empty if the process is gone or the file may not be read."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _forked_in(pid: int, folder: Path) -> bool:
    try:
        # The link first: it takes a fifth of the time of the file, and almost no process is there.
        below = Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
        return below and b"fork_server.py" in read(pid, "cmdline")
    except OSError:
        return False


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
