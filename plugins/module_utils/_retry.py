# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retry with exponential backoff and full jitter. PRIVATE to the collection."""

from __future__ import annotations

import random
import time
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import clock as system_clock
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, RetryableError

T = t.TypeVar("T")

FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0
LONGEST_RETRY_AFTER = 30.0


def delay_before(attempt: int, retry_after: float | None, uniform: t.Callable[[float, float], float]) -> float:
    """Return the seconds to wait before ``attempt`` (1 is the first repetition): exponential with full jitter.

    The platform's Retry-After takes precedence, up to :data:`LONGEST_RETRY_AFTER`.
    """
    if retry_after is not None:
        return min(max(retry_after, 0.0), LONGEST_RETRY_AFTER)
    return uniform(0.0, min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempt - 1, 9)))


def retry(
    attempt: t.Callable[[], T],
    budget: float,
    sleep: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = system_clock,
    uniform: t.Callable[[float, float], float] = random.uniform,
) -> T:
    """Call ``attempt`` until it returns, raises an error that is not retryable, or the next attempt would start too late.

    :param budget: seconds from now within which an attempt may start; 0 means one attempt
    :raises FleetopsError: that of the last attempt; ``may_have_registered`` is true if it was for any attempt
    """
    return retry_noting_doubt(attempt, budget, sleep, clock, uniform)[0]


def retry_noting_doubt(
    attempt: t.Callable[[], T],
    budget: float,
    sleep: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = system_clock,
    uniform: t.Callable[[float, float], float] = random.uniform,
) -> tuple[T, bool]:
    """Do as :func:`retry`; return the result, and whether an attempt before the successful one may have registered."""
    end = clock() + budget
    tries = 0
    doubt = False
    while True:
        try:
            return attempt(), doubt
        except FleetopsError as error:
            tries += 1
            doubt = error.may_have_registered = doubt or error.may_have_registered
            if not isinstance(error, RetryableError):
                raise
            wait = delay_before(tries, error.retry_after, uniform)
            late = clock() + wait >= end
            if not late:
                sleep(wait)
                late = clock() >= end  # a host may be suspended while a process sleeps
            if late:
                error.msg += " (%d %s)" % (tries, "try" if tries == 1 else "tries")
                raise
