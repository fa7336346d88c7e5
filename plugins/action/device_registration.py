# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_registration: hands out a secret only where nothing prints it. The module does the rest."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Only here is known whether the task says no_log; the module can't tell it from other settings."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        if boolean(self._task.args.get("return_secret", False), strict=False) and not self._task.no_log:
            raise AnsibleActionFail(
                "return_secret: the DeviceSecret would be printed and logged. Add no_log: true to the task, or leave return_secret out"
            )
        result.update(self._execute_module(task_vars=task_vars))
        return result
