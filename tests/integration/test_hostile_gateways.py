# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway that has been taken over gets nothing on the controller, whatever it answers, and wherever."""

from __future__ import annotations

from pathlib import Path

import pytest
from emulator import Emulator
from hostile import attack


@pytest.mark.parametrize("callback", ["default", "fleetops.aliyun_iot.fleet_progress"])
def test_no_answer_of_a_gateway_becomes_authority(platform: Emulator, tmp_path: Path, callback: str) -> None:
    assert attack(platform, tmp_path, callback=callback) == []
