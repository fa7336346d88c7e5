# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_login, by playbooks against the emulator: what is accepted, and each way in which it is not, from both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from playbook import PRODUCT_KEY, Run, as_new, connection, inventory, run_playbook

HOST = "gw-0001"
Fault = dict[str, Any]


@pytest.fixture
def platform(platform: Emulator) -> Emulator:
    return as_new(platform)


@pytest.fixture(params=["gateway", "controller"])
def way(request: pytest.FixtureRequest) -> str:
    """Who logs in."""
    return str(request.param)


def endpoint(platform: Emulator) -> str:
    return f"{platform.endpoints['mqtts']['host']}:{platform.endpoints['mqtts']['port']}"


def log_in(platform: Emulator, tmp_path: Path, way: str, *, check: bool = False, **options: Any) -> Run:
    known = {
        "mqtt_endpoint": endpoint(platform),
        "ca_path": platform.endpoints["ca_file"],
        "timeout": 5,
        "login_from": way,
    }
    task = {"fleetops.aliyun_iot.device_login": {**known, "path": "{{ root }}/device.json", **options}}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [task]}
    return run_playbook(play, inventory(1, tmp_path), tmp_path, check=check)


def store(platform: Emulator, tmp_path: Path, **changes: str) -> str:
    """The credential that is valid, but for the changes; returns the secret."""
    secret = str(platform.admin.device(PRODUCT_KEY, HOST)["device_secret"])
    parts = {"deviceName": HOST, "deviceSecret": secret, "productKey": PRODUCT_KEY, **changes}
    (tmp_path / HOST).mkdir(mode=0o700, exist_ok=True)
    (tmp_path / HOST / "device.json").write_text(json.dumps(parts, separators=(",", ":")))
    return secret


def logins(platform: Emulator) -> list[Any]:
    return [entry for entry in platform.admin.requests() if entry["action"] == "connect"]


def error(run: Run) -> Any:
    assert run.rc == 2, run
    result = run.result(HOST)
    assert result["accepted"] is False
    assert result["error"]["hint"]
    assert "Traceback" not in run.stdout
    return result["error"]


@pytest.mark.parametrize("sign_method", ["hmacmd5", "hmacsha1", "hmacsha256"])
def test_the_platform_accepts_what_is_right(platform: Emulator, tmp_path: Path, way: str, sign_method: str) -> None:
    secret = store(platform, tmp_path)
    run = log_in(platform, tmp_path, way, sign_method=sign_method)
    assert (run.rc, run.changed, run.result(HOST)["accepted"]) == (0, 0, True), run
    assert secret not in run.stdout + run.stderr + json.dumps(run.results)
    assert len(logins(platform)) == 1
    device = platform.admin.device(PRODUCT_KEY, HOST)
    assert (device["activated"], device["status"]) == (True, "OFFLINE"), "activated, and no session is kept"


def test_check_mode_does_nothing(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    run = log_in(platform, tmp_path, way, check=True)
    assert (run.rc, run.changed, run.result(HOST)["accepted"]) == (0, 0, None), run
    assert platform.admin.requests() == []


def test_a_secret_that_was_replaced(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path, deviceSecret="0dd5ec2e70dd5ec2e70dd5ec2e7bef00")
    told = error(log_in(platform, tmp_path, way))
    assert (told["kind"], told["code"]) == ("refused", 5)
    assert "recover" in told["hint"]


def test_a_device_that_is_disabled_or_unknown(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    platform.admin.put_device(PRODUCT_KEY, HOST, status="DISABLE")
    assert error(log_in(platform, tmp_path, way))["code"] == 5
    store(platform, tmp_path, deviceName="nobody-knows-it")
    assert error(log_in(platform, tmp_path, way))["code"] == 5


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ({"connack": 1}, "refused", 1),
        ({"connack": 2}, "refused", 2),
        ({"connack": 3}, "throttled", 3),
        ({"connack": 4}, "refused", 4),
        ({"drop_before": True}, "network", None),
        ({"drop_after": True}, "network", None),
        ({"hang": 8}, "network", None),
    ],
    ids=str,
)
def test_a_platform_that_refuses_or_is_silent(
    platform: Emulator, tmp_path: Path, way: str, fault: Fault, kind: str, code: int | None
) -> None:
    store(platform, tmp_path)
    platform.admin.fault("connect", **fault)
    told = error(log_in(platform, tmp_path, way, timeout=2))
    if (way, code) == ("controller", 1):
        kind, code = "bad_answer", None  # paho-mqtt keeps this code to itself
    assert (told["kind"], told["code"]) == (kind, code)


def test_a_host_that_accepts_and_says_nothing(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    platform.admin.fault("mqtt_tcp", hang=8)
    assert error(log_in(platform, tmp_path, way, timeout=2))["kind"] == "network"


def test_a_certificate_of_another_authority(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    told = error(log_in(platform, tmp_path, way, ca_path=None))
    assert told["kind"] == "tls"
    assert logins(platform) == []


def test_a_host_that_speaks_something_else(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    https = platform.endpoints["register_url"].split("/")[2]
    told = error(log_in(platform, tmp_path, way, mqtt_endpoint=https))
    assert told["kind"] in ("bad_answer", "network")


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"productKey":"a1IoKTestP1","deviceName":"gw-0001"}'])
def test_a_file_that_is_no_credential(platform: Emulator, tmp_path: Path, way: str, text: str | None) -> None:
    store(platform, tmp_path)
    path = tmp_path / HOST / "device.json"
    path.unlink() if text is None else path.write_text(text)
    assert error(log_in(platform, tmp_path, way))["kind"] == "unreadable"
    assert platform.admin.requests() == []


@pytest.mark.parametrize(
    ("options", "option"),
    [({"timeout": 0}, "timeout"), ({"mqtt_endpoint": None}, "region"), ({"mqtt_endpoint": "a b"}, "mqtt_endpoint")],
)
def test_options_that_cannot_be(platform: Emulator, tmp_path: Path, way: str, options: Any, option: str) -> None:
    store(platform, tmp_path)
    told = error(log_in(platform, tmp_path, way, **options))
    assert told["kind"] == "invalid_option"
    assert told["message"].startswith(f"{option}: ")


@pytest.mark.parametrize("verify", ["none", "login"])
def test_the_role_logs_in_only_when_asked_and_only_with_what_is_new(
    platform: Emulator, tmp_path: Path, verify: str
) -> None:
    variables = {f"gateway_{name}": value for name, value in connection(platform).items()}
    hosts = inventory(1, tmp_path, **variables, gateway_mqtt_endpoint=endpoint(platform), gateway_verify=verify)
    role = {"ansible.builtin.import_role": {"name": "fleetops.aliyun_iot.gateway"}}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [role]}
    assert run_playbook(play, hosts, tmp_path).rc == 0
    assert len(logins(platform)) == (verify == "login")
    assert platform.admin.device(PRODUCT_KEY, HOST)["activated"] is (verify == "login")
    platform.admin.clear_requests()
    assert run_playbook(play, hosts, tmp_path).changed == 0
    assert platform.admin.requests() == []
