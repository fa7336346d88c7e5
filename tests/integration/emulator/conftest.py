# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Share one emulator in the whole run and reset it between tests. A test that kills it starts its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from emulator import Emulator
from vectors import vectors

VECTORS = vectors("dynreg_https")
PRODUCT_KEY, PRODUCT_SECRET = VECTORS[0]["productKey"], VECTORS[0]["productSecret"]
DEVICE_NAMES = sorted({vector["deviceName"] for vector in VECTORS})

Register = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def seed() -> dict[str, Any]:
    """Return the product and the devices that the vectors use."""
    product = {"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET, "devices": DEVICE_NAMES}
    return {"products": [product]}


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, seed: dict[str, Any]) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("emulator"), seed)
    # A separate program, since tests look at its command line and its environment.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORKED", "no")
        emulator.start()
    yield emulator
    emulator.stop()


@pytest.fixture
def platform(emulator: Emulator) -> Emulator:
    """Return the emulator, reset to the seed's product and devices."""
    for product in emulator.admin.products():
        emulator.admin.delete_product(product["product_key"])
    emulator.admin.put_product(PRODUCT_KEY, product_secret=PRODUCT_SECRET)
    for name in DEVICE_NAMES:
        emulator.admin.put_device(PRODUCT_KEY, name)
    emulator.admin.clear_faults()
    emulator.admin.clear_requests()
    emulator.admin.settings(
        reregistration="rotate", reset_revokes="at_registration", refusals="http_200", unknown_device_code=6100
    )
    return emulator


@pytest.fixture
def device(platform: Emulator) -> tuple[str, str]:
    """Return the product key and the name of the device that `register` registers."""
    return VECTORS[0]["productKey"], VECTORS[0]["deviceName"]


@pytest.fixture
def post(platform: Emulator) -> Callable[..., requests.Response]:
    """Return a function that POSTs a body to the registration endpoint as a client does."""

    def call(body: str | bytes = VECTORS[0]["body"], content_type: str = "application/x-www-form-urlencoded") -> Any:
        return requests.post(
            platform.endpoints["register_url"],
            data=body,
            headers={"Content-Type": content_type},
            verify=platform.endpoints["ca_file"],
            allow_redirects=False,
            timeout=60,
        )

    return call


@pytest.fixture
def register(post: Callable[..., requests.Response]) -> Register:
    """Return a function that registers and returns the platform's JSON answer."""
    return lambda *arguments: post(*arguments).json()
