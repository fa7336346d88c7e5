# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The devices of the hosts of a play, and the hosts that share one."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._filter_inputs import (
    checked_dictionary,
    checked_hosts,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._inventory_names import (
    Machine,
    from_inventory,
    named_machine,
    on_one_machine,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import Variables, shared

DOCUMENTATION = r"""
name: device_names
short_description: Lists the devices of hosts, and the hosts that share one
version_added: 1.0.0
description:
  - Reads the variables of the role P(fleetops.aliyun_iot.gateway#role) for the ProductKey and the DeviceName of each host, and O(looks)
    for the names that the hardware reported.
  - Compares all hosts, so that no two gateways get the same device, and no two credentials the same file.
positional: hostvars, looks
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of the hosts, C(hostvars) itself.
    type: dict
    required: true
  looks:
    description: Results by host, C(gateways) of M(fleetops.aliyun_iot.fleet_credentials).
    type: dict
    default: {}
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: List the devices that two hosts have
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | fleetops.aliyun_iot.device_names(hostvars)).values() | selectattr('error') }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary of host to C(product_key), C(device_name), C(error) (V(null), or a message that names all hosts of the same device) and
      C(problem) (V(null), or what is wrong with the host's variables).
    - C(device_name) is V(null) if the hardware reports it and was not read yet. If there is a C(problem), C(product_key) is empty and
      C(device_name) is V(null) unless the other variables name them.
    - C(place_in_doubt) is V(true) if another host may be on the same machine. Their paths may differ, because symbolic links can lead to
      one file. M(fleetops.aliyun_iot.fleet_credentials) refuses the hosts if its looks find that they have the same file.
  type: dict
"""


def device_names(
    hosts: t.Iterable[str],
    hostvars: t.Mapping[str, Variables],
    looks: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
) -> dict[str, dict[str, t.Any]]:
    """Return ProductKey, DeviceName, error, and whether another host may be on the same machine, by host."""
    hosts = checked_hosts("device_names: the input is not a list of hosts", hosts)
    looks = checked_dictionary("device_names: looks is not a dictionary of results by host", looks or {})
    devices: dict[str, tuple[str, str]] = {}
    problems: dict[str, str] = {}
    machines: dict[str, Machine | None] = {}
    for host in hosts:
        variables = hostvars[host]
        named = from_inventory(host, variables)
        name = named.device_name
        if named.problem:
            problems[host] = named.problem
        elif not name:
            name = looks.get(host, {}).get("device_name")
        devices[host] = (named.product_key, name or "")
        machines[host] = named_machine(host, variables)
    errors = shared(devices)
    together = on_one_machine(machines)
    return {
        host: {
            "product_key": key,
            "device_name": name or None,
            "error": errors.get(host),
            "problem": problems.get(host),
            "place_in_doubt": host in together,
        }
        for host, (key, name) in devices.items()
    }


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"device_names": device_names}
