# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""fleet_devices: the devices of all hosts of a batch on the platform. The options are documented in the module."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible import context

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import fleet_devices_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.device_states import DeviceOutcome
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.device_states import (
    failure as failure_of_list,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._accounts import Accounts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction, failure
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_devices import Done, HostDevice, ensure_all
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_options import (
    account_options,
    may_reset_topology,
    needs_device,
    product_secret_check,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_remote import (
    Hosts,
    HostVariables,
    check_run_once,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import by_host
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._inventory_names import from_inventory
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import shared
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._playbook_variables import check_for_playbook
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import (
    OF_DEVICE,
    error_with_variables,
    failure_with_variables,
    naming_variables,
)

Known = t.Mapping[str, t.Mapping[str, t.Any]]
_NAME_ONE = (
    "Set it for this host alone, with -e; the playbook audit prints the command with the name that the hardware reports"
)


class ActionModule(ControllerAction):
    """Ensure that the devices of all hosts are in a state."""

    BYPASS_HOST_LOOP = True  # ansible-core itself refuses strategies that would run it once for each host
    _spec = staticmethod(fleet_devices_spec)

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        ad_hoc = bool(
            context.CLIARGS.get("module_name")
        )  # the command ansible has no keywords, and registers no variable
        if not ad_hoc:
            check_run_once(self._task)
        hosts = Hosts(self, self._variables)
        known: Known = by_host("gateways", options["gateways"])
        batch = known if options["known_alone"] else self._variables["ansible_play_batch"]
        devices: list[HostDevice] = []
        claims: dict[str, tuple[str, str]] = {}  # of the hosts without a device to process
        refused: dict[str, FleetopsError] = {}
        for host in map(str, batch):
            look = known.get(host, {})
            left_out = options["state"] != "listed" and bool(look.get("unreachable") or look.get("failed"))
            device = None
            try:
                if not left_out:
                    variables = hosts.variables(host)
                    left_out = options["state"] == "present" and not _needs_device(variables)
                    device = None if left_out else self._device(host, variables, look, options)
            except FleetopsError as error:
                refused[host] = error
                left_out = True
            else:
                if device:
                    devices.append(device)
                elif ad_hoc and not left_out and options["state"] != "listed":
                    refused[host] = InvalidOption("device_name", None, "is missing", _NAME_ONE)
            if left_out:
                looked = str(look.get("product_key") or ""), str(look.get("device_name") or "")
                claims[host] = looked if all(looked) else hosts.device(host)
        if options["state"] != "listed":
            named = {device.host: (device.product_key, device.device_name) for device in devices}
            claims.update((host, hosts.device(host)) for host in hosts.failed_before if host not in named)
            twice = shared({**named, **claims})
            refused.update((host, FleetopsError(twice[host], kind="shared_name")) for host in named if host in twice)
            devices = [device for device in devices if device.host not in twice]
        done = ensure_all(devices, Accounts(), options, bool(self._task.check_mode))
        if options["all_devices"]:
            _check_listed(refused, known, done)
        refused.update(done.refused)
        if options["state"] == "reset" and self._task.check_mode:
            for product in dict.fromkeys(device.product_key for device in devices if device.host not in refused):
                self._display.warning(_unproven(product, product not in done.unproven))
        return {
            "changed": any(product["changed"] for product in done.products),
            "check_mode": bool(self._task.check_mode),
            "device_changes": done.changes,
            "products": done.products,
            "refused": {host: naming_variables(error.quoted, OF_DEVICE) for host, error in refused.items()},
            "errors": {host: error_with_variables(error, OF_DEVICE).as_result() for host, error in refused.items()},
            "unsent": [*(host for host in refused if host not in done.refused), *done.unsent],
            **(_failure(list(map(str, batch)), refused) if ad_hoc and refused else {}),
        }

    def _option_variables(self) -> t.Mapping[str, str]:
        return OF_DEVICE  # the account and the devices are in the variables of the hosts

    def _device(
        self, host: str, variables: HostVariables, known: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]
    ) -> HostDevice | None:
        """Return the device of a host; None if there is none to process."""
        key, name = known.get("product_key"), known.get("device_name")
        if not (key and name):
            named = from_inventory(host, variables)
            if named.problem:
                raise FleetopsError(named.problem, kind="invalid_option")
            key, name = key or named.product_key, name or named.device_name
        if not key and options["state"] != "listed":
            raise InvalidOption("gateway_product_key", None, "is missing", "Set it for this host")
        if not key or not (name or options["all_devices"]):
            return None
        account = account_options(variables.raw, variables.template)
        device = HostDevice(host, account, str(key), str(name or ""), known)
        if options["state"] != "reset":
            return device
        return replace(
            device,
            signs_with=product_secret_check(variables.raw, variables.template),
            reset_topology=may_reset_topology(variables.raw, variables.template),
        )


def _needs_device(variables: HostVariables) -> bool:
    needed = needs_device(variables.raw, variables.template)
    check_for_playbook(variables.raw, variables.get)
    return needed


def _check_listed(refused: t.Mapping[str, FleetopsError], known: Known, done: Done) -> None:
    """Raise the error of a host because of which the devices of its product are not listed, and would seem not to exist."""
    listed = {product["product_key"] for product in done.products}
    for host, error in refused.items():
        key = known.get(host, {}).get("product_key")
        if key and key not in listed:
            error.msg += ". Without the account of %s, the devices of %s cannot be listed" % (host, key)
            raise error


def _failure(batch: t.Sequence[str], refused: t.Mapping[str, FleetopsError]) -> dict[str, t.Any]:
    """Return what makes a task fail in which hosts were refused, where nothing comes after it that would report them."""
    error = failure_of_list(DeviceOutcome(host, "refused", error=refused.get(host)) for host in batch)
    return failure_with_variables(failure(error), OF_DEVICE) if error else {}


def _unproven(product_key: str, signature: bool) -> str:
    """Return the warning that lists what cannot be checked before a reset."""
    secret = (
        ""
        if signature
        else ". It does not return the ProductSecret either, so gateway_product_secret was not compared. If it is wrong, such a device "
        "cannot register until you correct it (code 6600)"
    )
    return (
        "Product %s: the platform does not report whether Dynamic Registration is switched on. If it is switched off, a device that is "
        "reset cannot register until you switch it on (code 6288)%s" % (product_key, secret)
    )
