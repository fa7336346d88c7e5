# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateway of the tests of a change."""

from __future__ import annotations

from pathlib import Path

import pytest
from converging import Bench

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _convergence


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a gateway in a folder. A run that waits for a lease fails, because tests end a lease by changing its journal."""
    monkeypatch.setattr(_convergence, "sleep", lambda _seconds: pytest.fail("it waits"))
    return Bench(tmp_path)
