# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One platform for each file of tests, with the products of tests and no device yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulator import Emulator
from gateways import PRODUCTS
from loopback import fleet

__all__ = ["fleet", "platform"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    products = [{"product_key": key, "product_secret": secret} for key, secret in PRODUCTS.values()]
    with Emulator(tmp_path_factory.mktemp("platform"), {"products": products}) as emulator:
        yield emulator
