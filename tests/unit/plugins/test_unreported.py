# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that a change whose run has failed is reported by the next run that succeeds: no handler has run for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from converging import Bench, Broken, Recovery
from gateways import end_lease

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError

JSON = Any


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a gateway whose new credential no login has verified, so that the run has failed."""
    bench = Bench(tmp_path)
    bench.leave_unproven()
    return bench


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("login", ["", "failed", "impossible"])
@pytest.mark.parametrize("options", [{}, {"register": "never", "verify": "login"}], ids=["", "verify"])
def test_the_first_run_that_succeeds_reports_the_change(
    bench: Bench, options: dict[str, str], login: str, mode: int
) -> None:
    bench.login.outcome = login
    bench.path.chmod(mode)
    for _run in range(2):
        if login and options:
            with pytest.raises(FleetopsError):
                bench.run(**options)
            bench.path.chmod(mode)
    if login and options:
        bench.login.outcome = ""
    done = bench.run(**options)
    assert (done["changed"], done["reason"], done["registered"]) == (True, "interrupted", False)
    assert bench.path.stat().st_mode & 0o777 == 0o600
    done = bench.run()
    assert (done["changed"], done["reason"]) == (False, "up_to_date")


def test_check_mode_foresees_the_report(bench: Bench) -> None:
    assert bench.run(check_mode=True)["reason"] == "interrupted"
    assert bench.run(check_mode=True, register="never")["reason"] == "up_to_date", "as an audit"


def test_a_run_that_succeeds_without_the_login_is_reported_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(FleetopsError):
        bench.run(loses=1)
    journal = bench.journal
    end_lease(journal)
    bench.login.outcome = "failed"
    assert bench.run()["changed"]
    bench.login.outcome = ""
    done = bench.run()
    assert (done["changed"], done["reason"], done["proven"]) == (False, "up_to_date", True)


def test_a_forced_recovery_reports_it_although_it_stores_the_same_secret(bench: Bench) -> None:
    bench.login.outcome = ""
    for changed in (True, False):
        done = bench.run(issuer=Recovery, register="always")
        assert (done["changed"], done["reason"]) == (changed, "forced")


def test_a_forced_recovery_reports_what_it_has_finished_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(Broken):
        bench.run([(2, "after")], verify="login")
    end_lease(bench.journal)
    for changed in (True, False):
        done = bench.run(issuer=Recovery, register="always")
        assert (done["changed"], done["reason"]) == (changed, "forced")
