# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway that has been taken over gets nothing on the controller, whatever it answers, and wherever."""

from __future__ import annotations

from pathlib import Path

from emulator import Emulator
from hostile import attack


def test_no_answer_of_a_gateway_becomes_authority(platform: Emulator, tmp_path: Path) -> None:
    """With the callback of the collection; `make compare` does the same with Ansible's own and each ansible-core."""
    assert attack(platform, tmp_path, callback="fleetops.aliyun_iot.fleet_progress") == []
