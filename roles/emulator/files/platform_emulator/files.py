# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the user who runs the emulator, which no other user can read or replace."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from platform_emulator.fields import Invalid

FOR_OTHERS_TO_WRITE = stat.S_IWGRP | stat.S_IWOTH


def own_directory(path: Path) -> None:
    """Create a directory of mode 0700, unless it exists; raises Invalid if others could change its files."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_directory(path)


def check_directory(path: Path) -> None:
    """Raise Invalid for a directory that is another user's, or that others may write."""
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise Invalid(f"{path}: belongs to another user (uid {found.st_uid}); choose another state directory")
    if found.st_mode & FOR_OTHERS_TO_WRITE:
        raise Invalid(f"{path}: other users may write into it; choose another state directory, or make its mode 0700")


def open_own(path: Path, flags: int) -> int:
    """Open a file, created with mode 0600; raises OSError for a link, Invalid for another user's or an irregular file."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise Invalid(f"{path}: is another user's, or not a regular file; remove it, or choose another file")
    return descriptor


def read_own(path: Path) -> str:
    """Read a file as `open_own` opens it."""
    with os.fdopen(open_own(path, os.O_RDONLY), encoding="utf-8") as file:
        return file.read()


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically, with mode 0600 from the beginning; a link or a file of this name is replaced."""
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
