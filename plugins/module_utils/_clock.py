# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clock of every time limit. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t


def _choose() -> t.Callable[[], float]:
    """Linux counts the time of a suspended host in one clock only, and other systems do not have that clock."""
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
