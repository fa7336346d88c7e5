# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode of every playbook: it fails where the run would fail, with the run's error, and changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import ENV, PLATFORM, account, called, in_service, results, role_variables
from playbook import as_new, inventory, run_playbook

JSON = Any


@dataclass(frozen=True)
class Case:
    """A playbook with a mistake, and the kind of the resulting error."""

    name: str
    playbook: str
    kind: str
    wrong: dict[str, JSON] = field(default_factory=dict)
    absent: str = ""  # a library that the controller lacks
    loses: bool = False  # the gateways have lost their credentials
    way: str = ""  # the way to register, if only one can fail like this


def export(dest: str) -> dict[str, JSON]:
    return {"gateway_exports": [{"dest": dest, "format": "env"}]}


CASES = [
    Case("provision-export", "provision", "storage", export("{{ root }}/missing/agent.env"), loses=True),
    Case("provision-ca", "provision", "tls", {"gateway_ca_path": "/missing.pem"}, loses=True),
    Case("provision-key", "provision", "refused", {"platform_access_key_secret": "wrong"}, loses=True),
    Case("provision-library", "provision", "missing_library", {}, absent="requests", loses=True, way="controller"),
    Case("reprovision-export", "reprovision", "storage", export("{{ root }}/missing/agent.env")),
    Case("reprovision-endpoint", "reprovision", "network", {"gateway_endpoint": "https://127.0.0.1:9"}),
    Case("recover-key", "recover", "refused", {"platform_access_key_secret": "wrong"}, loses=True),
    Case("recover-library", "recover", "missing_library", {}, absent="alibabacloud_tea_openapi", loses=True),
    Case("recover-owner", "recover", "storage", {"gateway_owner": "no-such-user"}, loses=True),
    Case("recover-device", "recover", "not_found", {"gateway_device_name": "unknown-device"}),
    Case("repair-export", "provision", "storage", export("{{ root }}/missing/agent.env")),
]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Emulator(tmp_path_factory.mktemp("platform"), PLATFORM) as emulator:
        yield emulator


def error_of(result: JSON) -> tuple[str, str]:
    """Return the kind and the message of an error, without the request ID."""
    return result["error"]["kind"], re.sub("[0-9A-F-]{36}", "ID", result["msg"])


# Cases that reach the platform before the end are tried with both ways, all others with one way in turn.
BOTH = ("provision-ca", "reprovision-endpoint")
WAYS = ("gateway", "controller")
TRIED = [
    (f"{way}-{case.name}", way, case)
    for number, case in enumerate(CASES)
    for way in (WAYS if case.name in BOTH else (case.way or WAYS[number % 2],))
]
# The cases of a playbook are hosts of one run, except that without a library each is a run of its own.
TOGETHER = {
    playbook: {name: (way, case) for name, way, case in TRIED if case.playbook == playbook and not case.absent}
    for playbook in ("provision", "reprovision", "recover")
} | {name: {name: (way, case)} for name, way, case in TRIED if case.absent}


@pytest.mark.parametrize("cases", TOGETHER.values(), ids=list(TOGETHER))
def test_check_mode_fails_as_the_run_does(
    platform: Emulator, tmp_path: Path, cases: dict[str, tuple[str, Case]]
) -> None:
    as_new(platform)
    common = {**role_variables(platform), **account(platform), "gateway_verify": "none"}
    own = {name: {"gateway_register_from": way, **case.wrong} for name, (way, case) in cases.items()}
    fleet = inventory(own, tmp_path, **common, gateway_retry_time=0, gateway_timeout=5)
    for host, (_way, case) in cases.items():
        in_service(platform, tmp_path, host)
        if case.loses:
            (tmp_path / host / "device.json").unlink()
    platform.admin.clear_requests()
    [(playbook, absent)] = {(case.playbook, case.absent) for _way, case in cases.values()}
    env = dict(ENV)
    if absent:
        (tmp_path / "lacking").mkdir()
        (tmp_path / f"lacking/{absent}.py").write_text("raise ImportError\n")
        env["PYTHONPATH"] = str(tmp_path / "lacking")
    errors = []
    for check in (True, False):
        before = {path: path.read_bytes() for host in cases for path in (tmp_path / host).glob("[!.]*")}
        run = run_playbook(
            f"fleetops.aliyun_iot.{playbook}", fleet, tmp_path, "-e", "gateway_serial=100%", env=env, check=check
        )
        assert run.rc == 2, run
        errors.append({host: error_of(results(run, host)[-1]) for host in cases})
        assert {path: path.read_bytes() for host in cases for path in (tmp_path / host).glob("[!.]*")} == before
        assert [path for host in cases for path in (tmp_path / host).glob(".*")] == []
    assert {host: kind for host, (kind, _message) in errors[1].items()} == {
        host: case.kind for host, (_way, case) in cases.items()
    }
    assert errors[0] == errors[1]
    assert called(platform, "register") == called(platform, "ResetThing") == []
