# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts of services by the gateway's shell, under any service manager; a registration requires that the service exists."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import role_variables
from playbook import PRODUCT_KEY, inventory, run_playbook
from script_box import TOOLS, Box, Shell
from shells import openwrt_shell, write_script

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import ScriptAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import ScriptBuilder

JSON = Any

SYSTEMD = '[ "$1" = restart ] || { echo "LoadState=%s"; exit; }; echo "$@" >>{record}'
LOADED = SYSTEMD % "loaded"
OPENRC = '[ "$1" = --exists ] && exit; echo "$@" >>{record}'
RECORD = 'echo "$@" >>{record}'
NONE: dict[str, str] = {}


class Managed:
    """A gateway with these tools and init scripts, which record their arguments."""

    def __init__(self, box: Box, folder: Path, tools: dict[str, str], scripts: dict[str, str] | None) -> None:
        self.record, self.scripts = folder / "record", folder / "init.d"
        if scripts is not None:
            self.scripts.mkdir()
        for name, text in (scripts or {}).items():
            write_script(self.scripts / name, self._text(text))
        # The gateway must not use the machine's own systemctl and service.
        place = folder / "tools"
        place.mkdir()
        for name, text in tools.items():
            write_script(place / name, self._text(text))
        for name in TOOLS:
            (place / name).symlink_to(box.shell.tool(name))
        shell = (box.shell.tool(box.shell.command[0]), *box.shell.command[1:])
        self.box = Box(Shell(shell, str(place)), box.folder, box.exports, box.attributes)

    def _text(self, text: str) -> str:
        return text.replace("{record}", str(self.record))

    def _values(self) -> dict[str, str]:
        return {"service": "agent", "init_scripts": str(self.scripts)}

    def restart(self, proof: str = "no") -> ScriptAnswer:
        gateway = ScriptBuilder("", (), "", "inventory_hostname", None)
        return self.box.run(gateway.script("restart", proof=proof, **self._values()))

    def begin(self, proof: str) -> ScriptAnswer:
        return self.box.begin(self.box.look(), proof=proof, **self._values())

    def called(self) -> list[str]:
        return self.record.read_text().splitlines() if self.record.exists() else []


WAYS: dict[str, tuple[dict[str, str], dict[str, str] | None, str, str]] = {
    "systemd": ({"systemctl": LOADED, "rc-service": "exit 1"}, NONE, "systemd", "restart -- agent"),
    "openrc": ({"rc-service": OPENRC}, {"agent": "exit 1"}, "openrc", "agent restart"),
    "systemd that does not run": ({"systemctl": "exit 1", "rc-service": OPENRC}, NONE, "openrc", "agent restart"),
    "procd or sysv": ({"systemctl": "exit 1", "service": "exit 1"}, {"agent": RECORD}, "init", "restart"),
    "busybox init": (NONE, {"S50agent": RECORD, "S51other": "exit 1"}, "init", "restart"),
    "bsd": ({"service": RECORD}, None, "service", "agent restart"),
    "no setsid": ({"setsid": 'exec "$@"'}, {"agent": RECORD}, "init", "restart"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_restart(box: Box, tmp_path: Path, way: str) -> None:
    tools, scripts, manager, called = WAYS[way]
    managed = Managed(box, tmp_path, tools, scripts)
    assert managed.restart(proof="yes").outcome == manager
    assert managed.begin(proof="no").outcome == "begun"
    assert managed.called() == []
    assert managed.restart().outcome == manager
    assert managed.called() == [called]


NOWHERE: dict[str, tuple[dict[str, str], dict[str, str] | None, str]] = {
    "not found": ({"systemctl": SYSTEMD % "not-found"}, NONE, r"systemd cannot start the service agent \(not-found\)"),
    "masked": ({"systemctl": SYSTEMD % "masked"}, {"agent": RECORD}, "masked"),
    "openrc": ({"rc-service": "exit 1"}, {"agent": RECORD}, "OpenRC has no service agent"),
    "systemd that does not run": ({"systemctl": "exit 1", "rc-service": "exit 1"}, NONE, "OpenRC"),
    "nothing": (NONE, None, "nor a script /"),
    "debian without systemd": ({"systemctl": "exit 1", "service": RECORD}, {"agents": RECORD}, "nor a script /"),
    "procd": (NONE, {"other": RECORD, "agents": RECORD, "S5agent": RECORD, "S501agent": RECORD}, "nor a script /"),
}


@pytest.mark.parametrize("way", NOWHERE)
def test_a_service_that_does_not_exist(box: Box, tmp_path: Path, way: str) -> None:
    """Without the service, a registration and check mode fail, and nothing is restarted."""
    tools, scripts, says = NOWHERE[way]
    box.path.parent.mkdir()
    managed = Managed(box, tmp_path, tools, scripts)
    for act in (*[partial(managed.begin, proof) for proof in ("yes", "no")], managed.restart):
        with pytest.raises(StorageError, match=says) as caught:
            act()
        assert caught.value.kind == "no_service"
    assert (managed.called(), box.journal.exists()) == ([], False)
    assert managed.box.begin(managed.box.look()).outcome == "begun"  # no service has to be restarted


def test_what_cannot_be_started_is_no_script(box: Box, tmp_path: Path) -> None:
    managed = Managed(box, tmp_path, NONE, NONE)
    (managed.scripts / "S10agent").mkdir()
    (managed.scripts / "agent").write_text("exit 1\n")
    with pytest.raises(StorageError, match="nor a script"):
        managed.restart()


FAILS = {
    "systemd": (
        {"systemctl": LOADED.replace('echo "$@" >>{record}', "echo Job failed. >&2; exit 5")},
        NONE,
        "5: Job failed.",
    ),
    "openrc": ({"rc-service": '[ "$1" = --exists ] && exit; exit 3'}, NONE, "rc-service agent restart ended with 3"),
    "init": (NONE, {"agent": "exit 7"}, "agent restart ended with 7"),
}


@pytest.mark.parametrize("way", FAILS)
def test_a_restart_that_fails_says_how(box: Box, tmp_path: Path, way: str) -> None:
    tools, scripts, says = FAILS[way]
    answer = Managed(box, tmp_path, tools, scripts).restart()
    assert answer.outcome == "broken"
    [problem] = answer.all_of("problem")
    assert problem.endswith(says), problem


def test_a_daemon_that_keeps_the_output_open_keeps_nobody_waiting(box: Box, tmp_path: Path) -> None:
    """A daemon neither delays the run by keeping the output open, nor reads the rest of the script from the shell's input."""
    pid, end = tmp_path / "pid", tmp_path / "end"
    os.mkfifo(end)
    # The daemon ends when the pipe is read.
    daemon = f"cat >/dev/null; {RECORD}; (echo >{end}) &\necho $! >{pid}"
    managed = Managed(box, tmp_path, NONE, {"agent": daemon})
    assert managed.restart().outcome == "init"  # a script that waits would time out
    assert managed.called() == ["restart"]
    assert Path("/proc", pid.read_text().strip()).exists()
    end.read_text()


def play(platform: Emulator, **more: JSON) -> JSON:
    role = {"name": "fleetops.aliyun_iot.gateway", "rolespec_validate": False}
    variables = {**role_variables(platform), "gateway_register_from": "controller", "gateway_service": "agent", **more}
    return {
        "hosts": "gateways",
        "gather_facts": False,
        "vars": variables,
        "tasks": [{"ansible.builtin.import_role": role}],
    }


def test_the_role_restarts_without_python(platform: Emulator, tmp_path: Path) -> None:
    """The role restarts a service without Python: not in check mode, once in a run, and again until it starts."""
    platform.admin.put_device(PRODUCT_KEY, "gw-0001")
    record, broken = tmp_path / "record", tmp_path / "broken"
    shell = openwrt_shell(tmp_path / "shell")
    openrc = f'[ "$1" = --exists ] && exit; echo "$@" >>{record}; [ ! -e {broken} ]'
    write_script(tmp_path / "shell/bin/rc-service", openrc)
    hosts = inventory({"gw-0001": {"ansible_shell_executable": shell}}, tmp_path)

    def pass_(check: bool = False) -> tuple[int, JSON, int]:
        run = run_playbook(play(platform), hosts, tmp_path, check=check)
        restarts = [task["result"] for task in run.results["gw-0001"] if task["action"].endswith("service_restart")]
        times = record.read_text().splitlines().count("agent restart") if record.exists() else 0
        return run.rc, [(each.get("manager"), each.get("error", {}).get("kind")) for each in restarts], times

    assert pass_(check=True) == (0, [("openrc", None)], 0)
    broken.touch()
    assert pass_() == (2, [(None, "not_restarted")], 1)
    broken.unlink()
    assert pass_(check=True) == (0, [("openrc", None)], 1)
    assert pass_() == (0, [("openrc", None)], 2)
    assert pass_() == (0, [], 2)


@pytest.mark.parametrize("service", ["", "a b", "--user"])
def test_what_is_no_name_of_a_service(platform: Emulator, tmp_path: Path, service: str) -> None:
    task = {"fleetops.aliyun_iot.service_restart": {"service": service}}
    run = run_playbook({"hosts": "gateways", "gather_facts": False, "tasks": [task]}, inventory(1, tmp_path), tmp_path)
    assert run.result("gw-0001")["error"]["kind"] == "invalid_option", run
