# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of devices on the platform, in addition to the changes on the gateways. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption

# The states of fleet_devices, each with the word for what it does to a device.
OF_STATES = {
    "present": "added",
    "enabled": "enabled",
    "disabled": "disabled",
    "absent": "deleted",
    "reset": "reset",
}
CHANGES = tuple(OF_STATES.values())
# The words of reports.
SHOWN = (*CHANGES, *("would be " + change for change in CHANGES))

Result = t.Mapping[str, t.Any]


def check_changes(changes: t.Mapping[str, t.Any]) -> None:
    """Check changes by host, as fleet_devices returns them.

    :raises InvalidOption: there is no such change
    """
    for host, change in changes.items():
        if change not in CHANGES:
            raise InvalidOption(
                "device_changes",
                "%s: %s" % (host, change),
                "is not a change of a device",
                "Use device_changes of the result of fleet_devices",
            )


def with_change(result: Result, change: str | None) -> dict[str, t.Any]:
    """Return the result of a gateway, which has changed if its device has."""
    return {**result, "changed": True, "device_change": change} if change else dict(result)


def is_of_device_alone(result: Result) -> bool:
    """Return whether nothing but the device has been changed, or would be."""
    return bool(result.get("device_change")) and result.get("reason") in (None, "up_to_date")


def shown(change: str | None, check_mode: bool) -> str | None:
    """Return the word for a change; in check mode, for what would be done."""
    return "would be " + change if change and check_mode else change
