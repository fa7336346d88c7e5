# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a report into a directory that other users may write to. PRIVATE to the collection."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption, StorageError

ANOTHER_PLACE = "Choose another file, or remove this one"
# The files beside a page, each with what it begins with.
BESIDE = {".json": b'{\n "format": ', ".csv": b"gateway,outcome,"}
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def checked_destination(dest: str, option: str = "dest") -> Path:
    """Return the absolute path to write to; a relative one is relative to the working directory.

    :param option: the option or variable that names it
    :raises InvalidOption: the directory does not exist or is not writable, or a file that may not be replaced exists there; or no file can
        have this name
    :raises StorageError: the path cannot be looked at
    """
    if "\0" in dest:
        raise InvalidOption(option, dest, "contains a NUL, which no name of a file does", "Remove it")
    try:
        os.fsencode(dest)
    except UnicodeError:
        raise InvalidOption(
            option, dest, "contains a character that no file's name can have here", "Remove it"
        ) from None
    if os.path.basename(dest) in ("", ".", ".."):
        raise InvalidOption(option, dest, "does not end in the name of a file", "Add the name of the file")
    path = Path(os.path.abspath(dest))
    try:
        if not path.parent.is_dir():
            raise InvalidOption(option, dest, "is in a directory that does not exist", "Create %s" % path.parent)
        if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
            raise InvalidOption(option, dest, "is in a directory that you cannot write to", "Choose another directory")
        found = path.lstat()
    except FileNotFoundError:
        return path
    except OSError as error:
        raise _cannot_write(path, error) from None
    if stat.S_ISLNK(found.st_mode):
        raise InvalidOption(option, dest, "is a symbolic link, and none is followed", ANOTHER_PLACE)
    if not stat.S_ISREG(found.st_mode):
        raise InvalidOption(option, dest, "is not a regular file", "Name a file")
    if found.st_uid != os.geteuid():
        raise InvalidOption(
            option,
            dest,
            "belongs to another user (uid %d), who could read and change the report" % found.st_uid,
            ANOTHER_PLACE,
        )
    return path


def checked_page(dest: str, option: str = "dest") -> tuple[Path, Path, Path]:
    """Return the paths of a page, and of the JSON and CSV beside it, each checked by :func:`checked_destination`.

    :raises InvalidOption: ``dest`` does not end in .html, or a file that may not be replaced exists there. This includes a file beside the
        page that is no report, because ``dest`` does not name it
    """
    if not dest.endswith(".html"):
        raise InvalidOption(option, dest, "does not end in .html", "Name the page; JSON and CSV are beside it")
    page = checked_destination(dest, option)
    kept, table = (_checked_beside(page.with_suffix(suffix), begin, dest, option) for suffix, begin in BESIDE.items())
    return page, kept, table


def _checked_beside(path: Path, begin: bytes, dest: str, option: str) -> Path:
    checked_destination(str(path), option)
    try:
        with path.open("rb") as file:
            found = file.read(len(begin))
    except FileNotFoundError:
        return path
    except OSError as error:
        raise _cannot_write(path, error) from None
    if found not in (begin, b""):
        raise InvalidOption(option, dest, "would replace %s, which is not part of a report" % path, ANOTHER_PLACE)
    return path


def write_report(path: Path, text: str) -> None:
    """Write ``text`` into a new file of mode 0600 beside ``path``, sync it and rename it to ``path``.

    A character that UTF-8 cannot represent, such as one of a command line in another encoding, is written as its number.
    Whatever appears at ``path`` meanwhile, the rename replaces it; its content and its owner are never used.

    :raises StorageError: the old report stays
    """
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot_write(path, error) from None
    new = ".fleetops-report-" + secrets.token_hex(8)
    try:
        with os.fdopen(os.open(new, NEW_FILE, 0o600, dir_fd=directory), "wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    except OSError as error:
        raise _cannot_write(path, error) from None
    finally:
        # Also after an interrupt; after the rename there is none.
        with suppress(OSError):
            os.unlink(new, dir_fd=directory)
        os.close(directory)


def _cannot_write(path: Path, error: OSError) -> StorageError:
    return StorageError("the report cannot be written to %s: %s" % (path, error.strerror), hint="Choose another file")
