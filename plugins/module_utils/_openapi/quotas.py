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
# Where the number of the page times its size is at least that, both paging actions drop to that.
DEEP_PAGING_FROM = 100_000
DEEP_PAGING_QPS = 2


def qps(action: str, depth: int = 0) -> int:
    """Return calls a second; ``depth`` is the number of the page times its size, 0 for what does not page."""
    return DEEP_PAGING_QPS if depth >= DEEP_PAGING_FROM else QPS[action]


class Limiter:
    """Lets calls begin, for one process.

    A call may begin when the n-th before it, n being the quota, *ended* a second ago or earlier: then the platform can't
    have counted both within one second, however long each was on its way. Of a share, n is the whole number below, so that
    what all controllers send within one second is not more than the quota; a share of less than one call a second is one
    call in more than a second.
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
