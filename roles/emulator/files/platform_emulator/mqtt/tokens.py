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

# The C demo drops a token of 64 characters or more.
TOKEN_BYTES = 24


@dataclass(frozen=True)
class Token:
    client_id: str
    device_token: str = field(repr=False)


def issue(store: Store, device: Device) -> Token:
    """Issue a token of the device's generation; those of earlier generations are deleted."""
    token = Token(secrets.token_hex(16), secrets.token_hex(TOKEN_BYTES))
    store.rows(
        "DELETE FROM device_token WHERE product_key = ? AND device_name = ? AND generation <> ?", _generation(device)
    )
    store.rows(
        "INSERT INTO device_token (product_key, device_name, generation, client_id, device_token) VALUES (?, ?, ?, ?, ?)",
        (*_generation(device), token.client_id, token.device_token),
    )
    return token


def count(store: Store, device: Device) -> int:
    """Return how many physical devices have a valid token for this name."""
    row = store.row(
        "SELECT count(*) FROM device_token WHERE product_key = ? AND device_name = ? AND generation = ?",
        _generation(device),
    )
    return int(row[0]) if row else 0


def is_valid(store: Store, device: Device, token: Token) -> bool:
    row = store.row(
        "SELECT device_token FROM device_token"
        " WHERE product_key = ? AND device_name = ? AND generation = ? AND client_id = ?",
        (*_generation(device), token.client_id),
    )
    return row is not None and hmac.compare_digest(row["device_token"].encode(), token.device_token.encode())


def _generation(device: Device) -> tuple[str, str, int]:
    return device.product_key, device.device_name, device.token_generation
