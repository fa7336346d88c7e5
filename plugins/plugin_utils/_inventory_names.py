# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which device and which machine the inventory names for each of many hosts. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from ansible import context
from ansible.errors import AnsibleError
from jinja2 import TemplateError, Undefined

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_credential_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_device_name, check_product_key
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import (
    HARDWARE,
    Variables,
    check_facts,
    is_proven,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import check_texts, not_evaluated
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._places import LOCAL, Files, Target, named_files
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import TEXTS

_NOT_EVALUATED = (AnsibleError, TemplateError)
_NAMING = ("gateway_product_key", "gateway_device_name", "gateway_device_name_from", "gateway_expected_names")


@dataclass(frozen=True)
class InventoryName:
    """The device that the inventory names for a host.

    ``device_name`` is None if only the hardware reports it. If variables are invalid, ``problem`` is the reason, and the device is only for
    comparisons: as much of it as the other variables name.
    """

    product_key: str
    device_name: str | None
    expected: tuple[str, ...] = ()
    problem: str | None = None


def from_inventory(host: str, variables: Variables) -> InventoryName:
    """Return the device that the variables of a host name. An error in them is returned, so that it affects only this host."""
    try:
        check_facts(variables)
        named = _read(host, variables)
        if named.product_key:
            check_product_key(named.product_key)
        if named.device_name:
            check_device_name(named.device_name)
    except FleetopsError as invalid:
        return _claimed(host, variables, invalid.quoted)
    except _NOT_EVALUATED as undefined:  # of a variable in check_facts()
        return _claimed(host, variables, str(undefined))
    return named


def _read(host: str, variables: Variables) -> InventoryName:
    values = {}
    for name in _NAMING:
        try:
            values[name] = host_value(variables, name)
        except _NOT_EVALUATED as error:
            raise not_evaluated(name, str(error)) from None
    check_texts(TEXTS, values)
    _source(values)
    return InventoryName(str(values["gateway_product_key"] or ""), _device_name(host, values), _expected(values))


def _claimed(host: str, variables: Variables, problem: str) -> InventoryName:
    """Return as much of the device as can be read: the host fails, but no other one must get its device.

    Facts are not read, because a gateway chooses its own, and would keep others from their devices.
    """
    values: dict[str, t.Any] = {}
    with suppress(*_NOT_EVALUATED):
        facts = variables.get("ansible_facts") or {}
        for name in _NAMING:
            if name not in facts:
                with suppress(FleetopsError, *_NOT_EVALUATED):
                    value = host_value(variables, name)
                    check_texts(TEXTS, {name: value})
                    values[name] = value
    product_key, device_name = "", None
    with suppress(FleetopsError):
        product_key = check_product_key(str(values.get("gateway_product_key") or ""))
    with suppress(FleetopsError, KeyError):  # KeyError: a variable that the name depends on cannot be read
        device_name = check_device_name(_device_name(host, values) or "")
    return InventoryName(product_key, device_name, problem=problem)


def host_value(variables: Variables, name: str) -> t.Any:
    """Return the value of a variable of a host; None if it is omitted or not set.

    :raises AnsibleError, TemplateError: it cannot be evaluated
    """
    value = variables.get(name)
    # If a variable is missing, hostvars return an object since ansible-core 2.19, and the template before.
    if isinstance(value, Undefined):
        str(value)  # raises the error of Jinja, which names the variable
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        raise AnsibleError("it refers to a variable that is not defined")
    # If the value is omit, they return an object and the text of the variable omit.
    omitted = type(value).__name__ == "_OmitType" or (isinstance(value, str) and value == variables.get("omit"))
    return None if omitted else value


def _device_name(host: str, values: t.Mapping[str, t.Any]) -> str | None:
    if name := str(values["gateway_device_name"] or ""):
        return name
    source = _source(values)
    if source not in HARDWARE:
        return host
    expected = _expected(values)
    return expected[0] if is_proven(source, expected) else None


def _source(values: t.Mapping[str, t.Any]) -> str:
    source = str(values["gateway_device_name_from"] or "inventory_hostname")
    if source not in ("inventory_hostname", *HARDWARE):
        choices = "Use inventory_hostname, %s" % " or ".join(HARDWARE)
        raise InvalidOption("gateway_device_name_from", source, "is not a valid value", choices)
    return source


def _expected(values: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    listed = values["gateway_expected_names"] or ()
    return tuple(listed.split(",") if isinstance(listed, str) else map(str, listed))


def files_from_inventory(variables: Variables) -> Files:
    """Return the files that the variables of a host name, each with its option, as far as they can be evaluated."""
    values: dict[str, object] = {}
    for option in ("path", "exports"):
        with suppress(*_NOT_EVALUATED):
            # As in the role, an optional variable that is empty counts as not set.
            values[option] = host_value(variables, "gateway_" + option) or gateway_credential_spec()[option]["default"]
    return named_files(values.get("path"), values.get("exports"))


@dataclass(frozen=True)
class Machine:
    """The machine of a host, as far as the inventory names it; ``port`` is empty if only the connection knows it."""

    address: str
    port: str = ""
    connection: str = field(default="ssh", compare=False)

    def target(self) -> Target:
        """Return what a connection would lead to that cannot be made, so that its route is not known."""
        if self.connection == LOCAL:
            return Target(LOCAL)
        return Target(self.connection, self.address, self.port or ("22" if self.connection == "ssh" else ""), None)


def named_machine(host: str, variables: Variables, default: object = None) -> Machine | None:
    """Return the machine that the inventory names for a host; None if its variables cannot be read, which the pass reports.

    :param default: the connection without a variable, if it is not that of the command line
    """
    try:
        named = str(host_value(variables, "ansible_connection") or default or context.CLIARGS.get("connection") or "")
        connection = named.rpartition(".")[2]
        if connection == LOCAL:
            return Machine(LOCAL, connection=LOCAL)
        own = "ansible_%s_" % connection  # takes precedence in the connection too
        address = host_value(variables, own + "host") or host_value(variables, "ansible_host") or host
        port = host_value(variables, own + "port") or host_value(variables, "ansible_port") or ""
    except _NOT_EVALUATED:
        return None
    builtin = connection if named in (connection, "ansible.builtin." + connection) else named
    return Machine(str(address), str(port), "ssh" if builtin in ("", "smart") else builtin)


def on_one_machine(machines: t.Mapping[str, Machine | None]) -> set[str]:
    """Return the hosts that may be on the machine of another host, so that only looks can tell whether their files are different.

    Paths prove nothing, because they may contain symbolic links. A host without a port may have that of any other host.
    """
    everyone = Counter(filter(None, machines.values()))
    addresses = Counter(machine.address for machine in machines.values() if machine)

    def is_alone(machine: Machine) -> bool:
        if addresses[machine.address] == 1:
            return True
        return bool(machine.port) and everyone[machine] == 1 and Machine(machine.address) not in everyone

    return {host for host, machine in machines.items() if machine and not is_alone(machine)}
