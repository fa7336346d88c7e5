# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that the copy of a connection is what ansible-core would make for the host itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants as C
from ansible import context, template
from ansible.inventory.host import Host
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader as plugins
from ansible.template import Templar
from ansible.utils.context_objects import CLIArgs
from ansible.vars.manager import VariableManager

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._connections import Connections

Variables = dict[str, Any]
trusted = getattr(template, "trust_as_template", str)  # since ansible-core 2.19
USUAL: Variables = {
    "ansible_user": "admin",
    "ansible_port": 2222,
    "ansible_ssh_common_args": "-o StrictHostKeyChecking=no",
}
SUDO: Variables = {
    **USUAL,
    "ansible_become": True,
    "ansible_become_password": "usualpass",
    "ansible_become_user": "iot",
}
LOADER = DataLoader()


@pytest.fixture(autouse=True)
def _command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", context.CLIARGS)


class Uncopied(Connections):
    """Makes the connection of each host as ansible-core does."""

    def _pattern(self, *_arguments: Any) -> None:
        return None


def connections(kind: type[Connections] = Connections, **command_line: Any) -> Connections:
    """Return the connections of a task, for a run with this command line."""
    context.CLIARGS = CLIArgs({"connection": "ssh", "become_method": "sudo", **command_line})
    manager = VariableManager(LOADER, InventoryManager(LOADER))
    play = Play.load({"name": "play", "hosts": "all"}, variable_manager=manager, loader=LOADER)
    task = Task(block=Block(play=play))
    first = PlayContext(play=play, passwords={"conn_pass": "typedsecret", "become_pass": "typedsecret"})
    action: Any = SimpleNamespace(_loader=LOADER, _shared_loader_obj=plugins, _play_context=first)
    return kind(action, task, set())


def made(of: Connections, name: str, variables: Variables) -> tuple[Any, Variables]:
    """Return the connection of a host, and all that it consists of."""
    own = {"inventory_hostname": name, **variables}
    play_context, connection = of.make(Host(name), own, Templar(loader=LOADER, variables=own), connects=True)
    plugins_of = {"connection": connection, "shell": connection._shell, "become": connection.become}
    options = {kind: plugin.get_options() for kind, plugin in plugins_of.items() if plugin}
    address = {name: getattr(connection, name, None) for name in ("host", "port", "user")}
    assert connection._play_context is play_context
    return connection, {"variables": own, "context": play_context.dump_attrs(), **options, **address}


@pytest.mark.parametrize(
    ("first", "second", "is_copied"),
    [
        (USUAL, USUAL, True),
        (SUDO, SUDO, True),
        ({**USUAL, "ansible_host": "192.0.2.1"}, {**USUAL, "ansible_host": "192.0.2.2"}, True),
        ({**USUAL, "ansible_host": "192.0.2.1"}, USUAL, True),
        (USUAL, {**USUAL, "ansible_ssh_host": "192.0.2.2", "ansible_host": "192.0.2.3"}, True),
        ({**USUAL, "gateway_path": "a"}, {**USUAL, "gateway_path": "b"}, True),
        *[(USUAL, {**USUAL, "ansible_host": odd}, True) for odd in (None, "", 5, "fe80::1%eth0", "a b")],
        (USUAL, {**USUAL, "ansible_port": 22}, False),
        (USUAL, {**USUAL, "ansible_ssh_pass": "otherpass"}, False),
        ({**USUAL, "ansible_ssh_pass": "otherpass"}, USUAL, False),
        (USUAL, SUDO, False),
        (SUDO, {**SUDO, "ansible_become_password": "otherpass"}, False),
        (SUDO, {**SUDO, "ansible_sudo_flags": "-n"}, False),
        (SUDO, {**SUDO, "ansible_become_method": "su"}, False),
        (USUAL, {**USUAL, "ansible_shell_executable": "/bin/ash"}, False),
        (USUAL, {**USUAL, "ansible_remote_tmp": "/run/other"}, False),
        (USUAL, {**USUAL, "ansible_connection": "local"}, False),
        ({**USUAL, "ansible_connection": "local"}, {**USUAL, "ansible_connection": "local"}, False),
        *[
            ({**USUAL, name: trusted(text)}, {**USUAL, name: trusted(text)}, False)
            for name, text in (
                ("ansible_ssh_private_key_file", "/keys/{{ inventory_hostname }}"),
                ("ansible_host", "{{ inventory_hostname }}.example.com"),
                ("ansible_user", "{% if inventory_hostname == 'gw-1' %}one{% else %}two{% endif %}"),
            )
        ],
    ],
)
def test_a_copy_is_what_the_host_would_have(first: Variables, second: Variables, is_copied: bool) -> None:
    both, alone = connections(), connections(Uncopied)
    made(both, "gw-1", first)
    pattern = both._patterns.get(True)
    assert made(both, "gw-2", second)[1] == made(alone, "gw-2", second)[1]
    assert (pattern is not None and pattern.fits(second)) == is_copied


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"ansible_host": None}, "gw-2"),
        ({"ansible_host": ""}, "gw-2"),
        ({"ansible_host": "inventory_hostname"}, "gw-2"),
        ({"ansible_host": 10}, "10"),
        ({"ansible_host": "fe80::1%eth0"}, "fe80::1%eth0"),
        ({"ansible_ssh_host": None, "ansible_host": "192.0.2.7"}, "192.0.2.7"),
    ],
    ids=str,
)
def test_an_address_means_what_it_means_to_ansible(variables: Variables, address: str) -> None:
    of = connections()
    for name in ("gw-1", "gw-2"):
        connection, _consists = made(of, name, {**USUAL, **variables})
    assert str(connection.get_option("host") or connection._play_context.remote_addr) == address


@pytest.mark.parametrize("values", [(1, True), (1234, 1234.0)], ids=str)
@pytest.mark.parametrize("name", ["ansible_password", "ansible_become_password"])
def test_passwords_that_are_equal_numbers_are_different(name: str, values: tuple[Any, ...]) -> None:
    of, consists = connections(), {}
    for value in values:
        _connection, consists = made(of, "gw-2", {**SUDO, name: value})
    assert consists == made(connections(Uncopied), "gw-2", {**SUDO, name: values[-1]})[1]


def test_a_plugin_that_has_an_option_from_the_name_of_the_host_is_made_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = C.config.get_plugin_vars
    monkeypatch.setattr(
        C.config,
        "get_plugin_vars",
        lambda kind, name: [*found(kind, name), *["inventory_hostname"] * (kind == "become")],
    )
    of = connections()
    made(of, "gw-1", SUDO)
    assert of._patterns == {}
    made(of, "gw-1", USUAL)
    assert of._patterns


def test_hosts_share_nothing_that_a_connection_changes() -> None:
    of = connections()
    one, _of_one = made(of, "gw-1", SUDO)
    one.become.build_become_command("true", one._shell)
    for plugin, option in ((one, "host"), (one._shell, "remote_tmp"), (one.become, "become_user")):
        plugin.set_option(option, "changed")
    one._play_context.prompt = "changed"
    one._connected = True
    two, of_two = made(of, "gw-2", SUDO)
    assert of_two == made(connections(Uncopied), "gw-2", SUDO)[1]
    assert (two.become.success, two._connected) == ("", False)


def test_a_key_that_the_command_line_names_with_a_template_is_that_of_each_host() -> None:
    of = connections(private_key_file=trusted("/keys/{{ inventory_hostname }}"))
    keys = [made(of, name, USUAL)[1]["context"]["private_key_file"] for name in ("gw-1", "gw-2")]
    assert keys == ["/keys/gw-1", "/keys/gw-2"]


def test_a_password_that_was_typed_in_is_only_for_those_that_connect() -> None:
    of = connections(ask_pass=True)
    own = {"inventory_hostname": "gw-1", **USUAL}
    contexts = [
        of.make(Host("gw-1"), dict(own), Templar(loader=LOADER, variables=own), connects)[0]
        for connects in (False, True, False, True)
    ]
    assert [each.password for each in contexts] == ["", "typedsecret", "", "typedsecret"]
