# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which device the inventory names for each of many hosts. PRIVATE to the collection."""

from __future__ import annotations

from dataclasses import dataclass

from ansible.errors import AnsibleError
from jinja2 import TemplateError

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_device_name, check_product_key
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import (
    HARDWARE,
    Variables,
    check_facts,
    is_proven,
)


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
    source = str(variables.get("gateway_device_name_from") or "inventory_hostname")
    listed = variables.get("gateway_expected_names") or ()
    expected = tuple(listed.split(",") if isinstance(listed, str) else map(str, listed))
    name = str(variables.get("gateway_device_name") or "")
    if name:
        source = "device_name"
    elif source not in HARDWARE:
        name = host
    elif is_proven(source, expected):
        name = expected[0]
    return InventoryName(str(variables.get("gateway_product_key") or ""), name or None, expected)
