# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resetting devices, so that they may register again. For the controller. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device_list import Item, Outcome, one_by_one
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._devices import (
    checked_names,
    named_devices,
    sub_devices,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._jobs import check_job_timeout, finish_job
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import OpenApi
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._products import product_of_key
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._signing import check_product_key


def reset(api: OpenApi, options: t.Mapping[str, t.Any], check_mode: bool) -> Outcome:
    """Reset the devices that ``options`` name, each for itself: what is wrong with one does not stop the others.

    :param options: as in ``device_reset_spec()``
    :raises FleetopsError: before anything was changed. What goes wrong afterwards stands in the outcome
    """
    product_key = check_product_key(options["product_key"])
    longest = check_job_timeout(options)
    names, wrong = checked_names(options["names"])
    gateways = bool(names) and product_of_key(api, product_key).node_type != "device"
    found = named_devices(api, product_key, names) if names else {}
    items = []
    for name in names:
        if name not in found:
            error = FleetopsError("the device does not exist", hint="Check the DeviceName", kind="not_found")
            items.append(Item(name, "missing", error=error))
        elif gateways and not options["reset_topology"] and (count := sub_devices(api, product_key, name)):
            items.append(Item(name, "has_sub_devices", error=_refusal(count)))
        else:
            items.append(Item(name, "requested", changed=True))
    if not check_mode:
        items = _reset(api, product_key, items, longest)
    changed = [item.device_name for item in items if item.changed]
    return Outcome(
        [*items, *(Item(name, "invalid", error=error) for name, error in wrong)],
        before={name: "%s, may be registered" % found[name].status for name in changed},
        after={name: "%s, unregistered" % found[name].status for name in changed},
    )


def _refusal(count: int) -> FleetopsError:
    return FleetopsError(
        "a reset would delete the gateway's topology of %d sub-device%s" % (count, "" if count == 1 else "s"),
        hint="Set reset_topology: true (gateway_reset_topology in the playbook) if they may go; the gateway has to report "
        "them again",
        kind="has_sub_devices",
    )


def _reset(api: OpenApi, product_key: str, items: t.Iterable[Item], longest: float) -> list[Item]:
    """Start every reset first, then wait for the jobs that some have become."""
    jobs: dict[str, str] = {}

    def start(name: str) -> None:
        answer = api.call("ResetThing", {"ProductKey": product_key, "DeviceName": name})
        if answer.get("JobId"):
            jobs[name] = str(answer["JobId"])

    results = {item.device_name: item for item in one_by_one(items, start)}
    for name, job_id in jobs.items():
        try:
            finish_job(api, job_id, longest)
        except FleetopsError as error:
            results[name] = replace(results[name], error=error)  # changed: the device itself is reset
    return list(results.values())
