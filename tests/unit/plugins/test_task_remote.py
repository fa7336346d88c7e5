# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a connection gets for a script: the command, its standard input, and no terminal."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.connection.local import Connection
from ansible.plugins.shell.sh import ShellModule
from ansible.template import Templar

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_action import TaskRemote


class Action(ActionBase):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("shell", ["/bin/sh", "/opt/bin/ash"])
def test_a_script_starts_no_program_but_its_shell(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """ansible-core adds "sleep 0" to a command whose shell is not named, for terminals; on a gateway that is a program more."""
    context, loader = PlayContext(), DataLoader()
    context.executable = shell
    connection = Connection(context, None, shell=ShellModule())
    sent = []

    def execute(command: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        sent.append((command, in_data))
        return 0, b"fleetops-end looked\n", b""

    monkeypatch.setattr(connection, "exec_command", execute)
    monkeypatch.setattr(connection, "set_option", lambda _name, _value: None)
    monkeypatch.setattr(connection, "get_option", lambda _name: None)
    action = Action(Task(), connection, context, loader, Templar(loader, {}), None)
    assert TaskRemote(action, {}).run("echo fleetops-end looked\n") == "fleetops-end looked\n"
    assert sent == [(f"{shell} -c {shell}", b"echo fleetops-end looked\n")]
