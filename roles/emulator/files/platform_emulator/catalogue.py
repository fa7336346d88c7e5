# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create or change products and devices with given attributes, for the seed and the admin API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from platform_emulator import lifecycle, topology
from platform_emulator.fields import Fields, Invalid, Reader, choice, flag, list_of, text
from platform_emulator.products import Device, Product, device_name, product_key, secret
from platform_emulator.store import Store

_words = text(r"[^\x00-\x1f]{0,64}", "up to 64 printable characters")


def _sub_device(value: object, where: str) -> tuple[str | None, str]:
    """Return a device's product key, None for its gateway's product, and its name."""
    if not isinstance(value, Mapping):
        return None, device_name(value, where)
    fields = Fields(value, where)
    sub_device = fields.get("product_key", product_key), fields.need("name", device_name)
    fields.close()
    return sub_device


PRODUCT_ATTRIBUTES: Mapping[str, Reader[object]] = {
    "product_secret": secret,
    "product_name": _words,
    "node_type": choice("device", "gateway"),
    "dynamic_registration": flag,
}
DEVICE_ATTRIBUTES: Mapping[str, Reader[object]] = {
    "device_secret": secret,
    "nickname": _words,
    "status": choice("UNACTIVE", "ONLINE", "OFFLINE", "DISABLE"),
    "activated": flag,
    "sub_devices": list_of(_sub_device),
}


def put_product(store: Store, product_key: str, attributes: Mapping[str, object]) -> Product:
    """Create the product if it does not exist, and set these attributes; the others stay."""
    values: dict[str, Any] = dict(attributes)
    product = replace(store.product(product_key) or Product(product_key), **values)
    store.save_product(product)
    return product


def put_device(store: Store, product_key: str, device_name: str, attributes: Mapping[str, object]) -> Device:
    """Create the device if it does not exist, and set these attributes; the others stay."""
    values: dict[str, Any] = dict(attributes)
    status, activated = values.pop("status", None), values.pop("activated", None)
    sub_devices = values.pop("sub_devices", None)
    device = replace(store.device(product_key, device_name) or Device(product_key, device_name), **values)
    if activated is not None:
        device = lifecycle.log_out(lifecycle.log_in(device)) if activated else lifecycle.deactivate(device)
    if status is not None:
        device = lifecycle.with_status(device, status)
    store.save_device(device)
    if sub_devices is not None:
        _put_topology(store, device, sub_devices)
    return device


def refuse_cycle(store: Store, product_key: str, device_name: str) -> None:
    """Raise Invalid if the device is below one of its own sub-devices. Call it after all changes of a transaction."""
    device = store.device(product_key, device_name)
    seen: set[str] = set()
    above = device
    while device and above and above.gateway and above.gateway not in seen:
        seen.add(above.gateway)
        above = store.device_by_iot_id(above.gateway)
    if device and device.iot_id in seen:
        raise Invalid(f"sub_devices of {device_name}: one of them is above {device_name}; remove it")


def _put_topology(store: Store, gateway: Device, sub_devices: list[tuple[str | None, str]]) -> None:
    """Set the sub-devices of the gateway to these; create those that do not exist."""
    place, own = f"sub_devices of {gateway.device_name}", (gateway.product_key, gateway.device_name)
    wanted = [(key or gateway.product_key, name) for key, name in sub_devices]
    topology.check([(place, own, names) for names in wanted])
    store.rows("UPDATE device SET gateway = NULL WHERE gateway = ?", (gateway.iot_id,))
    for key, name in wanted:
        if store.product(key) is None:
            raise Invalid(f"{place}: there is no product {key}; add it first")
        sub_device = store.device(key, name) or Device(key, name)
        store.save_device(replace(sub_device, gateway=gateway.iot_id))
