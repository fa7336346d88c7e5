# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide whether the inventory or only the gateway gives a DeviceName: pure functions. PRIVATE to the collection.

A gateway that has been taken over reports whatever MAC address or serial number it likes. Its name is proven only where the
inventory gives it to this one host.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    FleetopsError,
    InvalidOption,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import UNUSABLE
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    check_device_name,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import first_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Identity

HARDWARE = ("mac", "serial")
UNLIMITED = (
    "DeviceNames are read from the gateways' hardware without a list of allowed names: a gateway that has been taken over can report "
    "the name of any device that was never activated, and get its credential. List the names in expected_names (gateway_expected_names)"
)
NAME_IT = (
    "Name the device of this host in the inventory, with device_name or with expected_names of this one name "
    "(gateway_device_name, gateway_expected_names)"
)
HOSTS_SHOWN = 5
# Serial numbers of firmware in which none was set, in lower-case letters and digits.
PLACEHOLDERS = frozenset(
    {
        "chassisserialnumber",
        "defaultstring",
        "empty",
        "invalid",
        "na",
        "none",
        "notapplicable",
        "notavailable",
        "notspecified",
    }
    | {"null", "oem", "serialnumber", "sernum", "systemserialnumber", "tobefilledbyoem", "unknown", "unspecified"}
)
# Variables of the role and of the playbooks, including those that only the playbooks themselves set.
_OURS = re.compile(r"_?gateways?_.*|platform_.*|audit_.*|decommission.*|fleetops_.*|claimed_devices|target")


class Variables(t.Protocol):
    """The variables of a host."""

    def get(self, name: str, default: t.Any = None, /) -> t.Any:
        """Return the value of a variable, with its templates filled in."""


def is_proven(source: str, expected: t.Sequence[str]) -> bool:
    """Return whether the inventory itself determines the name of this one host."""
    return source not in HARDWARE or len(expected) == 1


def check_expected_names(names: t.Sequence[str]) -> None:
    """Check the names that the hardware may give.

    :raises InvalidOption: one is not a DeviceName, or is listed twice
    """
    seen: set[str] = set()
    for name in names:
        try:
            check_device_name(name)
        except InvalidOption as error:
            raise InvalidOption("expected_names", name, "is not a DeviceName", error.hint) from error
        if name in seen:
            raise InvalidOption("expected_names", name, "is listed twice", "List every name once")
        seen.add(name)


def hardware_name(reported: str, source: str, expected: t.Sequence[str], earlier: str | None) -> str:
    """Return the DeviceName that the hardware of a gateway reports.

    :param earlier: the name that an earlier look at this gateway returned, if there was one
    :raises InvalidOption: there is none, or it is not a DeviceName
    :raises FleetopsError: C(unexpected_name), the inventory does not list it, or it is another one than before
    """
    if not reported:
        raise InvalidOption(
            "device_name_from",
            source,
            "returned no value on this gateway",
            "Name the interface with device_name_interface, or set device_name"
            if source == "mac"
            else "Set device_name, or become root to read a serial number",
        )
    if reported == UNUSABLE:
        raise InvalidOption(
            "device_name_from",
            source,
            "returned a value on this gateway that can be no DeviceName: it is longer than 64 characters, or has "
            "others than printable ASCII characters",
            "Set device_name for this host",
        )
    if is_placeholder(reported, source):
        raise InvalidOption(
            "device_name_from",
            source,
            "returned %r, which many gateways have" % reported[:40],
            "Name a permanent interface with device_name_interface, or set device_name"
            if source == "mac"
            else "Set device_name",
        )
    try:
        name = check_device_name(reported)
    except InvalidOption as error:
        error.hint = "It is the gateway's %s. %s" % (source, error.hint)
        raise
    if expected and name not in expected:
        raise FleetopsError(
            "the hardware of this gateway reports %s (device_name_from: %s), which expected_names does not list"
            % (name, source),
            hint="Check the gateway. If the name is right, add it to expected_names (gateway_expected_names) exactly as shown",
            kind="unexpected_name",
        )
    if earlier and name != earlier:
        raise FleetopsError(
            "the hardware of this gateway reports %s (device_name_from: %s), and reported %s before"
            % (name, source, earlier),
            hint="Check the gateway: a name from the hardware does not change within a run",
            kind="unexpected_name",
        )
    return name


def is_placeholder(reported: str, source: str) -> bool:
    """Return whether the hardware reports a placeholder: all zeros, a group address, or a vendor's text for a missing number."""
    plain = re.sub("[^a-z0-9]", "", reported.lower())
    # One repeated character, or consecutive digits and letters; a short one may be a real number.
    in_order = len(set(plain)) == 1 or plain in "0123456789abcdef" * 2 or plain in "1234567890" * 4
    if not plain or set(plain) == {"0"} or (in_order and len(plain) >= 6):
        return True
    if source == "mac":
        return (
            bool(re.fullmatch("[0-9a-f]{12}", plain)) and int(plain[1], 16) % 2 == 1
        )  # a group address, such as broadcast
    return plain in PLACEHOLDERS


def check_unchanged(product_key: str, name: str, held: t.Iterable[Identity | None]) -> None:
    """Check that a gateway does not hold a credential of the product for another name than the one it reports.

    :raises FleetopsError: C(name_changed)
    """
    for identity in held:
        if identity and identity.product_key == product_key and identity.device_name != name:
            raise FleetopsError(
                "the gateway has the credential of %s, but its hardware reports the name %s"
                % (identity.device_name, name),
                hint="Nothing was changed. Set device_name or expected_names for this host (gateway_device_name, "
                "gateway_expected_names) to the right one, or decommission the gateway first",
                kind="name_changed",
            )


def check_holder(product_key: str, name: str, credential: Identity | None) -> None:
    """Check that a gateway whose name is not proven has a DeviceSecret of the device whose name it reports.

    :raises FleetopsError: C(unproven_name)
    """
    if credential != Identity(credential.fingerprint if credential else "", product_key, name):
        raise unproven_name("reset", name)


def unproven_name(act: str, name: str) -> FleetopsError:
    """Return the error for an action on a device whose name only the gateway reports.

    :param act: a verb, such as C(recover)
    """
    return FleetopsError(
        "refused to %s %s: only the gateway's hardware reports this DeviceName" % (act, name),
        hint="Nothing was changed. " + NAME_IT,
        kind="unproven_name",
    )


def check_facts(variables: Variables) -> None:
    """Check that the facts of a host contain no variable of the role or of the playbooks.

    Ansible uses facts as variables that override those of the inventory, so a gateway could choose its device, or the platform.

    :raises StorageError: C(bad_answer), they contain one
    """
    facts = variables.get("ansible_facts") or {}
    found = sorted(name for name in facts if isinstance(name, str) and _OURS.fullmatch(name))
    if found:
        raise StorageError(
            "the gateway's facts contain %s, which only the inventory may set" % found[0][:64],
            hint="Nothing was changed. Treat the gateway as taken over, unless set_fact stored it with cacheable: true; clear its facts "
            "(ansible.builtin.meta: clear_facts), and set inject_facts_as_vars = False in ansible.cfg",
            kind="bad_answer",
        )


_OWN_DEVICES = (
    "Nothing was changed. Give every host a device of its own (gateway_device_name, gateway_expected_names), and check the gateways whose "
    "hardware reports the name"
)


def shared(devices: t.Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return a message for each host that has the same device as another host; it names all of them.

    :param devices: ProductKey and DeviceName by host. A DeviceName that is empty is that of no other host; a ProductKey that is empty can
        be any one
    """
    hosts: dict[str, dict[str, str]] = {}
    for host, (product_key, name) in devices.items():
        if name:
            hosts.setdefault(name, {})[host] = product_key
    messages: dict[str, str] = {}
    for name, keys in hosts.items():
        for product_key in dict.fromkeys(keys.values()) if len(keys) > 1 else ():
            several = [host for host, key in keys.items() if not (key and product_key) or key == product_key]
            if len(several) < 2:
                continue
            product = next(filter(None, (product_key, *keys.values())), "that is to be created")
            message = "%d hosts have the device %s of the product %s: %s. %s" % (
                *(len(several), name, product, first_of(several, HOSTS_SHOWN), _OWN_DEVICES),
            )
            messages.update((host, message) for host in several if keys[host] == product_key)
    return messages


def copied(credentials: t.Mapping[str, tuple[str, str, str]]) -> list[str]:
    """Return a message for each credential that several hosts have, as clones of one image do.

    :param credentials: ProductKey, DeviceName and fingerprint by host
    """
    hosts: dict[tuple[str, str, str], list[str]] = {}
    for host, credential in credentials.items():
        hosts.setdefault(credential, []).append(host)
    return [
        "%d gateways have the same credential, that of the device %s of the product %s: %s. It was copied, perhaps with an image. Those "
        "that belong to other devices get their own credentials; until then the gateways disconnect each other"
        % (len(several), name, product_key, first_of(several, HOSTS_SHOWN))
        for (product_key, name, _fingerprint), several in hosts.items()
        if len(several) > 1
    ]
