# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repair after an error, by its cause. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

# The repair that is no playbook: the module fleet_devices with state=enabled.
ENABLE = "enable"
# Makes recover read the credential from the platform even if a complete one is stored.
FORCE = "gateway_recovery_force=true"
_PROVISION, _RECOVER = "fleetops.aliyun_iot.provision", "fleetops.aliyun_iot.recover"
_ACCOUNT = "with the account of the platform: add -e @FILE if neither the inventory nor the command has it"


class Repair(t.NamedTuple):
    """The command that helps after an error.

    ``name`` is that of a playbook, with the variables to set, or ENABLE; None if running the same playbook again helps. ``first`` is what
    to do or to add first.
    """

    name: str | None = None
    first: str = ""


# For an activated device, restore its credential, since that resets nothing.
_RESTORE = Repair(_RECOVER, "Run it " + _ACCOUNT)
# A registration over MQTT is refused with the same codes for every reason.
_PERHAPS_RESTORE = Repair(
    _RECOVER,
    "If the device is activated, run recover %s. If the cause is another one, correct it and run provision again"
    % _ACCOUNT,
)
_SWITCH_ON = Repair(ENABLE, "If the device was disabled by mistake, enable it, %s; then run again" % _ACCOUNT)
_BY_CODE = {
    "6100": Repair(_PROVISION, "Run it %s; it adds the device" % _ACCOUNT),
    "6204": _SWITCH_ON,
    "6289": _RESTORE,
    "4": _PERHAPS_RESTORE,
    "5": _PERHAPS_RESTORE,
}
_BY_KIND = {
    "credential": Repair(None, "Run it " + _ACCOUNT),
    "disabled": _SWITCH_ON,
    "invalid_option": Repair(None, "Correct the option that the message names first"),
    "not_accepted": _RESTORE,
    "registration_needed": Repair(_PROVISION),
}


def repair_of(
    kind: str | None, code: str | None, device_change: str | None = None, reason: str | None = None
) -> Repair:
    """Return what helps after an error.

    :param device_change: what the run has done to the device
    :param reason: that of the result
    """
    found = _BY_CODE.get(str(code)) or _BY_KIND.get(str(kind)) or Repair()
    if found is _PERHAPS_RESTORE and device_change in ("added", "reset"):
        found = Repair()  # such a device is not activated
    if reason == "identity_changed" and found.name == _RECOVER:
        # The gateway may have a device token of the same device, which recover keeps.
        return found._replace(name="%s -e %s" % (_RECOVER, FORCE))
    if device_change != "reset" or found is _RESTORE:
        return found
    # A reset device has only to register. The same playbook would reset it again.
    return Repair(_PROVISION, found.first)
