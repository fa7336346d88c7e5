# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's view: a run reports each error with its gateway, and no more."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from gateways import credential_text
from operations import in_service, operate, role_variables
from playbook import PRODUCT_KEY, Run, gateway_play, inventory, names, run_playbook

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
ENV = {"ANSIBLE_SSH_RETRIES": "0"}
BROKEN: dict[str, JSON] = {
    "gw-0003": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9},
    "gw-0007": {"gateway_path": "/proc/nowhere/device.json"},
    "gw-0011": {"gateway_mode": "rw"},
    "gw-0015": {"gateway_product_key": "a1IoKTestXX"},
    "gw-0019": {"gateway_exports": [{"dest": "/nowhere/at/all.env", "format": "env"}]},
    "gw-0023": {"gateway_timeout": "ten"},
}


def thirty(platform: Emulator, tmp_path: Path) -> JSON:
    for name in names(30):
        platform.admin.put_device(PRODUCT_KEY, name)
    return inventory({host: BROKEN.get(host, {}) for host in names(30)}, tmp_path, **role_variables(platform))


def shown(run: Run) -> tuple[list[str], list[str]]:
    """Return the lines of a run that are not empty: those before the recap, and those of the recap."""
    before, _heading, recap = run.stdout.partition("PLAY RECAP")
    return [line for line in before.splitlines() if line], recap.splitlines()[1:]


@pytest.mark.parametrize(
    ("broken", "extra", "codes"),
    [
        ([], {}, {0}),
        (["gw-0011"], {}, {2}),
        (["gw-0003"], {}, {4}),
        (["gw-0003", "gw-0011"], {}, {4}),
        (["gw-0003", "gw-0011"], {"gateway_serial": 1}, {4}),
        ([], {"target": "nothing"}, {1, 4}),  # before ansible-core 2.19: 1
    ],
)
def test_the_exit_codes_are_those_of_the_guide(
    platform: Emulator, tmp_path: Path, broken: list[str], extra: JSON, codes: set[int]
) -> None:
    platform.admin.put_device(PRODUCT_KEY, "gw-0001")
    hosts = {"gw-0001": {}, **{host: BROKEN[host] for host in broken}}
    told = {"gateway_report_to": str(tmp_path / "report.html"), **extra}
    run = operate("provision", platform, inventory(hosts, tmp_path, **role_variables(platform)), tmp_path, **told)
    assert run.rc in codes, run
    assert (tmp_path / "report.json").exists() == ("target" not in extra)


@pytest.mark.parametrize("playbook", ["provision", "recover"])
def test_six_of_thirty_are_broken(platform: Emulator, tmp_path: Path, playbook: str) -> None:
    hosts = thirty(platform, tmp_path)
    for name in set(names(30)) - BROKEN.keys():
        in_service(platform, tmp_path, name)
    run = operate(playbook, platform, hosts, tmp_path, gateway_report="changed")
    assert run.rc in (2, 4), run
    assert len((run.stdout + run.stderr).splitlines()) <= 60, run
    before, _recap = shown(run)
    assert [line for line in before if line.startswith("RUNNING HANDLER")] == []
    failed = {host for host, stats in run.stats.items() if stats["failures"] or stats["unreachable"]}
    assert failed == BROKEN.keys() if playbook == "provision" else failed > {"gw-0003", "gw-0007", "gw-0011"}, run
    for host in failed:
        # Ansible names the first host of a batch with every task that runs once for the batch.
        [block] = [line for line in before if f"[{host}]" in line and not line.startswith("skipping: ")]
        assert block.startswith(f"fatal: [{host}]"), block
        message = str(run.results[host][-1]["result"]["msg"])
        assert block.count(message[:40].replace('"', '\\"')) == 1, block
    for name in set(names(30)) - BROKEN.keys() - {"gw-0001"}:
        assert name not in run.stdout, "what was right prints nothing"


def test_the_first_run_of_thirty(platform: Emulator, tmp_path: Path) -> None:
    """Each gateway that changed is one line, as Ansible prints it, and one line of the recap."""
    hosts = thirty(platform, tmp_path)
    run = operate("provision", platform, hosts, tmp_path, gateway_report="changed")
    before, recap = shown(run)
    changed = [line for line in before if line.startswith("changed: ")]
    assert len(changed) == 24, run
    assert len([line for line in recap if line.strip()]) == 30
    assert len(before) - len(changed) <= 30, run
    assert "RUNNING HANDLER" not in run.stdout


def test_in_batches(platform: Emulator, tmp_path: Path) -> None:
    """Valid gateways are in no batch, and gateways that cannot be inspected end no batch of others."""
    hosts = thirty(platform, tmp_path)
    due = ("gw-0005", "gw-0028")
    for name in set(names(30)) - BROKEN.keys() - set(due):
        in_service(platform, tmp_path, name)
    run = operate("provision", platform, hosts, tmp_path, gateway_report="changed", gateway_serial=[1, "100%"])
    changed = {host for host, stats in run.stats.items() if stats["changed"]}
    failed = {host for host, stats in run.stats.items() if stats["failures"] or stats["unreachable"]}
    assert (changed, failed) == ({*due}, BROKEN.keys()), run
    assert len((run.stdout + run.stderr).splitlines()) <= 70, run


@pytest.mark.parametrize("elsewhere", [False, True])
def test_files_of_a_run_are_the_users(platform: Emulator, tmp_path: Path, elsewhere: bool) -> None:
    """A playbook that is started by its name leaves its retry file and its report in the folder where it was started."""
    places = (tmp_path / "elsewhere", PLAYBOOKS)
    places[0].mkdir()
    before = {path for place in places for path in place.rglob("*")}
    hosts = inventory({"gw-0001": {}, "gw-0002": {"gateway_mode": "rw"}}, tmp_path, **role_variables(platform))
    env = {"ANSIBLE_RETRY_FILES_ENABLED": "1"}
    if elsewhere:
        env["ANSIBLE_RETRY_FILES_SAVE_PATH"] = str(places[0])
    run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, env=env)
    assert run.rc == 2, run
    retry = (places[0] if elsewhere else tmp_path) / "provision.retry"
    assert retry.read_text().split() == ["gw-0002"], run
    hosts["gateways"]["hosts"]["gw-0002"].pop("gateway_mode")
    again = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, "--limit", f"@{retry}", env=env)
    assert (again.rc, again.stats.keys()) == (0, {"gw-0002"}), again
    audit = operate("audit", platform, hosts, tmp_path, audit_report="findings.json")
    assert audit.rc == 0, audit
    assert (tmp_path / "findings.json").exists()
    assert {path for place in places for path in place.rglob("*")} - before <= {retry}


def test_the_retry_file_of_a_playbook_of_ones_own_is_beside_it(platform: Emulator, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "all.yml").write_text("- import_playbook: fleetops.aliyun_iot.provision\n")
    hosts = inventory({"gw-0001": {"gateway_mode": "rw"}}, tmp_path, **role_variables(platform))
    run = run_playbook(str(site / "all.yml"), hosts, tmp_path, env={"ANSIBLE_RETRY_FILES_ENABLED": "1"})
    assert run.rc == 2, run
    assert (site / "all.retry").exists()


def test_a_failure_of_the_module_is_short_and_obeys_the_task(platform: Emulator, tmp_path: Path) -> None:
    """A failure is short, and the keywords of a task that depend on its result see the result."""
    hosts = inventory({"gw-0001": {}, "gw-0002": BROKEN["gw-0003"]}, tmp_path)
    play = gateway_play(platform, mode="rw")
    run = run_playbook(play, hosts, tmp_path, env=ENV)
    assert run.rc in (2, 4), run
    assert "Origin:" not in run.stdout, run
    assert len([line for line in run.stdout.splitlines() if "[gw-000" in line]) == 2, run
    play["tasks"][0]["failed_when"] = "false"
    again = run_playbook(play, hosts, tmp_path, "--limit", "gw-0001", env=ENV)
    assert again.rc == 0, again
    play["tasks"][0].update(failed_when="gateway.error.code is none and gateway is failed", register="gateway")
    once_more = run_playbook(play, hosts, tmp_path, "--limit", "gw-0001", env=ENV)
    assert (once_more.rc, once_more.result("gw-0001")["error"]["kind"]) == (2, "invalid_option"), once_more


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("sudo"), reason="becomes another user")
@pytest.mark.parametrize("by", ["playbook", "role"])
def test_a_user_who_may_not(platform: Emulator, tmp_path: Path, by: str) -> None:
    """The message names the path and suggests --become."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        there.chmod(0o755)
        for name, mode in (("hidden", 0o600), ("shown", 0o644)):
            (there / name).mkdir(mode=0o755)
            (there / name / "device.json").write_text(credential_text(PRODUCT_KEY, name, "0" * 32))
            (there / name / "device.json").chmod(mode)
        nobody = {"ansible_become": True, "ansible_become_user": "nobody", "ansible_become_method": "sudo"}
        paths = {
            "missing": there / "new/device.json",
            "nothing": there / "device.json",
            "hidden": there / "hidden/device.json",
            "shown": there / "shown/device.json",
        }
        own = {
            host: {**nobody, "gateway_path": str(path), "gateway_register_from": "controller"}
            for host, path in paths.items()
        }
        for host in paths:
            platform.admin.put_device(PRODUCT_KEY, host)
        hosts = inventory(own, tmp_path, **role_variables(platform))
        if by == "playbook":
            run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, env=ENV)
        else:
            role = {"name": "fleetops.aliyun_iot.gateway", "rolespec_validate": False}
            play = {"hosts": "gateways", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": role}]}
            run = run_playbook(play, hosts, tmp_path, env=ENV)
        assert run.rc == 2, run
        for host, path in paths.items():
            result = run.result(host)
            assert result["error"]["kind"] == "permission", (host, result)
            assert "--become" in result["msg"], (host, result)
            assert "ansible_become" in result["msg"], (host, result)
            assert str(path.parent) in result["msg"], (host, result)


@pytest.mark.parametrize("by", ["playbook", "role"])
def test_errors_name_variables_and_playbooks(platform: Emulator, tmp_path: Path, by: str) -> None:
    wrong: dict[str, tuple[JSON, list[str]]] = {
        "gw-0001": ({"gateway_mode": "rw"}, ["gateway_mode: 'rw'"]),
        "gw-0002": ({"gateway_product_key": ""}, ["gateway_product_key"]),
        "gw-0003": ({"gateway_sign_method": "md4"}, ["value of gateway_sign_method"]),
        "gw-0004": ({"gateway_product_key": "a1IoKTestXX"}, ["Check gateway_product_key and gateway_region"]),
        "gw-0005": ({}, ["fleetops.aliyun_iot.recover", "fleetops.aliyun_iot.reprovision"]),
        "gw-0006": ({"gateway_endpoint": "ftp://x"}, ["gateway_endpoint: 'ftp://x'"]),
        "gw-0007": ({"gateway_exports": [{"dest": "x", "format": "env"}]}, ["gateway_exports[0].dest"]),
    }
    platform.admin.activate(PRODUCT_KEY, "gw-0005")
    hosts = inventory({host: own for host, (own, _said) in wrong.items()}, tmp_path, **role_variables(platform))
    if by == "playbook":
        run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, env=ENV)
    else:
        role = {"name": "fleetops.aliyun_iot.gateway", "rolespec_validate": False}
        play = {"hosts": "gateways", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": role}]}
        run = run_playbook(play, hosts, tmp_path, env=ENV)
    for host, (_own, said) in wrong.items():
        for words in said:
            assert words in str(run.result(host)["msg"]), (host, run.result(host))


def test_the_inventory_may_ask_for_what_was_right(platform: Emulator, tmp_path: Path) -> None:
    for name in names(2):
        in_service(platform, tmp_path, name)
    hosts = inventory(2, tmp_path, **role_variables(platform), gateway_report="all")
    run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, env=ENV)
    assert run.rc == 0, run
    assert [line for line in run.stdout.splitlines() if line == "ok: [gw-0002]"] != [], run
