# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the hosts for the option ``--limit`` of a command, into a file if they are many. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import typing as t
from contextlib import suppress
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import in_one_piece, listed, pattern_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_file import checked_destination, write_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._summary import NAMES

_SUFFIX = ".hosts"
_KEPT = 20


def limit_of(hosts: t.Sequence[str], directory: str, name: str, most: int = NAMES) -> str:
    """Return the value of ``--limit`` for hosts: their names, or a file of names in the directory. A name may be a pattern instead.

    The name of a file contains a digest of its content, so that a printed command never applies to other hosts.

    :param name: the beginning of the file's name
    :param most: how many names are in no file
    """
    text = "".join(pattern_of(host) + "\n" for host in hosts)
    if len(hosts) > most and "," not in directory:  # where Ansible would split the path
        folder = Path(directory).expanduser()
        with suppress(FleetopsError, OSError, UnicodeError):
            file = folder / _file_name(name, text.encode())
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_report(checked_destination(str(file)), text)
            with suppress(OSError):
                _remove_old(folder)
            return in_one_piece("@%s" % file)
    return listed(hosts)


def _remove_old(folder: Path) -> None:
    """Remove all but the newest of the files that were written here. Others may have files in the same directory."""
    named = [file for file in folder.glob("*-????????" + _SUFFIX) if file.is_file()]
    written = [file for file in named if file.name == _file_name(file.name.rpartition("-")[0], file.read_bytes())]
    for old in sorted(written, key=lambda each: each.stat().st_mtime)[:-_KEPT]:
        old.unlink()


def _file_name(name: str, content: bytes) -> str:
    return "%s-%s%s" % (name, hashlib.sha256(content).hexdigest()[:8], _SUFFIX)
