# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lifecycle of a device on the platform, as the emulator implements it (``lifecycle``; a test compares the two)."""

from __future__ import annotations

from model.world import FRESH, Device, Platform


def register(device: Device, platform: Platform) -> tuple[str, Device]:
    """Return the answer (``issued``, ``active``, ``disabled``) and the device after a registration."""
    if device.disabled:
        return "disabled", device
    closed = ("activated", "registered") if platform.reregistration == "refuse" else ("activated",)
    if device.registration in closed:
        return "active", device
    if device.renew or platform.reregistration == "rotate":
        device = device._replace(secret=FRESH, renew=False)
    return "issued", device._replace(registration="registered")


def reset(device: Device, platform: Platform) -> Device:
    """Return the device after ResetThing."""
    device = device._replace(registration="unregistered")
    if platform.reset_revokes == "at_once":
        return device._replace(secret=FRESH, renew=False)
    return device._replace(renew=platform.reset_revokes == "at_registration")


def log_in(device: Device, secret: int | None) -> tuple[bool, Device]:
    """Return whether the platform accepts a login with this secret, and the device after it."""
    if device.disabled or secret != device.secret:
        return False, device
    return True, device if device.renew else device._replace(registration="activated")
