# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the retries with a clock that only sleeping and trying advance."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    BusyError,
    FleetopsError,
    InvalidOption,
    NetworkError,
    Refused,
    RetryableError,
    StorageError,
    Throttled,
    TlsError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._retry import delay_before, retry, retry_noting_doubt

ERRORS = [
    FleetopsError("it failed", kind="job"),
    InvalidOption("option", "value", "is wrong", "repair it"),
    StorageError("it failed"),
    BusyError("it failed"),
    TlsError("it failed"),
    BadAnswer("it failed"),
    Refused("it failed", code=6600),
]


@dataclass
class Endpoint:
    """An endpoint that raises its answers in turn, ``takes`` seconds for each, then returns; it records the times of the calls."""

    answers: list[FleetopsError]
    takes: float = 0.0
    now: float = 1000.0
    asked: list[float] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    bounds: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self) -> str:
        self.asked.append(self.now)
        self.now += self.takes
        if self.answers:
            raise self.answers.pop(0)
        return "secret"

    def ask(self, budget: float, pick: Callable[[float, float], float] = max) -> str:
        def uniform(least: float, most: float) -> float:
            self.bounds.append((least, most))
            return pick(least, most)

        return retry(self, budget, sleep=self._sleep, clock=lambda: self.now, uniform=uniform)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def network(may_have_registered: bool = False) -> NetworkError:
    error = NetworkError("no answer")
    error.may_have_registered = may_have_registered
    return error


def throttled(retry_after: float | None) -> Throttled:
    error = Throttled("not now")
    error.retry_after = retry_after
    return error


def test_no_error_no_delay() -> None:
    endpoint = Endpoint([])
    assert endpoint.ask(30) == "secret"
    assert (len(endpoint.asked), endpoint.slept) == (1, [])


def test_what_passes_is_tried_again() -> None:
    endpoint = Endpoint([network(), throttled(None), network()])
    assert endpoint.ask(30) == "secret"
    assert len(endpoint.asked) == 4


def test_delays_grow_with_full_jitter() -> None:
    endpoint = Endpoint([network() for _attempt in range(7)])
    endpoint.ask(1000)
    assert endpoint.bounds == [(0, 0.5), (0, 1), (0, 2), (0, 4), (0, 8), (0, 8), (0, 8)]
    assert endpoint.slept == [0.5, 1, 2, 4, 8, 8, 8]


@given(st.integers(1, 60), st.randoms(use_true_random=False))
def test_every_delay_is_within_its_bounds(attempt: int, source: random.Random) -> None:
    assert 0 <= delay_before(attempt, None, source.uniform) <= min(8.0, 0.5 * 2 ** (attempt - 1))
    assert delay_before(5000, None, max) == 8.0


@pytest.mark.parametrize(("asked", "waited"), [(0, 0), (0.2, 0.2), (7, 7), (30, 30), (31, 30), (3600, 30), (-5, 0)])
def test_what_the_platform_asks_for_goes_first_within_reason(asked: float, waited: float) -> None:
    endpoint = Endpoint([throttled(asked)])
    assert endpoint.ask(100) == "secret"
    assert endpoint.slept == [waited]
    assert endpoint.bounds == []


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_does_not_pass_is_raised_at_once(error: FleetopsError) -> None:
    endpoint = Endpoint([error])
    with pytest.raises(type(error)) as caught:
        endpoint.ask(30)
    assert caught.value is error
    assert (len(endpoint.asked), endpoint.slept) == (1, [])


def test_a_refusal_ends_the_repetitions() -> None:
    endpoint = Endpoint([network(), network(), Refused("no", code=6600)])
    with pytest.raises(Refused):
        endpoint.ask(30)
    assert len(endpoint.asked) == 3


def test_no_budget_is_one_try() -> None:
    endpoint = Endpoint([network()])
    with pytest.raises(NetworkError, match=r"no answer \(1 try\)"):
        endpoint.ask(0)
    assert (len(endpoint.asked), endpoint.slept) == (1, [])


def test_the_last_error_counts_the_tries() -> None:
    endpoint = Endpoint([network() for _attempt in range(100)])
    with pytest.raises(NetworkError) as caught:
        endpoint.ask(3)
    # The tries start at 0, 0.5 and 1.5; the next would start at 3.5.
    assert endpoint.asked == [1000, 1000.5, 1001.5]
    assert caught.value.msg == "no answer (3 tries)"


@given(
    st.floats(0, 40),
    st.floats(0, 20),
    st.lists(st.none() | st.floats(-10, 100), min_size=1, max_size=10),
    st.randoms(use_true_random=False),
)
def test_no_try_starts_after_the_budget(
    budget: float, takes: float, answers: list[float | None], source: random.Random
) -> None:
    # Delays are at least half a second, so that the number of tries is finite.
    delays = [delay if delay is None or delay > 0.5 else 0.5 for delay in answers]
    endpoint = Endpoint([throttled(delay) for delay in delays * 100], takes)
    with pytest.raises(RetryableError):
        endpoint.ask(budget, lambda least, most: max(source.uniform(least, most), 0.5))
    assert all(asked == 1000 or asked < 1000 + budget for asked in endpoint.asked)
    assert sum(endpoint.slept) <= budget


@pytest.mark.parametrize(
    ("doubts", "doubt"),
    [([False, False], False), ([True, False], True), ([False, True], True), ([True, False, False], True)],
)
def test_a_doubt_about_any_try_is_a_doubt_about_all(doubts: list[bool], doubt: bool) -> None:
    refused = Refused("no", code=6289)
    endpoint = Endpoint([*(network(value) for value in doubts), refused])
    with pytest.raises(Refused):
        endpoint.ask(30)
    assert refused.may_have_registered is doubt


@pytest.mark.parametrize(
    ("doubts", "doubt"), [([], False), ([False, False], False), ([True, False], True), ([False, True], True)]
)
def test_a_success_after_a_doubt_is_told(doubts: list[bool], doubt: bool) -> None:
    endpoint = Endpoint([network(value) for value in doubts])
    assert retry_noting_doubt(endpoint, 30, lambda _seconds: None, lambda: 0.0, max) == ("secret", doubt)


def test_a_try_that_a_long_sleep_made_late_is_not_made() -> None:
    """On a suspended host, a sleep takes longer than requested."""
    endpoint = Endpoint([network(True) for _attempt in range(3)])

    def oversleep(seconds: float) -> None:
        endpoint.now += 100

    with pytest.raises(NetworkError, match=r"\(1 try\)") as caught:
        retry(endpoint, 30, oversleep, lambda: endpoint.now, max)
    assert len(endpoint.asked) == 1
    assert caught.value.may_have_registered is True


def test_one_errors_doubt_is_not_the_classes() -> None:
    endpoint = Endpoint([network(True), Refused("no")])
    with pytest.raises(Refused):
        endpoint.ask(30)
    assert Refused.may_have_registered is NetworkError.may_have_registered is False


def test_other_exceptions_pass_through() -> None:
    def attempt() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        retry(attempt, 30)


def test_by_default_the_clock_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[FleetopsError] = [throttled(0.05)]

    def attempt() -> str:
        if answers:
            raise answers.pop()
        return "secret"

    before = time.monotonic()
    assert retry(attempt, 10) == "secret"
    assert time.monotonic() - before >= 0.05
