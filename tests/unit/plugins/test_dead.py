# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that a secret which the platform has refused is never taken for valid without a login."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from converging import Bench, Broken
from gateways import end_lease

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, Refused

JSON = Any


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a gateway with a refused secret; another gateway has registered the device again, and has activated it."""
    bench = Bench(tmp_path)
    bench.leave_unproven()
    bench.device.issue()
    bench.device.activated = True
    with pytest.raises(FleetopsError, match="does not accept"):
        bench.run()
    assert "dead " in bench.journal.read_text()
    return bench


@pytest.mark.parametrize("login", ["failed", "impossible", ""])
def test_a_refused_registration_does_not_make_it_valid(bench: Bench, login: str) -> None:
    bench.login.outcome = login
    for _run in range(2):
        with pytest.raises(Refused):
            bench.run()
        assert "dead " in bench.journal.read_text()


def test_nor_does_one_after_another_interruption(bench: Bench) -> None:
    """The lease of the interrupted run has replaced the journal that said so."""
    with pytest.raises(Broken):
        bench.run([(1, "after")])
    end_lease(bench.journal)
    bench.login.outcome = "impossible"
    with pytest.raises(Refused):
        bench.run()
    assert bench.journal.exists()


def test_if_a_login_is_accepted_after_all_it_is_kept(bench: Bench) -> None:
    """The device was only disabled."""
    bench.login.outcome = "accepted"
    done = bench.run()
    assert (done["changed"], done["registered"], done["proven"]) == (True, False, True)
    assert not bench.journal.exists()
