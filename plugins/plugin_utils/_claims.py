# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the hosts that no command may process alone, since another host has the same device or file. PRIVATE to the collection.

Hosts are compared only with those of the same run. A command for one of them would not be refused, and would invalidate or replace the
credential of the others.
"""

from __future__ import annotations

import typing as t

# By kind of error, what to do in place of a command.
_ADVICE = {
    "shared_name": "Correct the inventory so that each host has a device of its own, then run again for all of them",
    "shared_place": "Correct the inventory so that each host has a file of its own, then run again for all of them",
}


def advice_for(kind: object, has_twin: bool = False) -> str:
    """Return what to do in place of a command; empty if a command helps.

    :param kind: that of the host's error
    :param has_twin: whether another host has the same device
    """
    return _ADVICE.get(str(kind), _ADVICE["shared_name"] if has_twin else "")


def with_twins(named: t.Mapping[str, t.Mapping[str, t.Any]]) -> set[str]:
    """Return the hosts that have the same device as another one. One that did not answer was not refused, although it has.

    :param named: by host, ``product_key`` and ``device_name``, as results and rows of reports have them
    """
    hosts: dict[tuple[str, str], list[str]] = {}
    for host, names in named.items():
        if names.get("device_name"):
            hosts.setdefault((str(names.get("product_key")), str(names["device_name"])), []).append(host)
    return {host for several in hosts.values() if len(several) > 1 for host in several}
