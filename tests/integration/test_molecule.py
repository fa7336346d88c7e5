# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Molecule's scenarios, on the gateways that need the least."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fleet import Size, unusable

ROOT = Path(__file__).parents[2]
SCENARIOS = [path.parent.name for path in ROOT.glob("extensions/molecule/*/molecule.yml")]
SIZE = Size(3, busybox=1, openwrt=1)


@pytest.mark.skipif(bool(unusable(SIZE)), reason=unusable(SIZE) or "")
def test_the_scenarios_pass_on_loopback_gateways() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "nox", "--session", "molecule"],
        cwd=ROOT,
        env={**os.environ, "HOSTS": "loopback"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert SCENARIOS
    assert ran.stdout.endswith(f"{len(SCENARIOS)} scenarios passed on loopback\n"), ran.stdout
