# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The topology in a seed and in the admin API: each device has one gateway at most, and no gateway is below itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from platform_emulator import seed
from platform_emulator.fields import Invalid
from platform_emulator.store import opened


def gateways(*devices: tuple[str, list[Any]]) -> dict[str, Any]:
    listed = [{"name": name, "sub_devices": sub_devices} for name, sub_devices in devices]
    return {"products": [{"product_key": "a1IoKTestP1", "product_secret": "secret", "devices": listed}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gateways(("gw-1", ["gw-1"])), "[0].sub_devices[0]: a gateway cannot be its own sub-device; remove it"),
        (
            gateways(("gw-1", ["s-01", "s-01"])),
            "[0].sub_devices[1]: s-01 is already a sub-device of gw-1; remove one of the two",
        ),
        (
            gateways(("gw-1", ["s-01"]), ("gw-2", [{"product_key": "a1IoKTestP1", "name": "s-01"}])),
            "[1].sub_devices[0]: s-01 is already a sub-device of gw-1; remove one of the two",
        ),
        (
            gateways(("gw-1", ["gw-2"]), ("gw-2", ["gw-1"])),
            "[0].sub_devices[0]: gw-2 is above its own gateway; remove it",
        ),
        (
            gateways(("gw-0", ["gw-1"]), ("gw-1", ["gw-2"]), ("gw-2", ["gw-3"]), ("gw-3", ["gw-1"])),
            "[3].sub_devices[0]: gw-1 is already a sub-device of gw-0; remove one of the two",
        ),
        (
            gateways(("gw-1", ["gw-2"]), ("gw-2", ["gw-3"]), ("gw-3", ["gw-1"])),
            "[0].sub_devices[0]: gw-2 is above its own gateway; remove it",
        ),
    ],
)
def test_a_topology_that_cannot_be(content: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as error:
        seed.read(content)
    assert str(error.value) == f"products[0].devices{message}"


def test_gateways_in_a_row_are_possible() -> None:
    assert seed.read(gateways(("gw-1", ["gw-2"]), ("gw-2", ["gw-3", "gw-4"]))).products


def test_a_changed_topology_may_turn_around(tmp_path: Path) -> None:
    """A device can become the sub-device of its former sub-device; only the topology at the end counts."""
    database = tmp_path / "state.sqlite"
    for content in (
        gateways(("gw-1", ["gw-2"]), ("gw-2", [])),
        gateways(("gw-2", ["gw-1"]), ("gw-1", [])),
        gateways(("gw-1", ["gw-2"]), ("gw-2", [])),
    ):
        sown = seed.read(content)
        seed.check(sown, database)
        with opened(database) as store:
            seed.apply(store, sown)
    with pytest.raises(Invalid) as error:
        seed.check(seed.read(gateways(("gw-2", ["gw-1"]))), database)
    assert str(error.value) == (
        "seed: products[0].devices[0]: sub_devices of gw-2: one of them is above gw-2; remove it"
    )
    assert os.listdir(tmp_path) == ["state.sqlite"]


def test_the_admin_api_refuses_a_circle_and_moves_a_sub_device(tmp_path: Path) -> None:
    with Emulator(tmp_path, gateways(("gw-1", ["gw-2"]), ("gw-2", ["gw-3"]))) as platform:
        for method in (platform.admin.put_device, platform.admin.patch_device):
            with pytest.raises(
                AssertionError, match=r"400 .*sub_devices of gw-3: one of them is above gw-3; remove it"
            ):
                method("a1IoKTestP1", "gw-3", sub_devices=["gw-1"])
            with pytest.raises(
                AssertionError, match=r"400 .*s-01 is already a sub-device of gw-3; remove one of the two"
            ):
                method("a1IoKTestP1", "gw-3", sub_devices=["s-01", "s-01"])
        assert platform.admin.device("a1IoKTestP1", "gw-3")["sub_devices"] == []
        platform.admin.put_device("a1IoKTestP1", "gw-1", sub_devices=["gw-2", "gw-3"])
        assert platform.admin.device("a1IoKTestP1", "gw-2")["sub_devices"] == []
