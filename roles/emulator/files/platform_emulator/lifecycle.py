# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of a device's life, as functions from one state to the next. They store nothing."""

from __future__ import annotations

from dataclasses import replace

from platform_emulator import refusals
from platform_emulator.products import Device, new_device_secret, utc_now
from platform_emulator.refusals import Refusal
from platform_emulator.settings import Settings


def register(device: Device, settings: Settings) -> Device:
    """Return the device hands itself a secret by dynamic registration; raises Refusal 6204 or 6289."""
    if device.disabled:
        raise Refusal(refusals.DEVICE_DISABLED)
    closed = ("activated", "registered") if settings.reregistration == "refuse" else ("activated",)
    if device.registration in closed:
        raise Refusal(refusals.ALREADY_ACTIVE)
    if device.renew_secret or settings.reregistration == "rotate":
        device = replace(device, device_secret=new_device_secret(), renew_secret=False)
    return replace(device, registration="registered", registrations=device.registrations + 1)


def log_in(device: Device) -> Device:
    """Return the device connects with its secret, which activates it.

    A login with a secret that a reset has doomed leaves the registration open: the reset asked for another one.
    """
    registration = device.registration if device.renew_secret else "activated"
    return replace(device, online=True, activated_at=device.activated_at or utc_now(), registration=registration)


def log_out(device: Device) -> Device:
    return replace(device, online=False)


def reset(device: Device, settings: Settings) -> Device:
    """ResetThing: the device may register again; its status stays.

    "This operation resets the dynamic registration status, not the activation status":
    https://www.alibabacloud.com/help/doc-detail/155680.htm
    """
    device = replace(device, registration="unregistered")
    if settings.reset_revokes == "at_once":
        return replace(device, device_secret=new_device_secret(), renew_secret=False)
    return replace(device, renew_secret=settings.reset_revokes == "at_registration")


def disable(device: Device) -> Device:
    return replace(device, disabled=True)


def enable(device: Device) -> Device:
    return replace(device, disabled=False)


def deactivate(device: Device) -> Device:
    """As if the device had never connected. The platform cannot do this; tests can."""
    return replace(device, online=False, activated_at=None, registration="unregistered", renew_secret=False)


def with_status(device: Device, status: str) -> Device:
    """Return the device brought to a status the way it would get there."""
    if status == "DISABLE":
        return disable(device)
    device = enable(device)
    if status == "UNACTIVE":
        return deactivate(device)
    online = log_in(device)
    return online if status == "ONLINE" else log_out(online)
