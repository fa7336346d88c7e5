# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions that change a device."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from platform_emulator import lifecycle
from platform_emulator.openapi import jobs
from platform_emulator.openapi.call import Call
from platform_emulator.openapi.openapi_products import width
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal, invalid
from platform_emulator.products import DEVICE_NAME_PATTERN, Device, new_device_name
from platform_emulator.settings import Settings

# "If the number of sub-devices exceeds 2,000, the topological relationships are deleted in an asynchronous manner":
# https://www.alibabacloud.com/help/doc-detail/155680.htm
AT_ONCE = 2000


def register_device(call: Call) -> Mapping[str, object]:
    product = call.product()
    name = call.text("DeviceName") or new_device_name()
    if not re.fullmatch(DEVICE_NAME_PATTERN, name):
        raise OpenApiRefusal("iot.device.InvalidFormattedDeviceName")
    if not nickname_is_right(call.text("Nickname")):
        raise invalid("Nickname")
    if call.store.device(product.product_key, name) is not None:
        raise OpenApiRefusal("iot.device.AlreadyExistedDeviceName")
    device = Device(product.product_key, name, nickname=call.text("Nickname"))
    call.store.save_device(device)
    return {
        "Data": {
            "ProductKey": device.product_key,
            "DeviceName": device.device_name,
            "DeviceSecret": device.device_secret,
            "IotId": device.iot_id,
            "Nickname": device.nickname,
        }
    }


def nickname_is_right(nickname: str) -> bool:
    """Return whether a nickname is empty, or 4 to 64 characters wide; a character beyond ASCII counts twice."""
    return not nickname or (nickname.isprintable() and 4 <= width(nickname) <= 64)


def disable_thing(call: Call) -> Mapping[str, object]:
    return _change(call, lambda device, _: lifecycle.disable(device))


def enable_thing(call: Call) -> Mapping[str, object]:
    return _change(call, lambda device, _: lifecycle.enable(device))


def reset_thing(call: Call) -> Mapping[str, object]:
    """Let the device register again, and remove the sub-devices of a gateway from it."""
    _change(call, lifecycle.reset)
    gateway = call.device()
    sub_devices = [device.iot_id for device in call.store.sub_devices(gateway)]
    if len(sub_devices) > AT_ONCE:
        return {"JobId": jobs.start(call, gateway.iot_id, sub_devices)}
    jobs.detach(call.store, gateway.iot_id, sub_devices)
    return {}


def delete_device(call: Call) -> Mapping[str, object]:
    """Delete the device. The sub-devices of a gateway stay, without it."""
    device = call.device()
    call.store.delete_device(device.product_key, device.device_name)
    return {}


def _change(call: Call, change: Callable[[Device, Settings], Device]) -> Mapping[str, object]:
    call.store.save_device(change(call.device(), call.settings))
    return {}
