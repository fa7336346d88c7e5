# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the hosts for the option ``--limit`` of a command, into a file if they are many. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import typing as t
from contextlib import suppress
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import listed
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_file import checked_destination, write_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._summary import NAMES

_SUFFIX = ".hosts"
_KEPT = 20


def limit_of(hosts: t.Sequence[str], directory: str, name: str) -> str:
    """Return the value of ``--limit`` for hosts: their names, or a file of names in the directory.

    The name of a file contains a digest of its content, so that a printed command never applies to other hosts.

    :param name: the beginning of the file's name
    """
    text = "".join(host + "\n" for host in hosts)
    if len(hosts) > NAMES:
        folder = Path(directory).expanduser()
        with suppress(FleetopsError, OSError, UnicodeError):
            file = folder / ("%s-%s%s" % (name, hashlib.sha256(text.encode()).hexdigest()[:8], _SUFFIX))
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_report(checked_destination(str(file)), text)
            for old in sorted(folder.glob("*" + _SUFFIX), key=lambda each: each.stat().st_mtime)[:-_KEPT]:
                old.unlink()
            return "@%s" % file
    return listed(hosts)
