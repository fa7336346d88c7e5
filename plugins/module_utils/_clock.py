# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clock for all time limits, and a check of the date, which may be wrong. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption

# Options that are seconds, each with its minimum and maximum.
RANGES = {
    "timeout": (1, 300),
    "retry_time": (0, 3600),
    "wait_for_clock": (0, 600),  # less than the time after which a pass over the fleet gives up on a gateway
    "lease_time": (0, 86400),
    "job_timeout": (1, 86400),
}


def check_seconds(options: t.Mapping[str, t.Any], *names: str) -> None:
    """Check options that are seconds.

    :raises InvalidOption: one is out of range
    """
    for name in names:
        least, most = RANGES[name]
        if not least <= options.get(name, least) <= most:
            raise InvalidOption(name, options[name], "is out of range", "Use %d to %d seconds" % (least, most))


def _choose() -> t.Callable[[], float]:
    """Return the clock that counts the time of a suspended host, which only Linux has, or else the monotonic one."""
    try:
        number = time.CLOCK_BOOTTIME
        time.clock_gettime(number)
    except (AttributeError, OSError):
        return time.monotonic
    return lambda: time.clock_gettime(number)


_read = _choose()


def clock() -> float:
    """Return the seconds since an arbitrary moment; setting the date does not change them, and a suspended host counts them."""
    return _read()


# The beginning of 2026: a date before this collection was made is wrong.
EARLIEST = 1767225600
_PAUSE = 1.0  # seconds between two looks at the date


def is_plausible() -> bool:
    """Return whether the date of this host may be right. One without a battery for its clock may start in 1970."""
    return time.time() >= EARLIEST


def read_date() -> str:
    """Return the date of this host, as in ``1970-01-01 00:05 UTC``."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time.time()))


def wait_for_date(patience: float) -> None:
    """Wait until the date is plausible, for ``patience`` seconds at the most. Return in any case: a wrong date fails the TLS handshake."""
    end = clock() + patience
    while not is_plausible() and clock() < end:
        time.sleep(min(_PAUSE, max(0.0, end - clock())))
