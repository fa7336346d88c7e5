# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life cycle of a device, as functions from one state to the next. They store nothing."""

from __future__ import annotations

from dataclasses import replace

from platform_emulator import refusals
from platform_emulator.products import Device, new_device_secret, utc_now
from platform_emulator.refusals import Refusal
from platform_emulator.settings import Settings


def register(device: Device, settings: Settings) -> Device:
    """Return the device after a dynamic registration, with the secret that it gets; raises Refusal 6204 or 6289."""
    _check_enabled(device)
    closed = ("activated", "registered") if settings.reregistration == "refuse" else ("activated",)
    if device.registration in closed:
        raise Refusal(refusals.ALREADY_ACTIVE)
    if device.renew_secret:
        device = _revoked(device)
    elif settings.reregistration == "rotate":
        device = replace(device, device_secret=new_device_secret())
    return replace(device, registration="registered", registrations=device.registrations + 1)


def register_for_token(device: Device) -> Device:
    """Return the device after a registration that issues a device token; raises Refusal 6204."""
    _check_enabled(device)
    if device.renew_secret:
        device = _revoked(device)
    return replace(device, registrations=device.registrations + 1)


def log_in(device: Device) -> Device:
    """Return the device after a login, which activates it.

    A login with the secret from before a reset does not close the registration: the device still has to get a new one.
    """
    registration = device.registration if device.renew_secret else "activated"
    now = utc_now()
    return replace(
        device,
        online=True,
        activated_at=device.activated_at or now,
        online_at=now,
        changed_at=now,
        registration=registration,
    )


def log_out(device: Device) -> Device:
    return replace(device, online=False, changed_at=utc_now())


def reset(device: Device, settings: Settings) -> Device:
    """Return the device after ResetThing: it can register again; its status does not change.

    "This operation resets the dynamic registration status, not the activation status":
    https://www.alibabacloud.com/help/doc-detail/155680.htm
    """
    device = replace(device, registration="unregistered")
    if settings.reset_revokes == "at_once":
        return _revoked(device)
    return replace(device, renew_secret=settings.reset_revokes == "at_registration")


def disable(device: Device) -> Device:
    return replace(device, disabled=True)


def enable(device: Device) -> Device:
    return replace(device, disabled=False)


def deactivate(device: Device) -> Device:
    """Return the device as if it had never connected. The platform has no such action; tests use it."""
    return replace(
        device,
        online=False,
        activated_at=None,
        online_at=None,
        changed_at=None,
        registration="unregistered",
        renew_secret=False,
    )


def with_status(device: Device, status: str) -> Device:
    """Return the device with a status, after the actions that lead to it."""
    if status == "DISABLE":
        return disable(device)
    device = enable(device)
    if status == "UNACTIVE":
        return deactivate(device)
    online = log_in(device)
    return online if status == "ONLINE" else log_out(online)


def _check_enabled(device: Device) -> None:
    if device.disabled:
        raise Refusal(refusals.DEVICE_DISABLED)


def _revoked(device: Device) -> Device:
    """Return the device with a new secret; the former one and all device tokens are invalid."""
    generation = device.token_generation + 1
    return replace(device, device_secret=new_device_secret(), renew_secret=False, token_generation=generation)
