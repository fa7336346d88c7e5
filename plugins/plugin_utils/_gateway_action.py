# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base of the actions that work on one gateway, over the task's connection. PRIVATE to the collection."""

from __future__ import annotations

import importlib
import typing as t
from abc import abstractmethod
from contextlib import suppress

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.release import __version__

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import Spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, internal
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import MESSAGE, message
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import Convergence, Result
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import Render
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_options import set_value
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_work import GatewayWork
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import check_facts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import (
    bad_options,
    check_types,
    plain_text,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._parent import ending_with_parent
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import PYTHONS, Output, Remote, python_command
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._result import failed, without_diff
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._roots import lacking_roots
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._task_end import (
    check_failure,
    drop_idle_handlers,
    has_followers,
    unreachable,
    warn_despite_no_log,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import (
    OF_RECOVERY,
    OF_REGISTRATION,
    check_host,
    failure_with_variables,
)

ROLE = "fleetops.aliyun_iot.gateway"
# Since ansible-core 2.19 a rendered template is always text, and the option that says so is deprecated.
AS_TEXT = {} if tuple(map(int, __version__.split(".")[:2])) >= (2, 19) else {"convert_data": False}


COLLECTION = "ansible_collections.fleetops.aliyun_iot.plugins."
# Modules that are imported lazily, so that a pass over gateways that are right does not load them.
LOGIN = (COLLECTION + "plugin_utils._remote_python", COLLECTION + "module_utils._device.login_program")
CHANGE = (*LOGIN, COLLECTION + "module_utils._device.sender", COLLECTION + "module_utils._requests", "requests")


def load(modules: t.Iterable[str]) -> None:
    """Import modules in the parent process, before Ansible forks a process per host."""
    for name in modules:
        with suppress(ImportError):  # a missing library is reported by _requests when it is needed
            importlib.import_module(name)


class GatewayAction(ActionBase):
    """Validate the options, call :meth:`_perform`, return its result or its error without secrets."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    @staticmethod
    @abstractmethod
    def _spec() -> Spec:
        """Return the options of the action."""

    @abstractmethod
    def _perform(self, options: dict[str, t.Any], remote: Remote) -> Result:
        """Return the result of the action.

        :raises FleetopsError: it failed
        """

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        self._known: Result = {}
        self._check_mode = bool(self._task.check_mode)
        try:
            check_facts(self._vars)
            self._check_variables()
            result.update(self._perform(self._options(), TaskRemote(self, self._vars)))
        except FleetopsError as error:
            result.update(self._failed(error))
        except AnsibleConnectionFailure as error:
            raise unreachable(error) from None
        except AnsibleError:
            raise  # of ansible-core, which reports it
        except Exception as error:  # pylint: disable=broad-except
            result.update(self._failed(internal(error)))
        if result.get("failed") and self._of_role():
            result = failure_with_variables(result, OF_RECOVERY if "force" in self._spec() else OF_REGISTRATION)
        warn_despite_no_log(self, self._host(), result)
        drop_idle_handlers(self._task, result, self._service)
        check_failure(self._task, result)
        return result

    def _converge(self, work: GatewayWork, remote: Remote) -> Result:
        """Look, decide, change; keep the fields of the result so far for a failure."""
        render = renderer(self, self._vars)
        convergence = Convergence(work.task, remote, work.issuer, work.login, render, self._display, self._check_mode)
        try:
            with ending_with_parent():
                result = convergence.run()
            return result if self._task.diff else without_diff(result)
        except FleetopsError:
            self._known = convergence.known
            raise
        finally:
            for message in lacking_roots({self._host(): convergence.known}):
                self._display.warning(message)

    def _failed(self, error: FleetopsError) -> Result:
        """Return the result of a failed task."""
        return failed(self._known, error)

    def _check_variables(self) -> None:
        if self._of_role():
            check_host(self._vars, lambda name: set_value(name, self._vars, self._templar.template))

    def _of_role(self) -> bool:
        """Return whether the task is the role's, so that its options are variables."""
        return bool(self._task._role and self._task._role.get_name() == ROLE)

    def _service(self) -> t.Any:
        try:
            return set_value("gateway_service", self._vars, self._templar.template)
        except FleetopsError as error:
            raise AnsibleError(str(error)) from None

    def _host(self) -> str:
        return str(self._vars["inventory_hostname"])

    def _options(self) -> dict[str, t.Any]:
        spec = self._spec()
        check_types(spec, self._task.args)
        self._task.args = {name: plain_text(value) for name, value in self._task.args.items()}
        try:
            _result, options = self.validate_argument_spec(argument_spec=spec)
        except AnsibleError as error:
            raise bad_options(str(error.message), self._task.action) from None
        return self._with_follow_up(options)

    def _with_follow_up(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the options, with the default of ``follow_up`` if it is one of them and is not set."""
        if options.get("follow_up", False) is None:
            return {**options, "follow_up": has_followers(self._task, options["service"])}
        return dict(options)


def renderer(action: ActionBase, variables: dict[str, t.Any]) -> Render:
    """Return a function that renders a user's template with the variables of a host."""

    def render(template: str, more: dict[str, str]) -> str:
        lookup = action._shared_loader_obj.lookup_loader.get(
            "ansible.builtin.template", loader=action._loader, templar=action._templar
        )
        try:
            [text] = lookup.run([template], variables, template_vars=more, **AS_TEXT)
        except AnsibleError as error:
            raise FleetopsError(str(error), kind="invalid_option") from error
        return str(text)

    return render


def _shown(text: str) -> str:
    """Return what a connection or become printed, which a gateway may have written: its beginning and its end, where the cause is."""
    if len(text) <= MESSAGE:
        return message(text, 4 * MESSAGE)
    return f"{message(text[:100])} ... {message(text[100 - MESSAGE :], 4 * MESSAGE)}"


class TaskRemote(Remote):
    """The gateway of a task, over the task's connection."""

    def __init__(self, action: ActionBase, variables: t.Mapping[str, t.Any]) -> None:
        super().__init__(action._play_context.executable or "/bin/sh")
        self._action = action
        self._variables = variables

    def execute(self, command: str, standard_input: str) -> Output:
        # Without pipelining, the connection local uses a terminal for the become password, which then replaces standard input.
        with suppress(AnsibleError, KeyError):  # not every connection has the option
            self._action._connection.set_option("pipelining", True)
        try:
            # With the shell named, ansible-core leaves out the "sleep 0" that it adds because a terminal can lose output: there is none.
            outcome = self._action._low_level_execute_command(
                command,
                in_data=standard_input.encode("utf-8"),
                executable=self._action._play_context.executable or None,
            )
        except AnsibleConnectionFailure as error:
            raise AnsibleConnectionFailure(_shown(str(error))) from None
        except AnsibleError as error:
            if "pipelining" not in str(error):
                raise AnsibleError(_shown(str(error))) from None
            raise FleetopsError(
                "the connection %s does not support standard input, which scripts are sent on"
                % self._action._connection.transport,
                hint="Set ansible_connection: ssh",
                kind="connection",
            ) from None
        return str(outcome["stdout"]), int(outcome["rc"])

    def python(self, candidates: t.Sequence[str] = PYTHONS) -> str:
        """Return the command of the Python that the inventory names, if it does, in the task's environment."""
        action, variables = self._action, self._variables
        if action._task.delegate_to:
            variables = variables.get("ansible_delegated_vars", {}).get(action._task.delegate_to, variables)
        setting = C.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        return python_command(action._templar.template(setting), action._compute_environment_string(), candidates)
