# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways without a battery for their clock: they start in 1970 and get the time some moments later.

The gateway's Python interpreter fakes the date, also for OpenSSL, so that no other process has a wrong date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import left_over, role_variables
from playbook import PRODUCT_KEY, Run, inventory, mqtt_endpoint, run_playbook
from shells import write_script

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

# The date is right after `right_after` pauses. Each pause records the files in the gateway's folder.
INTERPRETER = """\
{{ cat <<'END'
import os, ssl, time
date, pauses, pause = time.time, [], time.sleep
def sleep(seconds):
    pauses.append(seconds)
    with open({notes!r}, "a") as notes:
        notes.write(" ".join(sorted(os.listdir({root!r}))) + "\\n")
    pause(min(seconds, 0.1))
time.sleep = sleep
time.time = lambda: date() if len(pauses) >= {right_after} else 300.0
shake_hands = ssl.SSLContext.wrap_socket
def wrap_socket(*arguments, **keywords):
    if len(pauses) < {right_after}:
        early = ssl.SSLCertVerificationError(1, "certificate verify failed")
        early.verify_code, early.verify_message = 9, "certificate is not yet valid"
        raise early
    return shake_hands(*arguments, **keywords)
ssl.SSLContext.wrap_socket = wrap_socket
END
cat; }} | {python} "$@\""""


def gateways(platform: Emulator, tmp_path: Path, right_after: int, **variables: JSON) -> JSON:
    root = tmp_path / "gw-0001"
    notes = str(tmp_path / "notes")
    text = INTERPRETER.format(notes=notes, root=str(root), right_after=right_after, python=sys.executable)
    python = str(write_script(tmp_path / "python", text))
    known = {**role_variables(platform), "gateway_mqtt_endpoint": mqtt_endpoint(platform), "gateway_report": "all"}
    return inventory(1, tmp_path, **{**known, "ansible_python_interpreter": python, **variables})


def provision(hosts: JSON, tmp_path: Path) -> Run:
    return run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path)


def pauses(tmp_path: Path) -> list[str]:
    notes = tmp_path / "notes"
    return notes.read_text().splitlines() if notes.exists() else []


def test_a_gateway_waits_for_its_clock_and_then_registers(platform: Emulator, tmp_path: Path) -> None:
    """A gateway waits for its clock before it takes a lease, which would expire."""
    hosts = gateways(platform, tmp_path, 3, gateway_wait_for_clock=60)
    run = provision(hosts, tmp_path)
    assert run.rc == 0, run
    assert platform.admin.device(PRODUCT_KEY, "gw-0001")["registrations"] == 1
    assert pauses(tmp_path) == [""] * 3


@pytest.mark.parametrize("wait", [0, 1])
def test_a_clock_that_stays_wrong(platform: Emulator, tmp_path: Path, wait: int) -> None:
    run = provision(gateways(platform, tmp_path, 1000, gateway_wait_for_clock=wait), tmp_path)
    result = run.result("gw-0001")
    assert result["error"]["kind"] == "tls", result
    assert (
        "certificate is not yet valid; the clock of the host that connects reads 1970-01-01 00:05 UTC" in result["msg"]
    )
    assert "gateway_wait_for_clock" in result["msg"]
    assert "validate_certs" not in result["msg"]
    assert bool(pauses(tmp_path)) is bool(wait)
    assert platform.admin.device(PRODUCT_KEY, "gw-0001")["registrations"] == 0
    assert left_over(tmp_path, ["gw-0001"]) == {}


def test_a_login_waits_too(platform: Emulator, tmp_path: Path) -> None:
    secret = platform.admin.device(PRODUCT_KEY, "gw-0001")["device_secret"]
    options = {
        "mqtt_endpoint": mqtt_endpoint(platform),
        "ca_path": platform.endpoints["ca_file"],
        "path": "{{ root }}/device.json",
        "wait_for_clock": "{{ wait }}",
    }
    hosts = gateways(platform, tmp_path, 2, wait=60)
    stored = {"deviceName": "gw-0001", "deviceSecret": secret, "productKey": PRODUCT_KEY}
    (tmp_path / "gw-0001/device.json").write_text(json.dumps(stored))
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [{"fleetops.aliyun_iot.device_login": options}]}
    waited = run_playbook(play, hosts, tmp_path)
    assert (waited.rc, len(pauses(tmp_path))) == (0, 2), waited
    failed = run_playbook(play, gateways(platform, tmp_path, 2, wait=0), tmp_path)
    assert (failed.rc, len(pauses(tmp_path))) == (2, 2), failed
    assert "wait_for_clock" in failed.result("gw-0001")["error"]["hint"]


@pytest.mark.parametrize("wait", [-1, 601])
def test_a_wait_that_is_out_of_range(platform: Emulator, tmp_path: Path, wait: int) -> None:
    run = provision(gateways(platform, tmp_path, 0, gateway_wait_for_clock=wait), tmp_path)
    assert run.result("gw-0001")["error"]["kind"] == "invalid_option", run
    assert "gateway_wait_for_clock" in run.result("gw-0001")["msg"]
