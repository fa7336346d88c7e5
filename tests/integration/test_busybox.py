# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways with BusyBox alone, without Python and coreutils: with all of its applets, or with those of a stock OpenWrt."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from playbook import PRODUCT_KEY, connection, gateway_play, inventory, run_playbook
from shells import busybox_shell, openwrt_shell

pytestmark = pytest.mark.usefixtures("new_platform")

SHELLS = {"busybox": busybox_shell, "openwrt": openwrt_shell}


@pytest.fixture(params=SHELLS)
def small_shell(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return SHELLS[request.param](tmp_path / "shell")


def task(platform: Emulator, check: bool = False, **options: Any) -> Any:
    exports = [
        {"dest": "{{ root }}/agent.env", "format": "env"},
        {"dest": "{{ root }}/agent.conf", "template": "agent.conf.j2", "mode": "0640"},
    ]
    play = gateway_play(platform, path="{{ root }}/etc/device.json", exports=exports, **options)
    return {**play["tasks"][0], "check_mode": check}


def shell(command: str) -> Any:
    """Return a task that runs a command in the gateway's shell, as gateway_credential runs its scripts."""
    return {"ansible.builtin.raw": command, "args": {"executable": "{{ ansible_shell_executable }}"}}


def test_a_stock_openwrt_has_these_commands_and_options_alone(tmp_path: Path) -> None:
    """The emulated OpenWrt has the commands and options of a stock one alone, whatever BusyBox this machine has."""
    shell = openwrt_shell(tmp_path / "shell")

    def succeeds(command: str) -> bool:
        return subprocess.run([shell, "-c", command], check=False, capture_output=True).returncode == 0

    for name in (
        "stat",
        "sha1sum",
        "sha512sum",
        "od",
        "base64",
        "xxd",
        "realpath",
        "install",
        "timeout",
        "setsid",
        "python3",
        "systemctl",
    ):
        assert not succeeds(f"command -v {name}"), name
    for name in ("ls", "awk", "sha256sum", "md5sum", "find", "start-stop-daemon", "nc"):
        assert succeeds(f"command -v {name}"), name
    for refused in (
        "ls --full-time /",
        "sort -k 2 /dev/null",
        "sort -t : /dev/null",
        "tr '[:upper:]' '[:lower:]' </dev/null",
    ):
        assert not succeeds(refused), refused
    for works in (
        "ls -ldn /",
        "sort -nru /dev/null",
        "tr -d '\\000' </dev/null",
        "sync /",
        "date +%s",
        "readlink -f /",
    ):
        assert succeeds(works), works


def test_a_gateway_of_nothing_but_busybox(platform: Emulator, tmp_path: Path, small_shell: str) -> None:
    (tmp_path / "agent.conf.j2").write_text("[cloud]\nname={{ device_name }}\nsecret={{ device_secret }}\n")
    way = {"register_from": "controller"}
    tasks = [
        shell("readlink /proc/$$/exe; command -v python3 perl; true"),
        *[task(platform, check, **way) for check in (True, False, True, False)],
        task(platform, **way, register="always"),
        task(platform, **way, mode="0640"),
        task(platform, **way),
        shell("rm {{ root }}/agent.conf"),
        task(platform, **way),
    ]
    hosts = {"gw-0001": {"ansible_shell_executable": small_shell}}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": tasks}
    run = run_playbook(play, inventory(hosts, tmp_path), tmp_path)
    assert run.rc == 0, run
    which, *passes = [task["result"] for task in run.results["gw-0001"]]
    assert Path(which["stdout"].strip()).name == "busybox"
    told = [(result["reason"], result["changed"]) for result in passes if "reason" in result]
    assert told == [
        *[("missing", True), ("missing", True), ("up_to_date", False), ("up_to_date", False)],
        *[("forced", True), ("attributes", True), ("attributes", True), ("export", True)],
    ]

    secret = platform.admin.device(PRODUCT_KEY, "gw-0001")["device_secret"]
    assert platform.admin.device(PRODUCT_KEY, "gw-0001")["registrations"] == 2
    root = tmp_path / "gw-0001"
    names = {"deviceName": "gw-0001", "deviceSecret": secret, "productKey": PRODUCT_KEY}
    assert json.loads((root / "etc" / "device.json").read_text()) == names
    assert (root / "agent.conf").read_text() == f"[cloud]\nname=gw-0001\nsecret={secret}\n"
    modes = {str(path.relative_to(root)): f"{path.stat().st_mode & 0o777:o}" for path in root.rglob("*")}
    assert modes == {"etc": "755", "etc/device.json": "600", "agent.env": "600", "agent.conf": "640"}


def test_the_role_proves_what_it_registered_on_busybox(platform: Emulator, tmp_path: Path, small_shell: str) -> None:
    variables = {f"gateway_{name}": value for name, value in connection(platform).items()}
    variables.update(
        gateway_register_from="controller",
        gateway_verify="login",
        gateway_sign_method="hmacsha1",  # OpenWrt has no tool for this digest
        gateway_mqtt_endpoint="{host}:{port}".format_map(platform.endpoints["mqtts"]),
        ansible_python_interpreter="python3",
    )
    hosts = {"gw-0001": {"ansible_shell_executable": small_shell}}
    role = {"ansible.builtin.import_role": {"name": "fleetops.aliyun_iot.gateway", "rolespec_validate": False}}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [shell("command -v python3"), role]}
    play["tasks"][0]["failed_when"] = False
    run = run_playbook(play, inventory(hosts, tmp_path, **variables), tmp_path)
    assert run.rc == 0, run
    assert run.results["gw-0001"][0]["result"]["rc"] != 0, "there is no Python"
    assert run.result("gw-0001")["proven"] is True
    asked = [(entry["action"], entry["code"]) for entry in platform.admin.requests()]
    assert asked == [("register", 200), ("connect", 0)]
    assert platform.admin.device(PRODUCT_KEY, "gw-0001")["activated"] is True


def test_state_absent_leaves_nothing_on_busybox(platform: Emulator, tmp_path: Path, small_shell: str) -> None:
    (tmp_path / "agent.conf.j2").write_text("{{ device_secret }}")
    tasks = [task(platform, register_from="controller"), *[task(platform, state="absent")] * 2]
    hosts = {"gw-0001": {"ansible_shell_executable": small_shell}}
    run = run_playbook(
        {"hosts": "gateways", "gather_facts": False, "tasks": tasks}, inventory(hosts, tmp_path), tmp_path
    )
    assert [task["result"]["reason"] for task in run.results["gw-0001"]] == ["missing", "exists", "up_to_date"], run
    assert [path.name for path in (tmp_path / "gw-0001").rglob("*")] == ["etc"]


def test_what_a_gateway_lacks_is_named(platform: Emulator, tmp_path: Path) -> None:
    """The tool that a gateway lacks is reported with a remedy; nothing is left on the gateway, and no request is sent."""
    hosts = {
        "gw-0001": {"way": "gateway", "ansible_shell_executable": busybox_shell(tmp_path / "python")},
        "gw-0002": {
            "way": "controller",
            "ansible_shell_executable": busybox_shell(tmp_path / "sha256sum", "sha256sum"),
        },
    }
    play = gateway_play(platform, register_from="{{ way }}")
    run = run_playbook(play, inventory(hosts, tmp_path, ansible_python_interpreter="python3"), tmp_path)
    errors = {host: run.result(host)["error"] for host in hosts}
    assert [error["kind"] for error in errors.values()] == ["no_python", "missing_tool"], run
    assert "register_from: controller" in errors["gw-0001"]["hint"]
    assert "lacks sha256sum" in errors["gw-0002"]["message"]
    assert all(error["hint"] in run.result(host)["msg"] for host, error in errors.items())
    assert platform.admin.requests() == []
    assert [list((tmp_path / host).iterdir()) for host in hosts] == [[], []]
