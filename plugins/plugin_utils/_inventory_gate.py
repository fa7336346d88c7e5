# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate between the platform (or a cache file) and the inventory. PRIVATE to the collection.

The name of a host determines its variables, its plays, and the address that Ansible connects to. So a name from the platform must not be
a pattern, an option, the controller, or a name that another inventory source has defined.
"""

from __future__ import annotations

import re
import socket
import typing as t
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address

from ansible.inventory.manager import split_host_pattern

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BadAnswer, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    check_device_name,
    check_product_key,
)

STATUSES = ("UNACTIVE", "ONLINE", "OFFLINE", "DISABLE")
# Groups that every host joins, besides those of the options.
GROUP_PREFIXES = ("product_", "status_")
LONGEST_TEXT = 256

_HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,252}")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_FINGERPRINT = re.compile(r"(?:[0-9a-f]{16})?")  # empty for a device without a DeviceSecret
_ADDRESS_VARIABLE = re.compile(r"ansible_(?:[a-z0-9]+_)?host")  # also that of one connection, such as ansible_ssh_host
_GROUPS = ("all", "ungrouped")
_LOOPBACK = ("localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback")
_TEXTS = ("iot_product_name", "iot_nickname", "iot_id", "iot_created")

Variables = dict[str, t.Any]


def checked_devices(content: object, product_keys: t.Collection[str], origin: str) -> list[Variables]:
    """Return the variables of every device, each of its type and alphabet; control characters in texts are replaced.

    :param content: a list of the variables of one device each, from the platform or from a cache
    :param product_keys: those of the source's option
    :param origin: where the content comes from, for the message
    :raises BadAnswer: it is invalid
    """
    if not isinstance(content, list):
        raise _bad(origin, "is not a list of devices", content)
    return [_checked_device(each, product_keys, origin) for each in content]


def _checked_device(device: object, product_keys: t.Collection[str], origin: str) -> Variables:
    names = {"iot_product_key", "iot_device_name", "iot_status", "iot_activated", "iot_fingerprint", *_TEXTS}
    if not isinstance(device, dict) or set(device) != names:
        raise _bad(origin, "has a device without exactly the variables of a device", device)
    activated = device["iot_activated"]
    texts = {name: value for name, value in device.items() if name != "iot_activated"}
    checks: dict[str, t.Callable[[str], object]] = {
        "iot_product_key": lambda key: bool(check_product_key(key)) and key in product_keys,
        "iot_device_name": lambda name: bool(check_device_name(name)),
        "iot_status": lambda status: status in STATUSES,
        "iot_fingerprint": _FINGERPRINT.fullmatch,
        **dict.fromkeys(_TEXTS, lambda text: len(text) <= LONGEST_TEXT),
    }
    for name, value in texts.items():
        try:
            valid = isinstance(value, str) and checks[name](value)
        except InvalidOption:
            valid = False
        if not valid:
            raise _bad(origin, "has a device whose %s is invalid" % name, value)
    if activated is not None and not isinstance(activated, bool):
        raise _bad(origin, "has a device whose iot_activated is invalid", activated)
    return {name: str(value) if name != "iot_activated" else value for name, value in _printable(device).items()}


def _printable(device: Variables) -> Variables:
    return {name: _without_controls(value) if name in _TEXTS else value for name, value in device.items()}


def _without_controls(text: str) -> str:
    """Replace characters that a terminal may obey or hide: control and format characters, surrogates, line separators."""
    return "".join("\ufffd" if unicodedata.category(one)[0] in "CZ" and one != " " else one for one in text)


def _bad(origin: str, problem: str, value: object) -> BadAnswer:
    return BadAnswer(
        "%s %s: %.80r" % (origin, problem, value),
        hint="Run again with --flush-cache; if that does not help, check products, region and openapi_endpoint",
    )


def check_host_name(name: object, device: Variables) -> str:
    """Return ``name`` if it can only be the name of one host.

    :raises InvalidOption: Ansible or a connection may take it for something else
    """
    if not isinstance(name, str) or not _HOST_NAME.fullmatch(name):
        raise _refused(
            name, device, "is not 1 to 253 of A-Z a-z 0-9 _ . : @ -, beginning with a letter, a digit or an underscore"
        )
    if name.casefold() in _GROUPS or _is_controller(name.rpartition("@")[2]):  # ssh takes USER@HOST too
        raise _refused(name, device, "is a name of the controller or of a group that Ansible itself defines")
    if not _MAC.fullmatch(name) and split_host_pattern(name) != [name]:
        raise _refused(name, device, "is a pattern of several hosts for Ansible")
    return str(name)


def _is_controller(name: str) -> bool:
    """Return whether a name or address may be the controller: loopback, one of its addresses, or its own name. No name is looked up."""
    label, own = name.casefold().rstrip("."), socket.gethostname().casefold()
    short, host = label.partition(".")[0], own.partition(".")[0]
    if short in _LOOPBACK or label.endswith(".localhost") or label in (own, host):
        return True
    if short == host == own:  # the controller does not know its domain, so it may be this one
        return True
    try:
        address: IPv4Address | IPv6Address = ip_address(name)
    except ValueError:
        try:
            address = IPv4Address(socket.inet_aton(name))  # the resolver's short forms, such as 127.1
        except OSError:
            return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified or _is_own(address)


def _is_own(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is one of this machine: packets to such an address have it as their source too. None is sent."""
    with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as one:
        try:
            one.connect((str(address), 9))
        except OSError:  # no route
            return False
        return ip_address(one.getsockname()[0].partition("%")[0]) == ip_address(str(address).partition("%")[0])


def check_host_names(named: t.Mapping[str, Variables], hosts: t.Collection[str], groups: t.Collection[str]) -> None:
    """Refuse names that exist already.

    :param named: the device of each new host
    :param hosts: hosts of other inventory sources
    :param groups: every group, of this source too
    :raises InvalidOption: the first collision
    """
    for name, device in named.items():
        if name in hosts:
            raise _refused(name, device, "is a host of another inventory source")
        if name in groups:
            raise _refused(name, device, "is the name of a group")
        # A MAC address is also a pattern of its six parts.
        taken = [part for part in name.split(":") if part in hosts or part in groups or part in named]
        if ":" in name and taken:
            raise _refused(name, device, "is also a pattern, of which %s is a host or a group" % taken[0])


def check_joined_groups(
    joined: t.Mapping[str, str],
    foreign: t.Collection[str],
    hosts: t.Collection[str],
    chosen: t.Collection[str],
    prefixes: t.Sequence[str],
) -> None:
    """Refuse groups whose names come from the platform and already exist for other hosts, or are names of the controller.

    :param joined: the groups that this source adds hosts to, each with one of the hosts
    :param foreign: groups that other sources have defined
    :param hosts: hosts of other sources
    :param chosen: group names in the source's options; with ``prefixes``, the only foreign groups that may be joined
    :param prefixes: beginnings of group names that are in the source's options
    :raises InvalidOption: the first such group
    """
    for group, host in joined.items():
        if _is_controller(group):
            problem = "is a name of the controller, and would be a group of %s"
        elif group in hosts:
            problem = "is a host of another inventory source, and would be a group of %s"
        elif group in _GROUPS or (group in foreign and group not in chosen and not group.startswith(tuple(prefixes))):
            problem = "is a group of another inventory source or of Ansible's own, and %s would join it"
        else:
            continue
        hint = "Give keyed_groups a prefix, so that no value of the platform's is the name of a group"
        raise InvalidOption("keyed_groups", group, problem % host, hint)


def check_variable(name: str, value: object, host: str) -> None:
    """Refuse an address that a connection could take for an option, or that leads to the controller.

    :raises InvalidOption: the composed address is no host name or address of another machine
    """
    if not _ADDRESS_VARIABLE.fullmatch(name):
        return
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*", value):
        problem, hint = "is not an address", "Correct the expression"
    elif _is_controller(value):
        problem = "leads to the controller"
        hint = (
            "Correct the expression. If the gateways are reached over ports of the controller, set %s in group_vars"
            % name
        )
    else:
        return
    raise InvalidOption("compose", value, "%s, and would be %s of host %s" % (problem, name, host), hint)


def _refused(name: object, device: Variables, problem: str) -> InvalidOption:
    what = " (device %s of product %s)" % (device["iot_device_name"], device["iot_product_key"])
    return InvalidOption(
        "hostname", name, problem + what, "Set hostname, for example to iot_product_key ~ '-' ~ iot_device_name"
    )
