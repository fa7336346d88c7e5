# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook add_devices: the account's part of a provision, without any gateway."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import ENV, account, called, operate
from playbook import PRODUCT_KEY, environment_of, inventory, names, run_playbook

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")


def fleet(tmp_path: Path, hosts: JSON) -> JSON:
    """Return gateways that cannot be reached, because no task may try."""
    return inventory(
        hosts,
        tmp_path,
        gateway_product_key=PRODUCT_KEY,
        gateway_region="cn-shanghai",
        ansible_connection="ssh",
        ansible_host="nowhere.invalid",
    )


def on_platform(platform: Emulator) -> set[str]:
    return {device["device_name"] for device in platform.admin.devices(PRODUCT_KEY)}


def test_four_times(platform: Emulator, tmp_path: Path) -> None:
    for name in names(20)[2:]:
        platform.admin.delete_device(PRODUCT_KEY, name)
    hosts = fleet(tmp_path, ["gw-0001", "gw-0002", "gw-0003", "gw-0004"])
    missing = ["gw-0003", "gw-0004"]
    for arguments, changed, added in ((["--check"], 1, []), ([], 1, missing), (["--check"], 0, []), ([], 0, [])):
        platform.admin.clear_requests()
        run = operate("add_devices", platform, hosts, tmp_path, *arguments)
        assert (run.rc, run.changed) == (0, changed), run
        assert called(platform, "RegisterDevice") == added
    assert on_platform(platform) == {"gw-0001", "gw-0002", *missing}


def test_a_host_whose_device_cannot_be_added_fails_and_the_others_go_on(platform: Emulator, tmp_path: Path) -> None:
    own: JSON = {"one": {}, "two": {}, "gw-0101": {}, "gw-0102": {"gateway_device_name": "no one"}}
    for host in ("one", "two"):
        own[host] = {"gateway_device_name": "gw-0100"}
    run = operate("add_devices", platform, fleet(tmp_path, own), tmp_path)
    assert run.rc != 0
    assert {host for host, stats in run.stats.items() if stats["failures"]} == {"one", "two", "gw-0102"}
    assert "gw-0101" not in run.stdout, "what is right prints nothing"
    assert "gw-0100" in run.result("two")["msg"]
    assert {"gw-0101"} == on_platform(platform) - set(names(20))


def test_a_device_that_provision_would_not_add(platform: Emulator, tmp_path: Path) -> None:
    own: JSON = {
        "gw-0101": {},
        "gw-0102": {"gateway_state": "absent"},
        "gw-0103": {"gateway_state": "{{ wanted }}", "wanted": "absent"},
        "gw-0104": {"gateway_state": "absent", "gateway_device_name": "gw-0105"},
        "gw-0105": {},
        "gw-0106": {"gateway_state": "Absent"},
        "gw-0107": {"gateway_auth_type": "regnwl"},
    }
    run = operate("add_devices", platform, fleet(tmp_path, own), tmp_path)
    failed = {host for host, stats in run.stats.items() if stats["failures"]}
    assert failed == {"gw-0105", "gw-0106"}, "one has the name of another host, and the state of one is misspelt"
    assert "gateway_state: 'Absent' is not for this playbook" in run.result("gw-0106")["msg"]
    assert called(platform, "RegisterDevice") == ["gw-0101"]


def test_a_host_without_a_product_fails_and_the_others_go_on(platform: Emulator, tmp_path: Path) -> None:
    lacking: JSON = {
        "missing": {},
        "empty": {"gateway_product_key": ""},
        "null": {"gateway_product_key": None},
        "template": {"gateway_product_key": "{{ nothing | default('') }}"},
    }
    hosts = fleet(tmp_path, {"gw-0101": {"gateway_product_key": PRODUCT_KEY}, **lacking})
    del hosts["gateways"]["vars"]["gateway_product_key"]
    run = operate("add_devices", platform, hosts, tmp_path)
    assert run.rc != 0
    assert {host for host, stats in run.stats.items() if stats["failures"]} == set(lacking)
    assert all("gateway_product_key" in run.result(host)["msg"] for host in lacking)
    assert called(platform, "RegisterDevice") == ["gw-0101"]


def test_it_needs_an_account(platform: Emulator, tmp_path: Path) -> None:
    run = run_playbook("fleetops.aliyun_iot.add_devices", fleet(tmp_path, 1), tmp_path, env=ENV)
    assert run.rc != 0
    result = run.result("gw-0001")
    assert "platform_access_key_id" in result["msg"]
    assert result["msg"].endswith("See the troubleshooting guide: credential")
    assert result["error"]["kind"] == "credential"


def test_only_a_result_of_fleet_devices_has_errors_of_hosts(tmp_path: Path) -> None:
    task = {"fleetops.aliyun_iot.fleet_report": {"variable": "found"}}
    for found in (
        {"errors": {"gw-0001": "no"}, "refused": {"gw-0001": "no"}},
        {"errors": {"gw-0001": {}}, "refused": {}},
    ):
        play: JSON = {"hosts": "gateways", "gather_facts": False, "vars": {"found": found}, "tasks": [task]}
        run = run_playbook(play, fleet(tmp_path, 1), tmp_path, env=ENV)
        assert "found' is not a result of" in run.result("gw-0001")["msg"], run


def test_a_share_of_the_quotas_is_for_every_call(platform: Emulator, tmp_path: Path) -> None:
    run = operate("add_devices", platform, fleet(tmp_path, 1), tmp_path, platform_qps_share=0.5)
    assert run.rc == 0, run
    refused = operate("add_devices", platform, fleet(tmp_path, 1), tmp_path, platform_qps_share=2)
    assert refused.rc != 0
    assert "platform_qps_share: 2.0 is out of range" in refused.result("gw-0001")["msg"]


def test_a_command_that_refuses_a_host_fails(platform: Emulator, tmp_path: Path) -> None:
    """A command that refuses a host fails, because no other task reports the host; it still adds the other devices."""
    hosts = fleet(tmp_path, {"gw-0101": {}, "gw-0102": {"gateway_device_name": "no one"}})
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    (tmp_path / "account.json").write_text(json.dumps(account(platform)))
    command = [str(Path(sys.executable).with_name("ansible")), "-i", "hosts.json", "-e", "@account.json"]
    command += ["-m", "fleetops.aliyun_iot.fleet_devices", "-a", "state=present"]
    for pattern, succeeds in (("gw-0102", False), ("gateways", False), ("gw-0101", True)):
        ended = subprocess.run(
            [*command, pattern],
            check=False,
            cwd=tmp_path,
            env={**environment_of(tmp_path), **ENV},
            capture_output=True,
            text=True,
            timeout=300,
        )
        told = ended.stdout + ended.stderr
        assert (ended.returncode == 0) is succeeds, told
        assert ("gw-0102: " in told) is not succeeds, told
    assert on_platform(platform) - set(names(20)) == {"gw-0101"}
