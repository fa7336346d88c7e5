# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the connections of hosts as ansible-core makes the connection of a task, once for hosts that differ in their address alone.

PRIVATE to the collection.

To evaluate the options of one connection takes ansible-core about 3 ms, an eighth of what a gateway in the right state costs the
controller.
"""

from __future__ import annotations

import copy
import typing as t

from ansible import constants as C
from ansible import context
from ansible.executor.task_executor import TaskExecutor
from ansible.playbook.play_context import PlayContext
from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet import LeftToTask

_ASKED = {
    "password": ("ask_pass", "connection_password_file"),
    "become_pass": ("become_ask_pass", "become_password_file"),
}
_COPIED = "ansible.builtin.ssh"  # before it is opened, such a connection holds nothing of its host but the address
_ADDRESS = C.MAGIC_VARIABLE_MAPPING["remote_addr"]
_OF_HOST = {"inventory_hostname", *_ADDRESS}


class _Maker(TaskExecutor):
    """The maker of connections in ansible-core; since 2.21 it reads the task from a context that threads do not have."""

    _task: t.Any = None


class _Pattern(t.NamedTuple):
    """A connection that is copied and never opened, and the variables that it was made from, without the address."""

    play_context: PlayContext
    connection: t.Any
    names: t.Collection[str]
    variables: t.Mapping[str, tuple[type, t.Any]]

    def fits(self, variables: t.Mapping[str, t.Any]) -> bool:
        """Return True if a connection from these variables would differ in its address alone."""
        return self.variables == _chosen(self.names, variables)


class Connections:
    """Makes the connections of hosts, in the play of the task that runs the pass; not safe for threads."""

    def __init__(self, action: ActionBase, task: t.Any, first_names: t.Collection[str]) -> None:
        """Take the action that runs the pass, its task, and the names of the first host's variables."""
        self._task = task
        self._play = task.get_play()
        self._loader = action._loader
        self._shared_loader_obj = action._shared_loader_obj
        self._first = action._play_context
        self._first_names = first_names
        self._patterns: dict[bool, _Pattern] = {}

    def make(
        self, host: t.Any, variables: dict[str, t.Any], templar: Templar, connects: bool
    ) -> tuple[PlayContext, t.Any]:
        """Return the play context of a host, and its connection, which is not open yet; add what they add to its variables.

        :param connects: False: without the passwords that were typed in
        :raises AnsibleError: a variable cannot be evaluated, or a plugin is missing
        :raises LeftToTask: a password of the first host's variables has replaced the one that was typed in
        """
        address = next((variables[name] for name in _ADDRESS if name in variables), host.address)
        can_copy, pattern = _is_address(address), self._patterns.get(connects)
        if not (can_copy and pattern and pattern.fits(variables)):
            written = dict(variables)
            play_context, connection = self._make(host, variables, templar, _ASKED if connects else {})
            pattern = self._pattern(play_context, connection, written) if can_copy else None
            if pattern:
                self._patterns[connects] = pattern
        if can_copy and pattern:
            play_context, connection = _copied(pattern, address)
        play_context.update_vars(variables)
        connection.update_vars(variables)
        return play_context, connection

    def _make(
        self,
        host: t.Any,
        variables: dict[str, t.Any],
        templar: Templar,
        passwords: t.Mapping[str, t.Sequence[str]],
    ) -> tuple[PlayContext, t.Any]:
        executor = _Maker.__new__(_Maker)
        executor._host, executor._task, executor._connection = host, self._task, None
        executor._loader, executor._shared_loader_obj = self._loader, self._shared_loader_obj
        vars(executor)["_new_stdin"] = None  # before ansible-core 2.19
        play_context = self._play_context(variables, passwords).set_task_and_variable_override(
            task=self._task, variables=variables, templar=templar
        )
        play_context.post_validate(templar=templar)
        if not play_context.remote_addr:
            play_context.remote_addr = host.address
        executor._play_context = play_context
        play_context.update_vars(variables)
        named = variables.get("ansible_connection")
        connection_type = self._task.connection if named is None else templar.template(named)
        connection = executor._connection = executor._get_connection(variables, templar, connection_type)
        executor._set_connection_options(variables, templar)
        return play_context, connection

    def _play_context(
        self, variables: t.Mapping[str, t.Any], passwords: t.Mapping[str, t.Sequence[str]]
    ) -> PlayContext:
        """Return the play context of the command line, without the values from the first host's variables.

        :param passwords: of the play context that may have been typed in, each with its options of the command line
        :raises LeftToTask: a password of the first host's variables has replaced the one that was typed in
        """
        first = self._first
        plain = PlayContext(play=self._play, passwords={}, connection_lockfd=first.connection_lockfd)
        for attribute, asked in passwords.items():
            names = C.MAGIC_VARIABLE_MAPPING[attribute]
            if not any(context.CLIARGS.get(option) for option in asked) or any(name in variables for name in names):
                continue
            if any(name in self._first_names for name in names):
                raise LeftToTask("its %s was typed in, but the first host has one in its variables" % attribute)
            setattr(plain, attribute, getattr(first, attribute))
        return plain

    def _pattern(
        self, play_context: PlayContext, connection: t.Any, variables: t.Mapping[str, t.Any]
    ) -> _Pattern | None:
        """Return the pattern that a connection is for others; None if a part of it may depend on its host."""
        if connection.ansible_name != _COPIED:
            return None
        names = {name for known in C.MAGIC_VARIABLE_MAPPING.values() for name in known}.union(_names(connection))
        names -= _OF_HOST
        for plugin in filter(None, (connection._shell, connection.become)):
            names.update(_names(plugin))
        if names & _OF_HOST:  # such as of a become plugin that looks for the password of a host
            return None
        chosen = _chosen(names, variables)
        command_line = PlayContext(play=self._play, passwords={}).dump_attrs().values()
        values = [value for _type, value in chosen.values()]
        values += [value for value in command_line if isinstance(value, str)]
        return _Pattern(play_context, connection, names, chosen) if all(map(_plain, values)) else None


def _names(plugin: t.Any) -> list[str]:
    """Return the names of the variables that the options of a plugin come from."""
    names: list[str] = C.config.get_plugin_vars(plugin.plugin_type, plugin._load_name)
    return names


def _chosen(names: t.Collection[str], variables: t.Mapping[str, t.Any]) -> dict[str, tuple[type, t.Any]]:
    """Return variables with their types: 1, 1.0 and True are equal, but are not the same password."""
    return {name: (type(variables[name]), variables[name]) for name in names if name in variables}


def _is_address(value: t.Any) -> bool:
    """Return True if the value is an address as it stands: ansible-core uses another one for what is empty, and for one name."""
    return isinstance(value, str) and value not in ("", "inventory_hostname") and _plain(value)


def _plain(value: t.Any) -> bool:
    """Return True if the value is the same for each host: it is no template, and nothing that a vault or a plugin evaluates."""
    return value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and "{" not in value)


def _copied(pattern: _Pattern, address: str) -> tuple[PlayContext, t.Any]:
    """Return what the pattern would be for a host with this address."""
    play_context, connection = copy.copy(pattern.play_context), _copied_plugin(pattern.connection)
    play_context.remote_addr = connection.host = connection._options["host"] = address
    connection._play_context = play_context
    connection._shell = _copied_plugin(connection._shell)
    if connection.become:
        connection.become = _copied_plugin(connection.become)
    return play_context, connection


def _copied_plugin(plugin: t.Any) -> t.Any:
    copied = copy.copy(plugin)
    copied._options = dict(plugin._options)
    return copied
