# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pass over a fleet in playbooks: the result of each host, and the effect of one host's errors on the others."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processes
import pytest
from account import KEY, TEMPORARY_KEY
from emulator import Emulator
from fleet import Size, unusable
from gateways import end_lease
from loopback import Loopback
from operations import (
    ENV,
    account,
    called,
    credential_file,
    in_service,
    left_over,
    operate,
    results,
    role_variables,
    stored_fingerprint,
    valid_fingerprint,
)
from playbook import PRODUCT_KEY, Run, inventory, names, run_playbook, start_playbook
from shells import write_script

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
FORKS = {**ENV, "ANSIBLE_SSH_RETRIES": "0"}


def provision(hosts: JSON, tmp_path: Path, *arguments: str, env: JSON = None) -> Run:
    """Run provision as in everyday use: gateways that are up to date are not reported."""
    return run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, *arguments, env={**FORKS, **(env or {})})


def reported(run: Run) -> dict[str, list[str]]:
    """Return the status of each report, by host."""
    told = {
        host: [each["status"] for each in tasks if each["action"].endswith(".fleet_report")]
        for host, tasks in run.results.items()
    }
    return {host: statuses for host, statuses in told.items() if statuses}


def test_an_everyday_run_reports_what_was_not_right(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(4, tmp_path, **role_variables(platform))
    first = provision(hosts, tmp_path)
    assert (first.rc, reported(first)) == (0, {host: ["ok"] for host in names(4)}), first
    assert left_over(tmp_path, names(4)) == {}
    for host in names(4):
        assert stored_fingerprint(tmp_path, host) == valid_fingerprint(platform, host)
    again = provision(hosts, tmp_path)
    assert (again.rc, again.changed, reported(again)) == (0, 0, {}), again
    credential_file(tmp_path, "gw-0003").unlink()
    third = provision(hosts, tmp_path)
    assert (third.rc, reported(third)) == (0, {"gw-0003": ["ok"]}), third
    assert third.stats["gw-0003"]["changed"] == 1
    assert results(third, "gw-0003")[0]["reason"] == "missing"
    every = provision(hosts, tmp_path, "-e", "gateway_report=all")
    assert reported(every) == {host: ["ok"] for host in names(4)}, every
    assert len(called(platform, "register")) == 5


def test_a_diff_is_returned_in_diff_mode_alone(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(1, tmp_path, **role_variables(platform))
    role = [{"hosts": "gateways", "gather_facts": False, "roles": ["fleetops.aliyun_iot.gateway"]}]
    for arguments in ([], ["--diff"]):
        for playbook, action in (("fleetops.aliyun_iot.provision", "fleet_report"), (role, "gateway_credential")):
            credential_file(tmp_path, "gw-0001").unlink(missing_ok=True)
            run = run_playbook(playbook, hosts, tmp_path, *arguments, env=FORKS)
            [result] = results(run, "gw-0001", action)
            assert (result["reason"], "diff" in result) == ("missing", bool(arguments)), run


def test_a_host_that_no_pass_processed_is_not_up_to_date(platform: Emulator, tmp_path: Path) -> None:
    """A host is not up to date after a pass that did nothing because too many had failed, although a user's play may go on."""
    hosts = inventory(4, tmp_path, **role_variables(platform))
    hosts["gateways"]["hosts"]["gw-0001"]["gateway_mode"] = "rw"
    batch = {"run_once": True, "delegate_to": "localhost", "register": "gateway_fleet"}
    tasks: JSON = [
        {"fleetops.aliyun_iot.fleet_credentials": {"most_failed": 0}, **batch},
        {"fleetops.aliyun_iot.fleet_report": {}},
    ]
    play = {"hosts": "gateways", "gather_facts": False, "serial": [2, 2], "tasks": tasks}
    run = run_playbook(play, hosts, tmp_path, env=ENV)
    assert run.rc == 2, run
    assert [host for host, stats in run.stats.items() if stats["failures"]] == ["gw-0001", "gw-0003", "gw-0004"], run
    for host in ("gw-0003", "gw-0004"):
        assert "did not process this host, because too many gateways had failed" in run.result(host)["msg"]
        assert not credential_file(tmp_path, host).exists()


def test_variables_of_a_host_see_its_batch(platform: Emulator, tmp_path: Path) -> None:
    seen = (
        "{{ ansible_play_hosts_all | length }}-{{ ansible_play_hosts | length }}-{{ ansible_play_batch | join('+') }}"
    )
    own = {host: {"gateway_path": f"{tmp_path}/{seen}-{host}.json"} for host in names(4)}
    play = {
        "hosts": "gateways",
        "gather_facts": False,
        "serial": 2,
        "tasks": [{"fleetops.aliyun_iot.fleet_credentials": {}, "run_once": True}],
    }
    run = run_playbook(play, inventory(own, tmp_path, **role_variables(platform)), tmp_path, env=FORKS)
    assert run.rc == 0, run
    batches = {host: "+".join(names(4)[start : start + 2]) for start in (0, 2) for host in names(4)[start : start + 2]}
    assert sorted(path.name for path in tmp_path.glob("4-*.json")) == [
        f"4-4-{batch}-{host}.json" for host, batch in batches.items()
    ]


def test_trouble_of_one_gateway_is_its_own(platform: Emulator, tmp_path: Path) -> None:
    hanging = write_script(tmp_path / "hangs", "kill -9 $PPID; exit 1")
    hosts = inventory(
        {
            "gw-0001": {},
            "gw-0002": {"gateway_path": "{{ nobody_said_where }}/device.json"},
            "gw-0003": UNREACHABLE,
            "gw-0004": {"ansible_connection": "fleetops.nowhere.plugin"},
            "gw-0005": {"gateway_device_name": "gw-0006"},
            "gw-0006": {},
            "gw-0007": {
                "ansible_become": True,
                "ansible_become_method": "sudo",
                "ansible_become_user": "nobody",
                "ansible_become_exe": "/nowhere/sudo",
            },
            "gw-0008": {"ansible_shell_executable": str(hanging)},
            "gw-0009": {"gateway_mode": "rw"},
            "gw-0010": {},
            "gw-0011": {"ansible_python_interpreter": "{{ nobody_said_which }}"},
            "gw-0012": {"gateway_product_secret": "s3cr{{ etVALUE"},
            "gw-0013": {"gateway_proxy": "http://user:s3cr{%25etVALUE@proxy:3128"},
            "gw-0014": {"gateway_timeout": "inf"},
        },
        tmp_path,
        **role_variables(platform),
    )
    run = provision(hosts, tmp_path)
    assert run.rc in (2, 4), run
    right = {"gw-0001", "gw-0010"}
    assert set(called(platform, "register")) == right
    assert {host for host in hosts["gateways"]["hosts"] if credential_file(tmp_path, host).exists()} == right
    unreachable = {host for host, stats in run.stats.items() if stats["unreachable"]}
    failed = {host for host, stats in run.stats.items() if stats["failures"]}
    assert unreachable == {"gw-0003"}, run
    assert failed == hosts["gateways"]["hosts"].keys() - right - unreachable, run
    said = {host: str(run.result(host)["msg"]) for host in failed}
    assert "gateway_path" in said["gw-0002"]
    assert "nobody_said_where" in said["gw-0002"]
    assert "fleetops.nowhere.plugin" in said["gw-0004"]
    assert "left to a task of its own" in " ".join((run.stdout + run.stderr).split())
    for host in ("gw-0005", "gw-0006"):
        assert "gw-0005, gw-0006" in said[host]
    assert "mode" in said["gw-0009"]
    assert "ansible_python_interpreter of this host cannot be evaluated: 'nobody_said_which'" in said["gw-0011"]
    assert "gateway_product_secret of this host cannot be evaluated" in said["gw-0012"]
    assert "gateway_proxy" in said["gw-0013"]
    assert "etVALUE" not in run.stdout + run.stderr + "".join(said.values())
    assert "gateway_timeout" in said["gw-0014"]


IMPOSSIBLE: list[tuple[JSON, str]] = [
    ({"at_once": -1}, "at_once: -1 is out of range"),
    ({"connections": 0}, "connections: 0 is out of range"),
    ({"fleet_size": -5}, "fleet_size: -5 is out of range"),
    ({"looked": {"gw-0001": 5}}, "looked: has no result for gw-0001"),
    ({"most_failed": "x"}, "most_failed: 'x' is not a percentage"),
    ({"recover": True, "state": "present"}, "state: cannot be combined with recover"),
]


def test_options_of_a_pass_that_cannot_be(tmp_path: Path) -> None:
    once = {"run_once": True, "ignore_errors": True}
    tasks: JSON = [{"fleetops.aliyun_iot.fleet_credentials": options, **once} for options, _says in IMPOSSIBLE]
    play = {"hosts": "gateways", "gather_facts": False, "tasks": tasks}
    run = run_playbook(play, inventory(1, tmp_path), tmp_path)
    for (_options, says), told in zip(IMPOSSIBLE, run.results["gw-0001"], strict=True):
        assert (told["status"], told["result"]["error"]["kind"]) == ("failed", "invalid_option"), run
        assert says in told["result"]["msg"]


def test_a_refused_host_registers_nothing_though_its_lease_is_to_be_withdrawn(
    platform: Emulator, tmp_path: Path
) -> None:
    hosts = inventory(2, tmp_path, **role_variables(platform))
    once = {"run_once": True, "delegate_to": "localhost"}
    options = {"refused": {"gw-0001": "no"}, "withdraw": ["gw-0001"], "continues": {"gw-0002": {}}}
    tasks: JSON = [{"fleetops.aliyun_iot.fleet_credentials": options, "register": "found", **once}]
    run = run_playbook({"hosts": "gateways", "gather_facts": False, "tasks": tasks}, hosts, tmp_path, env=ENV)
    result = run.result("gw-0001")
    assert (result["gateways"]["gw-0001"]["msg"][:3], result["counts"]["failed"]) == ("no.", 1), run
    assert called(platform, "register") == ["gw-0002"]
    assert not credential_file(tmp_path, "gw-0001").exists()


@pytest.mark.parametrize("shares", ["gateway_path", "gateway_device_name"])
def test_the_device_and_the_file_of_a_host_that_an_earlier_task_refused_are_for_no_other(
    platform: Emulator, tmp_path: Path, shares: str
) -> None:
    """Otherwise the pass, which does not look at this host, would give them to another one."""
    in_service(platform, tmp_path, "gw-0001")
    stored = credential_file(tmp_path, "gw-0001").read_text()
    path = str(credential_file(tmp_path, "gw-0001"))
    other = {"gateway_path": path} if shares == "gateway_path" else {shares: "gw-0001"}
    hosts = inventory({"gw-0001": {}, "gw-0002": other, "gw-0003": {}}, tmp_path, **role_variables(platform))
    options = {"refused": {"gw-0001": "not today"}}
    task = {"fleetops.aliyun_iot.fleet_credentials": options, "run_once": True, "delegate_to": "localhost"}
    run = run_playbook({"hosts": "gateways", "gather_facts": False, "tasks": [task]}, hosts, tmp_path, env=ENV)
    gateways = run.result("gw-0001")["gateways"]
    kind = "shared_place" if shares == "gateway_path" else "shared_name"
    assert called(platform, "register") == ["gw-0003"], run
    assert credential_file(tmp_path, "gw-0001").read_text() == stored
    # No command may process the refused host alone either.
    assert {host: gateways[host]["error"]["kind"] for host in ("gw-0001", "gw-0002")} == {
        "gw-0001": kind,
        "gw-0002": kind,
    }


def test_gateways_that_have_no_results_are_refused_by_name(tmp_path: Path) -> None:
    options = {"state": "present", "gateways": {"gw-0001": None}}
    tasks = [{"fleetops.aliyun_iot.fleet_devices": options, "run_once": True}]
    run = run_playbook({"hosts": "gateways", "gather_facts": False, "tasks": tasks}, inventory(1, tmp_path), tmp_path)
    assert (run.rc, run.result("gw-0001")["error"]["kind"]) == (2, "invalid_option"), run
    assert "gateways: has no result for gw-0001" in run.result("gw-0001")["msg"]


def test_a_third_of_the_fleet_does_not_answer(platform: Emulator, tmp_path: Path) -> None:
    """A gateway that does not answer is tried once and shown as unreachable."""
    gone = {"ansible_connection": "tripwire"}
    own = {host: gone if number % 3 == 0 else {} for number, host in enumerate(names(9))}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    plugins = Path(__file__).parents[1] / "support/connection_plugins"
    tripped = tmp_path / "tripped"
    env = {"ANSIBLE_CONNECTION_PLUGINS": str(plugins), "TRIPWIRE_FILE": str(tripped)}
    run = provision(hosts, tmp_path, env=env)
    assert run.rc == 4, run
    assert {host for host, stats in run.stats.items() if stats["unreachable"]} == {
        host for host, variables in own.items() if variables
    }
    assert sorted(called(platform, "register")) == [host for host, variables in own.items() if not variables]
    assert tripped.read_text().count("used") == 3


def test_names_of_hosts_that_are_no_patterns(platform: Emulator, tmp_path: Path) -> None:
    """Hosts may be named by MAC addresses, in batches and in one, although Ansible splits patterns at colons."""
    wanted = {
        "AA:BB:CC:DD:EE:01": "AA:BB:CC:DD:EE:01",
        "AA:BB:CC:DD:EE:02": "AA:BB:CC:DD:EE:02",
        "gw 1": "gw-0001",
        "gw,2": "gw-0002",
        "!gw-0007": "gw-0003",
        "&gw-0007": "gw-0004",
        "gw-000*": "gw-0005",
        "gw-0006": "gw-0006",
        "gw-0007": "gw-0007",
    }
    for device in wanted.values():
        platform.admin.put_device(PRODUCT_KEY, device)
    own = {
        host: {"gateway_device_name": device, "gateway_path": str(tmp_path / f"{device}.json")}
        for host, device in wanted.items()
    }
    hosts = inventory(own, tmp_path, **role_variables(platform))
    for serial in (2, "100%"):
        run = provision(hosts, tmp_path, "-e", json.dumps({"gateway_serial": serial}))
        assert run.rc == 0, run
        assert {host for host, stats in run.stats.items() if stats["changed"] == 1} == wanted.keys(), run
        assert "Could not match supplied host pattern" not in " ".join((run.stdout + run.stderr).split())
        # The second run repairs the modes, which takes less time than another registration.
        for device in wanted.values():
            (tmp_path / f"{device}.json").chmod(0o644)
    assert sorted(called(platform, "register")) == sorted(wanted.values())


@pytest.mark.parametrize("name", ["provision", "recover"])
def test_failures_are_reported_though_every_other_gateway_fails_later(
    platform: Emulator, tmp_path: Path, name: str
) -> None:
    """Failures are reported although all others fail later, in a task or a restart: Ansible begins no play if all hosts of one failed."""
    hosts = inventory(
        {
            "gw-0001": {"gateway_mode": "rw"},
            "gw-0002": UNREACHABLE,
            "gw-0003": {"ansible_connection": "fleetops.nowhere.plugin"},
        },
        tmp_path,
        **role_variables(platform),
    )
    # Check mode has no batches.
    for arguments, extra in (([], {}), (["--check"], {"gateway_serial": 1})):
        run = operate(name, platform, hosts, tmp_path, *arguments, **extra)
        assert run.rc != 0, run
        assert {host: (stats["failures"], stats["unreachable"]) for host, stats in run.stats.items()} == {
            "gw-0001": (1, 0),
            "gw-0002": (0, 1),
            "gw-0003": (1, 0),
        }, run
        assert "gateway_mode" in run.result("gw-0001")["msg"]
    # A run in batches cannot report these failures, and warns about them.
    batches = operate(name, platform, hosts, tmp_path, gateway_serial=1)
    said = " ".join((batches.stdout + batches.stderr).split())
    assert "2 had failed before or not answered, and will not be reported: gw-0001, gw-0002" in said, batches


def test_a_strategy_that_knows_no_single_run_is_refused(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(2, tmp_path, **role_variables(platform))
    run = provision(hosts, tmp_path, env={"ANSIBLE_STRATEGY": "free"})
    assert run.rc != 0, run
    assert "bypasses the host loop" in " ".join((run.stdout + run.stderr).split())
    assert called(platform, "register") == []


def test_nobody_becomes_root_on_the_controller(platform: Emulator, tmp_path: Path) -> None:
    """No task becomes root on the controller, although a variable of all hosts, common in inventories, overrides the keyword."""
    everybody = {"ansible_become": True, "ansible_become_user": "nobody", "ansible_become_exe": "/nowhere/sudo"}
    hosts = inventory(1, tmp_path, **role_variables(platform), ansible_become=False)
    fleet = {"all": {"vars": everybody, "children": hosts}}
    extra = {"provision": {"platform_product_name": "Bakeries"}, "audit": {"audit_report": f"{tmp_path}/audit.json"}}
    for name in ("provision", "audit", "reprovision", "recover", "decommission"):
        run = operate(name, platform, fleet, tmp_path, target="gateways", **extra.get(name, {}))
        assert run.rc == 0, run
    # In check mode, the emulator need not start.
    for state, check in (("started", True), ("absent", False)):
        variables = {"emulator_state": state, "emulator_state_dir": f"{tmp_path}/emulator"}
        play = {"hosts": "localhost", "gather_facts": False, "become": False, "vars": variables}
        run = run_playbook({**play, "roles": ["fleetops.aliyun_iot.emulator"]}, fleet, tmp_path, check=check)
        assert run.rc == 0, run


@pytest.mark.parametrize("name", ["provision", "audit", "decommission", "recover", "reprovision"])
def test_tags_do_not_leave_the_work_out(platform: Emulator, tmp_path: Path, name: str) -> None:
    hosts = inventory(2, tmp_path, **role_variables(platform))
    run = operate(name, platform, hosts, tmp_path, "--tags", "certificates", target="gateways")
    assert run.rc != 0, run
    assert "has no tags" in " ".join(run.stderr.split())
    assert platform.admin.requests() == []


def test_tags_of_the_users_own(platform: Emulator, tmp_path: Path) -> None:
    """A tag includes or skips an imported playbook as a whole, and a tag that no task has skips nothing."""
    hosts = inventory(2, tmp_path, **role_variables(platform))
    own = {"hosts": "gateways", "gather_facts": False, "tags": "own", "tasks": [{"ansible.builtin.meta": "noop"}]}
    site = [{"import_playbook": "fleetops.aliyun_iot.provision", "tags": "iot"}, own]
    left_out = run_playbook(site, hosts, tmp_path, "--tags", "own", env=FORKS)
    assert (left_out.rc, called(platform, "register")) == (0, []), left_out
    taken = run_playbook(site, hosts, tmp_path, "--tags", "iot", env=FORKS)
    assert (taken.rc, sorted(called(platform, "register"))) == (0, names(2)), taken
    credential_file(tmp_path, "gw-0001").unlink()
    skipped = operate("provision", platform, hosts, tmp_path, "--skip-tags", "nobody")
    assert (skipped.rc, skipped.changed) == (0, 1), skipped


def test_tags_for_a_playbook_by_its_path(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(1, tmp_path, **role_variables(platform))
    by_path = str(Path(__file__).parents[2] / "playbooks/../playbooks/provision.yml")
    run = run_playbook(by_path, hosts, tmp_path, "--tags", "certificates", env=FORKS)
    assert run.rc != 0, run
    assert "has no tags" in " ".join(run.stderr.split())


FOR_ONE_HOST: list[tuple[JSON, str]] = [
    ({}, "run_once"),
    ({"run_once": True, "become_user": "{{ somebody }}"}, "become_user"),
    ({"run_once": True, "port": "{% if true %}22{% endif %}"}, "port"),
    ({"run_once": True, "delegate_to": "gw-0002"}, "delegate_to"),
    ({"run_once": True, "until": "it.counts.failed == 0", "register": "it"}, "until: is not possible"),
    ({"run_once": True, "retries": 2}, "until: is not possible"),
]


def test_a_task_that_would_be_right_for_one_host_alone(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(2, tmp_path, **role_variables(platform), somebody="root")
    always = {"fleetops.aliyun_iot.fleet_credentials": {}, "delay": 0, "ignore_errors": True}
    tasks: JSON = [{**always, **keywords} for keywords, _says in FOR_ONE_HOST]
    run = run_playbook({"hosts": "gateways", "gather_facts": False, "tasks": tasks}, hosts, tmp_path)
    for (_keywords, says), told in zip(FOR_ONE_HOST, run.results["gw-0001"], strict=True):
        assert told["status"] == "failed", run
        assert says in str(told["result"]["msg"])
    assert called(platform, "register") == []


WRONG = {
    "port": {"ansible_connection": "ssh", "ansible_port": "x"},
    "plugin": {"ansible_connection": "nosuch"},
    "number": {"ansible_connection": 5},
    "undefined": {"ansible_connection": "ssh", "ansible_port": "{{ nothing }}"},
    "become": {"ansible_become": True, "ansible_become_method": "nosuch"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_connection_of_the_first_gateway_cannot_be_made(platform: Emulator, tmp_path: Path, wrong: str) -> None:
    """A connection that cannot be made fails its gateway alone, even the first one; the run processes the other."""
    hosts = inventory({"gw-0001": WRONG[wrong], "gw-0002": {}}, tmp_path, **role_variables(platform))
    run = operate("provision", platform, hosts, tmp_path)
    assert run.rc == 2, run
    assert {host for host, stats in run.stats.items() if stats["failures"]} == {"gw-0001"}
    assert stored_fingerprint(tmp_path, "gw-0002") == valid_fingerprint(platform, "gw-0002")

    report = tmp_path / "audit.json"
    run = operate("audit", platform, hosts, tmp_path, audit_report=str(report))
    found = {each["gateway"]: each["finding"] for each in json.loads(report.read_text()) if each["gateway"]}
    assert found == {"gw-0001": "failed", "gw-0002": "ok"}, run

    run = operate("decommission", platform, hosts, tmp_path, target="gateways")
    assert {host for host, stats in run.stats.items() if stats["failures"]} == {"gw-0001"}
    assert not credential_file(tmp_path, "gw-0002").exists(), run


def test_facts_of_the_first_gateway_say_nothing_of_the_others(platform: Emulator, tmp_path: Path) -> None:
    """Facts of the first host, maybe compromised, affect no other, although its variables template the options of the pass."""
    hosts = inventory(2, tmp_path, **role_variables(platform))
    facts = {"gateway_names": {"gateways": {"gw-0002": {"unreachable": True, "msg": "not there"}}}, "cacheable": True}
    first = {
        "hosts": "gw-0001",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.set_fact": facts}],
    }
    run = run_playbook([first, {"import_playbook": "fleetops.aliyun_iot.provision"}], hosts, tmp_path, env=FORKS)
    assert run.rc == 2, run
    assert "gateway_names, which only the inventory may set" in " ".join((run.stdout + run.stderr).split())
    assert not run.stats.get("gw-0002", {}).get("unreachable")
    assert called(platform, "register") == []


@pytest.mark.parametrize("shared", ["name", "place"])
def test_two_hosts_that_are_left_to_tasks_share_no_device_and_no_file(
    platform: Emulator, tmp_path: Path, shared: str
) -> None:
    """Hosts that are left to tasks, because the first host's password replaced the typed one, are compared with each other."""
    path = str(credential_file(tmp_path, "gw-0009"))
    same = {"gateway_device_name": "gw-0009"} if shared == "name" else {"gateway_path": path}
    own: JSON = {"gw-0001": {"ansible_become_password": "of-its-own"}, "gw-0002": same, "gw-0003": same}
    (tmp_path / "typed").write_text("typed")
    run = provision(inventory(own, tmp_path, **role_variables(platform)), tmp_path, "--become-password-file", "typed")
    assert run.rc == 2, run
    assert called(platform, "register") == ["gw-0001"]
    assert {run.result(host)["error"]["kind"] for host in ("gw-0002", "gw-0003")} == {f"shared_{shared}"}


def test_a_failed_handler_runs_again_for_a_host_that_is_left_to_a_task(platform: Emulator, tmp_path: Path) -> None:
    """A handler that failed runs again for a host that is left to a task, because its become password was typed in."""
    own: JSON = {"gw-0001": {"ansible_become_password": "of-its-own"}, "gw-0002": {}}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    (tmp_path / "typed").write_text("typed")
    broken, ran = tmp_path / "broken", tmp_path / "ran"
    batch = {"run_once": True, "delegate_to": "localhost", "register": "gateway_fleet"}
    play = {
        "hosts": "gateways",
        "gather_facts": False,
        "tasks": [
            {"fleetops.aliyun_iot.fleet_credentials": {}, **batch},
            {"ansible.builtin.import_role": {"name": "fleetops.aliyun_iot.gateway", "tasks_from": "report"}},
        ],
        "handlers": [
            {
                "ansible.builtin.raw": f"echo {{{{ inventory_hostname }}}} >> {ran}; [ ! -e {broken} ]",
                "listen": "Gateway credential changed",
            }
        ],
    }

    def run() -> Run:
        return run_playbook(play, hosts, tmp_path, "--become-password-file", "typed", env=FORKS)

    broken.touch()
    first = run()
    assert (first.rc, sorted(ran.read_text().split())) == (2, names(2)), first
    broken.unlink()
    assert run().rc == run().rc == 0
    assert sorted(ran.read_text().split()) == sorted(2 * names(2))


def test_a_pass_in_check_mode_is_reported_as_one_by_a_task_that_is_not(platform: Emulator, tmp_path: Path) -> None:
    """No host counts as changed, no handler runs, and a host that is left to its task is only looked at there."""
    own: JSON = {"gw-0001": {"ansible_become_password": "of-its-own"}, "gw-0002": {}}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    (tmp_path / "typed").write_text("typed")
    ran, report = tmp_path / "ran", tmp_path / "report.html"
    batch = {"run_once": True, "delegate_to": "localhost"}
    play = {
        "hosts": "gateways",
        "gather_facts": False,
        "tasks": [
            {"fleetops.aliyun_iot.fleet_credentials": {}, "register": "gateway_fleet", "check_mode": True, **batch},
            {"fleetops.aliyun_iot.run_report": {"dest": str(report)}, **batch},
            {"fleetops.aliyun_iot.fleet_report": {}, "notify": "Note the host"},
        ],
        "handlers": [{"name": "Note the host", "ansible.builtin.raw": f"echo {{{{ inventory_hostname }}}} >> {ran}"}],
    }
    run = run_playbook(play, hosts, tmp_path, "--become-password-file", "typed", env=FORKS)
    assert run.rc == 0, run
    assert "gw-0002: left to a task" in run.stderr
    for host in names(2):
        [result] = results(run, host)
        assert (result["changed"], result["reason"]) == (False, "missing")
    assert called(platform, "register") == []
    assert not ran.exists()
    assert "check mode" in json.loads(report.with_suffix(".json").read_text())["run"]["mode"]


def changed_ansible(tmp_path: Path, lines: str) -> dict[str, str]:
    """Return the environment in which Ansible runs these lines at its start."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(lines)
    return {"PYTHONPATH": str(site)}


def test_what_a_pass_cannot_do_a_task_of_the_host_does(platform: Emulator, tmp_path: Path) -> None:
    """A task of the host takes over if the pass itself fails, here because ansible-core lacks a feature."""
    hosts = inventory(2, tmp_path, **role_variables(platform))
    broken = changed_ansible(
        tmp_path,
        "import ansible.executor.task_executor as made\n"
        "whole = made.TaskExecutor.__new__\n"
        "def new(kind, *arguments, **keywords):\n"
        "    if not arguments and not keywords:\n"
        "        raise RuntimeError('made for threads')\n"
        "    return object.__new__(kind)\n"
        "made.TaskExecutor.__new__ = staticmethod(new)\n",
    )
    run = provision(hosts, tmp_path, env=broken)
    assert run.rc == 0, run
    assert sorted(called(platform, "register")) == names(2)
    assert {host: results(run, host)[0]["reason"] for host in names(2)} == dict.fromkeys(names(2), "missing")
    told = " ".join((run.stdout + run.stderr).split())
    # One warning for all hosts with the same cause, of which there may be thousands.
    assert "gw-0001, gw-0002: each is left to a task of its own, which takes longer: RuntimeError at " in told
    assert "gw-0001, gw-0002: their devices or their files were not compared with those of the other hosts: " in told
    assert "made for threads" not in told
    again = provision(hosts, tmp_path, env=broken)
    assert (again.rc, again.changed) == (0, 0), again


def test_a_pass_that_fails_in_the_middle_keeps_the_results_so_far(platform: Emulator, tmp_path: Path) -> None:
    """A host that was registered is reported as changed, so that its handlers run; here the controller cannot start a thread."""
    hosts = inventory(3, tmp_path, **role_variables(platform))
    broken = changed_ansible(
        tmp_path,
        "from concurrent.futures.thread import ThreadPoolExecutor\n"
        "whole = ThreadPoolExecutor.submit\n"
        "calls = []\n"
        "def submit(pool, *arguments):\n"
        "    calls.append(arguments)\n"
        "    if len(calls) == 6:\n"
        "        raise RuntimeError('no thread')\n"
        "    return whole(pool, *arguments)\n"
        "ThreadPoolExecutor.submit = submit\n",
    )
    run = provision(hosts, tmp_path, "-e", "gateway_throttle=1", env=broken)
    assert run.rc == 0, run
    assert called(platform, "register") == names(3)
    assert {host: results(run, host)[0]["reason"] for host in names(3)} == dict.fromkeys(names(3), "missing")
    told = " ".join((run.stdout + run.stderr).split())
    assert "gw-0003: left to a task of its own, which takes longer: RuntimeError at " in told
    assert "gw-0001: left" not in told


def test_two_accounts_two_products_two_endpoints(platform: Emulator, tmp_path: Path) -> None:
    """The variables of the first host do not apply to the others."""
    other_product = "a1IoKTestP9"
    platform.admin.put_product(other_product, product_secret="otherSecret01")
    here = account(platform)
    elsewhere = {
        **here,
        "platform_access_key_id": TEMPORARY_KEY.id,
        "platform_security_token": TEMPORARY_KEY.security_token,
        "platform_access_key_secret": TEMPORARY_KEY.secret,
        "gateway_product_key": other_product,
        "gateway_product_secret": "otherSecret01",
    }
    own = {host: here if number % 2 else elsewhere for number, host in enumerate(names(3))}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    for name in names(3):
        platform.admin.delete_device(PRODUCT_KEY, name)
    run = provision(hosts, tmp_path)
    assert run.rc == 0, run
    of_product = {
        key: sorted(device["device_name"] for device in platform.admin.devices(key))
        for key in (PRODUCT_KEY, other_product)
    }
    assert [name for name in names(3) if name in of_product[PRODUCT_KEY]] == ["gw-0002"]
    assert of_product[other_product] == ["gw-0001", "gw-0003"]
    keys = {entry.get("access_key_id") for entry in platform.admin.requests() if entry.get("access_key_id")}
    assert keys <= {KEY.id, TEMPORARY_KEY.id}
    report = tmp_path / "audit.json"
    audit = run_playbook("fleetops.aliyun_iot.audit", hosts, tmp_path, "-e", f"audit_report={report}", env=FORKS)
    assert audit.rc == 0, audit
    for host in names(3):
        key = own[host].get("gateway_product_key", PRODUCT_KEY)
        platform.admin.activate(key, host)
    again = run_playbook(
        "fleetops.aliyun_iot.reprovision", hosts, tmp_path, "-e", "gateway_serial=100% gateway_verify=none", env=FORKS
    )
    assert again.rc == 0, again
    assert sorted(called(platform, "ResetThing")) == names(3)


# Interrupted runs


# "alone": only the process of ansible-playbook is killed, as when its terminal is closed.
ENDED = {"interrupted": names(9)[:3], "killed": names(9)[3:6], "alone": names(9)[6:]}


@pytest.mark.skipif(bool(unusable(Size(1))), reason=unusable(Size(1)) or "")
def test_a_pass_that_is_ended_in_the_middle(fleet: Callable[..., Loopback], platform: Emulator, tmp_path: Path) -> None:
    """After runs on parts of the fleet that were interrupted or killed, no process is left, and the next plain run converges."""
    gateways = fleet(9)
    hosts = gateways.hosts
    for name in names(9):
        platform.admin.put_device(PRODUCT_KEY, name)
    options = {
        **role_variables(platform),
        "gateway_register_from": "controller",
        "gateway_retry_time": 1,
        "gateway_timeout": 30,
        "gateway_throttle": 2,
    }
    hosts["gateways"]["vars"].update(options)
    for how, ended in ENDED.items():
        platform.admin.clear_requests()
        platform.admin.fault("register", hold_after=4, times=len(ended))
        limit = ("--limit", ",".join(ended))
        with start_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, *limit, env=FORKS) as started:
            processes.wait_for(lambda: len(called(platform, "register")) >= 2, "registrations")
            if how == "interrupted":
                for pid in processes.at_home(tmp_path):
                    if b"playbook" in processes.read(pid, "cmdline"):
                        os.kill(pid, signal.SIGINT)
            elif how == "killed":
                started.kill()
            else:
                started.process.kill()
            started.process.wait(60)
            processes.wait_for(lambda: not processes.at_home(tmp_path), "the processes of the run to end")
        assert len(called(platform, "register")) == 2, f"{how}: the pass continued"
        platform.admin.clear_faults()
        processes.wait_for(
            lambda: called(platform, "register") == called(platform, "register", processed=True), "the platform"
        )
    for name in names(9):
        journal = gateways.root(name) / "etc/aliyun-iot/.device.json.journal"
        if journal.exists():
            end_lease(journal)
    run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, env=FORKS)
    assert run.rc == 0, run
    for name in names(9):
        secret = platform.admin.device(PRODUCT_KEY, name)["device_secret"]
        assert secret in (gateways.root(name) / "etc/aliyun-iot/device.json").read_text(), name
    again = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, env=FORKS)
    assert (again.rc, again.changed) == (0, 0), again


# Names from the hardware


def test_a_gateway_without_a_credential_takes_no_other_device_with_it(platform: Emulator, tmp_path: Path) -> None:
    """A gateway named by its hardware, and in the inventory like another gateway's device, does not delete that device."""
    for name in ("gw-0001", "gw-0002"):
        in_service(platform, tmp_path, name)
    credential_file(tmp_path, "gw-0001").unlink()
    hosts = inventory(
        {
            "gw-0001": {"gateway_device_name_from": "mac"},
            "gw-0002": {**UNREACHABLE, "gateway_device_name_from": "mac"},
        },
        tmp_path,
        **role_variables(platform),
    )
    run = operate("decommission", platform, hosts, tmp_path, target="gateways", decommission_platform="delete")
    assert run.rc != 0, run
    assert {"gw-0001", "gw-0002"} <= {device["device_name"] for device in platform.admin.devices(PRODUCT_KEY)}
    assert called(platform, "DeleteDevice") == []
