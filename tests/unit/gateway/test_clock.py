# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the clock of all time limits, and the wait for the date of a host that has no correct date yet."""

from __future__ import annotations

import ssl
import sys
import time

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _clock, _retry, _tls


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the time of a suspended host")
def test_a_suspended_host_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reading asks the clock that counts the time of a suspended host."""
    now = [1000.0]
    monkeypatch.setattr(time, "clock_gettime", lambda number: {time.CLOCK_BOOTTIME: now[0]}[number])
    first = _clock.clock()
    now[0] += 3600  # suspended, while the monotonic clock does not run
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


class Host:
    """A host whose date is 1970 until its clock has run for some seconds; it sleeps without waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, right_after: float) -> None:
        self.seconds = 0.0
        self.right_after = right_after
        monkeypatch.setattr(_clock, "clock", lambda: self.seconds)
        monkeypatch.setattr(time, "time", self.date)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def date(self) -> float:
        return (1790000000 if self.seconds >= self.right_after else 300) + self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.seconds += seconds


@pytest.mark.parametrize(
    ("patience", "right_after", "waited"),
    [(0, 0, 0), (600, 0, 0), (0, 5, 0), (600, 5, 5), (4.5, 5, 4.5), (5, 5, 5), (600, 1e9, 600)],
)
def test_a_date_is_waited_for_so_long_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, patience: float, right_after: float, waited: float
) -> None:
    host = Host(monkeypatch, right_after)
    _clock.wait_for_date(patience)
    assert host.seconds == waited
    assert _clock.is_plausible() is (waited >= right_after)


@pytest.mark.parametrize(
    ("date", "plausible", "reads"),
    [
        (0, False, "1970-01-01 00:00 UTC"),
        (300, False, "1970-01-01 00:05 UTC"),
        (1767225599, False, "2025-12-31 23:59 UTC"),
        (1767225600, True, "2026-01-01 00:00 UTC"),
        (4102444800, True, "2100-01-01 00:00 UTC"),
    ],
)
def test_what_a_date_may_be(monkeypatch: pytest.MonkeyPatch, date: float, plausible: bool, reads: str) -> None:
    monkeypatch.setattr(time, "time", lambda: date)
    assert (_clock.is_plausible(), _clock.read_date()) == (plausible, reads)


@pytest.mark.parametrize(
    ("code", "date", "hint"),
    [(9, 300, "set wait_for_clock"), (9, 1790000000, "Set the clock"), (10, 1790000000, "owner has to renew it")],
)
def test_a_certificate_of_another_time_shows_the_date(
    monkeypatch: pytest.MonkeyPatch, code: int, date: float, hint: str
) -> None:
    """The error shows the date, and does not suggest switching the verification off."""
    monkeypatch.setattr(time, "time", lambda: date)
    problem = ssl.SSLCertVerificationError(1, "x")
    problem.verify_code, problem.verify_message = code, "certificate is not of this time"
    error = _tls.network_error("login", problem, "mqtt_endpoint")
    assert error.kind == "tls"
    assert f"the clock of the host that connects reads {_clock.read_date()}" in error.msg
    assert hint in error.hint
    assert "validate_certs" not in str(error)
