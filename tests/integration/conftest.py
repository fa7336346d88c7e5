# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One platform for each file of tests, with the product of tests and no device yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulator import Emulator
from playbook import seed


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("platform"), seed(0)) as emulator:
        yield emulator
