# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback fleet_progress, on a terminal and in a log."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyte
import pytest
from emulator import Emulator
from operations import account, credential_file, in_service, role_variables
from playbook import (
    PRODUCT_KEY,
    PRODUCT_SECRET,
    Run,
    command_of,
    environment_of,
    gateway_play,
    inventory,
    names,
    run_line,
    run_playbook,
)
from terminal import Seen, run_on_terminal, text_of

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

NEVER = "1000000"  # seconds
ENV = {
    "ANSIBLE_STDOUT_CALLBACK": "fleetops.aliyun_iot.fleet_progress",
    "ANSIBLE_FORKS": "20",
    "ANSIBLE_SSH_RETRIES": "0",
    # The number of lines must not depend on the machine's speed.
    "FLEET_PROGRESS_INTERVAL": NEVER,
}
SILENT: JSON = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
BROKEN: dict[str, JSON] = {
    "gw-0003": SILENT,
    "gw-0007": {"gateway_path": "/proc/nowhere/device.json"},
    "gw-0011": {"gateway_mode": "rw"},
    "gw-0015": {"gateway_product_key": "a1IoKTestXX"},
    "gw-0019": {"gateway_exports": [{"dest": "/nowhere/at/all.env", "format": "env"}]},
    "gw-0023": {"gateway_timeout": "ten"},
}
PROVISION = "fleetops.aliyun_iot.provision"


def fleet(platform: Emulator, tmp_path: Path, number: int, **more: JSON) -> JSON:
    for name in names(number):
        platform.admin.put_device(PRODUCT_KEY, name)
    own = {host: BROKEN.get(host, more.get(host, {})) for host in names(number)}
    return inventory(own, tmp_path, **role_variables(platform))


def logged(playbook: JSON, hosts: JSON, tmp_path: Path, *arguments: str, **env: str) -> Run:
    """Run the playbook without a terminal."""
    return run_playbook(playbook, hosts, tmp_path, *arguments, env={**ENV, **env})


def on_terminal(playbook: JSON, hosts: JSON, tmp_path: Path, **keywords: JSON) -> Seen:
    env = {**environment_of(tmp_path), **ENV, **keywords.pop("env", {})}
    return run_on_terminal(command_of(playbook, hosts, tmp_path), tmp_path, env, **keywords)


def waits_for(go: Path) -> Path:
    """Return a Python of a gateway that starts when a file exists, or after a minute."""
    program = go.with_name("waiting-python")
    program.write_text(
        f'#!/bin/sh\ntries=600\nwhile [ ! -e {go} ] && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done\nexec {sys.executable} "$@"\n'
    )
    program.chmod(0o755)
    return program


def table(text: str) -> dict[str, tuple[int, str]]:
    """Return the rows at the end: by outcome and cause, the number of hosts and the command."""
    rows: dict[str, tuple[int, str]] = {}
    last = ""
    for line in text.partition("OUTCOME")[2].splitlines()[1:]:
        if found := re.fullmatch(r"(\w[\w ]*?) +(\d+)(?:  (.*))?", line):
            word, number, cause = found.groups()
            last = ": ".join(filter(None, [word, cause]))
            rows[last] = (int(number), "")
        elif line.startswith("    ") and last:  # the command is below the advice, if there is one
            rows[last] = (rows[last][0], line.strip())
        else:
            last = ""
    return rows


def test_on_a_terminal(platform: Emulator, tmp_path: Path) -> None:
    """The view and the table are right for fifty gateways: some have a valid credential, some a wrong mode, and some are broken."""
    go = tmp_path / "go"
    waiting = {"ansible_python_interpreter": str(waits_for(go))}
    hosts = fleet(platform, tmp_path, 50, **{"gw-0001": waiting, "gw-0042": {"ansible_connection": "nowhere.at.all"}})
    for name in names(50)[23:]:
        in_service(platform, tmp_path, name)
    credential_file(tmp_path, "gw-0050").chmod(0o644)
    counted = re.compile(
        r"processed .*\d+ registered .*\d+ failed +1 not answering.* under way\n +gw-00\d\d \S", re.DOTALL
    )

    def release(screen: pyte.Screen, _process: subprocess.Popen[bytes]) -> None:
        if counted.search(text_of(screen)):
            go.touch()

    seen = on_terminal(PROVISION, hosts, tmp_path, then=release)
    assert go.exists(), seen.screens[-10:]
    assert seen.rc != 0, seen.end
    views = [screen for screen in seen.screens if "━" in screen]
    assert [view for view in views if "looked at" in view and "/50" in view and "/s" in view], seen.end
    hint = "    Write it in quotes and with four digits, such as '0600'"
    assert [view for view in views if hint in view], "a failure is there with what to do, until later ones follow"
    assert {view.count("Compare the names of all gateways") for view in views} == {1}, "nothing of an older one"
    assert "━" not in seen.end
    assert (
        "50 gateways: 17 registered, 1 repaired, 25 up to date, 1 left to a task, 5 failed, 1 not answering" in seen.end
    )
    assert seen.end.count("left to a task of its own") == 1, "the warning of the pass is neither lost nor overwritten"
    assert b"\x1b[?25l" not in seen.bytes, "a run that is killed leaves a terminal with its cursor"
    rows = table(seen.end)
    assert {row: number for row, (number, _command) in rows.items()} == {
        **{"registered": 17, "repaired": 1, "up to date": 25, "failed: invalid_option: gw-0011, gw-0023": 2},
        **{"failed: storage: gw-0007, gw-0019": 2, "failed: refused, code 6250: gw-0015": 1},
        **{
            "not answering: gw-0003": 1,
            "failed: Report what was done to the gateway: gw-0042": 1,
        },
    }, seen.end


def test_without_a_terminal(platform: Emulator, tmp_path: Path) -> None:
    hosts = fleet(platform, tmp_path, 8)
    run = logged(PROVISION, hosts, tmp_path, FLEET_PROGRESS_INTERVAL="0.01")
    lines = run.stdout.splitlines()
    assert [line for line in lines if re.match(r"\d+ of 8 gateways looked at, ", line)], run
    assert "8 gateways: 6 registered, 1 failed, 1 not answering" in lines, run
    assert "\x1b" not in run.stdout + run.stderr
    assert not [character for character in run.stdout if not (character.isprintable() or character == "\n")]


def test_six_of_many_are_broken(platform: Emulator, tmp_path: Path) -> None:
    """Only the six broken gateways are reported, in the first run, which changes the others, and in the second, which does not."""
    hosts = fleet(platform, tmp_path, 24)
    for word in ("registered", "up to date"):
        run = logged(PROVISION, hosts, tmp_path)
        assert len((run.stdout + run.stderr).splitlines()) <= 40, run
        assert table(run.stdout)[word] == (18, ""), run
        for host in BROKEN:
            blocks = [
                line for line in run.stdout.splitlines() if re.match(rf"(failed|not answering): \[{host}\] .", line)
            ]
            assert len(blocks) == 1, run
        assert "gw-0001" not in run.stdout, "what went well prints nothing"
    assert "Write it in quotes and with four digits, such as '0600'" in run.stdout
    for host in BROKEN:
        own = hosts["gateways"]["hosts"][host]
        for name in BROKEN[host]:
            del own[name]
        own["gateway_path"] = str(credential_file(tmp_path, host))
    commands = [command for _number, command in table(run.stdout).values() if command]
    assert len(commands) == 4, run
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    for command in commands:
        typed = run_line(command, tmp_path, ENV)
        assert typed.rc == 0, typed
    assert all(credential_file(tmp_path, host).exists() for host in names(24))


def test_the_next_command_of_many_gateways(platform: Emulator, tmp_path: Path) -> None:
    """The next command for many gateways uses a file. In check mode the command keeps --check, except for changes that the check found."""
    wrong = {host: {"gateway_mode": "rw"} for host in names(7)}
    hosts = inventory({**wrong, "gw-0008": {}}, tmp_path, **role_variables(platform))
    run = logged(PROVISION, hosts, tmp_path, "--check", "-e", "target=gateways", FLEET_PROGRESS_LIMIT_PATH="limits")
    rows = table(run.stdout)
    [(number, command)] = [row for name, row in rows.items() if name.startswith("failed")]
    [limit] = re.findall(r"--limit @(\S+)$", command)
    assert (number, (tmp_path / limit).read_text().split()) == (7, names(7)), run
    assert "-e target=gateways --check" in command
    number, command = rows["needs a change: missing: gw-0008"]
    assert number == 1
    assert "--check" not in command
    assert "nothing was changed" in run.stdout


ACCOUNT_FILE = "account.json"


def decommissioned(platform: Emulator, hosts: JSON, tmp_path: Path, *arguments: str) -> tuple[Run, dict[str, JSON]]:
    """Return the run, and the outcome, the reason and the device's change of each gateway in its report."""
    (tmp_path / ACCOUNT_FILE).write_text(json.dumps({**account(platform), "gateway_report_to": "report.html"}))
    extra = ("-e", f"@{ACCOUNT_FILE}", "-e", "target=gateways", *arguments)
    run = logged("fleetops.aliyun_iot.decommission", hosts, tmp_path, *extra)
    rows = json.loads((tmp_path / "report.json").read_text())["gateways"]
    return run, {row["gateway"]: (row["outcome"], row["reason"], row["device_change"]) for row in rows}


@pytest.mark.parametrize(("fate", "word"), [("disable", "disabled"), ("delete", "deleted")])
def test_a_device_that_is_taken_out_of_service_is_a_change_of_its_gateway(
    platform: Emulator, tmp_path: Path, fate: str, word: str
) -> None:
    """The device's change counts, in check mode and in one run, for gateways without a credential, with one, unreachable and refused."""
    own: JSON = {"gw-0001": {}, "gw-0002": {}, "gw-0003": SILENT, "gw-0004": {}}
    # The first gateway's credential does not change, so no handler looks for the service.
    variables = {**role_variables(platform), "gateway_service": "no-such-service"}
    hosts = inventory(own, tmp_path, **variables)
    in_service(platform, tmp_path, "gw-0002")
    in_service(platform, tmp_path, "gw-0004")
    (tmp_path / "gw-0004").chmod(0o777)
    fated = ("-e", f"decommission_platform={fate}")

    check, rows = decommissioned(platform, hosts, tmp_path, "--check", *fated)
    future = f"would be {word}"
    assert rows == {
        "gw-0001": ("changed", "up_to_date", future),
        "gw-0002": ("changed", "exists", future),
        "gw-0003": ("unreachable", None, future),
        "gw-0004": ("failed", None, future),
    }, check
    assert {row: number for row, (number, _command) in table(check.stdout).items()} == {
        f"needs a change: device {future}: gw-0001": 1,
        f"needs a change: exists, device {future}: gw-0002": 1,
        f"failed: unsafe_path, device {future}: gw-0004": 1,
        f"not answering: device {future}: gw-0003": 1,
    }, check

    first = inventory({"gw-0001": {}}, tmp_path, **variables)
    run, rows = decommissioned(platform, first, tmp_path, *fated)
    assert (run.rc, rows) == (0, {"gw-0001": ("changed", "up_to_date", word)}), run
    assert table(run.stdout) == {f"device {word}": (1, "")}, run
    assert f"1 gateway: 1 device {word}" in run.stdout.splitlines(), run
    again, rows = decommissioned(platform, first, tmp_path, *fated)
    assert (again.rc, rows) == (0, {"gw-0001": ("ok", "up_to_date", None)}), again
    assert table(again.stdout) == {"up to date": (1, "")}, again

    second = inventory({"gw-0002": {}}, tmp_path, **role_variables(platform))
    run, rows = decommissioned(platform, second, tmp_path, *fated)
    assert (run.rc, rows) == (0, {"gw-0002": ("changed", "exists", word)}), run
    assert table(run.stdout) == {f"removed: device {word}": (1, "")}, run

    others = inventory({"gw-0003": SILENT, "gw-0004": {}}, tmp_path, **variables)
    run, rows = decommissioned(platform, others, tmp_path, *fated)
    assert rows == {"gw-0003": ("unreachable", None, word), "gw-0004": ("failed", None, word)}, run
    assert {row: number for row, (number, _command) in table(run.stdout).items()} == {
        f"failed: unsafe_path, device {word}: gw-0004": 1,
        f"not answering: device {word}: gw-0003": 1,
    }, run


def test_devices_that_are_added_and_reset_are_told(platform: Emulator, tmp_path: Path) -> None:
    """add_devices, provision and reprovision report the devices that they add or reset."""
    for host in names(2):
        platform.admin.delete_device(PRODUCT_KEY, host)
    hosts = inventory(2, tmp_path, **role_variables(platform))
    (tmp_path / ACCOUNT_FILE).write_text(json.dumps({**account(platform), "gateway_verify": "none"}))

    def told(playbook: str, *arguments: str) -> JSON:
        name = f"fleetops.aliyun_iot.{playbook}"
        run = logged(name, hosts, tmp_path, "-e", f"@{ACCOUNT_FILE}", *arguments)
        assert run.rc == 0, run
        return {row: number for row, (number, _command) in table(run.stdout).items()}

    alone = ("--limit", "gw-0001")
    assert told("add_devices", "--check", *alone) == {"needs a change: device would be added: gw-0001": 1}
    assert told("add_devices", *alone) == {"device added": 1}
    assert told("add_devices", "--check", *alone) == told("add_devices", *alone) == {"up to date": 1}
    assert told("provision", "--check") == {
        "needs a change: missing: gw-0001": 1,
        "needs a change: missing, device would be added: gw-0002": 1,
    }
    assert told("provision") == {"registered": 1, "registered: device added": 1}
    to_reset = "needs a change: reset_intended, device would be reset: gw-0001, gw-0002"
    assert told("reprovision", "--check") == {to_reset: 2}
    assert told("reprovision") == {"registered: device reset": 2}


def test_a_run_that_only_runs_handlers_says_so(platform: Emulator, tmp_path: Path) -> None:
    """Handlers that did not run, because the first of them failed, are run by the next run, which reports this."""
    hosts = inventory(1, tmp_path, **role_variables(platform))
    role = {"name": "fleetops.aliyun_iot.gateway", "rolespec_validate": False}
    topic = "Gateway credential changed"
    heard = {"name": "Hear of it", "ansible.builtin.assert": {"that": "not fails"}, "listen": topic}
    play = {"hosts": "gateways", "gather_facts": False, "handlers": [heard]}
    play["tasks"] = [{"ansible.builtin.import_role": role}]
    assert logged(play, hosts, tmp_path, "-e", '{"fails": true}').rc == 2
    run = logged(play, hosts, tmp_path, "-e", '{"fails": false}')
    assert (run.rc, table(run.stdout)) == (0, {"handlers run": (1, "")}), run


def test_a_device_in_use_is_recovered(platform: Emulator, tmp_path: Path) -> None:
    hosts = fleet(platform, tmp_path, 2)
    in_service(platform, tmp_path, "gw-0002")
    credential_file(tmp_path, "gw-0002").unlink()
    run = logged(PROVISION, hosts, tmp_path)
    [command] = [command for _number, command in table(run.stdout).values() if command]
    assert command.endswith(" fleetops.aliyun_iot.recover --limit gw-0002"), run
    lacking = "do not have the variables that your own plays set"
    assert lacking not in run.stdout
    own = logged([{"ansible.builtin.import_playbook": PROVISION}], hosts, tmp_path)
    assert (command in own.stdout, lacking in own.stdout) == (True, True), own


def test_an_audit_says_what_it_found_and_no_more(platform: Emulator, tmp_path: Path) -> None:
    """An audit shows its findings with their commands, and reports no failure for a change that a look may not make."""
    hosts = fleet(platform, tmp_path, 2)
    in_service(platform, tmp_path, "gw-0002")
    credential_file(tmp_path, "gw-0002").unlink()
    hosts["gateways"]["vars"].update(account(platform))
    run = logged("fleetops.aliyun_iot.audit", hosts, tmp_path)
    assert run.rc == 0, run
    assert table(run.stdout) == {"needs a change: missing: gw-0001, gw-0002": (2, "")}, run
    [command] = re.findall(r"ansible-playbook .*gw-0002.*", run.stdout)
    assert command.startswith("ansible-playbook fleetops.aliyun_iot.recover "), run


def test_a_task_for_all_hosts_is_charged_to_none_of_them(platform: Emulator, tmp_path: Path) -> None:
    hosts = fleet(platform, tmp_path, 2)
    hosts["gateways"]["vars"].update(account(platform))
    run_playbook(PROVISION, hosts, tmp_path, "--limit", "gw-0001")
    run = logged("fleetops.aliyun_iot.audit", hosts, tmp_path, "-e", "audit_fail=true")
    assert run.rc != 0, run
    assert re.search(r"\d+ findings", run.stdout + run.stderr), run
    assert table(run.stdout) == {"up to date": (1, ""), "needs a change: missing: gw-0002": (1, "")}, run


def test_a_later_task_that_fails_has_an_error_of_its_own(platform: Emulator, tmp_path: Path) -> None:
    """The later task's error is shown, although the look before failed for the first host too, for another reason than the account."""
    hosts = fleet(platform, tmp_path, 1)
    wrong = {**account(platform), "platform_access_key_secret": "anotherone"}
    hosts["gateways"]["vars"].update(wrong)
    run = logged("fleetops.aliyun_iot.audit", hosts, tmp_path)
    [block] = [line for line in run.stdout.splitlines() if line.startswith("failed: [gw-0001]")]
    assert "SignatureDoesNotMatch" in block, run


def test_a_command_names_what_it_lacks(platform: Emulator, tmp_path: Path) -> None:
    hosts = fleet(platform, tmp_path, 7)
    hosts["gateways"]["vars"].pop("gateway_product_secret")
    extra = {"gateway_product_secret": PRODUCT_SECRET, "site": "b", "gateway_mode": "0640"}
    run = logged(PROVISION, hosts, tmp_path, "-e", json.dumps(extra))
    command = next(command for _number, command in table(run.stdout).values() if command)
    assert " -e gateway_mode=0640 " in command, run
    assert PRODUCT_SECRET not in run.stdout + run.stderr
    assert "Add those that are needed: -e gateway_product_secret, -e site" in run.stdout, run


def test_the_role_says_what_it_did(platform: Emulator, tmp_path: Path) -> None:
    role = {"name": "fleetops.aliyun_iot.gateway", "rolespec_validate": False}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": role}]}
    hosts = inventory({"gw-0001": {}, "gw-0002": {"gateway_mode": "rw"}}, tmp_path, **role_variables(platform))
    run = logged(play, hosts, tmp_path)
    assert {row: number for row, (number, _command) in table(run.stdout).items()} == {
        "registered": 1,
        "failed: invalid_option: gw-0002": 1,
    }, run


def test_keywords_of_a_task_hide_no_failure(platform: Emulator, tmp_path: Path) -> None:
    """Gateways without the required credential count as failed, although the play goes on; no_log hides the reason of a change."""
    keywords: JSON = {
        "gw-0001": {"ignore_errors": True},
        "gw-0002": {"failed_when": False},
        "gw-0003": {"ignore_unreachable": True},
        "gw-0004": {"no_log": True},
        "gw-0005": {"ignore_errors": True},
    }
    [task] = gateway_play(platform, mode="{{ mode }}")["tasks"]
    tasks = [{**task, **own, "when": f"inventory_hostname == '{host}'"} for host, own in keywords.items()]
    again = gateway_play(platform)["tasks"][0] | {"when": "inventory_hostname == 'gw-0005'"}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [*tasks, again]}
    hosts = inventory(5, tmp_path, mode="rw")
    hosts["gateways"]["hosts"]["gw-0003"].update(SILENT, mode="0600")
    hosts["gateways"]["hosts"]["gw-0004"]["mode"] = "0600"
    run = logged(play, hosts, tmp_path)
    assert run.rc == 0, run
    assert {row: number for row, (number, _command) in table(run.stdout).items()} == {
        **{"registered": 1, "changed": 1, "failed: invalid_option: gw-0001, gw-0002": 2},
        "not answering: gw-0003": 1,
    }, run


def test_a_report_is_named_at_the_end(platform: Emulator, tmp_path: Path) -> None:
    hosts = fleet(platform, tmp_path, 2)
    run = logged(PROVISION, hosts, tmp_path, "-e", "gateway_report_to=report.html")
    assert f"The report is in {tmp_path}/report.html" in run.stdout.splitlines(), run


def test_failures_of_a_run_that_ended_before_they_were_reported(platform: Emulator, tmp_path: Path) -> None:
    """The failures of two gateways at the look are shown, although Ansible ends the run with the first batch, which is lost."""
    own = {"gw-0001": {"gateway_product_key": "a1IoKTestXX"}, "gw-0002": {}, "gw-0003": {"gateway_mode": "rw"}}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    run = logged(PROVISION, hosts, tmp_path, "-e", "gateway_serial=1")
    for host in ("gw-0001", "gw-0003"):
        assert run.stdout.count(f"failed: [{host}] ") == 1, run
    assert "not reached: gw-0002" in table(run.stdout), run


def operated(playbook: str, platform: Emulator, hosts: JSON, tmp_path: Path, *arguments: str, **extra: JSON) -> Run:
    """Run a playbook of the collection with the account, whose variables are in a file."""
    (tmp_path / ACCOUNT_FILE).write_text(json.dumps({**account(platform), "gateway_verify": "none"}))
    given = ("-e", f"@{ACCOUNT_FILE}", "-e", json.dumps(extra))
    return logged(f"fleetops.aliyun_iot.{playbook}", hosts, tmp_path, *given, *arguments)


def reported(tmp_path: Path) -> dict[str, tuple[str, str | None]]:
    rows = json.loads((tmp_path / "report.json").read_text())["gateways"]
    return {row["gateway"]: (row["outcome"], row["message"]) for row in rows}


NO_RESULT = ("left", "no result: the run ended before or during its batch")


@pytest.mark.parametrize(
    ("serial", "mode", "reached"),
    # The first batch is lost; a failure prevents the second batch; the names of a gateway fail before the first batch.
    [("", "0600", 1), ([2, 3], "0600", 2), ("100%", "rw", 1)],
    ids=str,
)
def test_a_rotation_that_stops_names_the_gateways_that_it_has_not_reached(
    platform: Emulator, tmp_path: Path, serial: JSON, mode: str, reached: int
) -> None:
    """A rotation that stops names the gateways that it has not reached; the inspection of their names is no outcome."""
    own: dict[str, JSON] = {**{host: {} for host in names(5)}, "gw-0001": {"gateway_mode": mode}}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    for host in names(5):
        in_service(platform, tmp_path, host)
    platform.admin.fault("ResetThing", device_name="gw-0001", code="Forbidden.RAM", times="forever")
    extra = {"gateway_report_to": "report.html", "gateway_serial": serial}
    run = operated("reprovision", platform, hosts, tmp_path, **extra)
    assert run.rc == 2, run
    rest = names(5)[reached:]
    number, command = table(run.stdout)[f"not reached: {', '.join(rest)}"]
    assert number == len(rest), run
    assert command.endswith(f" fleetops.aliyun_iot.reprovision --limit {','.join(rest)}"), run
    assert [row for row in table(run.stdout) if row.startswith("up to date")] == [], run
    report = reported(tmp_path)
    assert sorted(report) == names(5), run
    assert {host: report[host] for host in rest} == dict.fromkeys(rest, NO_RESULT)
    assert report["gw-0001"][0] == "failed", run


@pytest.mark.parametrize(
    "extra", [{"gateway_serial": 1}, {"gateway_serial": [2, 3], "gateway_max_fail_percentage": 0}], ids=str
)
def test_a_decommission_that_stops_names_the_gateways_that_it_has_not_reached(
    platform: Emulator, tmp_path: Path, extra: JSON
) -> None:
    hosts = inventory(5, tmp_path, **role_variables(platform))
    for host in names(5)[1:]:
        in_service(platform, tmp_path, host)
    platform.admin.fault("DisableThing", device_name="gw-0002", code="Forbidden.RAM", times="forever")
    extra = {"target": "gateways", "gateway_report_to": "report.html", **extra}
    run = operated("decommission", platform, hosts, tmp_path, **extra)
    assert run.rc == 2, run
    rest = names(5)[2:]
    assert table(run.stdout)[f"not reached: {', '.join(rest)}"][0] == 3, run
    report = reported(tmp_path)
    assert {host: outcome for host, (outcome, _message) in report.items()} == {
        **dict.fromkeys(rest, "left"),
        **{"gw-0001": "changed", "gw-0002": "failed"},
    }, run


@pytest.mark.parametrize("wrong", ["the query", "one account"])
def test_an_audit_that_cannot_list_the_devices_has_compared_no_gateway(
    platform: Emulator, tmp_path: Path, wrong: str
) -> None:
    """If an audit cannot list the devices, every gateway is reported as failed, although Ansible counts only its first host."""
    own: dict[str, JSON] = {host: account(platform) for host in names(3)}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    for host in names(3):
        in_service(platform, tmp_path, host)
    if wrong == "the query":
        platform.admin.fault("QueryDevice", code="Forbidden.RAM", times="forever")
    else:
        hosts["gateways"]["hosts"]["gw-0002"]["platform_access_key_secret"] = "anotherone"
    run = logged("fleetops.aliyun_iot.audit", hosts, tmp_path, "-e", "audit_fail=true")
    assert run.rc == 2, run
    [(row, (number, command))] = table(run.stdout).items()
    assert row.startswith("failed: "), run
    assert number == 3, run
    assert command.endswith(" --limit gw-0001,gw-0002,gw-0003"), run
    assert "failed: [all 3 hosts] " in run.stdout, run


def test_findings_that_cannot_be_written_are_no_failure_of_a_gateway(platform: Emulator, tmp_path: Path) -> None:
    """No gateway fails, and the report is written. The path is in the inventory, so it is not checked before the run."""
    hosts = inventory(2, tmp_path, **role_variables(platform), audit_report="/proc/nowhere/audit.json")
    for host in names(2):
        in_service(platform, tmp_path, host)
    run = operated("audit", platform, hosts, tmp_path, gateway_report_to="report.html")
    assert run.rc == 2, run
    assert table(run.stdout) == {"up to date": (2, "")}, run
    assert {*names(2)} < {*reported(tmp_path)}, run
    assert "/proc/nowhere" in run.stdout.rpartition("TASK [")[2].partition("OUTCOME")[0], run


def test_the_first_host_has_no_row_for_the_devices_of_others(platform: Emulator, tmp_path: Path) -> None:
    platform.admin.delete_device(PRODUCT_KEY, "gw-0002")
    own: dict[str, JSON] = {"gw-0001": {"gateway_device_name_from": "serial"}, "gw-0002": {}}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    run = operated("add_devices", platform, hosts, tmp_path)
    assert table(run.stdout) == {"device added": (1, "")}, run


def test_a_registration_that_a_run_forbids_is_allowed_by_the_next_command(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(1, tmp_path, **role_variables(platform))
    run = logged(PROVISION, hosts, tmp_path, "-e", "gateway_register=never", "-e", "gateway_report_to=report.html")
    [(_number, command)] = [row for row in table(run.stdout).values() if row[1]]
    [row] = json.loads((tmp_path / "report.json").read_text())["gateways"]
    assert {command, row["command"]} == {f"ansible-playbook -i {tmp_path}/hosts.json {PROVISION} --limit gw-0001"}, run


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("playbook", ["provision", "decommission"])
def test_hosts_with_one_device_are_given_no_command(
    platform: Emulator, tmp_path: Path, playbook: str, silent: bool
) -> None:
    """A command for one of them would not be refused, and would invalidate the credential of the other."""
    own: dict[str, JSON] = {**{host: {} for host in names(3)}, "gw-0002": {"gateway_device_name": "gw-0003"}}
    if silent:
        own["gw-0003"] = SILENT
    hosts = inventory(own, tmp_path, **role_variables(platform))
    run = operated(playbook, platform, hosts, tmp_path, target="gateways", gateway_report_to="report.html")
    rows = {row["gateway"]: row for row in json.loads((tmp_path / "report.json").read_text())["gateways"]}
    assert rows["gw-0002"]["error"] == "shared_name", run
    changed = [request["device_name"] for request in platform.admin.requests() if request["action"] != "QueryDevice"]
    assert "gw-0003" not in changed, run
    assert [rows[host]["command"] for host in ("gw-0002", "gw-0003")] == [None, None], run
    shown = [below for row, (_number, below) in table(run.stdout).items() if "gw-000" in row]
    assert {line.partition(" so that")[0] for line in shown} == {"Correct the inventory"}, run


def test_a_host_that_a_decommission_has_not_reached_gets_no_command_if_another_host_has_its_device(
    platform: Emulator, tmp_path: Path
) -> None:
    """The run ends with its first batch, before the batch in which the host would be refused."""
    own: dict[str, JSON] = {**{host: {} for host in names(3)}, "gw-0001": {"gateway_device_name": "gw-0003"}}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    run = operated("decommission", platform, hosts, tmp_path, target="gateways", gateway_serial=1)
    rows = table(run.stdout)
    assert rows["not reached: gw-0002"][1].endswith(" --limit gw-0002"), run
    for row in ("failed: shared_name: gw-0001", "not reached: gw-0003"):
        assert rows[row][1].startswith("Correct the inventory"), run


def test_a_failed_restart_after_a_reset_is_repeated_without_another_reset(platform: Emulator, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text('#!/bin/sh\n[ "$1" = restart ] && exit 5\necho LoadState=loaded\n')
    (tools / "systemctl").chmod(0o755)
    hosts = inventory(2, tmp_path, **role_variables(platform), gateway_service="agent")
    for host in names(2):
        in_service(platform, tmp_path, host)
    path = f"{tools}:{environment_of(tmp_path)['PATH']}"
    extra = json.dumps({**account(platform), "gateway_verify": "none", "gateway_serial": 1})
    run = logged("fleetops.aliyun_iot.reprovision", hosts, tmp_path, "-e", extra, PATH=path)
    rows = table(run.stdout)
    assert rows["failed: not_restarted: gw-0001"][1].endswith(f" {PROVISION} --limit gw-0001"), run
    assert rows["not reached: gw-0002"][1].endswith(".reprovision --limit gw-0002"), run


@pytest.mark.parametrize("playbook", ["provision", "recover"])
def test_a_batch_that_a_limit_of_failures_prevents_is_not_reported_as_right(
    platform: Emulator, tmp_path: Path, playbook: str
) -> None:
    """The report has the same gateways as not reached as the table."""
    hosts = inventory(4, tmp_path, **role_variables(platform))
    for host in names(4):
        in_service(platform, tmp_path, host)
        credential_file(tmp_path, host).unlink()
        if playbook == "provision":
            platform.admin.reset(PRODUCT_KEY, host)
    if playbook == "provision":
        hosts["gateways"]["hosts"]["gw-0002"]["gateway_product_secret"] = "NotTheSecret0001"
    else:
        hosts["gateways"]["hosts"]["gw-0002"].update(account(platform), platform_access_key_secret="anotherone")
    extra = {"gateway_serial": 2, "gateway_max_fail_percentage": 5, "gateway_report_to": "report.html"}
    variables = {**account(platform), **extra} if playbook == "provision" else extra
    if playbook == "recover":
        for host in ("gw-0001", "gw-0003", "gw-0004"):
            hosts["gateways"]["hosts"][host].update(account(platform))
    run = logged(f"fleetops.aliyun_iot.{playbook}", hosts, tmp_path, "-e", json.dumps(variables))
    assert run.rc == 2, run
    found = reported(tmp_path)
    assert {host: outcome for host, (outcome, _message) in found.items()} == {
        **{"gw-0001": "changed", "gw-0002": "failed", "gw-0003": "left", "gw-0004": "left"}
    }, run
    assert found["gw-0003"] == NO_RESULT


def test_of_several_playbooks_each_one_has_its_own_commands(platform: Emulator, tmp_path: Path) -> None:
    """Findings of an audit have no command in the table, but the gateways that provision has not reached have one."""
    hosts = inventory(2, tmp_path, **role_variables(platform), **account(platform))
    hosts["gateways"]["hosts"]["gw-0001"]["gateway_product_secret"] = "NotTheSecret0001"
    platform.admin.put_device(PRODUCT_KEY, "gw-0001")
    command = [*command_of(PROVISION, hosts, tmp_path, "-e", "gateway_serial=1"), "fleetops.aliyun_iot.audit"]
    env = {**environment_of(tmp_path), **ENV}
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    number, typed = table(run.stdout)["not reached: gw-0002"]
    assert (number, typed.endswith(" fleetops.aliyun_iot.audit --limit gw-0002")) == (1, True), run


def test_a_command_does_not_write_over_the_report_that_a_file_of_variables_names(
    platform: Emulator, tmp_path: Path
) -> None:
    """The commands in the report, in the table, and those of an audit, leave the report as it is."""
    hosts = inventory(2, tmp_path, **role_variables(platform))
    hosts["gateways"]["hosts"]["gw-0002"]["gateway_mode"] = "rw"
    in_service(platform, tmp_path, "gw-0001")
    credential_file(tmp_path, "gw-0001").unlink()
    variables = tmp_path / "variables.json"
    written = {"gateway_report_to": str(tmp_path / "report.html"), "audit_report": str(tmp_path / "audit.json")}
    variables.write_text(json.dumps({**account(platform), **written}))
    audit = logged("fleetops.aliyun_iot.audit", hosts, tmp_path, "-e", f"@{variables}")
    found = json.loads((tmp_path / "report.json").read_text())["gateways"]
    [repair] = [row["command"] for row in found if row["command"]]
    assert f"-e @{variables} -e gateway_report_to= " in repair
    assert f'"missing: {repair}"' in audit.stdout, audit
    [again] = [below for _number, below in table(audit.stdout).values() if below]
    assert "-e audit_report= -e gateway_report_to= " in again, audit

    run = logged(PROVISION, hosts, tmp_path, "-e", f"@{variables}")
    rows = {row["gateway"]: row["command"] for row in json.loads((tmp_path / "report.json").read_text())["gateways"]}
    typed = table(run.stdout)["failed: invalid_option: gw-0002"][1]
    assert typed == rows["gw-0002"], run
    before = (tmp_path / "report.json").read_bytes()
    second = run_line(typed, tmp_path, ENV)
    assert "-e gateway_report_to=" in table(second.stdout)["failed: invalid_option: gw-0002"][1], second
    assert (tmp_path / "report.json").read_bytes() == before


ANY_PLAYBOOK: JSON = [
    {"name": "Warn, and say something", "ansible.builtin.debug": {"msg": "it is said"}},
    {"name": "Go well", "ansible.builtin.set_fact": {"here": "{{ inventory_hostname }}"}},
    {"name": "Skip", "ansible.builtin.debug": {"msg": "nobody sees it"}, "when": "false"},
    {"name": "Fail and be ignored", "ansible.builtin.fail": {"msg": "no matter"}, "ignore_errors": True},
    {
        "block": [{"name": "Fail and be rescued", "ansible.builtin.fail": {"msg": "for a moment"}}],
        "rescue": [{"name": "Rescue", "ansible.builtin.set_fact": {"rescued": True}}],
    },
    {
        "name": "Fail on one",
        "ansible.builtin.fail": {"msg": "something is wrong here"},
        "when": "inventory_hostname == 'gw-0002'",
    },
    {
        "name": "Fail in a loop",
        "ansible.builtin.assert": {"that": "item != 3", "fail_msg": "item {{ item }} is wrong"},
        "loop": [1, 2, 3],
        "when": "inventory_hostname == 'gw-0003'",
    },
    {"name": "Warn", "ansible.builtin.group_by": {"key": "in-valid"}, "changed_when": True},
]


@pytest.mark.parametrize("terminal", [False, True])
def test_any_playbook(tmp_path: Path, terminal: bool) -> None:
    """With any playbook, the output has the messages and failures of tasks, and nothing of successful ones."""
    hosts = inventory(4, tmp_path)
    hosts["gateways"]["hosts"]["gw-0004"] = SILENT
    unreachable = {"name": "Reach it", "ansible.builtin.raw": "true"}
    play = {"name": "A play", "hosts": "gateways", "gather_facts": False, "tasks": [unreachable, *ANY_PLAYBOOK]}
    nobody = {"name": "Nobody", "hosts": "all:!all", "tasks": []}
    if terminal:
        text = on_terminal([play, nobody], hosts, tmp_path).end
    else:
        run = logged([play, nobody], hosts, tmp_path)
        text = run.stdout + run.stderr
    shown = " ".join(text.split())
    for words in (
        *("it is said", "no matter", "...ignoring", "for a moment", "something is wrong here", "item 3 is wrong"),
        *("not answering: [gw-0004]", "TASK [Fail on one]", "WARNING"),
    ):
        assert words in shown, text
    for words in ("Go well", "nobody sees it", "TASK [Skip]", "PLAY", "changed: ["):
        assert words not in shown, text
    assert {row: number for row, (number, _command) in table(text).items()} == {
        **{"changed": 1, "failed: Fail on one: gw-0002": 1, "failed: Fail in a loop: gw-0003": 1},
        "not answering: gw-0004": 1,
    }, text


def test_with_verbosity_it_is_the_default_and_the_table(tmp_path: Path) -> None:
    play = {"name": "A play", "hosts": "gateways", "gather_facts": False, "tasks": ANY_PLAYBOOK[:2]}
    run = logged(play, inventory(1, tmp_path), tmp_path, "-v")
    for words in ("PLAY [A play]", "TASK [Go well]", "PLAY RECAP", "OUTCOME"):
        assert words in run.stdout, run


def test_differences_are_shown_with_their_host(platform: Emulator, tmp_path: Path) -> None:
    run = logged(PROVISION, fleet(platform, tmp_path, 2), tmp_path, "--check", "--diff")
    assert run.stdout.count('+    "state": "present"') == 2, run
    assert run.stdout.count("changed: [gw-000") == 2, run


@pytest.mark.parametrize("terminal", [True, False])
def test_without_rich(platform: Emulator, tmp_path: Path, terminal: bool) -> None:
    """Without rich, progress is shown as lines, and one line reports the missing package where a view would be."""
    packages = tmp_path / "packages" / "rich"
    packages.mkdir(parents=True)
    (packages / "__init__.py").write_text("raise ImportError('not installed')\n")
    env = {"PYTHONPATH": str(packages.parent), "FLEET_PROGRESS_INTERVAL": "0.01"}
    hosts = fleet(platform, tmp_path, 2)
    text = (
        on_terminal(PROVISION, hosts, tmp_path, env=env).end
        if terminal
        else logged(PROVISION, hosts, tmp_path, **env).stdout
    )
    told = [line for line in text.splitlines() if "rich" in line]
    assert len(told) == int(terminal), text
    assert all("needs the Python package rich, which is not installed" in line for line in told)
    assert re.search(r"^\d of 2 gateways looked at, ", text, re.MULTILINE), text
    assert table(text) == {"registered": (2, "")}


def test_an_interrupted_run_gives_the_terminal_back(platform: Emulator, tmp_path: Path) -> None:
    hosts = fleet(platform, tmp_path, 10)
    # A slow connection, so that the run is interrupted while the view is shown.
    slow = {"ansible_ssh_executable": str(tmp_path / "ssh"), "ansible_connection": "ssh", "ansible_host": "127.0.0.1"}
    (tmp_path / "ssh").write_text("#!/bin/sh\nexec sleep 1000\n")
    (tmp_path / "ssh").chmod(0o755)
    hosts["gateways"]["hosts"]["gw-0009"].update(slow)
    interrupted: list[str] = []

    def interrupt(screen: pyte.Screen, process: subprocess.Popen[bytes]) -> None:
        if "━" in text_of(screen) and not interrupted:
            interrupted.append(text_of(screen))
            process.send_signal(signal.SIGINT)

    seen = on_terminal(PROVISION, hosts, tmp_path, then=interrupt)
    assert interrupted
    assert seen.rc not in (0, None), seen.end
    assert "━" not in seen.end
    assert "nterrupted" in seen.end


def test_a_secret_is_not_shown(platform: Emulator, tmp_path: Path) -> None:
    hosts = fleet(platform, tmp_path, 3)
    seen = on_terminal(PROVISION, hosts, tmp_path)
    secrets = [platform.admin.device(PRODUCT_KEY, name)["device_secret"] for name in names(2)]
    assert all(secrets)
    assert [
        secret
        for secret in (*secrets, role_variables(platform)["gateway_product_secret"])
        if secret.encode() in seen.bytes
    ] == []
