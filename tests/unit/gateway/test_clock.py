# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clock of every time limit."""

from __future__ import annotations

import sys
import time

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _clock, _retry, _tls


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the time of a suspended host")
def test_a_suspended_host_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock that counts it is asked, at each reading anew."""
    now = [1000.0]
    monkeypatch.setattr(time, "clock_gettime", lambda number: {time.CLOCK_BOOTTIME: now[0]}[number])
    first = _clock.clock()
    now[0] += 3600  # suspended, while the monotonic clock stood still
    assert _clock.clock() - first == 3600


def test_without_such_a_clock_the_monotonic_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int) -> float:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(time, "clock_gettime", refuse)
    assert _clock._choose() is time.monotonic
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert _clock._choose() is time.monotonic


def test_every_limit_is_of_this_clock() -> None:
    assert _retry.system_clock is _tls.clock is _clock.clock
