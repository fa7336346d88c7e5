# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator reads: a run says what went wrong, on which gateway, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import in_service, operate, role_variables
from playbook import Run, gateway_play, inventory, names, run_playbook

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

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
        platform.admin.put_device("a1IoKTestP1", name)
    return inventory({host: BROKEN.get(host, {}) for host in names(30)}, tmp_path, **role_variables(platform))


def shown(run: Run) -> tuple[list[str], list[str]]:
    """The lines of a run that are not empty: those before the recap, and those of it."""
    before, _heading, recap = run.stdout.partition("PLAY RECAP")
    return [line for line in before.splitlines() if line], recap.splitlines()[1:]


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
        [block] = [line for line in before if f"[{host}]" in line]
        assert block.startswith(f"fatal: [{host}]"), block
        message = str(run.results[host][-1]["result"]["msg"])
        assert block.count(message[:40].replace('"', '\\"')) == 1, block
    for name in set(names(30)) - BROKEN.keys() - {"gw-0001"}:
        assert name not in run.stdout, "what was right prints nothing"


def test_the_first_run_of_thirty(platform: Emulator, tmp_path: Path) -> None:
    """Each gateway that changed is one line, as Ansible prints it, and one of the recap."""
    hosts = thirty(platform, tmp_path)
    run = operate("provision", platform, hosts, tmp_path, gateway_report="changed")
    before, recap = shown(run)
    changed = [line for line in before if line.startswith("changed: ")]
    assert len(changed) == 24, run
    assert len([line for line in recap if line.strip()]) == 30
    assert len(before) - len(changed) <= 30, run
    assert "RUNNING HANDLER" not in run.stdout


def test_in_batches(platform: Emulator, tmp_path: Path) -> None:
    """Gateways that are right are in no batch; those that cannot be looked at end no batch of others."""
    hosts = thirty(platform, tmp_path)
    due = ("gw-0005", "gw-0028")
    for name in set(names(30)) - BROKEN.keys() - set(due):
        in_service(platform, tmp_path, name)
    run = operate("provision", platform, hosts, tmp_path, gateway_report="changed", gateway_serial=[1, "100%"])
    changed = {host for host, stats in run.stats.items() if stats["changed"]}
    failed = {host for host, stats in run.stats.items() if stats["failures"] or stats["unreachable"]}
    assert (changed, failed) == ({*due}, BROKEN.keys()), run
    assert len((run.stdout + run.stderr).splitlines()) <= 60, run


def test_a_failure_of_the_module_is_short_and_obeys_the_task(platform: Emulator, tmp_path: Path) -> None:
    """The keywords of a task that depend on its result see the result."""
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
