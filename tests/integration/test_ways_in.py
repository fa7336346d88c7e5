# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access of scripts to a gateway: a become that asks for a password, a shell that prints text first, and warnings of their limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import credential_file, operate, provision, role_variables
from playbook import PRODUCT_KEY, connection, gateway_play, inventory, mqtt_endpoint, run_playbook
from shells import write_script

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

# The behaviour of sudo -S: it asks on standard error and reads only one line.
SUDO = """\
while [ $# -gt 0 ]; do
    case $1 in
        -p) prompt=$2; shift 2 ;;
        -u) shift 2 ;;
        -*) shift ;;
        *) break ;;
    esac
done
printf '%s' "$prompt" >&2
read -r password
[ "$password" = correct ] || { echo "Sorry, try again." >&2; exit 1; }
exec "$@"
"""


@pytest.mark.parametrize("pipelining", ["0", "1"])
@pytest.mark.parametrize("way", ["gateway", "controller"])
def test_a_password_for_become_on_the_local_connection(
    platform: Emulator, tmp_path: Path, way: str, pipelining: str
) -> None:
    become = {
        "ansible_become": True,
        "ansible_become_user": "somebody-else",  # as root, Ansible would otherwise omit become
        "ansible_become_exe": str(write_script(tmp_path / "sudo", SUDO)),
        "ansible_become_password": "correct",
    }
    hosts = inventory(1, tmp_path, **become)
    run = run_playbook(
        gateway_play(platform, register_from=way), hosts, tmp_path, env={"ANSIBLE_PIPELINING": pipelining}
    )
    assert (run.rc, run.result("gw-0001").get("reason")) == (0, "missing"), run
    fleet = inventory(1, tmp_path, **become, **role_variables(platform), gateway_register_from=way)
    again = provision(platform, fleet, tmp_path)
    assert (again.rc, again.changed) == (0, 0), again
    assert platform.admin.device(PRODUCT_KEY, "gw-0001")["registrations"] == 1


@pytest.mark.parametrize(
    "words", [r"\033]0;gateway\007", "welcome ", r"\033[2J\033[H"], ids=["title", "text", "screen"]
)
def test_a_shell_that_prints_without_an_end_of_line(platform: Emulator, tmp_path: Path, words: str) -> None:
    """A shell that prints text before each script, as the top of a .bashrc does, causes no repetition, no failure and no waiting."""
    shell = write_script(tmp_path / "sh", f"printf '{words}'; exec /bin/sh \"$@\"")
    ways: dict[str, JSON] = {
        f"gw-000{number}": {"way": way, "ansible_shell_executable": str(shell)}
        for number, way in enumerate(("gateway", "controller"), 1)
    }
    login = {"path": "{{ root }}/device.json", "mqtt_endpoint": mqtt_endpoint(platform), "login_from": "{{ way }}"}
    login["ca_path"] = connection(platform)["ca_path"]
    export = {"dest": "{{ root }}/agent.env", "format": "env"}

    def task(check: bool = False, **options: JSON) -> JSON:
        [made] = gateway_play(platform, register_from="{{ way }}", exports=[export], **options)["tasks"]
        return {**made, "check_mode": check}

    tasks = [
        task(check=True),
        task(verify="login", mqtt_endpoint=mqtt_endpoint(platform)),
        task(),
        {"fleetops.aliyun_iot.device_login": login},
        task(mode="0640"),
        task(state="absent"),
        task(state="absent"),
    ]
    run = run_playbook(
        {"hosts": "gateways", "gather_facts": False, "tasks": tasks}, inventory(ways, tmp_path), tmp_path
    )
    assert run.rc == 0, run
    for host in ways:
        results = [each["result"] for each in run.results[host]]
        assert [each.get("reason", each.get("accepted")) for each in results] == [
            *("missing", "missing", "up_to_date", True, "attributes", "exists", "up_to_date")
        ]
        assert platform.admin.device(PRODUCT_KEY, host)["registrations"] == 1
        assert not credential_file(tmp_path, host).exists()


def test_a_lease_that_is_over_is_seen_behind_such_words(platform: Emulator, tmp_path: Path) -> None:
    shell = write_script(tmp_path / "sh", "printf '\\033]0;gateway\\007'; exec /bin/sh \"$@\"")
    variables = {**role_variables(platform), "ansible_shell_executable": str(shell)}
    hosts = inventory(1, tmp_path, **variables, gateway_register_from="controller")
    journal = credential_file(tmp_path, "gw-0001").with_name(".device.json.journal")
    journal.write_text(
        "2 token=0123456789abcdef intent=register over=no product_key=a device_name=b boot=x taken=1 ttl=0\n"
    )
    run = provision(platform, hosts, tmp_path)
    assert (run.rc, [each["result"].get("reason") for each in run.results["gw-0001"]][-1]) == (0, "interrupted"), run
    recovered = operate("recover", platform, hosts, tmp_path, gateway_recovery_force=True)
    assert recovered.rc == 0, recovered


@pytest.mark.parametrize("playbook", [False, True], ids=["task", "pass"])
def test_a_connection_that_takes_no_standard_input(platform: Emulator, tmp_path: Path, playbook: bool) -> None:
    """A connection without standard input is refused with a remedy, before a registration; paramiko and libssh return the same error."""
    variables = {**role_variables(platform), "ansible_connection": "no_input"}
    hosts = inventory(1, tmp_path, **variables)
    play = "fleetops.aliyun_iot.provision" if playbook else gateway_play(platform)
    run = run_playbook(play, hosts, tmp_path)
    assert run.rc == 2, run
    result = run.result("gw-0001")
    assert result["error"]["kind"] == "connection"
    assert "no_input does not support standard input" in result["msg"]
    assert "ansible_connection: ssh" in result["msg"]
    assert platform.admin.requests() == []


@pytest.mark.parametrize("playbook", [False, True], ids=["task", "pass"])
def test_a_credential_that_a_restart_would_take_away(
    platform: Emulator, tmp_path: Path, folder: Path, playbook: bool
) -> None:
    """A run that registers and its check warn about a credential in memory; a run over an existing credential does not."""
    if folder == tmp_path:
        pytest.skip("nothing here is in memory")
    path = f"{folder}/device.json"
    hosts = inventory(1, tmp_path, **role_variables(platform))
    hosts["gateways"]["hosts"]["gw-0001"]["gateway_path"] = path
    play = "fleetops.aliyun_iot.provision" if playbook else gateway_play(platform, path=path)
    for check, warned in ((True, True), (False, True), (False, False)):
        run = run_playbook(play, hosts, tmp_path, check=check)
        assert run.rc == 0, run
        words = f"gw-0001: {path} is on a file system in memory (tmpfs)"
        assert (words in " ".join((run.stdout + run.stderr).split())) == warned, run
