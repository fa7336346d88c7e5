# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The account whose products and devices the OpenAPI tests manage: its access keys, and its only gateway."""

from __future__ import annotations

from typing import Any, NamedTuple

from vectors import openapi_key


class Key(NamedTuple):
    id: str
    secret: str
    security_token: str | None = None


KEY = Key(*openapi_key())
TEMPORARY_KEY = Key("STS.temporary", "temporarySecret", "temporary+token/==")
EXPIRED_KEY = Key("STS.expired", "expiredSecret", "expired+token/==")

PRODUCT_KEY = "a1IoKTestP1"
GATEWAY = "OvenDevice01"
GATEWAY_NAME = {"ProductKey": PRODUCT_KEY, "DeviceName": GATEWAY}

SEED: dict[str, Any] = {
    "access_keys": [
        {"id": KEY.id, "secret": KEY.secret},
        {**TEMPORARY_KEY._asdict(), "expires": "2999-01-01T00:00:00Z"},
        {**EXPIRED_KEY._asdict(), "expires": "2020-01-01T00:00:00Z"},
    ]
}
