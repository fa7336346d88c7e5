# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report that every playbook writes, compared with the state of the hosts and the platform."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import ENV, account, credential_file, in_service, operate, role_variables, valid_fingerprint
from playbook import PRODUCT_KEY, inventory, names, run_playbook

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")


def report_of(run_name: str, platform: Emulator, hosts: JSON, tmp_path: Path, *arguments: str, **extra: JSON) -> JSON:
    page = tmp_path / "reports" / f"{run_name}.html"
    page.parent.mkdir(exist_ok=True)
    operate(run_name, platform, hosts, tmp_path, *arguments, gateway_report_to=str(page), **extra)
    return json.loads(page.with_suffix(".json").read_text())


def outcomes(report: JSON) -> dict[str, tuple[str, str | None]]:
    return {row["gateway"]: (row["outcome"], row["reason"]) for row in report["gateways"]}


def test_a_fleet_in_reports(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(4, tmp_path, **role_variables(platform))
    members = hosts["all"]["children"]["gateways"]["hosts"] if "all" in hosts else hosts["gateways"]["hosts"]
    members["gw-0004"]["gateway_device_name"] = "no one"
    first = report_of("provision", platform, hosts, tmp_path)
    assert outcomes(first) == {
        **dict.fromkeys(("gw-0001", "gw-0002", "gw-0003"), ("changed", "missing")),
        "gw-0004": ("failed", None),
    }
    rows = {row["gateway"]: row for row in first["gateways"]}
    assert rows["gw-0001"]["fingerprint"] == valid_fingerprint(platform, "gw-0001")
    assert rows["gw-0001"]["path"] == str(credential_file(tmp_path, "gw-0001"))
    assert (rows["gw-0004"]["error"], first["before"]) == ("invalid_option", None)
    assert rows["gw-0004"]["command"].endswith(" fleetops.aliyun_iot.provision --limit gw-0004")
    assert (first["run"]["playbook"], first["run"]["mode"]) == ("provision", "")

    credential_file(tmp_path, "gw-0002").unlink()
    del members["gw-0004"]["gateway_device_name"]
    looked = report_of("provision", platform, hosts, tmp_path, "--check")
    assert "check mode" in looked["run"]["mode"]
    second = report_of("provision", platform, hosts, tmp_path, gateway_serial=1)
    assert outcomes(second) == {
        **dict.fromkeys(("gw-0001", "gw-0003"), ("ok", "up_to_date")),
        **dict.fromkeys(("gw-0002", "gw-0004"), ("changed", "missing")),
    }, "batches are one report"
    folder = tmp_path / "reports"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    with (folder / "provision.csv").open(newline="") as file:
        assert {row["gateway"]: row["outcome"] for row in csv.DictReader(file)} == {
            name: outcome for name, (outcome, _reason) in outcomes(second).items()
        }
    secrets = [platform.admin.device(PRODUCT_KEY, f"gw-000{number}")["device_secret"] for number in range(1, 5)]
    written = "".join(path.read_text() for path in folder.iterdir())
    assert not [secret for secret in secrets if secret in written]


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("provision", {}),
        ("provision", {"gateway_serial": 2}),
        ("recover", {}),
        ("reprovision", {}),
        ("decommission", {"target": "gateways"}),
        ("audit", {}),
    ],
    ids=str,
)
def test_a_report_that_cannot_be_written_takes_no_result_with_it(
    platform: Emulator, tmp_path: Path, name: str, extra: JSON
) -> None:
    """Every host is reported, with its handlers, and the run fails after that. The folder is removed during the pass, like a full disk."""
    folder = tmp_path / "reports"
    folder.mkdir()
    gone = f"{{{{ lookup('ansible.builtin.pipe', 'rm -rf {folder}') }}}}"  # and returns an empty owner
    hosts = inventory(3, tmp_path, **role_variables(platform), gateway_owner=gone)
    for host in names(3):
        in_service(platform, tmp_path, host)
        if name in ("provision", "recover"):
            credential_file(tmp_path, host).unlink()
        if name == "provision":
            platform.admin.reset(PRODUCT_KEY, host)
    run = operate(name, platform, hosts, tmp_path, gateway_report_to=str(folder / "run.html"), **extra)
    assert run.rc == 2, run
    changed = [] if name == "audit" else names(3)
    assert [host for host, stats in run.stats.items() if stats["changed"]] == changed, run
    assert f"is in a directory that does not exist. Create {folder}" in run.stdout.rpartition("TASK [")[2], run


def test_a_host_that_is_left_to_a_task_of_its_own_is_reported_with_the_cause(
    platform: Emulator, tmp_path: Path
) -> None:
    """The report names the cause, and states that it lacks the result of the host's task, which fails afterwards."""
    hosts = inventory(
        {"gw-0001": {"ansible_connection": "nowhere.at.all"}, "gw-0002": {}}, tmp_path, **role_variables(platform)
    )
    rows = {row["gateway"]: row for row in report_of("provision", platform, hosts, tmp_path)["gateways"]}
    assert rows["gw-0001"]["outcome"] == "left"
    assert rows["gw-0001"]["message"].startswith("processed by a task of its own, whose result is not in this report: ")
    assert "nowhere.at.all" in rows["gw-0001"]["message"]


def test_a_report_that_lacks_a_batch_fails_the_run(platform: Emulator, tmp_path: Path) -> None:
    """The run fails even if the folder of the report is writable again when the last batch writes."""
    folder = tmp_path / "reports"
    folder.mkdir()
    command = f"('rm -rf ' if inventory_hostname == 'gw-0001' else 'mkdir -p ') ~ '{folder}'"
    owner = f"{{{{ lookup('ansible.builtin.pipe', {command}) }}}}"  # which returns an empty owner
    hosts = inventory(3, tmp_path, **role_variables(platform), gateway_owner=owner)
    for host in names(3):
        in_service(platform, tmp_path, host)
    extra = {"target": "gateways", "gateway_serial": 1, "gateway_report_to": str(folder / "run.html")}
    run = operate("decommission", platform, hosts, tmp_path, **extra)
    assert [host for host, stats in run.stats.items() if stats["changed"]] == names(3), run
    rows = json.loads((folder / "run.json").read_text())["gateways"]
    assert [row["gateway"] for row in rows] == names(3)[1:], run
    assert run.rc == 2, run
    assert f"Create {folder}" in run.stdout.rpartition("TASK [")[2], run


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("provision", {}),
        ("provision", {"target": "gw-*"}),
        ("provision", {"target": ["gw-0002", "gw-0001"]}),
        ("recover", {}),
        ("reprovision", {}),
        ("decommission", {"target": "gateways"}),
        ("audit", {}),
    ],
    ids=str,
)
@pytest.mark.parametrize("writable", [True, False])
def test_a_place_of_the_inventory_that_cannot_be_written_fails_the_run_at_its_end(
    platform: Emulator, tmp_path: Path, name: str, extra: JSON, writable: bool
) -> None:
    page = tmp_path / ("run.html" if writable else "nowhere/run.html")
    hosts = inventory(2, tmp_path, **role_variables(platform), gateway_report_to=str(page))
    for host in names(2):
        in_service(platform, tmp_path, host)
    run = operate(name, platform, hosts, tmp_path, **extra)
    if writable:
        assert (run.rc, page.exists()) == (0, True), run
    else:
        assert run.rc == 2, run
        assert f"Create {page.parent}" in run.stdout.rpartition("TASK [")[2], run


def test_a_place_that_only_the_first_batch_has_fails_the_run_at_its_end(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(4, tmp_path, **role_variables(platform))
    for host in ("gw-0001", "gw-0002"):
        hosts["gateways"]["hosts"][host]["gateway_report_to"] = "nowhere/run.html"
    run = operate("provision", platform, hosts, tmp_path, gateway_serial=2)
    assert (run.rc, [host for host, stats in run.stats.items() if stats["changed"]]) == (2, names(4)), run
    assert "Create" in run.stdout.rpartition("TASK [")[2], run


def test_a_place_of_a_group_that_the_run_is_limited_to_is_checked(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(2, tmp_path, **role_variables(platform))
    hosts["berlin"] = {"hosts": {"gw-0002": {}}, "vars": {"gateway_report_to": "nowhere/berlin.html"}}
    run = operate("provision", platform, hosts, tmp_path, "--limit", "berlin")
    assert (run.rc, run.stats["gw-0002"]["changed"]) == (2, 1), run
    assert "Create" in run.stdout.rpartition("TASK [")[2], run


def test_an_audit_and_what_follows_it_in_reports(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(2, tmp_path, **role_variables(platform), **account(platform))
    for host in ("gw-0001", "gw-0002"):
        in_service(platform, tmp_path, host)
    credential_file(tmp_path, "gw-0002").unlink()
    audit = report_of("audit", platform, hosts, tmp_path)
    found = outcomes(audit)
    assert (found["gw-0001"], found["gw-0002"]) == (("ok", "ok"), ("drift", "missing"))
    assert report_of("recover", platform, hosts, tmp_path)["counts"]["changed"] == 1
    again = report_of("reprovision", platform, hosts, tmp_path, target="gw-0001", gateway_verify="none")
    assert outcomes(again) == {"gw-0001": ("changed", "reset")}
    gone = report_of("decommission", platform, hosts, tmp_path, target="gw-0001")
    assert outcomes(gone) == {"gw-0001": ("changed", "exists")}
    assert report_of("audit", platform, hosts, tmp_path)["changes"], "compared with the audit before"


def test_a_report_in_the_home_with_a_file_whose_name_is_not_utf_8(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(2, tmp_path, **role_variables(platform))
    hosts["gateways"]["hosts"]["gw-0002"]["gateway_device_name"] = "no one"
    more = tmp_path / os.fsdecode(b"k\xe4fig.yml")
    more.write_text("site: berlin\n")
    said = ["-e", f"@{more}", "-e", "gateway_report_to=~/$SITE.html"]
    run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, *said, env={**ENV, "SITE": "berlin"})
    rows = json.loads((tmp_path / "berlin.json").read_text())["gateways"]
    assert {row["gateway"]: row["outcome"] for row in rows} == {"gw-0001": "changed", "gw-0002": "failed"}, run
    assert r"k\udce4fig.yml" in (tmp_path / "berlin.html").read_text("utf-8")


def test_a_report_of_a_run_of_several_playbooks_names_all_of_them(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(["gw-0001"], tmp_path, **role_variables(platform), gateway_device_name="no one")
    first = tmp_path / "my site.yml"
    first.write_text(json.dumps([{"hosts": "gateways", "gather_facts": False, "tasks": []}]))
    said = ["-e", f"gateway_report_to={tmp_path}/report.html", str(first)]
    run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, *said, env=ENV)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["run"]["playbook"] == "my site, provision", run
    [row] = report["gateways"]
    assert row["command"].endswith(f" '{first}' fleetops.aliyun_iot.provision --limit gw-0001")


def test_gateways_that_were_right_are_in_the_report_and_not_in_the_output(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(3, tmp_path, **role_variables(platform))
    page = tmp_path / "report.html"
    for _time in range(2):
        said = ["-e", f"gateway_report_to={page}"]
        run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, *said, env=ENV)
    told = [each["action"] for tasks in run.results.values() for each in tasks]
    assert "fleetops.aliyun_iot.fleet_report" not in told
    rows = json.loads(page.with_suffix(".json").read_text())["gateways"]
    assert {row["gateway"]: row["fingerprint"] for row in rows} == {
        host: valid_fingerprint(platform, host) for host in ("gw-0001", "gw-0002", "gw-0003")
    }


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"gateway_report_form": "x.json", "gateway_report_to": "all.html"}, "Did you mean gateway_report_from?"),
        ({"gateway_report_from": "x.json", "gateway_report_to": "nowhere/all.html"}, "Create"),
    ],
    ids=["misspelt", "place"],
)
def test_a_merge_that_cannot_be_right_ends_with_what_to_do(tmp_path: Path, extra: JSON, expected: str) -> None:
    hosts: JSON = {"all": {"hosts": {}}}
    run = run_playbook("fleetops.aliyun_iot.report_merge", hosts, tmp_path, "-e", json.dumps(extra), env=ENV)
    assert (run.rc != 0, run.stats) == (True, {}), run
    assert expected in run.stderr, run


def test_a_changed_report_of_a_slice_gets_no_command_of_the_attacker(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(
        {"gw-0001": {"gateway_device_name": "no one"}, "gw-0002": {}}, tmp_path, **role_variables(platform)
    )
    report = report_of("provision", platform, hosts, tmp_path)
    [good] = [row for row in report["gateways"] if row["gateway"] == "gw-0001"]
    begin = "ansible-playbook fleetops.aliyun_iot."
    force = f"{begin}recover -e target=gw-0002 -e gateway_recovery_force=true"
    report["gateways"] = [
        good,
        {**good, "gateway": "gw-0002", "outcome": "drift", "device_name": "gw-0009", "command": force},
        {**good, "gateway": "gateways", "command": f"{begin}provision --limit gateways"},
        {**good, "gateway": "all", "command": f"{begin}decommission --limit all"},
        {**good, "gateway": "gw-0003", "command": f"{begin}provision --limit gw-0003"},
    ]
    (tmp_path / "slice.json").write_text(json.dumps(report))
    said = ["-e", "gateway_report_from=slice.json", "-e", "gateway_report_to=fleet.html"]
    run = run_playbook("fleetops.aliyun_iot.report_merge", hosts, tmp_path, *said, env=ENV)
    assert run.rc == 0, run
    rows = {row["gateway"]: row["command"] for row in json.loads((tmp_path / "fleet.json").read_text())["gateways"]}
    again = rows.pop("gw-0001")
    assert again.startswith("ansible-playbook -i "), again
    assert again.endswith(" fleetops.aliyun_iot.provision --limit gw-0001"), again
    assert rows == dict.fromkeys(("gw-0002", "gateways", "all", "gw-0003"))


def test_a_place_that_cannot_be_written_ends_the_run_with_what_to_do(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(1, tmp_path, **role_variables(platform))
    run = run_playbook(
        "fleetops.aliyun_iot.provision", hosts, tmp_path, "-e", "gateway_report_to=nowhere/report.html", env=ENV
    )
    assert (run.rc != 0, run.stats, platform.admin.requests(action="register")) == (True, {}, []), run
    assert "Create" in run.stderr
