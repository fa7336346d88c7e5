# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base of the actions that work on the controller alone, in the process of the task. PRIVATE to the collection.

No module is built, so no file contains the options, and no connection is used, whatever host the task is for.
"""

from __future__ import annotations

import typing as t
from abc import abstractmethod
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import Spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, internal
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import check_facts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import (
    bad_options,
    check_types,
    plain_text,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._parent import ending_with_parent
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._task_end import check_failure, warn_despite_no_log
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import failure_with_variables

Result = dict[str, t.Any]
PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
# The fewest characters of a value that is masked. A shorter one is in names and numbers too; no secret of the platform is as short.
_SHORTEST = 8


class ControllerAction(ActionBase):
    """Validate the options, call :meth:`_perform`, return its result or its error without secrets."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False
    _constraints: t.ClassVar[dict[str, t.Any]] = {}  # further arguments of validate_argument_spec()
    # Options with the variables that the collection's playbooks pass in them.
    _of_playbooks: t.ClassVar[t.Mapping[str, str]] = {}

    @staticmethod
    @abstractmethod
    def _spec() -> Spec:
        """Return the options of the action."""

    @abstractmethod
    def _perform(self, options: t.Mapping[str, t.Any]) -> Result:
        """Return the result of the action; raise FleetopsError for an action that failed as a whole."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result = super().run(tmp, task_vars)
        self._variables = task_vars or {}
        try:
            # With run_once, the variables of one host apply to the whole batch, and its facts come from the gateway.
            check_facts(self._variables)
            with ending_with_parent():
                result.update(self._perform(self._options()))
        except FleetopsError as error:
            result.update(failure_with_variables(failure(error), self._option_variables()))
        except AnsibleError:
            raise  # of ansible-core, which reports it
        except Exception as error:  # pylint: disable=broad-except
            result.update(failure(internal(error)))
        secrets = {name for name, option in self._spec().items() if option.get("no_log")}
        values = {str(value) for name, value in self._task.args.items() if name in secrets and value}
        # A blank or a few letters are no secret, and are in every message.
        masked = {value for value in values if len(value.strip()) >= _SHORTEST}
        clean: Result = remove_values(result, masked) if masked else result
        warn_despite_no_log(self, str(self._variables.get("inventory_hostname")), clean)
        check_failure(self._task, clean)
        return clean

    def _option_variables(self) -> t.Mapping[str, str]:
        """Return the variables that the users set in place of options, by option, for messages."""
        path = Path(str(self._task.get_path()).rpartition(":")[0])
        return self._of_playbooks if PLAYBOOKS.resolve() in path.resolve().parents else {}

    def _options(self) -> dict[str, t.Any]:
        spec = self._spec()
        check_types(spec, self._task.args)
        self._task.args = {name: plain_text(value) for name, value in self._task.args.items()}
        try:
            _result, options = self.validate_argument_spec(argument_spec=spec, **self._constraints)
        except AnsibleError as error:
            raise bad_options(str(error.message), self._task.action) from None
        return dict(options)


def failure(error: FleetopsError) -> Result:
    """Return the part of a failed result that describes ``error``."""
    return {"failed": True, "msg": str(error), "error": error.as_result()}
