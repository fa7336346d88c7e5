# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The topology that a seed or a request asks for: which gateway has which sub-devices."""

from __future__ import annotations

from collections.abc import Sequence

from platform_emulator.fields import Invalid

Names = tuple[str, str]  # ProductKey and DeviceName
Claim = tuple[str, Names, Names]  # the place in the input, the gateway and its sub-device


def check(claims: Sequence[Claim]) -> None:
    """Raise Invalid if a device has two gateways, or is a sub-device of itself, directly or through others."""
    gateways: dict[Names, Names] = {}
    for place, gateway, sub_device in claims:
        if sub_device == gateway:
            raise Invalid(f"{place}: a gateway cannot be its own sub-device; remove it")
        if sub_device in gateways:
            first = gateways[sub_device][1]
            raise Invalid(f"{place}: {sub_device[1]} is already a sub-device of {first}; remove one of the two")
        gateways[sub_device] = gateway
    for place, gateway, sub_device in claims:
        seen = {gateway}
        while (above := gateways.get(gateway)) and above not in seen:
            seen.add(gateway := above)
        if sub_device in seen:
            raise Invalid(f"{place}: {sub_device[1]} is above its own gateway; remove it")
