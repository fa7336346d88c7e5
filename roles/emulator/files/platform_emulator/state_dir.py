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


def prepare(path: Path, *, check: bool = False) -> bool:
    """Prepare a new or empty directory as an emulator's, with mode 0700; returns whether there was anything to change.

    Raises Invalid for a directory of other files, or one that another user owns or can write to. With `check`, nothing
    is changed.
    """
    if _owned(path) and path.stat().st_mode & 0o777 == 0o700:
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
    _owned(path)
    if not path.exists():
        return False
    if check:
        return True
    process.stop(path)
    with process.locked(path):
        for file in list(path.iterdir()):
            if _is_own(file.name):
                file.unlink()
    try:
        path.resolve().rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        others = ", ".join(sorted(file.name for file in path.iterdir()))
        raise Invalid(
            f"{path}: stays, since it has other files than the emulator's, which are removed: {others}"
        ) from None
    if path.is_symlink():
        path.unlink()
    return True


def _owned(path: Path) -> bool:
    """Return whether the directory is an emulator's, and not new or empty; raises Invalid if it is anybody else's."""
    try:
        check_directory(path)
    except FileNotFoundError:
        return False
    names = {file.name for file in path.iterdir()}
    if names and not names & MARKERS:
        raise Invalid(
            f"{path}: is not the state directory of an emulator, and not empty; choose another state directory"
        )
    return bool(names)


def _is_own(name: str) -> bool:
    """Return whether a file is the emulator's or the role's, or what a crash has left of its making."""
    return any(fnmatch(name, pattern) for file in FILES for pattern in (file, f".{file}.*", f".ansible_tmp*{file}"))
