# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Device tokens, which a device without pre-registration gets in place of a secret.

Up to five physical devices may share a device name, each with a client id and a token of its own
(https://www.alibabacloud.com/help/doc-detail/74006.htm).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from platform_emulator.products import Device
from platform_emulator.store import Store


@dataclass(frozen=True)
class Token:
    client_id: str
    device_token: str = field(repr=False)


def issue(store: Store, device: Device) -> Token:
    token = Token(secrets.token_hex(16), secrets.token_hex(32))
    store.rows(
        "INSERT INTO device_token (client_id, product_key, device_name, device_token) VALUES (?, ?, ?, ?)",
        (token.client_id, device.product_key, device.device_name, token.device_token),
    )
    return token


def count(store: Store, device: Device) -> int:
    """Return how many physical devices have a token for this name."""
    row = store.row(
        "SELECT count(*) FROM device_token WHERE product_key = ? AND device_name = ?",
        (device.product_key, device.device_name),
    )
    return int(row[0]) if row else 0


def is_valid(store: Store, device: Device, token: Token) -> bool:
    row = store.row(
        "SELECT device_token FROM device_token WHERE product_key = ? AND device_name = ? AND client_id = ?",
        (device.product_key, device.device_name, token.client_id),
    )
    return row is not None and hmac.compare_digest(row["device_token"].encode(), token.device_token.encode())
