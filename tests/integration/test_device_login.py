# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_login, by playbooks against the emulator: what is accepted, and each way in which it is not, from both sides."""

from __future__ import annotations

import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest
from dated_server import DatedServer
from emulator import Emulator
from mqtt_client import Client, registration
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run, as_new, connection, inventory, run_playbook
from shells import write_script

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


def log_in(
    platform: Emulator,
    tmp_path: Path,
    way: str,
    *arguments: str,
    check: bool = False,
    env: dict[str, str] | None = None,
    variables: dict[str, Any] | None = None,
    **options: Any,
) -> Run:
    known = {"mqtt_endpoint": endpoint(platform), "ca_path": platform.endpoints["ca_file"], "timeout": 5}
    known.update(login_from=way, path="{{ root }}/device.json", **options)
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [{"fleetops.aliyun_iot.device_login": known}]}
    return run_playbook(play, inventory(1, tmp_path, **(variables or {})), tmp_path, *arguments, env=env, check=check)


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


def test_a_file_that_somebody_has_laid_out_logs_in(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    path = tmp_path / HOST / "device.json"
    path.write_text(json.dumps({"note": "edited", **json.loads(path.read_text())}, indent=2) + "\r\n")
    run = log_in(platform, tmp_path, way)
    assert (run.rc, run.result(HOST)["accepted"]) == (0, True), run
    assert [entry["code"] for entry in logins(platform)] == [0]


def test_nobody_is_told_the_password_that_the_controller_uses(platform: Emulator, tmp_path: Path) -> None:
    """Ansible at its most talkative, which shows what comes back from a gateway."""
    secret = store(platform, tmp_path)
    content = f"clientId{PRODUCT_KEY}.{HOST}deviceName{HOST}productKey{PRODUCT_KEY}timestamp2524608000000"
    password = hmac.new(secret.encode(), content.encode(), "sha256").hexdigest()
    log = tmp_path / "ansible.log"
    env = {"ANSIBLE_DEBUG": "1", "ANSIBLE_LOG_PATH": str(log)}
    run = log_in(platform, tmp_path, "controller", "-vvvvv", env=env)
    assert run.result(HOST)["accepted"] is True
    shown = (run.stdout + run.stderr + json.dumps(run.results) + log.read_text()).lower()
    assert "fleetops-end signed" in shown, "what the gateway answers is shown"
    assert [text for text in (secret, password) if text in shown] == []


def token(platform: Emulator, tmp_path: Path) -> str:
    """What a registration without pre-registration stores; returns the token."""
    with Client(platform.endpoints, *registration(PRODUCT_KEY, HOST, PRODUCT_SECRET, "regnwl")) as device:
        issued = device.content()
    (tmp_path / HOST).mkdir(mode=0o700, exist_ok=True)
    text = json.dumps(issued, sort_keys=True, separators=(",", ":"))
    (tmp_path / HOST / "device.json").write_text(text)
    platform.admin.clear_requests()
    return str(issued["deviceToken"])


def test_a_token_logs_in_from_the_gateway(platform: Emulator, tmp_path: Path) -> None:
    secret = token(platform, tmp_path)
    run = log_in(platform, tmp_path, "gateway")
    assert (run.rc, run.result(HOST)["accepted"], run.result(HOST)["device_name"]) == (0, True, HOST), run
    assert secret not in run.stdout + run.stderr + json.dumps(run.results)
    assert [entry["code"] for entry in logins(platform)] == [0]


def test_a_token_that_was_cut_short_is_refused(platform: Emulator, tmp_path: Path) -> None:
    secret = token(platform, tmp_path)
    path = tmp_path / HOST / "device.json"
    path.write_text(path.read_text().replace(secret, secret[:-4]))
    assert error(log_in(platform, tmp_path, "gateway"))["kind"] == "refused"


def test_a_token_never_leaves_the_gateway(platform: Emulator, tmp_path: Path) -> None:
    secret = token(platform, tmp_path)
    run = log_in(platform, tmp_path, "controller")
    told = error(run)
    assert told["kind"] == "invalid_option"
    assert "login_from: gateway" in told["hint"]
    assert secret not in run.stdout + run.stderr + json.dumps(run.results)
    assert platform.admin.requests() == []


def test_without_python_the_gateway_is_proved_from_the_controller(platform: Emulator, tmp_path: Path) -> None:
    store(platform, tmp_path)
    missing = {"ansible_python_interpreter": "/nowhere/python3"}
    told = error(log_in(platform, tmp_path, "gateway", variables=missing))
    assert told["kind"] == "no_python"
    assert "login_from: controller" in told["hint"]
    assert log_in(platform, tmp_path, "controller", variables=missing).result(HOST)["accepted"] is True


def test_a_banner_is_passed_over(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    shell = write_script(tmp_path / "sh", 'echo "password expires in 3 days"; echo "identity of $0"; exec /bin/sh "$@"')
    banner = {"ansible_shell_executable": str(shell)}
    assert log_in(platform, tmp_path, way, variables=banner).result(HOST)["accepted"] is True


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


def test_a_device_that_is_disabled_then_deleted(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    platform.admin.put_device(PRODUCT_KEY, HOST, status="DISABLE")
    disabled = error(log_in(platform, tmp_path, way))
    assert (disabled["kind"], disabled["code"]) == ("refused", 5)
    assert "disabled" in disabled["hint"]
    platform.admin.delete_device(PRODUCT_KEY, HOST)
    deleted = error(log_in(platform, tmp_path, way))
    assert (deleted["kind"], deleted["code"]) == ("refused", 5)
    assert "deleted" in deleted["hint"]


def test_a_device_that_nobody_knows(platform: Emulator, tmp_path: Path, way: str) -> None:
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
    assert (told["kind"], told["code"]) == (kind, code)


def test_a_host_that_accepts_and_says_nothing(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    platform.admin.fault("mqtt_tcp", hang=8)
    assert error(log_in(platform, tmp_path, way, timeout=2))["kind"] == "network"


def test_a_home_is_that_of_the_host_that_logs_in(platform: Emulator, tmp_path: Path) -> None:
    store(platform, tmp_path)
    home = tmp_path / "their home"
    home.mkdir()
    (home / "ca.pem").write_bytes(Path(platform.endpoints["ca_file"]).read_bytes())
    shell = write_script(tmp_path / "sh", f'HOME="{home}"\nexport HOME\nexec /bin/sh "$@"')
    gateway = {"ansible_shell_executable": str(shell)}
    run = log_in(platform, tmp_path, "gateway", variables=gateway, ca_path="~/ca.pem")
    assert run.rc == 0, run
    assert error(log_in(platform, tmp_path, "controller", variables=gateway, ca_path="~/ca.pem"))["kind"] == "tls"


def test_a_certificate_of_another_authority(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    told = error(log_in(platform, tmp_path, way, ca_path=None))
    assert told["kind"] == "tls"
    assert logins(platform) == []


@pytest.mark.parametrize(("year", "problem"), [(2001, "expired"), (2999, "not yet valid")])
def test_a_clock_that_is_wrong(platform: Emulator, tmp_path: Path, way: str, year: int, problem: str) -> None:
    store(platform, tmp_path)
    with DatedServer(tmp_path, year) as server:
        told = error(log_in(platform, tmp_path, way, mqtt_endpoint=server.address, ca_path=str(server.ca_file)))
    assert told["kind"] == "tls"
    assert problem in told["message"]
    assert "clock" in told["hint"]
    assert (server.connections, server.handshakes) == (1, 0)


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


def test_a_pipe_is_not_waited_for(platform: Emulator, tmp_path: Path, way: str) -> None:
    store(platform, tmp_path)
    (tmp_path / HOST / "device.json").unlink()
    os.mkfifo(tmp_path / HOST / "device.json")
    assert error(log_in(platform, tmp_path, way))["kind"] == "unreadable"


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
