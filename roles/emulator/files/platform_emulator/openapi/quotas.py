# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The quotas of each action in a second: its queries per second (QPS), as its page documents."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping

from platform_emulator.openapi.openapi_refusals import OpenApiRefusal

QPS: Mapping[str, int] = {
    "BatchCheckDeviceNames": 10,
    "BatchGetDeviceState": 50,
    "BatchQueryDeviceDetail": 5,
    "BatchRegisterDevice": 10,
    "BatchRegisterDeviceWithApplyId": 500,
    "CreateProduct": 50,
    "DeleteDevice": 50,
    "DeleteProduct": 500,
    "DisableThing": 500,
    "EnableThing": 500,
    "GetDeviceStatus": 500,
    "GetThingTopo": 500,
    "QueryBatchRegisterDeviceStatus": 30,
    "QueryDevice": 50,
    "QueryDeviceByStatus": 50,
    "QueryDeviceDetail": 50,
    "QueryJob": 5,
    "QueryPageByApplyId": 50,
    "QueryProduct": 50,
    "QueryProductList": 50,
    "RegisterDevice": 30,
    "ResetThing": 500,
    "UpdateProduct": 10,
}

# "If CurrentPage times PageSize is 100,000 or more, the QPS of this operation decreases": QueryDevice, QueryProductList.
DEEP_PAGING = frozenset({"QueryDevice", "QueryProductList"})
DEEP_PAGING_FROM = 100_000
DEEP_PAGING_QPS = 2


def limit(action: str, depth: int) -> int:
    """Return the QPS of an action that asks for a page at this depth (page number times page size)."""
    return DEEP_PAGING_QPS if action in DEEP_PAGING and depth >= DEEP_PAGING_FROM else QPS[action]


class Throttle:
    """Counts the calls of the last second. It forgets them when the process ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: dict[tuple[str, int], deque[float]] = defaultdict(deque)

    def admit(self, action: str, depth: int = 0) -> None:
        """Count a call; raises OpenApiRefusal when the last second is full."""
        most = limit(action, depth)
        calls = self._calls[action, most]
        now = self._clock()
        while calls and now - calls[0] >= 1:
            calls.popleft()
        if len(calls) >= most:
            raise OpenApiRefusal("Throttling.User")
        calls.append(now)
