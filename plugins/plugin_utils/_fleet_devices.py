# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change the devices of all hosts of a play, by account and product. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    InvalidOption,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.device_states import (
    DeviceOutcome,
    Outcome,
    ensure_states,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import devices_as_asked
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.reset import reset
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._accounts import Accounts, account_key
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import OF_STATES
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import shown

Result = dict[str, t.Any]
Options = t.Mapping[str, t.Any]

# Reasons of devices for which no request was sent.
_NOT_SENT = ("disabled", "has_sub_devices", "missing", "not_proven", "invalid", "not_attempted", "wrong_secret")


@dataclass(frozen=True)
class HostDevice:
    """The device of a host, with its result from an earlier pass.

    ``signs_with`` returns whether a ProductSecret is the one in the host's variables; None if they have none. ``reset_topology`` is whether
    a reset may delete the topology of the gateway.
    """

    host: str
    account: Options = field(repr=False)
    product_key: str
    device_name: str
    known: t.Mapping[str, t.Any] = field(default_factory=dict)
    signs_with: t.Callable[[str], bool] | None = field(default=None, repr=False)
    reset_topology: bool = False


@dataclass
class Done:
    """The outcome for all hosts; ``unsent`` are the refused hosts for whose devices no request was sent, ``unproven`` the products
    whose ProductSecret could not be compared, ``changes`` the words for what was done to devices, or would be.
    """

    products: list[Result] = field(default_factory=list)
    refused: dict[str, FleetopsError] = field(default_factory=dict)
    unsent: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    changes: dict[str, str] = field(default_factory=dict)


def ensure_all(devices: t.Iterable[HostDevice], accounts: Accounts, options: Options, check_mode: bool) -> Done:
    """Ensure that the devices of every host are in the state, with one call for each account, product and permission to reset a topology.

    :param options: those of fleet_devices
    :returns: the outcome; a failure of an account affects only its own hosts
    :raises FleetopsError: not all devices can be listed, and all_devices asks for them
    """
    groups: dict[tuple[t.Any, ...], list[HostDevice]] = {}
    for device in devices:
        key = (account_key(device.account), device.product_key, device.reset_topology)
        groups.setdefault(key, []).append(device)
    done = Done()
    for group in groups.values():
        wrong: dict[str, DeviceOutcome] = {}
        try:
            api = accounts.client(group[0].account)
            if options.get("account_only"):
                continue
            if options["state"] == "reset":
                wrong = _wrong_secrets(group, accounts, done)
            right = [device for device in group if device.device_name not in wrong]
            result, items = _ensure(api, right, group[0].product_key, options, check_mode)
            items.update(_not_attempted(items.values()))
            items.update(wrong)
            if wrong:
                result["devices"] += [item.as_result() for item in wrong.values()]
        except FleetopsError as error:
            if options.get("all_devices"):
                # Without the devices of this account, conclusions about all devices would be wrong.
                error.msg += ". It was called for %s" % shown([device.host for device in group])
                raise
            result, items = {"product_key": group[0].product_key, "changed": False, "devices": []}, {}
            result["error"] = error.as_result()
            done.refused.update((device.host, error) for device in group)
            done.unsent += [device.host for device in group]
        for device in group:
            item = items.get(device.device_name)
            if item and item.changed and not (item.error and item.error.kind == "in_service"):
                done.changes[device.host] = OF_STATES[options["state"]]
            if item and item.error:
                done.refused[device.host] = item.error
                if _is_unsent(item):
                    done.unsent.append(device.host)
        done.products.append({**result, "hosts": [device.host for device in group]})
    return done


def _ensure(
    api: OpenApi, group: t.Sequence[HostDevice], product_key: str, options: Options, check_mode: bool
) -> tuple[Result, dict[str, DeviceOutcome]]:
    """Do the work for one product of one account; return its result, and the outcome for each device."""
    names = [device.device_name for device in group if device.device_name]
    state = options["state"]
    if state == "listed":
        found = devices_as_asked(api, product_key, None if options["all_devices"] else names)
        result = {"product_key": product_key, "changed": False}
        return {**result, "devices": [device.as_result() for device in found.values()]}, {}
    if not names:
        return Outcome([]).as_result(product_key), {}
    asked = {**group[0].account, "product_key": product_key, "names": names, "job_timeout": 600}
    if state == "reset":
        unproven = [device for device in group if not device.known.get("device_name_proven", True)]
        asked.update(
            fingerprints={device.device_name: device.known.get("fingerprint") for device in unproven},
            leases={device.device_name: device.known["lease_ends"] for device in group if "lease_ends" in device.known},
            reset_topology=group[0].reset_topology,
        )
        outcome: Outcome = reset(api, asked, check_mode)
    else:
        asked.update(state=state, purge=False, purge_maximum=0, batch_threshold=100)
        outcome = ensure_states(api, asked, check_mode)
        if state == "disabled":
            outcome = replace(outcome, items=[_decommissioned(item) for item in outcome.items])
    items = {item.device_name: item for item in outcome.items}
    if state in ("absent", "disabled") and not check_mode:
        try:
            items.update(_still_in_service(api, product_key, items.values(), state))
        except FleetopsError as error:
            doubt = _because_of(error, "the device was changed, but the query whether it is out of service failed")
            items.update({name: replace(item, error=doubt) for name, item in items.items() if item.changed})
    return outcome.as_result(product_key), items


def _is_unsent(item: DeviceOutcome) -> bool:
    """Return whether no request was sent for a device; busy means that too little time of its lease was left for one."""
    return item.reason in _NOT_SENT or bool(item.error and item.error.kind == "busy")


def _not_attempted(items: t.Collection[DeviceOutcome]) -> dict[str, DeviceOutcome]:
    """Return the devices that were not processed after an error of another one, each with this error."""
    causes = [item.error for item in items if item.error and not _is_unsent(item)]
    if not causes:
        return {}
    # Nothing was sent after the last one.
    error = _because_of(causes[-1], "the device was not processed, because of an error of another one")
    return {item.device_name: replace(item, error=error) for item in items if item.reason == "not_attempted"}


def _because_of(error: FleetopsError, problem: str) -> FleetopsError:
    """Return the error of a device that an error of another request leaves with a problem."""
    return FleetopsError("%s: %s" % (problem, error.msg), hint=error.hint, code=error.code, kind=error.kind)


def _decommissioned(item: DeviceOutcome) -> DeviceOutcome:
    """Return the outcome for a device to disable, with advice for a decommission if the device does not exist."""
    if item.reason != "missing":
        return item
    error = FleetopsError(
        "the device does not exist on the platform, so it cannot be disabled",
        hint="Check gateway_product_key and the name of the device. If the device was deleted, decommission its gateway with "
        "decommission_platform=delete, for which a missing device is no error, or decommission_platform=keep",
        kind="not_found",
    )
    return replace(item, error=error)


def _wrong_secrets(group: t.Sequence[HostDevice], accounts: Accounts, done: Done) -> dict[str, DeviceOutcome]:
    """Return the devices whose hosts sign with another ProductSecret than the platform's."""
    product_key, signing = group[0].product_key, [device for device in group if device.signs_with]
    if not signing:
        return {}
    try:
        secret = accounts.product_secret(group[0].account, product_key)
    except BadAnswer:
        done.unproven.append(product_key)
        return {}
    error = InvalidOption(
        "gateway_product_secret",
        None,
        "is not the ProductSecret of %s" % product_key,
        "The device was not reset, since its registration would be refused (6600). Copy ProductSecret again from the Product Details page "
        "in the console into the vault, or use platform_product_secret: from_account",
    )
    wrong = [device for device in signing if device.signs_with and not device.signs_with(secret)]
    return {device.device_name: DeviceOutcome(device.device_name, "wrong_secret", error=error) for device in wrong}


def _still_in_service(
    api: OpenApi, product_key: str, items: t.Iterable[DeviceOutcome], state: str
) -> dict[str, DeviceOutcome]:
    """Query the devices that were removed or disabled; return those that are still in service, each with an error."""
    done = {item.device_name: item for item in items if not item.error and item.reason != "not_attempted"}
    return {
        name: replace(
            done[name],
            error=FleetopsError(
                "the platform accepted the change, but the device is still in service (%s)" % device.status,
                hint="Find out what adds or enables it again, stop it, and run again",
                kind="in_service",
            ),
        )
        for name, device in devices_as_asked(api, product_key, list(done)).items()
        if state == "absent" or device.status != "DISABLE"
    }
