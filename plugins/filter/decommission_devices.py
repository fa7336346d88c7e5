# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The device to take out of service with each gateway."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError, AnsibleFilterError
from jinja2 import TemplateError

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_device_name
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._filter_inputs import (
    checked_dictionary,
    checked_hosts,
    checked_list,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._inventory_names import (
    InventoryName,
    from_inventory,
    host_value,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import Variables, shared
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import OF_RUN

DOCUMENTATION = r"""
name: decommission_devices
short_description: Decides which device to take out of service with each gateway
version_added: 1.0.0
description:
  - The device is the one that the inventory names, with the variables of the role P(fleetops.aliyun_iot.gateway#role). If the
    inventory names none because the name comes from the hardware, it is the device whose credential the gateway stores, and only if the
    platform's DeviceSecret has the same fingerprint.
  - A gateway is refused if it stores the credential of another device than the inventory names, or if nothing proves which device it has.
  - All hosts are refused that have the same device, also if one of them is refused for another reason.
positional: hostvars, looks, platform, fate, names
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variables of the hosts, C(hostvars) itself.
    type: dict
    required: true
  looks:
    description:
      - Results by host, C(gateways) of M(fleetops.aliyun_iot.fleet_credentials) with C(state=absent) in check mode, failed and unreachable
        ones included.
    type: dict
    required: true
  platform:
    description:
      - C(products) of M(fleetops.aliyun_iot.fleet_devices), for the devices whose credentials are on the gateways. If not set, no device is
        proven by a credential, and none is refused for lack of proof.
    type: list
    elements: dict
  fate:
    description:
      - What the run does with all devices, V(disable), V(delete) or V(keep). If set, a host is refused whose variable
        C(decommission_platform) has another value (V(disable) if it has none).
    type: str
  names:
    description:
      - The result of P(fleetops.aliyun_iot.device_names#filter) for all hosts of the run, whose devices are compared with those of
        O(_input). If not set, the hosts in O(_input) are only compared with each other.
    type: dict
    default: {}
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Show which devices would be taken out of service
  ansible.builtin.debug:
    msg: "{{ ansible_play_batch | fleetops.aliyun_iot.decommission_devices(hostvars, fleet.gateways, platform.products) }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary of host to C(product_key), C(device_name), C(proven_by) (V(inventory), V(credential), or V(null) if it is not
      proven), C(error) (V(null), or why the gateway is refused and what to do) and C(refusal) (V(null), or this error for
      the option O(fleetops.aliyun_iot.fleet_credentials#module:refused)).
  type: dict
"""

Look = t.Mapping[str, t.Any]
Platform = t.Mapping[tuple[str, str], str]
NAME_IT = (
    "Nothing was changed for this host. Name its device, with -e gateway_device_name=... and this host as the only target, or with "
    "gateway_expected_names in the inventory"
)


def decommission_devices(
    hosts: t.Iterable[str],
    hostvars: t.Mapping[str, Variables],
    looks: t.Mapping[str, Look],
    platform: t.Iterable[t.Mapping[str, t.Any]] | None = None,
    fate: str | None = None,
    names: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
) -> dict[str, dict[str, t.Any]]:
    """Return the device of each host with its proof, or the reason why the host is refused."""
    hosts = checked_hosts("decommission_devices: the input is not a list of hosts", hosts)
    if isinstance(looks, t.Mapping):
        looks = {host: look or {} for host, look in looks.items()}
    looks = checked_dictionary("decommission_devices: looks is not a dictionary of results by host", looks)
    names = checked_dictionary("decommission_devices: names is not a dictionary of devices by host", names or {})
    fingerprints: dict[tuple[str, str], str] | None = None
    if platform is not None:
        fingerprints = {
            (result["product_key"], device["device_name"]): device["fingerprint"]
            for result in checked_list("decommission_devices: platform is not a list of products", platform)
            for device in result.get("devices", [])
        }
    try:
        OF_RUN["decommission_platform"]("decommission_platform", fate or "disable")
    except FleetopsError as invalid:
        raise AnsibleFilterError(str(invalid)) from None
    named = {host: from_inventory(host, hostvars[host]) for host in hosts}
    decided = {host: _device(name, looks.get(host, {}), fingerprints) for host, name in named.items()}
    for host, device in decided.items():
        if fate and not device["error"] and (problem := _disagrees(hostvars[host], fate)):
            decided[host] = _refused(FleetopsError(problem, kind="invalid_option"))
    # A host that is refused, or is in another batch, has its device all the same.
    everyone = {host: (each["product_key"], each["device_name"]) for host, each in names.items()}
    everyone.update((host, (name.product_key, name.device_name)) for host, name in named.items() if name.device_name)
    everyone.update((host, (d["product_key"], d["device_name"])) for host, d in decided.items() if d["proven_by"])
    for host, error in shared(everyone).items():
        if host in decided and not decided[host]["error"]:
            decided[host] = _refused(FleetopsError(error, kind="shared_name"))
    return decided


def _disagrees(variables: Variables, fate: str) -> str:
    """Return why a host is refused whose variables want another fate for its device than the run has; empty if they do not."""
    try:
        own = host_value(variables, "decommission_platform") or "disable"
    except (AnsibleError, TemplateError) as error:
        return str(error)
    if own == fate:
        return ""
    return (
        "decommission_platform is %s for this host, and %s for the run. Nothing was changed for this host. Set the variable with -e, for "
        "all hosts" % (own, fate)
    )


def _device(named: InventoryName, look: Look, fingerprints: Platform | None) -> dict[str, t.Any]:
    if named.problem or not named.product_key:
        problem = named.problem or "gateway_product_key is not set for this host"
        return _refused(FleetopsError(problem, kind="invalid_option"))
    held = look.get("credential") or {}
    if named.device_name:
        if held and (held["product_key"], held["device_name"]) != (named.product_key, named.device_name):
            return _refused(_disagreement(held, look, "%s of %s" % (named.device_name, named.product_key)))
        return _decided(named.product_key, named.device_name, "inventory")
    if held and held["product_key"] != named.product_key:
        return _refused(_disagreement(held, look, "a device of %s" % named.product_key))
    if held and named.expected and held["device_name"] not in named.expected:
        return _refused(_disagreement(held, look, "one of the devices in gateway_expected_names"))
    return _by_credential(named, held, look, fingerprints)


def _by_credential(
    named: InventoryName, held: t.Mapping[str, str], look: Look, fingerprints: Platform | None
) -> dict[str, t.Any]:
    """Decide on a device that the inventory does not name."""
    name = held.get("device_name")
    if fingerprints is None:
        return _decided(named.product_key, name if _is_device_name(name) else None, None)
    if not name:
        return _refused(
            _unproven(
                "nothing proves which device this gateway is: its name comes from the hardware, and it stores no credential that could be "
                "read"
            )
        )
    right = fingerprints.get((named.product_key, name))
    # The platform does not return device tokens, so they have no fingerprint to compare.
    if not right or right != look.get("fingerprint") or held.get("kind") != "secret":
        return _refused(
            _unproven(
                "nothing proves that this gateway is %s: its name comes from the hardware, and its credential is not the platform's"
                % name
            )
        )
    return _decided(named.product_key, name, "credential")


def _is_device_name(name: str | None) -> bool:
    try:
        return bool(name and check_device_name(name))
    except FleetopsError:
        return False


def _unproven(problem: str) -> FleetopsError:
    return FleetopsError("%s. %s" % (problem, NAME_IT), kind="unproven_name")


def _disagreement(held: t.Mapping[str, str], look: Look, ours: str) -> FleetopsError:
    message = (
        "the gateway stores the credential of %s of %s, and the inventory names %s. Nothing was changed for this host. If the credential "
        "is right, correct gateway_device_name or gateway_product_key in the inventory. If the inventory is right, remove %s from the "
        "gateway, or disable the device with the module fleetops.aliyun_iot.devices, which does not connect to the gateway"
        % (held["device_name"], held["product_key"], ours, look.get("path"))
    )
    return FleetopsError(message, kind="left_out")


def _decided(product_key: str | None, device_name: str | None, proven_by: str | None) -> dict[str, t.Any]:
    device = {"product_key": product_key, "device_name": device_name, "proven_by": proven_by}
    return {**device, "error": None, "refusal": None}


def _refused(error: FleetopsError) -> dict[str, t.Any]:
    return {**_decided(None, None, None), "error": error.msg, "refusal": error.as_result()}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"decommission_devices": decommission_devices}
