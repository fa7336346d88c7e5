# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reset devices, so that they can register again. For the controller. PRIVATE to the collection."""

from __future__ import annotations

import math
import typing as t
from dataclasses import replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import check_seconds
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import OpenApiAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.device_states import (
    DeviceOutcome,
    Outcome,
    one_by_one,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import (
    checked_names,
    named_devices,
    sub_devices,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.jobs import finish_job
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import product_of_key
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_product_key


def reset(api: OpenApi, options: t.Mapping[str, t.Any], check_mode: bool) -> Outcome:
    """Reset the devices in ``options["names"]``, independently: an error of one does not stop the others.

    :param options: as in ``device_reset_spec()``
    :raises FleetopsError: before anything was changed. Later errors are in the outcome
    """
    product_key = check_product_key(options["product_key"])
    check_seconds(options, "job_timeout")
    timeout = options["job_timeout"]
    names, wrong = checked_names(options["names"])
    listed = frozenset(options["names"])
    leases = _checked_leases(options["leases"], listed)
    proofs = _checked_proofs(options["fingerprints"], listed)
    gateways = bool(names) and product_of_key(api, product_key).node_type != "device"
    found = named_devices(api, product_key, names) if names else {}
    items = []
    for name in names:
        if name not in found:
            error = FleetopsError("the device does not exist", hint="Check the DeviceName", kind="not_found")
            items.append(DeviceOutcome(name, "missing", error=error))
        elif found[name].status == "DISABLE":
            items.append(DeviceOutcome(name, "disabled", error=_disabled()))
        elif name in proofs and (not proofs[name] or proofs[name] != found[name].fingerprint):
            items.append(DeviceOutcome(name, "not_proven", error=_unproven(bool(proofs[name]))))
        elif gateways and not options["reset_topology"] and (count := sub_devices(api, product_key, name)):
            items.append(DeviceOutcome(name, "has_sub_devices", error=_refusal(count)))
        else:
            items.append(DeviceOutcome(name, "requested", changed=True))
    if not check_mode:
        # The answer must come before the lease ends; the connection and the answer may each take the whole timeout.
        last = {name: end - 2 * options["timeout"] for name, end in leases.items()}
        items = _reset(api, product_key, items, timeout, last)
    changed = [item.device_name for item in items if item.changed]
    return Outcome(
        [*items, *(DeviceOutcome(name, "invalid", error=error) for name, error in wrong)],
        before={name: "%s, may be registered" % found[name].status for name in changed},
        after={name: "%s, unregistered" % found[name].status for name in changed},
    )


def _checked_proofs(fingerprints: t.Mapping[str, t.Any], names: t.AbstractSet[str]) -> dict[str, str]:
    """Return the fingerprints that must be the platform's, by DeviceName.

    :raises InvalidOption: one is of a device that is not in ``names``, so that a misspelt name would leave the right device unprotected
    """
    for name in fingerprints:
        if name not in names:
            raise InvalidOption("fingerprints", name, "is not one of names", "Correct the DeviceName")
    return {name: str(value or "") for name, value in fingerprints.items()}


def _disabled() -> FleetopsError:
    return FleetopsError(
        "the device is disabled, so it could not register after a reset",
        hint="It was not reset. Enable it (ansible HOST -m fleetops.aliyun_iot.fleet_devices -a state=enabled) and run again",
        kind="disabled",
    )


def _unproven(held: bool) -> FleetopsError:
    problem = "has another DeviceSecret than the platform" if held else "has no DeviceSecret of this device"
    return FleetopsError(
        "only the gateway's hardware reports this DeviceName, and the gateway %s" % problem,
        hint="It was not reset. Name the device of this host in the inventory (gateway_device_name, gateway_expected_names); if a "
        "reprovision was interrupted after its reset, run provision",
        kind="not_proven",
    )


def _refusal(count: int) -> FleetopsError:
    return FleetopsError(
        "a reset would delete the gateway's topology of %d sub-device%s" % (count, "" if count == 1 else "s"),
        hint="Set reset_topology: true (gateway_reset_topology in the playbook) if they may be deleted; the gateway has to add "
        "them again",
        kind="has_sub_devices",
    )


def _checked_leases(leases: t.Mapping[str, t.Any], names: t.AbstractSet[str]) -> dict[str, float]:
    """Return when the leases end, by DeviceName.

    :raises InvalidOption: one is not a number, or of a device that is not in ``names``, as with the fingerprints
    """
    ends = {}
    for name, end in leases.items():
        if name not in names:
            raise InvalidOption("leases", name, "is not one of names", "Correct the DeviceName")
        try:
            ends[name] = float(end)
            if isinstance(end, bool) or not math.isfinite(ends[name]):
                raise ValueError(end)
        except (OverflowError, TypeError, ValueError):
            raise InvalidOption(
                "leases", name, "has an end that is not a number", "Use lease_ends of gateway_credential's result"
            ) from None
    return ends


def _reset(
    api: OpenApi, product_key: str, items: t.Iterable[DeviceOutcome], timeout: float, last: t.Mapping[str, float]
) -> list[DeviceOutcome]:
    """Start every reset, then wait for the jobs that the platform has started for some.

    :param last: the value of clock() after which a device must not be reset, by DeviceName
    """
    answers: dict[str, OpenApiAnswer] = {}

    def start(name: str) -> None:
        # Send it once: if the platform processed a lost first request late, it would revoke the secret registered after the second.
        asked = {"ProductKey": product_key, "DeviceName": name}
        answers[name] = api.call("ResetThing", asked, not_after=last.get(name), once=True)

    results = {item.device_name: item for item in one_by_one(items, start)}
    for name, answer in answers.items():
        try:
            if job_id := answer.matching("JobId", "[!-~]{0,64}"):
                finish_job(api, job_id, timeout)
        except FleetopsError as error:
            results[name] = replace(results[name], error=error)  # changed: the device itself is reset
    return list(results.values())
