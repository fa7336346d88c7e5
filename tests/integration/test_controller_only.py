# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of the control plane: an AccessKey and a ProductSecret stay in the memory of the controller's own processes.

Every task of the control plane runs for a host whose connection fails on its first use, with the highest verbosity, and Ansible keeps all
files that it can keep. The tests then search everything written or shown for the secrets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from account import SEED, TEMPORARY_KEY
from canary import Canaries, Watch, new_secret
from emulator import Emulator
from gateways import fingerprint
from playbook import PRODUCT_KEY, Run, inventory, run_playbook

JSON = Any

NAMESPACE = "fleetops.aliyun_iot."
DEVICE = "oven-0001"
PRODUCT_SECRET = new_secret()
DEVICE_SECRET = new_secret()
TALKATIVE = {
    "ANSIBLE_DEBUG": "1",
    "ANSIBLE_KEEP_REMOTE_FILES": "1",
    "ANSIBLE_PIPELINING": "0",
    "DEBUG": "sdk",  # the vendor's client prints every header
}
FAR = {"ansible_connection": "tripwire", "ansible_become": True, "ansible_become_exe": "/nonexistent/sudo"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Yield a platform where the second registration of a device returns its first secret, so that the tests know it."""
    devices = [{"name": DEVICE, "secret": DEVICE_SECRET}, {"name": "gw-0001", "secret": DEVICE_SECRET}]
    product = {
        "product_key": PRODUCT_KEY,
        "product_secret": PRODUCT_SECRET,
        "product_name": "Ovens",
        "devices": devices,
    }
    seed = {**SEED, "products": [product], "settings": {"reregistration": "same"}}
    with Emulator(tmp_path_factory.mktemp("platform"), seed) as emulator:
        yield emulator


def play(platform: Emulator, tasks: list[JSON], **keywords: JSON) -> JSON:
    """Return a play for the far gateway, with the account as defaults of the action group and the secrets from a vault."""
    defaults = {
        "access_key_id": TEMPORARY_KEY.id,
        "access_key_secret": "{{ vault_access_key_secret }}",
        "security_token": "{{ vault_security_token }}",
        "openapi_endpoint": platform.endpoints["openapi_endpoint"],
        "ca_path": platform.endpoints["ca_file"],
        "retry_time": 0,
    }
    module_defaults = {f"group/{NAMESPACE}openapi": defaults}
    return {"hosts": "far", "gather_facts": False, "module_defaults": module_defaults, "tasks": tasks, **keywords}


def task(name: str, module: str, **options: JSON) -> JSON:
    return {"name": name, NAMESPACE + module: options, "ignore_errors": True}


def registration(platform: Emulator, name: str, *, no_log: bool = False, **options: JSON) -> JSON:
    wanted = {
        "product_key": PRODUCT_KEY,
        "product_secret": "{{ vault_product_secret }}",
        "device_name": DEVICE,
        "endpoint": platform.endpoints["register_url"],
        "ca_path": platform.endpoints["ca_file"],
    }
    return {**task(name, "device_registration", **{**wanted, **options}), "no_log": no_log}


def run(playbook: JSON, hosts: JSON, home: Path) -> tuple[Run, Watch]:
    """Run with the highest verbosity and under watch; everything that Ansible writes is under ``home``."""
    secrets = {
        "vault_access_key_secret": TEMPORARY_KEY.secret,
        "vault_security_token": str(TEMPORARY_KEY.security_token),
        "vault_product_secret": PRODUCT_SECRET,
    }
    file = home / "vault.json"
    file.write_text(json.dumps(secrets))
    env = {**TALKATIVE, "ANSIBLE_LOG_PATH": str(home / "ansible.log"), "TRIPWIRE_FILE": str(home / "tripped")}
    env["TMPDIR"] = str(home / "tmp")
    (home / "tmp").mkdir()
    with Watch(canaries()) as watch:
        ended = run_playbook(playbook, hosts, home, "-vvvvv", "--diff", "-e", f"@{file}", env=env)
    return ended, watch


def canaries() -> Canaries:
    known = {"AccessKey": TEMPORARY_KEY.secret, "token": str(TEMPORARY_KEY.security_token)}
    return Canaries({**known, "ProductSecret": PRODUCT_SECRET, "DeviceSecret": DEVICE_SECRET})


def results(ended: Run, host: str) -> dict[str, JSON]:
    return {told["task"]: told for told in ended.results[host]}


def test_no_secret_leaves_the_process_and_nothing_is_sent_to_the_host(platform: Emulator, tmp_path: Path) -> None:
    listed = {"product_key": PRODUCT_KEY, "names": [DEVICE]}
    tasks = [
        task("product", "product", product_key=PRODUCT_KEY, description="hot"),
        task("product_info", "product_info"),
        task("devices", "devices", product_key=PRODUCT_KEY, names=["oven-0002"]),
        task("devices_info", "devices_info", **listed),
        task("device_reset", "device_reset", **listed),
        registration(platform, "device_registration"),
        registration(platform, "asked", no_log=True, return_secret=True),
        task("unsupported", "devices_info", **listed, token="{{ vault_security_token }}"),
        task("mismatch", "devices_info", **listed, access_key_secret="{{ vault_access_key_secret | reverse }}"),
        task("nobody", "device_reset", **listed, access_key_id="STS.nobody"),
        task("no answer", "devices", **listed, openapi_endpoint="127.0.0.1:1"),
        task("secret", "product", product_key="{{ vault_access_key_secret }}"),
        task("type", "product_info", timeout="{{ vault_access_key_secret }}"),
        registration(platform, "refused", product_secret="{{ vault_product_secret | reverse }}"),
        registration(platform, "hidden", no_log=True, return_secret=True, device_name="gw-9999"),
    ]
    hosts = {"far": {"hosts": {"gw-far": {**FAR, "ansible_remote_tmp": str(tmp_path / "remote")}}}}
    ended, watch = run(play(platform, tasks), hosts, tmp_path)

    told = results(ended, "gw-far")
    failed = ["unsupported", "mismatch", "nobody", "no answer", "secret", "type", "refused", "hidden"]
    assert [name for name, each in told.items() if each["status"] == "failed"] == failed, ended
    assert told["product"]["result"]["product"]["description"] == "hot"
    assert told["devices_info"]["result"]["devices"][0]["fingerprint"] == fingerprint(
        PRODUCT_KEY, DEVICE, DEVICE_SECRET
    )
    kinds = {name: told[name]["result"]["error"]["kind"] for name in failed[:-1]}
    assert kinds == {
        **dict.fromkeys(("unsupported", "secret", "type"), "invalid_option"),
        **dict.fromkeys(("mismatch", "nobody", "refused"), "refused"),
        "no answer": "network",
    }
    assert not [name for name, each in told.items() if "invocation" in each["result"]]
    assert "[WARNING]: gw-far: registration of gw-9999" in ended.stderr, "no_log hides the result, not the error"

    assert not (tmp_path / "tripped").exists(), "the connection was used"
    assert canaries().in_text(ended.stdout + ended.stderr) == []
    assert canaries().in_files(tmp_path, apart=[tmp_path / "vault.json"]) == []
    assert watch.seen == set()
    assert watch.rounds > 10
    assert (tmp_path / "ansible.log").stat().st_size > 10_000, "it was talkative"


def test_a_task_that_uses_the_connection_is_noticed(platform: Emulator, tmp_path: Path) -> None:
    """The tripwire and the search detect an Ansible module that uses the connection and writes a secret."""
    tasks = [
        {"ansible.builtin.command": "true", "ignore_unreachable": True, "become": False},
        {
            "ansible.builtin.copy": {"content": "{{ vault_access_key_secret }}", "dest": "{{ root }}/left"},
            "delegate_to": "near",
            "become": False,
        },
    ]
    hosts = inventory(["near"], tmp_path, ansible_remote_tmp=str(tmp_path / "remote"))
    hosts["far"] = {"hosts": {"gw-far": {**FAR, "root": str(tmp_path / "near")}}}
    ended, _watch = run(play(platform, tasks), hosts, tmp_path)
    assert (tmp_path / "tripped").exists(), ended
    traces = canaries().in_files(tmp_path / "remote", tmp_path / "near")
    assert traces != []


def test_the_account_of_a_recovery_stays_in_the_process(platform: Emulator, tmp_path: Path) -> None:
    """The role's recovery sends the credential to the gateway, and nothing of the account."""
    role = {"name": f"{NAMESPACE}gateway", "tasks_from": "recover"}
    variables = {
        "gateway_product_key": PRODUCT_KEY,
        "platform_access_key_id": TEMPORARY_KEY.id,
        "platform_access_key_secret": "{{ vault_access_key_secret }}",
        "platform_security_token": "{{ vault_security_token }}",
        "platform_openapi_endpoint": platform.endpoints["openapi_endpoint"],
        "platform_ca_path": platform.endpoints["ca_file"],
        "ansible_remote_tmp": str(tmp_path / "remote"),
    }
    hosts = inventory(["gw-0001"], tmp_path, **variables)
    tasks = [{"ansible.builtin.import_role": role}]
    ended, watch = run({"hosts": "gateways", "gather_facts": False, "tasks": tasks}, hosts, tmp_path)
    assert ended.rc == 0, ended
    credential = tmp_path / "gw-0001/device.json"
    assert DEVICE_SECRET in credential.read_text()
    assert canaries().in_text(ended.stdout + ended.stderr) == []
    apart = [tmp_path / "vault.json", credential]
    assert canaries().in_files(tmp_path, apart=apart) == []
    assert watch.seen == set()


def test_defaults_delegation_and_check_mode(platform: Emulator, tmp_path: Path) -> None:
    """Defaults of a group or an action, run_once, delegation and check mode work as they do for modules."""
    before = {device["device_name"] for device in platform.admin.devices(PRODUCT_KEY)}
    named = {"product_key": PRODUCT_KEY, "names": ["oven-1001"]}
    tasks = [
        {**task("group", "devices", **named), "run_once": True},
        {**task("own", "devices_info"), "module_defaults": {NAMESPACE + "devices_info": named}},
        {**task("delegated", "devices", **named), "delegate_to": "gw-other"},
    ]
    hosts = {"far": {"hosts": {"gw-far": FAR, "gw-other": FAR}}}
    ended, _watch = run(play(platform, tasks, check_mode=True), hosts, tmp_path)
    assert ended.rc == 0, ended
    told = results(ended, "gw-far")
    assert (told["group"]["result"]["changed"], told["group"]["result"]["diff"]["after"]) == (
        True,
        {"oven-1001": "UNACTIVE"},
    )
    assert "group" not in results(ended, "gw-other")
    assert told["delegated"]["result"]["changed"]
    assert {device["device_name"] for device in platform.admin.devices(PRODUCT_KEY)} == before
    assert not (tmp_path / "tripped").exists()


def test_what_the_platform_says_is_no_template(platform: Emulator, tmp_path: Path) -> None:
    platform.admin.patch_device(PRODUCT_KEY, DEVICE, nickname="{{ 7 * 6 }}")
    tasks = [
        {**task("ask", "devices_info", product_key=PRODUCT_KEY, names=[DEVICE]), "register": "answer"},
        {"name": "show", "ansible.builtin.debug": {"msg": "{{ answer.devices[0].nickname }}"}},
    ]
    ended, _watch = run(play(platform, tasks), {"far": {"hosts": {"gw-far": FAR}}}, tmp_path)
    assert results(ended, "gw-far")["show"]["result"]["msg"] == "{{ 7 * 6 }}", ended


def test_a_report_is_written_by_the_process_itself(platform: Emulator, tmp_path: Path) -> None:
    """The controller writes a report: a relative path starts at Ansible's working directory, `~` is the home of Ansible's user."""
    findings = [{"gateway": "gw-0001", "finding": "ok", "code": 7, "status": None}]
    tasks = [
        task("relative", "audit_report", findings="{{ findings }}", dest="relative.json"),
        task("home", "audit_report", findings="{{ findings }}", dest="~/home.json"),
        {**task("check", "audit_report", findings=[], dest="check.json"), "check_mode": True},
        task("nowhere", "audit_report", findings=[], dest="nowhere/audit.json"),
        task("text", "audit_report", findings="all is well", dest="text.json"),
    ]
    (tmp_path / "plays").mkdir()
    playbook = tmp_path / "plays/playbook.json"
    playbook.write_text(json.dumps([play(platform, tasks, vars={"findings": findings})]))
    ended, _watch = run(str(playbook), {"far": {"hosts": {"gw-far": FAR}}}, tmp_path)
    told = results(ended, "gw-far")
    assert [name for name, each in told.items() if each["status"] == "failed"] == ["nowhere", "text"], ended
    for name in ("relative", "home"):
        file = tmp_path / f"{name}.json"
        assert told[name]["result"]["path"] == str(file)
        assert json.loads(file.read_text()) == findings
        assert file.stat().st_mode & 0o7777 == 0o600
    assert f"Create {tmp_path}/nowhere" in told["nowhere"]["result"]["msg"]
    assert not (tmp_path / "check.json").exists()
    assert not (tmp_path / "tripped").exists()
