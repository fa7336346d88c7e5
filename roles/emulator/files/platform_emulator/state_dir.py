# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state directory as a whole: taken if it is new or empty, removed with the emulator's own files only."""

from __future__ import annotations

import errno
from fnmatch import fnmatch
from pathlib import Path

from platform_emulator import process
from platform_emulator.fields import Invalid
from platform_emulator.files import check_directory

DATABASE = "state.sqlite"
STATE = (
    *("ca.key", "ca.pem", "server.key", "server.pem", process.LOCK, process.RECORD),
    *(DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal"),
)
FILES = (*STATE, "seed.yml", "emulator.log", "endpoints.json")
MARKERS = {process.LOCK, DATABASE}
LOCK_SECONDS = 5.0  # for another removal of the same directory


def prepare(path: Path, *, check: bool = False) -> bool:
    """Prepare a new or empty directory as an emulator's, with mode 0700; returns whether there was anything to change.

    Raises Invalid for a directory of other files, or one that another user owns or can write to. With `check`, nothing
    is changed.
    """
    if owned(path) and path.stat().st_mode & 0o777 == 0o700:
        return False
    if not check:
        process.claim(path)
        path.chmod(0o700)
    return True


def remove(path: Path, *, check: bool = False) -> bool:
    """End the emulator, then remove its files and its directory; returns whether there was one.

    Raises Invalid if the directory is not an emulator's, or has other files too, which stay. With `check`, nothing is
    changed.
    """
    owned(path)
    if not path.exists():
        return False
    if check:
        return True
    try:
        while not _removed(path):
            pass
    except FileNotFoundError:
        return False  # another removal, at the same time, was first
    if path.is_symlink():
        path.unlink(missing_ok=True)
    return True


def _removed(path: Path) -> bool:
    """Remove the emulator's files and the directory; returns False if another process has begun to use it meanwhile."""
    process.stop(path)
    with process.locked(path, LOCK_SECONDS):
        # The markers last: without them, what an interruption leaves would be nobody's.
        for file in sorted(path.iterdir(), key=lambda file: (file.name in MARKERS, file.name == process.LOCK)):
            if _is_own(file):
                file.unlink(missing_ok=True)
    try:
        path.resolve().rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        others = sorted(file.name for file in path.iterdir() if not _is_own(file))
        if others:
            raise Invalid(
                f"{path}: stays, since it has other files than the emulator's, which are removed: {', '.join(others)}"
            ) from None
        return False
    return True


def owned(path: Path) -> bool:
    """Return whether the directory is an emulator's, and not new or empty; raises Invalid if it is anybody else's."""
    try:
        check_directory(path)
        names = {file.name for file in path.iterdir()}
    except FileNotFoundError:
        return False
    if names and not names & MARKERS:
        raise Invalid(
            f"{path}: is not the state directory of an emulator, and not empty; choose another state directory"
        )
    return bool(names)


def _is_own(path: Path) -> bool:
    """Return whether a file is the emulator's or the role's, or what a crash has left of its making. A directory is not."""
    # mkstemp puts eight characters into a name.
    patterns = (pattern for file in FILES for pattern in (file, f".{file}.{'?' * 8}", f".ansible_tmp{'?' * 8}{file}"))
    return any(fnmatch(path.name, pattern) for pattern in patterns) and (path.is_symlink() or not path.is_dir())
