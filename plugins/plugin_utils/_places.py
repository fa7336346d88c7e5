# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the files of all gateways of a pass: two hosts with one file would replace each other's credential. PRIVATE to the collection."""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass, field

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import first_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Look

LOCAL = "local"
HOSTS_SHOWN = 5
# Options, each with a path.
Files = tuple[tuple[str, str], ...]
# A boot ID, or a route for hosts without a look.
Boot = str | tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """The machine that a connection leads to, as far as the inventory tells: connection, address and port, empty where there is none.

    The remote user is no part of it: several users of one machine have the same files. ``route`` are the options that can lead to another
    machine of the same address, such as those for a jump host, or None if they cannot be read. It is not compared where boot IDs tell
    machines apart.
    """

    connection: str
    address: str = ""
    port: str = ""
    route: tuple[str, ...] | None = field(default=(), compare=False)

    def __str__(self) -> str:
        if self.connection == LOCAL:
            return "the controller"
        return "%s%s (%s)" % (self.address, ":" + self.port if self.port else "", self.connection)


@dataclass(frozen=True)
class Places:
    """The files of a host, each with the option that names it: as a look has found them, without symbolic links, and as they are named.

    ``boot`` tells machines apart that have one address, such as one in several networks behind different jump hosts. It is None without a
    look.
    """

    target: Target
    boot: str | None
    options: Files


def places_of(found: Look | None, target: Target | None, named: Files) -> Places | None:
    """Return the files of a host, None where nobody knows which machine they are on.

    :param found: the look, if there was one
    :param named: the files as the inventory names them, which are compared with those of hosts without a look
    """
    if not target:
        return None
    if not found:
        return Places(target, None, named)
    exports = (("exports[%d].dest" % (number - 1), place) for number, place in sorted(found.places.items()))
    return Places(target, found.boot, tuple(dict.fromkeys((("path", found.path), *exports, *named))))


def named_files(path: object, exports: object) -> Files:
    """Return the files that options name, each with its option; values that are no path are left out."""
    named = {"path": path}
    for number, export in enumerate(exports if isinstance(exports, (list, tuple)) else ()):
        if isinstance(export, dict):
            named["exports[%d].dest" % number] = export.get("dest")
    return tuple(
        (option, "/" + posixpath.normpath(place).lstrip("/"))
        for option, place in named.items()
        if isinstance(place, str) and place.startswith("/")
    )


def whose_working_file(path: str, places: t.Collection[str]) -> str | None:
    """Return the one of ``places`` whose working files ``path`` is named like: the same directory, a dot, the name, a dot and more."""
    directory, _slash, name = path.rpartition("/")
    first, *parts = name.split(".")
    if first:
        return None
    names = ("%s/%s" % (directory, ".".join(parts[:count])) for count in range(1, len(parts)))
    return next((place for place in names if place in places), None)


def shared_places(places: t.Mapping[str, Places]) -> dict[str, str]:
    """Return a message for each host that shares a file with another host, or has the name of a working file of another host.

    The message lists these hosts, and the options that name the files. A host without a look may be on any machine that a host of the same
    target and route is on; without a route too, on any machine that a host of the same target is on.
    """
    booted: dict[tuple[Target, tuple[str, ...] | None], dict[str, None]] = {}
    for own in places.values():
        if own.boot is not None:
            booted.setdefault((own.target, own.target.route), {})[own.boot] = None
    holders: dict[tuple[Target, Boot, str], list[tuple[str, str]]] = {}
    on_machine: dict[tuple[Target, Boot], set[str]] = {}
    machines: dict[Target, dict[Boot, None]] = {}
    for host, own in sorted(places.items(), key=lambda item: item[1].target.route is None):
        route, known = own.target.route, machines.setdefault(own.target, {})
        boots: t.Collection[Boot] = [own.boot] if own.boot is not None else booted.get((own.target, route), ())
        if not boots:
            boots = list(known) or [()] if route is None else [route]
        known.update(dict.fromkeys(boots))
        for boot in boots:
            for option, path in own.options:
                holders.setdefault((own.target, boot, path), []).append((host, option))
                on_machine.setdefault((own.target, boot), set()).add(path)
    messages: dict[str, str] = {}
    for (target, boot, path), several in holders.items():
        of = whose_working_file(path, on_machine[target, boot])
        if of:
            several = [*several, *holders[target, boot, of]]
        if len(several) < 2:
            continue
        listed = first_of(["%s (gateway_%s)" % holder for holder in several], HOSTS_SHOWN)
        message = (
            "%d hosts have the file %s%s on one machine, %s: %s. No file was changed. Give every host a file of its own (gateway_path, "
            "gateway_exports), or correct what leads to the machine (ansible_connection, ansible_host, ansible_port)"
            % (
                len(several),
                path,
                ", which is named like a working file of %s," % of if of else "",
                target,
                listed,
            )
        )
        for host, _option in several:
            messages.setdefault(host, message)
    return messages
