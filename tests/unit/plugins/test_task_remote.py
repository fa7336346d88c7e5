# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the execution of a script by a connection: the command, its standard input, no terminal, and failures."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
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


def remote(monkeypatch: pytest.MonkeyPatch, execute: Any, shell: str = "/bin/sh") -> TaskRemote:
    """Return a gateway whose connection runs commands with ``execute``."""
    context, loader = PlayContext(), DataLoader()
    context.executable = shell
    connection = Connection(context, None, shell=ShellModule())
    monkeypatch.setattr(connection, "exec_command", execute)
    monkeypatch.setattr(connection, "set_option", lambda _name, _value: None)
    monkeypatch.setattr(connection, "get_option", lambda _name: None)
    return TaskRemote(Action(Task(), connection, context, loader, Templar(loader, {}), None), {})


@pytest.mark.parametrize("shell", ["/bin/sh", "/opt/bin/ash"])
def test_a_script_starts_no_program_but_its_shell(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """If no shell is named, ansible-core adds "sleep 0" to a command, for terminals; on a gateway this would start another program."""
    sent = []

    def execute(command: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        sent.append((command, in_data))
        return 0, b"fleetops-end looked\n", b""

    assert remote(monkeypatch, execute, shell).run("echo fleetops-end looked\n") == "fleetops-end looked\n"
    assert sent == [(f"{shell} -c {shell}", b"echo fleetops-end looked\n")]


@pytest.mark.parametrize("kind", [AnsibleConnectionFailure, AnsibleError])
def test_what_a_gateway_prints_when_a_connection_fails_is_one_short_line(
    monkeypatch: pytest.MonkeyPatch, kind: type[AnsibleError]
) -> None:
    """The messages of ssh and become contain the gateway's output, with the cause at the end."""

    def execute(*_: Any, **_options: Any) -> tuple[int, bytes, bytes]:
        raise kind("Failed to connect: \x1b]0;title\x07 \u202e\n" + "banner\n" * 100_000 + "ssh: No route to host")

    with pytest.raises(kind) as caught:
        remote(monkeypatch, execute).run("")
    told = str(caught.value)
    assert told.startswith("Failed to connect: ?]0;title? ? / banner")
    assert told.endswith("ssh: No route to host")
    assert (told.isprintable(), len(told) < 1000) == (True, True)
