# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions that query devices. Their answers contain secrets in clear text, as the platform's do."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence

from platform_emulator.openapi import pages, times
from platform_emulator.openapi.call import Call
from platform_emulator.openapi.openapi_effects import failing
from platform_emulator.openapi.openapi_products import NODE_TYPES
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal, invalid
from platform_emulator.openapi.pages import Page
from platform_emulator.products import Device, Product

REGION = "cn-shanghai"
STATUS_CLAUSES = {
    0: "disabled = 0 AND activated_at IS NULL",
    1: "disabled = 0 AND activated_at IS NOT NULL AND online = 1",
    3: "disabled = 0 AND activated_at IS NOT NULL AND online = 0",
    8: "disabled = 1",
}


def query_device(call: Call) -> Mapping[str, object]:
    """Return a product's devices, the newest first; beyond 10,000 the token of the page before is required."""
    product = call.product()
    page = pages.asked(call, 50, optional=True)
    token = call.text("NextToken")
    if page.number * page.size > (pages.WITH_TOKEN if token else pages.WITHOUT_TOKEN):
        raise OpenApiRefusal("iot.common.InvalidPageParams")
    own = "product_key = ?"
    total = _total(call, own, (product.product_key,))
    if token:
        older = (product.product_key, _row_number(token))
        devices = _newest(call, f"{own} AND rowid < ?", older, Page(1, page.size))
    else:
        devices = _newest(call, own, (product.product_key,), page)
    return {
        "Data": {"DeviceInfo": [{**_summary(device), "DeviceStatus": device.status} for device in devices]},
        **_position(page, total),
        **_next_token(call, devices),
    }


def query_device_by_status(call: Call) -> Mapping[str, object]:
    product = call.product()
    if call.number("Status") not in STATUS_CLAUSES:
        raise invalid("Status")
    page = pages.asked(call, 50)
    where, values = f"product_key = ? AND {STATUS_CLAUSES[call.number('Status')]}", (product.product_key,)
    devices = _newest(call, where, values, page)
    return {
        "Data": {"SimpleDeviceInfo": [{**_summary(device), "Status": device.status} for device in devices]},
        **_position(page, _total(call, where, values)),
    }


def query_device_detail(call: Call) -> Mapping[str, object]:
    device = call.device()
    online = {"UtcOnline": device.online_at or "", "GmtOnline": times.gmt(device.online_at)}
    return {"Data": {**_detail(device, _product(call, device)), **online, "IpAddress": "", "Owner": True}}


def batch_query_device_detail(call: Call) -> Mapping[str, object]:
    """Return the details of up to 100 devices; those that do not exist are left out."""
    product = call.product()
    devices = _named(call, product, 100)
    return {"Data": {"Data": [_detail(device, product) for device in devices]}}


def get_device_status(call: Call) -> Mapping[str, object]:
    device = call.device()
    return {"Data": {"Status": device.status, "Timestamp": _changed_at(device)}}


def batch_get_device_state(call: Call) -> Mapping[str, object]:
    """Return the states of up to 50 devices, by IotId or else by name; those that do not exist are left out."""
    iot_ids = call.names("IotId")
    if len(iot_ids) > 50:
        raise OpenApiRefusal("iot.device.DeviceCountExceeded")
    by_id = [(iot_id, call.store.device_by_iot_id(iot_id)) for iot_id in iot_ids]
    devices = _processed(call, by_id) if iot_ids else _named(call, call.product(), 50)
    return {"DeviceStatusList": {"DeviceStatus": [_state(device) for device in devices]}}


def get_thing_topo(call: Call) -> Mapping[str, object]:
    """Return the sub-devices of a gateway."""
    gateway = call.device()
    page = pages.asked(call, 50, "PageNo")
    sub_devices = call.store.sub_devices(gateway)
    return {
        "Data": {
            "CurrentPage": page.number,
            "PageSize": page.size,
            "PageCount": page.count(len(sub_devices)),
            "Total": len(sub_devices),
            "List": {"deviceInfo": [_identity(device) for device in sub_devices[page.offset :][: page.size]]},
        }
    }


# What is found


def _newest(call: Call, where: str, values: Sequence[object], page: Page) -> list[Device]:
    clauses = f"WHERE {where} ORDER BY rowid DESC LIMIT ? OFFSET ?"
    return call.store.select_devices(clauses, (*values, page.size, page.offset))


def _total(call: Call, where: str, values: Sequence[object]) -> int:
    row = call.store.row(f"SELECT count(*) FROM device WHERE {where}", values)
    return int(row[0]) if row else 0


def _named(call: Call, product: Product, limit: int) -> list[Device]:
    """Return the devices in DeviceName.N that exist; raises OpenApiRefusal for none or too many names."""
    names = call.names("DeviceName")
    if not names:
        raise OpenApiRefusal("iot.device.NoneDeviceNameElement")
    if len(names) > limit:
        raise OpenApiRefusal("iot.device.DeviceCountExceeded")
    return _processed(call, [(name, call.store.device(product.product_key, name)) for name in names])


def _processed(call: Call, asked: Sequence[tuple[str, Device | None]]) -> list[Device]:
    """Return the devices that exist, by what names them in the call, except those that a fault makes fail."""
    fail = failing(call.effect, [device.device_name if device else name for name, device in asked])
    return [device for _name, device in asked if device and device.device_name not in fail]


def _product(call: Call, device: Device) -> Product:
    product = call.store.product(device.product_key)
    if product is None:
        raise OpenApiRefusal("iot.prod.NotExistedProduct")
    return product


def _next_token(call: Call, devices: list[Device]) -> Mapping[str, object]:
    """Return the token for the page after these devices, unless the last one is the product's oldest."""
    if not devices:
        return {}
    key, name = devices[-1].product_key, devices[-1].device_name
    row = call.store.row("SELECT rowid FROM device WHERE product_key = ? AND device_name = ?", (key, name))
    if row is None or not _total(call, "product_key = ? AND rowid < ?", (key, row[0])):
        return {}
    return {"NextToken": base64.urlsafe_b64encode(f"device {row[0]}".encode()).decode()}


def _row_number(token: str) -> int:
    try:
        kind, number = base64.urlsafe_b64decode(token).decode().split()
        if kind != "device" or not re.fullmatch("[0-9]{1,18}", number):
            raise ValueError(token)
        return int(number)
    except (ValueError, binascii.Error):
        raise invalid("NextToken") from None


# How it is shown


def _position(page: Page, total: int) -> dict[str, object]:
    return {"Page": page.number, "PageSize": page.size, "PageCount": page.count(total), "Total": total}


def _identity(device: Device) -> dict[str, object]:
    return {"ProductKey": device.product_key, "DeviceName": device.device_name, "IotId": device.iot_id}


def _summary(device: Device) -> dict[str, object]:
    return {
        **_identity(device),
        "DeviceSecret": device.device_secret,
        "Nickname": device.nickname,
        "UtcCreate": device.gmt_create,
        "GmtCreate": times.gmt(device.gmt_create),
        "UtcModified": device.activated_at or device.gmt_create,
        "GmtModified": times.gmt(device.activated_at or device.gmt_create),
    }


def _detail(device: Device, product: Product) -> dict[str, object]:
    """Return the details of a device; times of events that have not happened are empty."""
    return {
        **_identity(device),
        "ProductName": product.product_name,
        "DeviceSecret": device.device_secret,
        "Nickname": device.nickname,
        "Status": device.status,
        "NodeType": NODE_TYPES.index(product.node_type),
        "Region": REGION,
        "FirmwareVersion": "",
        "UtcCreate": device.gmt_create,
        "GmtCreate": times.gmt(device.gmt_create),
        "UtcActive": device.activated_at or "",
        "GmtActive": times.gmt(device.activated_at),
    }


def _state(device: Device) -> dict[str, object]:
    return {
        "DeviceName": device.device_name,
        "IotId": device.iot_id,
        "Status": device.status,
        "LastOnlineTime": times.gmt(device.online_at),
        "AsAddress": "",
        "Timestamp": _changed_at(device),
    }


def _changed_at(device: Device) -> int:
    return times.milliseconds(device.changed_at or device.gmt_create)
