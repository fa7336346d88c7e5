# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which device the inventory names for each of many hosts, and where its files are. PRIVATE to the collection."""

from __future__ import annotations

from dataclasses import dataclass

from ansible import context
from ansible.errors import AnsibleError
from jinja2 import TemplateError

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_credential_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_device_name, check_product_key
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import (
    HARDWARE,
    Variables,
    check_facts,
    is_proven,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import check_texts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import TEXTS

_NAMING = ("gateway_product_key", "gateway_device_name", "gateway_device_name_from", "gateway_expected_names")
_PATH = gateway_credential_spec()["path"]["default"]


@dataclass(frozen=True)
class InventoryName:
    """The device that the inventory names for a host.

    ``device_name`` is None if only the hardware reports it, or if the variables are invalid, for which ``problem`` is the reason.
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
    except (FleetopsError, AnsibleError, TemplateError) as error:
        return InventoryName("", None, problem=error.quoted if isinstance(error, FleetopsError) else str(error))
    return named


def _read(host: str, variables: Variables) -> InventoryName:
    values = {name: variables.get(name) for name in _NAMING}
    check_texts(TEXTS, values)
    source = str(values["gateway_device_name_from"] or "inventory_hostname")
    listed = values["gateway_expected_names"] or ()
    expected = tuple(listed.split(",") if isinstance(listed, str) else map(str, listed))
    name = str(values["gateway_device_name"] or "")
    if name:
        source = "device_name"
    elif source not in HARDWARE:
        name = host
    elif is_proven(source, expected):
        name = expected[0]
    return InventoryName(str(values["gateway_product_key"] or ""), name or None, expected)


def named_places(host: str, variables: Variables) -> list[tuple[str, ...]]:
    """Return the files of a host as far as the inventory names machine and path, to see whether a look at it is worth while.

    Two hosts with an equal one may have one file; that two have none in common proves nothing, for paths may have symbolic links.
    """
    try:
        connection = str(variables.get("ansible_connection") or context.CLIARGS.get("connection") or "")
        machine = [connection.rpartition(".")[2]]
        if machine != ["local"]:
            machine += [str(variables.get("ansible_host") or host), str(variables.get("ansible_port") or "")]
        exports = variables.get("gateway_exports") or ()
        paths = {str(variables.get("gateway_path") or _PATH), *(str(export["dest"]) for export in exports)}
    except (AnsibleError, TemplateError, KeyError, TypeError):  # the pass says what is wrong with them
        return []
    return [(*machine, path) for path in paths]
