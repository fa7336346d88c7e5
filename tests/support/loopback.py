# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pytest fixture for the loopback fleet.

def test_something(fleet):
    gateways = fleet(4, busybox=1)
    run_playbook(play, gateways.hosts, tmp_path)
    assert (gateways.root("gw-0001") / "etc/aliyun-iot/device.json").exists()
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fleet import Fleet, Size, unusable

PROGRAM = Path(__file__).parents[1] / "fleet" / "fleet.py"


class Loopback(Fleet):
    """A fleet that was started with `fleet.py`, as users do."""

    @property
    def hosts(self) -> Any:
        """The content of the inventory."""
        return yaml.safe_load(self.inventory.read_text())


def command(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, PROGRAM, *arguments]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Callable[..., Loopback]]:
    """Yield a function that starts a fleet, `busybox` and `openwrt` of its gateways without Python; with `become`, the user has sudo."""
    directory = tmp_path / "fleet"

    def up(gateways: int, busybox: int = 0, become: bool = False, openwrt: int = 0) -> Loopback:
        if problem := unusable(Size(gateways, busybox, openwrt)):
            pytest.skip(problem)
        kinds = [f"--busybox={busybox}", f"--openwrt={openwrt}", *(["--become"] if become else [])]
        subprocess.run(command("up", str(gateways), *kinds, "--dir", directory), check=True)
        return Loopback(directory)

    yield up
    subprocess.run(command("down", "--dir", directory), check=True)
