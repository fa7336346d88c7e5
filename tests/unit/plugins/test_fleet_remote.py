# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test how a pass makes connections, and ends those that hang."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import context
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.utils.context_objects import CLIArgs
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet import LeftToTask
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_remote import Hosts, HostVariables

JSON = dict[str, Any]
ENDING = """
import subprocess
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_remote import end_children

shell = subprocess.Popen(["sh", "-c", "sleep 60 & echo; wait"], stdout=subprocess.PIPE)
shell.stdout.readline()
while shell.poll() is None or shell.stdout.read():
    end_children()
print("ended")
"""


def test_a_command_ends_with_the_shell_that_waits_for_it() -> None:
    """The command keeps the shell's output open, and the connection waits for the end of the output."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "ended\n", done


SECRET = "SECRETCANARY{%x"
# Of ansible-core before 2.19.
OLD_ERRORS = [
    AnsibleError(
        f"An unhandled exception occurred while templating '{SECRET}'. Error was a <class 'ansible.errors.AnsibleError'>, original "
        f"message: template error while templating string: Encountered unknown tag 'x'.. String: {SECRET}"
    ),
    AnsibleUndefinedVariable(f"{SECRET}: 'x' is undefined. 'x' is undefined"),
]


def hosts_of(error: Exception, raw: dict[str, str]) -> Hosts:
    """Return hosts whose connections cannot be made, because of this error; every template with a tag is wrong."""

    class Broken(Hosts):
        def _action(self, host_name: str, connects: bool = True) -> Any:
            raise error

        def variables(self, host_name: str) -> HostVariables:
            return HostVariables(raw, template)

    def template(value: str) -> str:
        if "{%" in value:
            raise error
        return value

    hosts = Broken.__new__(Broken)
    hosts._lock = threading.Lock()
    return hosts


@pytest.mark.parametrize("error", OLD_ERRORS, ids=["syntax", "undefined"])
def test_no_error_quotes_a_value_of_a_connection(error: Exception) -> None:
    """The value may be a password, and the error is in the report."""
    usual = {"ansible_host": "{{ address }}", "ansible_user": "root", "ansible_port": "22", "vault_become": SECRET}
    with pytest.raises(FleetopsError) as named:
        hosts_of(error, {**usual, "ansible_become_password": SECRET}).action("gw-0001")
    assert named.value.msg == "the variable ansible_become_password of this host cannot be evaluated"
    assert "Correct it" in named.value.hint
    with pytest.raises(LeftToTask) as unnamed:
        hosts_of(error, usual).action("gw-0001")
    assert str(unnamed.value) == "a variable of its connection cannot be evaluated"


@pytest.mark.parametrize(
    ("task", "block", "outer", "play", "connection"),
    [
        ({}, {}, {}, {}, "ssh"),
        ({"connection": "smart"}, {"connection": "local"}, {}, {}, "ssh"),
        ({}, {}, {}, {"connection": "community.general.lxd"}, "community.general.lxd"),
        ({}, {}, {"connection": "paramiko_ssh"}, {"connection": "local"}, "paramiko_ssh"),
        ({}, {"connection": "paramiko_ssh"}, {"connection": "local"}, {}, "paramiko_ssh"),
        ({"connection": "ansible.builtin.ssh"}, {"connection": "local"}, {}, {}, "ansible.builtin.ssh"),
    ],
)
def test_the_connection_of_a_gateway_is_not_that_of_the_delegated_task(
    monkeypatch: pytest.MonkeyPatch, task: JSON, block: JSON, outer: JSON, play: JSON, connection: str
) -> None:
    """Since ansible-core 2.21, a running task has the connection to localhost as its attribute: gateways would become folders of it."""
    monkeypatch.setattr(context, "CLIARGS", CLIArgs({"connection": "ssh"}))
    loader = DataLoader()
    inventory = InventoryManager(loader)
    manager = VariableManager(loader, inventory)
    of_play = Play.load({"hosts": "all", **play}, variable_manager=manager, loader=loader)
    outermost = Block(play=of_play)
    parent = Block(play=of_play, parent_block=outermost)
    running = Task(block=parent)
    for level, written in ((outermost, outer), (parent, block), (running, task)):
        level._ds = written
        for keyword, value in written.items():
            setattr(level, keyword, value)
    running.squash()
    # As Task.post_validate does with the parents, and ansible-core 2.21 with the connection.
    parent._finalized = outermost._finalized = True
    running.connection = "ansible.builtin.local"
    variables = {"hostvars": HostVars(inventory, manager, loader)}
    variables |= {f"ansible_play_{name}": [] for name in ("hosts", "hosts_all", "batch")}
    action: Any = SimpleNamespace(_task=running, _loader=loader, _shared_loader_obj=None, _play_context=None)
    assert Hosts(action, variables)._task.connection == connection
    assert running.connection == "ansible.builtin.local"


def test_a_connection_that_cannot_be_made_is_left_to_a_task_with_its_reason() -> None:
    error = AnsibleError("the connection plugin 'nowhere' was not found")
    with pytest.raises(LeftToTask, match="the connection plugin 'nowhere' was not found"):
        hosts_of(error, {"ansible_connection": "nowhere"}).action("gw-0001")
