# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the files of all gateways of a pass: two hosts with one file would replace each other's credential. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Look

LOCAL = "local"
HOSTS_SHOWN = 5


class Target(t.NamedTuple):
    """The machine that a connection leads to, as far as the inventory tells: connection, address and port, empty where there is none.

    The remote user is no part of it: several users of one machine have the same files.
    """

    connection: str
    address: str = ""
    port: str = ""

    def __str__(self) -> str:
        if self.connection == LOCAL:
            return "the controller"
        return "%s%s (%s)" % (self.address, ":" + self.port if self.port else "", self.connection)


@dataclass(frozen=True)
class Places:
    """The files of a host, without symbolic links in their paths, each with the option that names it.

    ``boot`` tells machines apart that have one address, such as one in several networks behind different jump hosts.
    """

    target: Target
    boot: str
    options: tuple[tuple[str, str], ...]


def places_of(found: Look, target: Target | None) -> Places | None:
    """Return the files that a look has found, None where nobody knows which machine they are on."""
    if not target:
        return None
    exports = (("exports[%d].dest" % (number - 1), place) for number, place in sorted(found.places.items()))
    return Places(target, found.boot, (("path", found.path), *exports))


def whose_working_file(path: str, places: t.Collection[str]) -> str | None:
    """Return the one of ``places`` whose working files ``path`` is named like: the same directory, a dot, the name, a dot and more."""
    directory, _slash, name = path.rpartition("/")
    first, *parts = name.split(".")
    if first:
        return None
    names = ("%s/%s" % (directory, ".".join(parts[:count])) for count in range(1, len(parts)))
    return next((place for place in names if place in places), None)


def shared_places(places: t.Mapping[str, Places]) -> dict[str, str]:
    """Return, for each host of which a file is another host's too, or is named like a working file of it, a message that names all.

    The message contains the options that name the files.
    """
    holders: dict[tuple[Target, str, str], list[tuple[str, str]]] = {}
    on_machine: dict[tuple[Target, str], set[str]] = {}
    for host, own in places.items():
        for option, path in own.options:
            holders.setdefault((own.target, own.boot, path), []).append((host, option))
            on_machine.setdefault((own.target, own.boot), set()).add(path)
    messages: dict[str, str] = {}
    for (target, boot, path), several in holders.items():
        of = whose_working_file(path, on_machine[target, boot])
        if of:
            several = [*several, *holders[target, boot, of]]
        if len(several) < 2:
            continue
        listed = ", ".join("%s (gateway_%s)" % holder for holder in several[:HOSTS_SHOWN])
        message = (
            "%d hosts have the file %s%s on one machine, %s: %s%s. Nothing was changed. Give every host a file of its own (gateway_path, "
            "gateway_exports), or correct what leads to the machine (ansible_connection, ansible_host, ansible_port)"
            % (
                len(several),
                path,
                ", which is named like a working file of %s," % of if of else "",
                target,
                listed,
                ", ..." if len(several) > HOSTS_SHOWN else "",
            )
        )
        for host, _option in several:
            messages.setdefault(host, message)
    return messages
