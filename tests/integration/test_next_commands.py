# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that a run prints, typed as they are printed: each does what it is for, to the gateways that it is for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import account, credential_file, in_service, operate, role_variables, typed
from playbook import PRODUCT_KEY, Run, inventory, mqtt_connection
from shells import write_script

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")


def audit(platform: Emulator, hosts: JSON, tmp_path: Path) -> Run:
    """Run an audit whose account is in the inventory, so that its commands need no more."""
    hosts["gateways"]["vars"] = {**hosts["gateways"].get("vars", {}), **account(platform)}
    return operate("audit", platform, hosts, tmp_path)


def printed(run: Run, finding: str) -> str:
    """Return the command of a finding as it is on the screen, in the JSON of the task."""
    [line] = re.findall(rf'^ +"{finding}: (.*)",?$', run.stdout, re.MULTILINE)
    return str(line)


def test_a_name_with_a_blank_is_that_of_one_host(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(
        {"gw 1": {"gateway_device_name": "gw-0001"}, "gw-0002": {}, "gw-0003": {}}, tmp_path, **role_variables(platform)
    )
    for host in ("gw-0001", "gw-0002", "gw-0003"):
        in_service(platform, tmp_path, host)
    (tmp_path / "gw-0001").rename(tmp_path / "gw 1")
    platform.admin.delete_device(PRODUCT_KEY, "gw-0001")
    run = audit(platform, hosts, tmp_path)
    before = len(platform.admin.requests())
    done = typed(printed(run, "not_on_platform"), tmp_path)
    assert done.returncode == 0, done
    asked = {entry["device_name"] for entry in platform.admin.requests()[before:]}
    assert asked & {"gw-0001", "gw-0002", "gw-0003"} == {"gw-0001"}, done


def test_a_device_whose_hardware_names_it_is_enabled(platform: Emulator, tmp_path: Path) -> None:
    place = tmp_path / "hardware/firmware/devicetree/base"
    place.mkdir(parents=True)
    (place / "serial-number").write_text("gw-0007\0")
    script = f'[ $# = 0 ] || exec /bin/sh "$@"\nsed "s|^sysfs=.*|sysfs={tmp_path}/hardware|" | /bin/sh'
    named: JSON = {
        "gateway_device_name_from": "serial",
        "gateway_expected_names": ["gw-0007", "gw-0008"],
        "ansible_shell_executable": str(write_script(tmp_path / "sh", script)),
    }
    hosts = inventory({"hw": named}, tmp_path, **role_variables(platform))
    in_service(platform, tmp_path, "gw-0007")
    (tmp_path / "gw-0007").rename(tmp_path / "hw")
    assert credential_file(tmp_path, "hw").exists()
    platform.admin.patch_device(PRODUCT_KEY, "gw-0007", status="DISABLE")
    command = printed(audit(platform, hosts, tmp_path), "disabled")
    unnamed = typed(command.replace(" -e gateway_device_name=gw-0007", ""), tmp_path)
    assert unnamed.returncode != 0, unnamed
    assert "gateway_device_name: is missing" in " ".join(unnamed.stdout.split()), unnamed
    assert platform.admin.device(PRODUCT_KEY, "gw-0007")["status"] == "DISABLE"
    done = typed(command, tmp_path)
    assert done.returncode == 0, done
    assert platform.admin.device(PRODUCT_KEY, "gw-0007")["status"] != "DISABLE"


def test_a_registration_after_a_reset_is_repeated_alone(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(["gw-0001"], tmp_path, **role_variables(platform))
    hosts["gateways"]["vars"] = {**hosts["gateways"].get("vars", {}), **account(platform)}
    in_service(platform, tmp_path, "gw-0001")
    platform.admin.fault(http_status=503, times="forever")
    report = tmp_path / "run.html"
    operate(
        "reprovision",
        platform,
        hosts,
        tmp_path,
        gateway_serial="100%",
        gateway_retry_time=1,
        gateway_report_to=str(report),
    )
    [row] = json.loads(report.with_suffix(".json").read_text())["gateways"]
    assert (row["outcome"], row["device_change"]) == ("failed", "reset"), row
    assert row["command"].endswith(".provision --limit gw-0001")


def test_a_token_that_is_no_longer_wanted_is_replaced(platform: Emulator, tmp_path: Path) -> None:
    """The gateway's device is activated, so it cannot register; and a recovery alone would keep the token."""
    mqtt = {f"gateway_{name}": value for name, value in mqtt_connection(platform).items()}
    with_token = inventory(["new-1"], tmp_path, **mqtt, gateway_auth_type="regnwl")
    assert operate("provision", platform, with_token, tmp_path, gateway_verify="login").rc == 0
    token = json.loads(credential_file(tmp_path, "new-1").read_text())["deviceToken"]
    platform.admin.activate(PRODUCT_KEY, "new-1")

    hosts = inventory(["new-1"], tmp_path, **role_variables(platform))
    hosts["gateways"]["vars"] = {**hosts["gateways"].get("vars", {}), **account(platform)}
    report = tmp_path / "run.html"
    assert operate("provision", platform, hosts, tmp_path, gateway_report_to=str(report)).rc == 2
    [row] = json.loads(report.with_suffix(".json").read_text())["gateways"]
    assert (row["error"], row["code"], row["reason"]) == ("refused", "6289", "identity_changed"), row
    done = typed(row["command"], tmp_path)
    assert done.returncode == 0, done
    stored = json.loads(credential_file(tmp_path, "new-1").read_text())
    assert token not in stored.values()
    assert stored["deviceSecret"] == platform.admin.device(PRODUCT_KEY, "new-1")["device_secret"]
