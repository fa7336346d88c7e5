# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One emulator for the whole run, as new for every test; a test that kills it makes its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import pytest
from emulator import Emulator
from platform_emulator.settings import Settings
from playbook import PRODUCT_KEY, PRODUCT_SECRET, names, seed


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), seed()) as emulator:
        yield emulator


@pytest.fixture
def platform(emulator: Emulator) -> Emulator:
    """The emulator with the seed's product and devices, each unactivated, and nothing of the test before."""
    admin = emulator.admin
    for product in admin.products():
        admin.delete_product(product["product_key"])
    admin.put_product(PRODUCT_KEY, product_secret=PRODUCT_SECRET)
    for name in names(20):
        admin.put_device(PRODUCT_KEY, name)
    admin.settings(**asdict(Settings()))
    admin.clear_faults()
    admin.clear_requests()
    return emulator
