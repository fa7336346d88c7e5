# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Share one emulator among the tests of the OpenAPI and reset it between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import pytest
import sdks
from account import GATEWAY, KEY, PRODUCT_KEY, SEED
from emulator import Emulator
from platform_emulator.settings import Settings
from sdks import Sdk


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("cloud"), SEED) as emulator:
        yield emulator


@pytest.fixture
def platform(cloud: Emulator) -> Emulator:
    """Return the emulator, reset to one gateway product and one gateway."""
    for product in cloud.admin.products():
        cloud.admin.delete_product(product["product_key"])
    cloud.admin.put_product(PRODUCT_KEY, node_type="gateway", product_name="Ovens")
    cloud.admin.put_device(PRODUCT_KEY, GATEWAY)
    cloud.admin.clear_faults()
    cloud.admin.clear_requests()
    cloud.admin.settings(**asdict(Settings()))
    return cloud


@pytest.fixture
def call(platform: Emulator) -> Sdk:
    """Return a function that calls an action as a working client and returns the answer unchanged."""
    return sdks.generic(platform.endpoints, KEY)
