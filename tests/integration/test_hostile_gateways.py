# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compromised gateways: no answer of theirs, to any task, gains anything on the controller."""

from __future__ import annotations

from pathlib import Path

from emulator import Emulator
from hostile import attack


def test_no_answer_of_a_gateway_becomes_authority(platform: Emulator, tmp_path: Path) -> None:
    """No answer gains authority with the collection's callback. `make compare` tests Ansible's own and each ansible-core."""
    assert attack(platform, tmp_path, callback="fleetops.aliyun_iot.fleet_progress") == []
