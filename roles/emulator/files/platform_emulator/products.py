# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Products and devices of the platform, and the formats of their names and secrets."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from datetime import UTC, datetime

from platform_emulator.fields import text

ALPHANUMERIC = string.ascii_letters + string.digits

# 4 to 32 characters: https://www.alibabacloud.com/help/doc-detail/74006.htm (RegisterDevice states the same).
DEVICE_NAME_PATTERN = r"[A-Za-z0-9_.:@-]{4,32}"
PRODUCT_KEY_PATTERN = r"[A-Za-z0-9]{1,20}"

device_name = text(DEVICE_NAME_PATTERN, "4 to 32 letters, digits and - _ @ . :")
product_key = text(PRODUCT_KEY_PATTERN, "1 to 20 letters and digits")
secret = text(r"[A-Za-z0-9]{1,64}", "1 to 64 letters and digits")


def utc_now() -> str:
    """Return the time as the platform writes it in its Utc… fields: 2026-01-02T03:04:05.678Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_product_key() -> str:
    return "a1" + _random_text(9)


def new_product_secret() -> str:
    return _random_text(16)


def new_device_name() -> str:
    return _random_text(20)


def new_device_secret() -> str:
    return secrets.token_hex(16)


def new_iot_id() -> str:
    return _random_text(24) + "000100"


def _random_text(length: int) -> str:
    return "".join(secrets.choice(ALPHANUMERIC) for _index in range(length))


@dataclass(frozen=True)
class Product:
    """One product. `data_format` is 0 (custom) or 1 (Alink) with a TSL model, None without."""

    product_key: str
    product_secret: str = field(default_factory=new_product_secret, repr=False)
    product_name: str = ""
    node_type: str = "device"
    dynamic_registration: bool = True
    description: str = ""
    net_type: str = ""
    data_format: int | None = None
    gmt_create: str = field(default_factory=utc_now)


@dataclass(frozen=True)
class Device:
    """One device. `registration` is its dynamic-registration state:

    * unregistered: added, or reset; it can register.
    * registered: a secret was issued and not used yet, so it can register again.
    * activated: it has connected; registrations are refused until a reset.

    `activated_at` is the first connection ever: a reset leaves it, so the status does not become UNACTIVE again.
    `online_at` is the last login, `changed_at` the last login or end of a connection. `renew_secret` is true after a reset,
    until the next registration issues a new secret. Device tokens of another generation than `token_generation` are
    revoked. `gateway` is the iot_id of the gateway whose sub-device this is.
    """

    product_key: str
    device_name: str
    device_secret: str = field(default_factory=new_device_secret, repr=False)
    nickname: str = ""
    iot_id: str = field(default_factory=new_iot_id)
    gmt_create: str = field(default_factory=utc_now)
    activated_at: str | None = None
    online: bool = False
    online_at: str | None = None
    changed_at: str | None = None
    disabled: bool = False
    registration: str = "unregistered"
    renew_secret: bool = False
    registrations: int = 0
    token_generation: int = 0
    gateway: str | None = None

    @property
    def activated(self) -> bool:
        return self.activated_at is not None

    @property
    def status(self) -> str:
        """Return UNACTIVE, ONLINE, OFFLINE or DISABLE. A disabled device has its former status again when it is enabled."""
        if self.disabled:
            return "DISABLE"
        if not self.activated:
            return "UNACTIVE"
        return "ONLINE" if self.online else "OFFLINE"
