# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ensure the state of many devices, and report the outcome for each. For the controller. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import check_seconds
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    InvalidOption,
    OpenApiRefused,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import LONGEST_TEXT
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.batch_add import add_many
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import (
    all_devices,
    checked_names,
    named_devices,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_product_key
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean, first_of

SHOWN = 5

# For each state: the action that leads to this state, and the error code that the platform returns if the device is already in this
# state. This can happen if the answer to an earlier call was lost.
ACTIONS = {
    "present": ("RegisterDevice", "iot.device.AlreadyExistedDeviceName"),
    "absent": ("DeleteDevice", "iot.device.NotExistedDevice"),
    "enabled": ("EnableThing", ""),
    "disabled": ("DisableThing", ""),
}
# The reason for a change to each state: what the device was found to be.
REASONS = {"present": "missing", "absent": "exists", "enabled": "disabled", "disabled": "enabled"}
# What a diff shows afterwards.
AFTER = {"present": "UNACTIVE", "absent": "absent", "enabled": "enabled", "disabled": "DISABLE"}


@dataclass(frozen=True)
class DeviceOutcome:
    """The outcome for one device: the reason for the change, whether it was changed, and its error."""

    device_name: str
    reason: str
    changed: bool = False
    error: FleetopsError | None = None

    def as_result(self) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {"device_name": self.device_name, "reason": self.reason, "changed": self.changed}
        if self.error:
            result["error"] = self.error.as_result()
        return result


@dataclass(frozen=True)
class Outcome:
    """The outcome for a list; ``before`` and ``after`` hold the devices that change, for the diff."""

    items: t.Sequence[DeviceOutcome]
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)

    @property
    def error(self) -> FleetopsError | None:
        return failure(self.items)

    def as_result(self, product_key: str) -> dict[str, t.Any]:
        return {
            "product_key": product_key,
            "changed": any(item.changed for item in self.items),
            "devices": [item.as_result() for item in self.items],
            "diff": {"before": self.before, "after": self.after},
        }


def failure(items: t.Iterable[DeviceOutcome]) -> FleetopsError | None:
    """Return one error for all failed devices, with the kind and the code of the first; None if none failed."""
    items = list(items)
    failed = [(item.device_name, item.error) for item in items if item.error]
    if not failed:
        return None
    messages = ["%s: %s" % (clean(name, LONGEST_TEXT), error.msg) for name, error in failed[:SHOWN]]
    if len(failed) > SHOWN:
        messages.append("and %d more" % (len(failed) - SHOWN))
    first = failed[0][1]
    return FleetopsError(
        "%d of %d devices failed: %s" % (len(failed), len(items), "; ".join(messages)),
        hint=first.hint,
        code=first.code,
        kind=first.kind,
    )


def decide(names: t.Iterable[str], found: t.Mapping[str, str], state: str) -> list[DeviceOutcome]:
    """Return the planned outcome for each name: ``changed`` is true if there is something to do.

    :param found: the status of each device that exists
    """
    items = []
    for name in names:
        status = found.get(name)
        if status is None and state in ("enabled", "disabled"):
            error = FleetopsError("the device does not exist", hint="Add it with state=present", kind="not_found")
            items.append(DeviceOutcome(name, "missing", error=error))
            continue
        to_do = {
            "present": status is None,
            "absent": status is not None,
            "enabled": status == "DISABLE",
            "disabled": status != "DISABLE",
        }[state]
        items.append(DeviceOutcome(name, REASONS[state] if to_do else "up_to_date", changed=to_do))
    return items


def ensure_states(api: OpenApi, options: t.Mapping[str, t.Any], check_mode: bool) -> Outcome:
    """Ensure that the devices in ``options["names"]`` are in ``options["state"]``.

    :param options: as in ``devices_spec()``
    :raises FleetopsError: before anything was changed. Later errors are in the outcome
    """
    product_key, state = check_product_key(options["product_key"]), options["state"]
    check_seconds(options, "job_timeout")
    timeout = options["job_timeout"]
    if options["purge"] and state != "present":
        raise InvalidOption("purge", True, "is allowed with state=present only", "Leave purge out")
    if options["purge"] and not options["names"]:
        raise InvalidOption(
            "names", None, "is empty, so that purge would remove every device", "Name the devices to keep"
        )
    for option in ("purge_maximum", "batch_threshold"):
        if options[option] < 0:
            raise InvalidOption(option, options[option], "is out of range", "Use 0 or more")
    names, wrong = checked_names(options["names"])
    refused = [DeviceOutcome(name, "invalid", error=error) for name, error in wrong]
    many = state == "present" and len(names) >= options["batch_threshold"]
    purged: list[DeviceOutcome] = []
    if options["purge"]:
        found = {name: device.status for name, device in all_devices(api, product_key).items()}
        purged = purge_plan(set(names), found, refused, options["purge_maximum"])
    elif many and not check_mode:
        found = {}  # the batch API reports the existing devices when it checks the names
    else:
        found = (
            {name: device.status for name, device in named_devices(api, product_key, names).items()} if names else {}
        )
    items = decide(names, found, state)
    if not check_mode:
        items = _add_many(api, product_key, items, timeout) if many else _change(api, product_key, items, state)
        if any(item.error for item in items):
            purged = [replace(item, reason="not_attempted", changed=False) for item in purged]
        purged = _change(api, product_key, purged, "absent")
    changed, removed = ([item.device_name for item in some if item.changed] for some in (items, purged))
    return Outcome(
        [*items, *refused, *purged],
        before={name: found.get(name, "absent") for name in changed + removed},
        after={**dict.fromkeys(changed, AFTER[state]), **dict.fromkeys(removed, "absent")},
    )


def purge_plan(
    listed: t.Container[str], found: t.Iterable[str], refused: t.Sequence[DeviceOutcome], maximum: int
) -> list[DeviceOutcome]:
    """Return the devices to remove because they are not in the list.

    :raises FleetopsError: there are more than ``maximum`` devices to remove, or the list has invalid names. An invalid name can be a
        wrongly typed name of a device that would then be removed
    """
    surplus = [name for name in found if name not in listed]
    if surplus and refused:
        raise t.cast(FleetopsError, failure(refused))
    if len(surplus) > maximum:
        raise FleetopsError(
            "purge: %d devices are not in the list, more than purge_maximum (%d): %s"
            % (len(surplus), maximum, first_of(surplus, SHOWN)),
            hint="Nothing was changed. Complete the list, or raise purge_maximum if they are to be removed",
            kind="purge_maximum",
        )
    return [DeviceOutcome(name, "not_listed", changed=True) for name in surplus]


def one_by_one(
    items: t.Iterable[DeviceOutcome], act: t.Callable[[str], t.Any], done_already: str = ""
) -> list[DeviceOutcome]:
    """Call ``act`` for each device that is to change. Go on after an error of one device, and stop after any other error.

    :param done_already: the error code that the platform returns for a device that is already in the state
    """
    results = []
    stopped = False
    for item in items:
        if item.changed and stopped:
            results.append(replace(item, reason="not_attempted", changed=False))
            continue
        try:
            if item.changed:
                act(item.device_name)
        except FleetopsError as error:
            if not done_already or error.code != done_already:
                of_this_device = isinstance(error, OpenApiRefused) and str(error.code).startswith("iot.device.")
                stopped = not (of_this_device or isinstance(error, BusyError))
                item = replace(item, changed=False, error=error)
        results.append(item)
    return results


def _change(api: OpenApi, product_key: str, items: t.Iterable[DeviceOutcome], state: str) -> list[DeviceOutcome]:
    action, done_already = ACTIONS[state]

    def act(name: str) -> None:
        api.call(action, {"ProductKey": product_key, "DeviceName": name})

    return one_by_one(items, act, done_already)


def _add_many(api: OpenApi, product_key: str, items: t.Sequence[DeviceOutcome], timeout: float) -> list[DeviceOutcome]:
    """Use the batch API to add the devices that have ``changed`` set. Some of them may exist already."""
    added = add_many(api, product_key, [item.device_name for item in items if item.changed], timeout)
    results = []
    for item in items:
        if item.device_name in added.existed:
            results.append(DeviceOutcome(item.device_name, "up_to_date"))
        elif item.device_name in added.failed:
            results.append(replace(item, changed=False, error=added.failed[item.device_name]))
        else:
            results.append(item)
    return results
