# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_registration: one registration for each run, and a secret only where nothing prints it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from gateways import fingerprint, told
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run, connection, inventory, run_playbook

JSON = Any

DEVICE = "oven-0001"
MODULE = "fleetops.aliyun_iot.device_registration"


@pytest.fixture(autouse=True)
def device(platform: Emulator) -> None:
    """Add the device anew, and clear the platform's requests and faults."""
    if any(device["device_name"] == DEVICE for device in platform.admin.devices(PRODUCT_KEY)):
        platform.admin.delete_device(PRODUCT_KEY, DEVICE)
    platform.admin.put_device(PRODUCT_KEY, DEVICE)
    platform.admin.clear_requests()
    platform.admin.clear_faults()


def play(platform: Emulator, *further: JSON, options: JSON = None, **keywords: JSON) -> JSON:
    """Return a play that registers the device into `registration`, followed by further tasks."""
    wanted = {**connection(platform), "device_name": DEVICE, **(options or {})}
    task = {"name": "Register", MODULE: wanted, "register": "registration", **keywords}
    return {"hosts": "gateways", "gather_facts": False, "tasks": [task, *further]}


def run(playbook: JSON, tmp_path: Path, **keywords: bool) -> Run:
    return run_playbook(playbook, inventory(["controller"], tmp_path), tmp_path, "--diff", "-vvv", **keywords)


def device_secret(platform: Emulator) -> str:
    return str(platform.admin.device(PRODUCT_KEY, DEVICE)["device_secret"])


def calls(platform: Emulator) -> int:
    return len(platform.admin.requests(action="register"))


def test_check_mode_sends_nothing(platform: Emulator, tmp_path: Path) -> None:
    secret = device_secret(platform)
    ended = run(play(platform), tmp_path, check=True)
    assert ended.rc == 0, ended
    result = ended.result("controller")
    assert (result["changed"], result["fingerprint"]) == (True, None)
    assert (calls(platform), device_secret(platform)) == (0, secret)


def test_every_run_issues_another_secret_and_returns_none(platform: Emulator, tmp_path: Path) -> None:
    """Every run issues another secret, and no result or output contains it, only its fingerprint."""
    fingerprints = []
    for number in (1, 2):
        ended = run(play(platform), tmp_path)
        assert ended.rc == 0, ended
        result = ended.result("controller")
        secret = device_secret(platform)
        assert (result["changed"], result["product_key"], result["device_name"]) == (True, PRODUCT_KEY, DEVICE)
        assert result["fingerprint"] == fingerprint(PRODUCT_KEY, DEVICE, secret)
        assert "device_secret" not in result
        assert secret not in told(ended)
        assert PRODUCT_SECRET not in told(ended)
        assert calls(platform) == number
        fingerprints.append(result["fingerprint"])
    assert len(set(fingerprints)) == 2


@pytest.mark.parametrize("wanted", [True, "yes", "{{ 1 == 1 }}"])
@pytest.mark.parametrize("check", [True, False])
def test_a_secret_is_refused_where_it_would_be_printed(
    platform: Emulator, tmp_path: Path, wanted: JSON, check: bool
) -> None:
    ended = run(play(platform, options={"return_secret": wanted}), tmp_path, check=check)
    result = ended.result("controller")
    assert (ended.results["controller"][-1]["status"], result["error"]["kind"]) == ("failed", "invalid_option")
    assert result["msg"].startswith("return_secret: the DeviceSecret would be printed and logged")
    assert "Add no_log: true to the task" in result["msg"]
    assert calls(platform) == 0


def test_a_secret_goes_from_task_to_task_under_no_log(platform: Emulator, tmp_path: Path) -> None:
    place = tmp_path / "secret"
    copy = {
        "name": "Write",
        "ansible.builtin.copy": {"dest": str(place), "content": "{{ registration.device_secret }}", "mode": "0600"},
        "no_log": True,
    }
    ended = run(play(platform, copy, options={"return_secret": True}, no_log=True), tmp_path)
    assert ended.rc == 0, ended
    secret = device_secret(platform)
    assert place.read_text() == secret
    assert secret not in told(ended)
    assert hashlib.sha1(secret.encode()).hexdigest() not in told(ended)
    assert calls(platform) == 1


def test_check_mode_under_no_log_has_no_secret_to_hand_on(platform: Emulator, tmp_path: Path) -> None:
    show = {"name": "Show", "ansible.builtin.debug": {"msg": "{{ registration.device_secret is none }}"}}
    ended = run(play(platform, show, options={"return_secret": True}, no_log=True), tmp_path, check=True)
    assert ended.rc == 0, ended
    assert str(ended.result("controller")["msg"]) == "True"
    assert calls(platform) == 0


@pytest.mark.parametrize(
    ("options", "kind", "code", "says"),
    [
        ({"device_name": "nobody-0001"}, "refused", 6100, "Add the device to the product"),
        ({"product_secret": "NotTheSecret0001"}, "refused", 6600, "Check that product_secret"),
        ({"product_secret": None}, "invalid_option", None, "product_secret: is missing"),
        ({"device_name": "gw1"}, "invalid_option", None, "device_name: 'gw1' is not a DeviceName"),
        ({"ca_path": None}, "tls", None, "Set ca_path"),
    ],
)
def test_a_failure_says_what_to_do(
    platform: Emulator, tmp_path: Path, options: JSON, kind: str, code: int | None, says: str
) -> None:
    playbook = play(platform, options=options)
    [task] = playbook["tasks"]
    task[MODULE] = {name: value for name, value in task[MODULE].items() if value is not None}
    ended = run(playbook, tmp_path)
    result = ended.result("controller")
    assert (result["error"]["kind"], result["error"]["code"]) == (kind, code), result
    assert says in result["msg"]
    assert result["msg"] == f"{result['error']['message']}. {result['error']['hint']}"
    assert PRODUCT_SECRET not in told(ended)


def test_troubles_are_waited_out(platform: Emulator, tmp_path: Path) -> None:
    platform.admin.fault(http_status=503, times=2)
    ended = run(play(platform), tmp_path)
    assert ended.rc == 0, ended
    assert calls(platform) == 3


def test_an_error_under_no_log(platform: Emulator, tmp_path: Path) -> None:
    """With no_log, the result and its secrets are hidden, but the error is not."""
    options = {"return_secret": True, "product_secret": "NotTheSecret0001"}
    ended = run(play(platform, options=options, no_log=True), tmp_path)
    assert ended.rc != 0
    assert "the signature was refused" in ended.stderr
    assert "NotTheSecret0001" not in told(ended)
    options = {"return_secret": True, "product_key": "NotTheSecret-0002", "product_secret": "a1IoKTestP1"}
    ended = run(play(platform, options=options, no_log=True), tmp_path)
    assert ended.rc != 0
    assert "product_key: (hidden by no_log) is not a ProductKey" in ended.stderr.replace("\n", " ")
    assert "NotTheSecret-0002" not in told(ended)
