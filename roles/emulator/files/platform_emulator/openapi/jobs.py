# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs that delete a gateway's topology, and QueryJob. They progress with each query."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from platform_emulator.openapi.call import Call
from platform_emulator.openapi.openapi_effects import failing
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal
from platform_emulator.products import utc_now
from platform_emulator.store import Store


@dataclass(frozen=True)
class Job:
    """It ends after `polls` more queries; then the sub-devices that are not in `failing` are detached from the gateway."""

    job_id: str
    gateway: str
    sub_devices: list[str]
    failing: list[str]
    polls: int
    status: str
    created: str
    modified: str


def start(call: Call, gateway: str, sub_devices: list[str]) -> str:
    """Start a job over a gateway's sub-devices, all by their IotId; returns its ID."""
    fail = sorted(failing(call.effect, sub_devices))
    now = utc_now()
    job = Job(secrets.token_hex(16), gateway, sub_devices, fail, call.settings.job_polls, "IN_PROGRESS", now, now)
    _save(call.store, job)
    return job.job_id


def query_job(call: Call) -> Mapping[str, object]:
    row = call.store.row("SELECT spec FROM job WHERE id = ?", (call.need("JobId"),))
    if row is None:
        raise OpenApiRefusal("iot.system.IllegalRequest")
    job = _after_a_query(call.store, Job(**json.loads(row["spec"])))
    return {
        "Data": {
            "JobId": job.job_id,
            "JobName": "delete topological relationships",
            "Status": job.status,
            "UtcCreate": job.created,
            "UtcModified": job.modified,
        }
    }


def detach(store: Store, gateway: str, sub_devices: list[str]) -> None:
    """Detach sub-devices from the gateway; those that belong to another one by now stay there."""
    for iot_id in sub_devices:
        store.rows("UPDATE device SET gateway = NULL WHERE iot_id = ? AND gateway = ?", (iot_id, gateway))


def _after_a_query(store: Store, job: Job) -> Job:
    if job.status != "IN_PROGRESS":
        return job
    if job.polls:
        job = replace(job, polls=job.polls - 1)
    else:
        fails = set(job.failing)
        detach(store, job.gateway, [iot_id for iot_id in job.sub_devices if iot_id not in fails])
        job = replace(job, status="FAILED" if fails else "COMPLETED", modified=utc_now())
    _save(store, job)
    return job


def _save(store: Store, job: Job) -> None:
    store.rows("INSERT OR REPLACE INTO job (id, spec) VALUES (?, ?)", (job.job_id, json.dumps(asdict(job))))
