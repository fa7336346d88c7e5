# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make connections to many hosts in one process, as ansible-core makes the connection of a task. PRIVATE to the collection."""

from __future__ import annotations

import contextlib
import copy
import os
import signal
import threading
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from jinja2 import TemplateError

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._connections import Connections
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import Render
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet import LeftToTask, Unreachable
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_options import is_omitted
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_action import TaskRemote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._inventory_names import (
    files_from_inventory,
    from_inventory,
    named_machine,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import not_evaluated
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._places import LOCAL, Places, Target, places_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import PYTHONS, Output

# Keywords for the connection or the user. A template in one of them would be evaluated for the first host only.
KEYWORDS = (
    *("connection", "port", "remote_user", "environment", "timeout"),
    *("become", "become_user", "become_method", "become_flags", "become_exe"),
)
# Options of connections that can lead to another machine of the same address.
_ROUTE = ("ssh_args", "ssh_common_args", "ssh_extra_args", "ssh_executable", "proxy_command")


class HostAction(ActionBase):
    """The action of one host of the pass: its connection, its variables, and how commands run there."""

    def __init__(self, *args: t.Any, variables: dict[str, t.Any], **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.variables = variables

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Do nothing: a pass runs the commands."""
        return {}


class FleetRemote(TaskRemote):
    """A gateway of the pass. An error of its connection affects only this gateway."""

    def __init__(self, action: HostAction, lock: threading.Lock) -> None:
        super().__init__(action, action.variables)
        self._lock = lock

    def execute(self, command: str, standard_input: str) -> Output:
        try:
            return super().execute(command, standard_input)
        except AnsibleConnectionFailure as error:
            raise Unreachable(str(error)) from None
        except AnsibleError as error:
            raise FleetopsError(
                str(error), hint="Check the connection and become (ansible -m raw -a id)", kind="connection"
            ) from None

    def python(self, candidates: t.Sequence[str] = PYTHONS) -> str:
        with self._lock:  # the setting may be a template
            try:
                return super().python(candidates)
            except AnsibleError as error:
                raise FleetopsError(
                    "ansible_python_interpreter of this host cannot be evaluated: %s" % str(error).rstrip("."),
                    hint="Correct it, or the variables that it refers to",
                    kind="invalid_option",
                ) from None

    def target(self) -> Target:
        connection, play_context = self._action._connection, self._action._play_context
        if connection.transport == LOCAL:
            return Target(LOCAL)
        found = {name: _option(connection, name) for name in ("host", "remote_addr", "port")}
        address = found["host"] or found["remote_addr"] or play_context.remote_addr
        port = found["port"] or play_context.port or (22 if connection.transport == "ssh" else "")
        route = tuple(str(_option(connection, name) or "") for name in _ROUTE)
        return Target(connection.transport, str(address), str(port), route)

    def close(self) -> None:
        """Close the connection."""
        self._action._connection.close()


def _option(connection: t.Any, name: str) -> t.Any:
    """Return the value of an option that not every connection has."""
    try:
        return connection.get_option(name)
    except (KeyError, AnsibleError):
        return None


class HostVariables:
    """Variables of one host; :meth:`get` evaluates the templates in one."""

    def __init__(self, raw: dict[str, t.Any], template: t.Callable[[t.Any], t.Any]) -> None:
        self.raw = raw
        self.template = template

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """Return the value of a variable, the default if it is omitted or not set.

        :raises AnsibleError: it cannot be evaluated
        """
        try:
            value = self.template(self.raw[name]) if name in self.raw else default
        except AnsibleError as error:
            if is_omitted(error):
                return default
            raise
        return default if value == self.raw.get("omit") else value


class Hosts:
    """Makes the actions of hosts, in the play of the task that runs the pass."""

    def __init__(self, action: ActionBase, variables: t.Mapping[str, t.Any]) -> None:
        """Take the action that runs the pass, and its variables.

        :raises InvalidOption: a keyword of the task holds a template
        """
        self._task = copy.copy(action._task)
        # These are of the task alone; every host has its own connection.
        self._task.delegate_to, self._task.connection = None, _connection_of(action._task)
        self._play = self._task.get_play()
        self._loader = action._loader
        self._shared_loader_obj = action._shared_loader_obj
        self._manager = variables["hostvars"]._variable_manager
        self._inventory = variables["hostvars"]._inventory
        self._play_hosts = list(variables["ansible_play_hosts_all"])
        self._play_batch = list(variables["ansible_play_batch"])
        active = set(variables["ansible_play_hosts"])
        # Hosts of the run that no batch contains, because they failed or did not answer before.
        self.failed_before = [str(host) for host in self._play_hosts if host not in active]
        delegated = variables.get("ansible_delegated_vars", {}).get(action._task.delegate_to, {})
        self._connections = Connections(action, self._task, {*variables, *delegated})
        self._lock = threading.Lock()
        _check_keywords(self._task)

    def action(self, host_name: str) -> HostAction:
        """Return the action of a host, with a connection that is not open yet.

        :raises FleetopsError: of kind invalid_option: a variable of the connection cannot be evaluated
        :raises LeftToTask: it cannot be made here
        """
        # Templates and plugin loaders are not safe for threads.
        with self._lock:
            try:
                return self._action(host_name)
            except AnsibleError as error:
                raise self._not_made(host_name, error) from None

    def _not_made(self, host_name: str, error: AnsibleError) -> FleetopsError | LeftToTask:
        """Return the error of a host whose connection cannot be made.

        It quotes no value of a variable, as errors of ansible-core before 2.19 do, because the value may be a password. A task of the host
        would fail with such an error too, so the host is not left to one if the variable is known.
        """
        name = self._broken_variable(host_name)
        if name:
            return not_evaluated(name)
        if isinstance(error, AnsibleUndefinedVariable) or "templat" in str(error):
            return LeftToTask("a variable of its connection cannot be evaluated")
        return LeftToTask(str(error))

    def _broken_variable(self, host_name: str) -> str | None:
        """Return the variable of ansible-core that cannot be evaluated, if there is one."""
        try:
            variables = self.variables(host_name)
        except AnsibleError:
            return None
        for name, value in variables.raw.items():
            if str(name).startswith("ansible_") and isinstance(value, str) and "{" in value:
                try:
                    variables.template(value)
                except (AnsibleError, TemplateError) as error:
                    if not is_omitted(error):
                        return str(name)
        return None

    def device(self, host_name: str) -> tuple[str, str]:
        """Return the ProductKey and the DeviceName that the inventory names for a host; they are empty if it names none."""
        try:
            named = from_inventory(host_name, self.variables(host_name))
        except AnsibleError:
            return "", ""
        return named.product_key, named.device_name or ""

    def places(self, host_name: str) -> Places | None:
        """Return the files that the inventory names for a host; None if its variables do not name its machine."""
        variables = self.variables(host_name)
        with self._lock:
            try:
                target: Target | None = self.remote(self._action(host_name, connects=False)).target()
            except AnsibleError:  # such as of a password or a plugin; the machine can be named all the same
                machine = named_machine(host_name, variables, self._task.connection)
                target = machine.target() if machine else None
        return places_of(None, target, files_from_inventory(variables))

    def template(self, action: HostAction, value: t.Any) -> t.Any:
        """Return a value of the host's variables with its templates filled in."""
        with self._lock:
            return action._templar.template(value)

    def variables(self, host_name: str) -> HostVariables:
        """Return the variables of a host, as a task on it would have them."""
        variables = self._variables(self._inventory.get_host(host_name))
        templar = Templar(loader=self._loader, variables=variables)
        return HostVariables(variables, templar.template)

    def _variables(self, host: t.Any) -> dict[str, t.Any]:
        # With one host in place of the hosts of the play. Ansible would copy those for each host, and without any it would search for them.
        one = self._play_hosts[:1]
        variables: dict[str, t.Any] = self._manager.get_vars(
            play=self._play, host=host, task=self._task, _hosts=one, _hosts_all=one
        )
        variables["ansible_play_hosts_all"] = variables["ansible_play_hosts"] = self._play_hosts
        variables["ansible_play_batch"] = self._play_batch
        return variables

    def remote(self, action: HostAction) -> FleetRemote:
        """Return the gateway of an action."""
        return FleetRemote(action, self._lock)

    def alone(self, render: Render) -> Render:
        """Return the same renderer, for one thread at a time."""

        def guarded(template: str, variables: dict[str, str]) -> str:
            with self._lock:
                return render(template, variables)

        return guarded

    def _action(self, host_name: str, connects: bool = True) -> HostAction:
        """Return the action of a host; unless it ``connects``, without the passwords that were typed in."""
        host = self._inventory.get_host(host_name)
        variables = self._variables(host)
        templar = Templar(loader=self._loader, variables=variables)
        play_context, connection = self._connections.make(host, variables, templar, connects)
        return HostAction(
            task=self._task,
            connection=connection,
            play_context=play_context,
            loader=self._loader,
            templar=templar,
            shared_loader_obj=self._shared_loader_obj,
            variables=variables,
        )


def check_run_once(task: t.Any) -> None:
    """Check that a task that works for all hosts of a batch is run once, with a result for all of them, and for no other host.

    With ``delegate_to: localhost``, it runs even if ansible-core cannot create the connection of the first host.

    :raises InvalidOption: it is not
    :raises AnsibleError: the task would be repeated
    """
    if not task.run_once:
        raise InvalidOption("run_once", None, "is missing", "Add run_once: true to the task, which works for all hosts")
    if task.delegate_to and task.delegate_to not in C.LOCALHOST:
        raise InvalidOption(
            "delegate_to",
            task.delegate_to,
            "is not localhost: the task runs on the controller, and reaches each host over its own connection",
            "Remove it, or use localhost",
        )
    if task.until or task.retries:
        refused = InvalidOption(
            "until",
            None,
            "is not possible: a repeated task returns only what its last attempt changed, so the handlers of other hosts would not run",
            "Remove until and retries; the variable gateway_retry_time is for requests that fail",
        )
        raise AnsibleError(str(refused))  # A failed result would be repeated


def _check_keywords(task: t.Any) -> None:
    """Check that no keyword of the task, its blocks or its play is a template, which would be evaluated for the first host only.

    :raises InvalidOption: one is
    """
    levels = [task, task.get_play()]
    while parent := getattr(levels[-1] if len(levels) > 2 else task, "_parent", None):
        levels.append(parent)
    for level in levels:
        written = level.get_ds()
        for keyword in KEYWORDS:
            text = str(written.get(keyword) or "") if isinstance(written, dict) else ""
            if "{{" in text or "{%" in text:
                raise InvalidOption(
                    keyword,
                    None,
                    "is a template, and one task does the work for all hosts",
                    "Set the variable of the host instead, such as ansible_become_user or ansible_port",
                )


def _connection_of(task: t.Any) -> t.Any:
    """Return the connection that the task, its blocks, its role or its play names; if none does, a value that a task replaces.

    Since ansible-core 2.21, the attribute of a running task is the connection to the host that it is delegated to. The attribute of its
    block is no substitute: while the task runs, its blocks do not ask their own blocks or the play.
    """
    written = task.get_ds()
    if isinstance(written, dict) and "connection" in written:
        return written["connection"]
    return task._get_parent_attribute("connection", omit=True)


def end_children() -> None:
    """End the child processes of this process, which its connections have started, and their children, where /proc lists them.

    A child of the connection ``local`` is a shell, and what hangs is the command that it waits for.
    """
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    ending = [*children.get(os.getpid(), ())]
    for child in ending:
        ending.extend(children.get(child, ()))
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGTERM)
