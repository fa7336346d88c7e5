# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Putting products and devices on the platform with the attributes somebody names: the seed or the admin API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from platform_emulator import lifecycle
from platform_emulator.fields import Reader, choice, flag, text
from platform_emulator.products import Device, Product, secret
from platform_emulator.store import Store

_words = text(r"[^\x00-\x1f]{0,64}", "up to 64 printable characters")

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
}


def put_product(store: Store, product_key: str, attributes: Mapping[str, object]) -> Product:
    """Create the product if it is not there, then give it these attributes; the others stay."""
    values: dict[str, Any] = dict(attributes)
    product = replace(store.product(product_key) or Product(product_key), **values)
    store.save_product(product)
    return product


def put_device(store: Store, product_key: str, device_name: str, attributes: Mapping[str, object]) -> Device:
    """Create the device if it is not there, then give it these attributes; the others stay."""
    values: dict[str, Any] = dict(attributes)
    status, activated = values.pop("status", None), values.pop("activated", None)
    device = replace(store.device(product_key, device_name) or Device(product_key, device_name), **values)
    if activated is not None:
        device = lifecycle.log_out(lifecycle.log_in(device)) if activated else lifecycle.deactivate(device)
    if status is not None:
        device = lifecycle.with_status(device, status)
    store.save_device(device)
    return device
