# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_registration: hands out a secret only where nothing prints it. The module does the rest."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption


class ActionModule(ActionBase):
    """Only here is known whether the task says no_log; the module can't tell it from other settings."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        if boolean(self._task.args.get("return_secret", False), strict=False) and not self._task.no_log:
            error = InvalidOption(
                "return_secret",
                None,
                "the DeviceSecret would be printed and logged",
                "Add no_log: true to the task, or leave return_secret out",
            )
            return dict(result, failed=True, msg=str(error), error=error.as_result())
        result.update(self._execute_module(task_vars=task_vars))
        if self._task.no_log and "error" in result:
            # no_log hides the whole result, but the module's own error holds no secret.
            self._display.warning("%s: %s" % ((task_vars or {}).get("inventory_hostname"), result["msg"]))
        return result
