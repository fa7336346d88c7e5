# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway that has been taken over gets nothing on the controller, whatever it answers, and wherever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from emulator import Emulator
from hostile import attack
from operations import PLATFORM


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("platform"), PLATFORM) as emulator:
        yield emulator


def test_no_answer_of_a_gateway_becomes_authority(account: Emulator, tmp_path: Path) -> None:
    assert attack(account, tmp_path) == []
