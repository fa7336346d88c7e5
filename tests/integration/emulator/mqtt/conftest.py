# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect MQTT clients to the running emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import pytest
from emulator import Emulator
from mqtt_client import Client, login, registration
from platform_emulator.settings import Settings

PRODUCT_KEY, PRODUCT_SECRET = "a1IoKTestP1", "6vEu5Qlj5STest01"
DEVICE_NAME, DEVICE_SECRET = "gw-0001", "0123456789abcdef0123456789abcdef"

Connect = Callable[..., Client]


@pytest.fixture
def broker(platform: Emulator) -> Emulator:
    """Return the platform with default settings and one more device, whose secret is known."""
    platform.admin.settings(**asdict(Settings()))
    platform.admin.put_device(PRODUCT_KEY, DEVICE_NAME, device_secret=DEVICE_SECRET)
    return platform


@pytest.fixture
def connect(broker: Emulator) -> Iterator[Connect]:
    """Yield a function that connects a client until the test ends."""
    with ExitStack() as clients:
        yield lambda *credentials, **options: clients.enter_context(Client(broker.endpoints, *credentials, **options))


@pytest.fixture
def log_in(connect: Connect) -> Connect:
    """Return a function that logs in as the device; fields change the extension of the client ID."""

    def call(device_secret: str = DEVICE_SECRET, keep_alive: int = 60, **fields: str) -> Client:
        return connect(*login(PRODUCT_KEY, DEVICE_NAME, device_secret, **fields), keep_alive=keep_alive)

    return call


@pytest.fixture
def register_mqtt(connect: Connect) -> Connect:
    """Return a function that requests the registration of a device; fields change the extension of the client ID."""

    def call(auth_type: str = "register", device_name: str = DEVICE_NAME, **fields: Any) -> Client:
        return connect(*registration(PRODUCT_KEY, device_name, PRODUCT_SECRET, auth_type, **fields))

    return call
