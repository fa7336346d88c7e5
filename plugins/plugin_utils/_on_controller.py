# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules of the control plane have in common: they stay on the controller. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError


class ActionModule(ActionBase):
    """Runs the module of the same name, unless that would send the AccessKey to another host."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        transport = self._connection.transport.rpartition(".")[2]
        if transport != "local":
            error = FleetopsError(
                "%s: refused to run over %s, for the AccessKey would leave the controller"
                % (self._task.action, transport),
                hint="Add delegate_to: localhost and run_once: true to the task",
                kind="not_on_controller",
            )
            return dict(result, failed=True, msg=str(error), error=error.as_result())
        result.update(self._execute_module(task_vars=task_vars))
        return result
