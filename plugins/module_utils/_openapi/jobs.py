# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait for the platform's asynchronous jobs. For the controller. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import STATUS, OpenApiAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
UNDER_WAY = ("SCHEDULED", "QUEUED", "WAITING", "IN_PROGRESS")


def wait_for(
    what: str,
    look: t.Callable[[], OpenApiAnswer],
    under_way: t.Container[str],
    timeout: float,
    sleep: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = time.monotonic,
) -> OpenApiAnswer:
    """Poll ``look`` until its C(Status) is none of ``under_way``, with pauses that double.

    :param timeout: seconds
    :raises FleetopsError: of kind timeout
    """
    end = clock() + timeout
    pause = FIRST_PAUSE
    while True:
        found = look()
        status = found.matching("Status", STATUS)
        if status not in under_way:
            return found
        if clock() + pause > end:
            raise FleetopsError(
                "%s: still %s after %d seconds" % (what, status, timeout),
                hint="The platform continues the job; run again later, or raise job_timeout",
                kind="timeout",
            )
        sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)


def finish_job(api: OpenApi, job_id: str, timeout: float) -> None:
    """Wait for a job.

    :raises FleetopsError: of kind timeout; of kind job if it ended in another way than COMPLETED
    """

    def look() -> OpenApiAnswer:
        return api.call("QueryJob", {"JobId": job_id}).inner("Data")

    status = wait_for("job %s" % job_id, look, UNDER_WAY, timeout).matching("Status", STATUS)
    if status != "COMPLETED":
        raise FleetopsError(
            "job %s: ended with the status %s" % (job_id, status or "(none)"),
            hint="Check the gateway's topology in the console, then run again",
            kind="job",
        )
