# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One of Molecule's scenarios, on the gateways with the fewest requirements. `make molecule` runs all, on containers too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import containers
import pytest
import yaml
from fleet import Size, unusable

ROOT = Path(__file__).parents[2]
# Other tests cover the remaining scenarios.
SCENARIOS = ("default",)
SIZE = Size(3, busybox=1, openwrt=1)


def test_the_platform_has_a_device_for_each_gateway() -> None:
    """Without Molecule, which runs on containers only where podman does."""
    platform = yaml.safe_load((ROOT / "extensions/molecule/common/vars/platform.yml").read_text())
    gateways = {f"gw-{number:04}" for number in range(1, max(SIZE.gateways, len(containers.IMAGES)) + 1)}
    for product in platform["seed"]["products"]:
        names = {device["name"] if isinstance(device, dict) else device for device in product["devices"]}
        assert names == gateways, product["product_key"]


@pytest.mark.skipif(bool(unusable(SIZE)), reason=unusable(SIZE) or "")
def test_the_scenarios_pass_on_loopback_gateways() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "nox", "--session", "molecule", "--", *SCENARIOS],
        cwd=ROOT,
        env={**os.environ, "HOSTS": "loopback"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.endswith(f"{', '.join(SCENARIOS)}: passed on loopback\n"), ran.stdout
