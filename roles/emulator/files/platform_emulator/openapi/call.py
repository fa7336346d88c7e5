# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A call whose sender is known: what an action reads its parameters from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from platform_emulator.answers import Answer
from platform_emulator.http_effects import Effect
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal, invalid, missing
from platform_emulator.products import Device, Product
from platform_emulator.settings import Settings
from platform_emulator.store import Store


@dataclass(frozen=True)
class Call:
    """The parameters of one call, and the platform that it is about. Every reader may raise OpenApiRefusal."""

    store: Store
    settings: Settings
    parameters: Mapping[str, str]
    effect: Effect[Answer]

    def text(self, name: str) -> str:
        """Return a parameter, empty if it is missing."""
        return self.parameters.get(name, "")

    def need(self, name: str) -> str:
        if not self.text(name):
            raise missing(name)
        return self.text(name)

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole number; without a default the parameter must be there."""
        value = self.need(name) if default is None else self.text(name) or str(default)
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise invalid(name)
        return int(value)

    def names(self, name: str) -> list[str]:
        """Return a list, which comes as Name.1, Name.2 and so on, in the order of its numbers."""
        numbered = re.compile(rf"{re.escape(name)}\.([0-9]{{1,9}})")
        found = [(match[1], value) for key, value in self.parameters.items() if (match := numbered.fullmatch(key))]
        return [value for _number, value in sorted(found, key=lambda item: int(item[0]))]

    def product(self) -> Product:
        product = self.store.product(self.need("ProductKey"))
        if product is None:
            raise OpenApiRefusal("iot.prod.NotExistedProduct")
        return product

    def device(self) -> Device:
        """Return the device that IotId names, or else ProductKey and DeviceName."""
        if iot_id := self.text("IotId"):
            device = self.store.device_by_iot_id(iot_id)
        else:
            device = self.store.device(self.need("ProductKey"), self.need("DeviceName"))
        if device is None:
            raise OpenApiRefusal("iot.device.NotExistedDevice")
        return device
