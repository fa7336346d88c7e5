# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The quotas of each action of the OpenAPI, and a limiter that keeps to them. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t
from collections import deque
from contextlib import contextmanager

# Queries per second, per account: RAM users share them. Source: each action's page in the developer reference.
QPS: dict[str, int] = {
    "BatchCheckDeviceNames": 10,
    "BatchQueryDeviceDetail": 5,
    "BatchRegisterDeviceWithApplyId": 500,
    "CreateProduct": 50,
    "DeleteDevice": 50,
    "DeleteProduct": 500,
    "DisableThing": 500,
    "EnableThing": 500,
    "GetThingTopo": 500,
    "QueryBatchRegisterDeviceStatus": 30,
    "QueryDevice": 50,
    "QueryJob": 5,  # documented nowhere; as low as the lowest
    "QueryProduct": 50,
    "QueryProductList": 50,
    "RegisterDevice": 30,
    "ResetThing": 500,
    "UpdateProduct": 10,
}
# The quota of both paging actions where the number of the page times its size is at least DEEP_PAGING_FROM.
DEEP_PAGING_FROM = 100_000
DEEP_PAGING_QPS = 2


def qps(action: str, depth: int = 0) -> int:
    """Return calls a second; ``depth`` is the number of the page times its size, 0 for an action without pages."""
    return DEEP_PAGING_QPS if depth >= DEEP_PAGING_FROM else QPS[action]


class Limiter:
    """Delays the calls of one process to keep within the quotas.

    With a quota of n calls a second, a call may begin one second after the n-th call before it *ended*: then the platform
    cannot have counted both within one second, whatever the network delay. For a share of the quota, n is rounded down, so
    that all controllers together stay within the quota. A share of less than one call a second allows one call in a longer
    time.
    """

    def __init__(
        self, clock: t.Callable[[], float] = time.monotonic, sleep: t.Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._ended: dict[tuple[str, int], deque[float]] = {}

    @contextmanager
    def turn(self, action: str, depth: int = 0, share: float = 1.0) -> t.Iterator[None]:
        """Wait until a call may begin; leave the context when it has ended.

        :param share: of the quota, more than 0 and up to 1, for runs that several controllers share
        """
        rate = qps(action, depth) * share
        most = max(1, int(rate))
        ended = self._ended.setdefault((action, qps(action, depth)), deque())
        while len(ended) > most:
            ended.popleft()
        if len(ended) == most:
            wait = ended[0] + max(1.0, most / rate) - self._clock()
            if wait > 0:
                self._sleep(wait)
        try:
            yield
        finally:
            ended.append(self._clock())


LIMITER = Limiter()
