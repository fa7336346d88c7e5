# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on demand.

A fault is a mapping: `action`, optionally `product_key` and `device_name`, `times` (a number, default 1, or `forever`),
and exactly one effect with its value. The oldest fault that matches a request is applied, and one of
its `times` is used up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from platform_emulator.fields import Fields, Invalid, choice, integer
from platform_emulator.http_effects import HTTP, Effect, Effects
from platform_emulator.mqtt import mqtt_effects
from platform_emulator.openapi import openapi_effects
from platform_emulator.products import device_name, product_key
from platform_emulator.store import Store

ACTIONS: Mapping[str, Effects[Any]] = {"register": HTTP, **mqtt_effects.ACTIONS, **openapi_effects.ACTIONS}

# A fault of another action cannot depend on a product or a device.
OF_PRODUCTS = ACTIONS.keys() - {"mqtt_tcp"} - openapi_effects.WITHOUT_PRODUCT
OF_DEVICES = OF_PRODUCTS - openapi_effects.ACTIONS.keys() | openapi_effects.OF_ONE_DEVICE
DETAILS = {"product_key", "device_name", "times"}


@dataclass(frozen=True)
class Fault:
    """A fault: the requests that it matches, how many of them (0: forever), and its effect with the key of the effect."""

    action: str
    product_key: str | None
    device_name: str | None
    times: int
    name: str
    effect: Effect[Any]

    def matches(self, action: str, product: str | None, device: str | None) -> bool:
        return self.action == action and self.product_key in (None, product) and self.device_name in (None, device)


def read(value: object, where: str) -> Fault:
    """Return the fault in a mapping of the seed or the admin API; raises Invalid."""
    fields = Fields(value, where)
    action = fields.need("action", choice(*ACTIONS))
    effects = ACTIONS[action]
    names = [name for name in effects if name in fields]
    effect = effects[names[0]](fields) if names else None
    # A key may be a detail of one effect and another effect by itself.
    if effect is None or not all(fields.was_read(name) for name in names):
        others = [key or "a key that is not shown" for key in fields.unread() if key not in DETAILS]
        found = " and ".join(names) or ("none" if not others else f"none ({', '.join(others)} is not one)")
        raise Invalid(f"{where or 'fault'}: needs exactly one effect, has {found}; choose one of {', '.join(effects)}")
    fault = Fault(
        action=action,
        product_key=fields.get("product_key", product_key) if action in OF_PRODUCTS else None,
        device_name=fields.get("device_name", device_name) if action in OF_DEVICES else None,
        times=1 if (times := fields.get("times", _times)) is None else times,
        name=names[0],
        effect=effect,
    )
    fields.close()
    return fault


def _times(value: object, where: str) -> int:
    return 0 if value == "forever" else integer(1, 1_000_000)(value, where)


# The store has the mapping as it was given; `remaining` counts down and is NULL for a fault that lasts forever.


def add(store: Store, value: object, where: str) -> int:
    """Store a fault; returns its number. Raises Invalid."""
    fault = read(value, where)
    return store.insert("INSERT INTO fault (spec, remaining) VALUES (?, ?)", (json.dumps(value), fault.times or None))


def everything(store: Store) -> list[dict[str, object]]:
    """Return the remaining faults, each with its `id` and `remaining` (a number or `forever`)."""
    return [
        {
            "id": row["id"],
            "remaining": "forever" if row["remaining"] is None else row["remaining"],
            **json.loads(row["spec"]),
        }
        for row in store.rows("SELECT id, spec, remaining FROM fault ORDER BY id")
    ]


def clear(store: Store) -> None:
    store.rows("DELETE FROM fault")


def take(store: Store, action: str, product: str | None, device: str | None) -> Fault | None:
    """Return the oldest fault that matches, and count it."""
    for row in store.rows("SELECT id, spec, remaining FROM fault ORDER BY id"):
        fault = read(json.loads(row["spec"]), "")
        if fault.matches(action, product, device):
            store.rows("UPDATE fault SET remaining = remaining - 1 WHERE id = ?", (row["id"],))
            store.rows("DELETE FROM fault WHERE remaining = 0")
            return fault
    return None
