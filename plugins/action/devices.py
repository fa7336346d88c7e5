# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""devices: add, remove, enable or disable devices, in this process. The options are documented in the module."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import devices_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.device_states import ensure_states
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction, failure


class ActionModule(ControllerAction):
    """Ensure the state of a list of devices."""

    _spec = staticmethod(devices_spec)

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        outcome = ensure_states(connect(options), options, self._task.check_mode)
        failed = failure(outcome.error) if outcome.error else {}
        return {**outcome.as_result(options["product_key"]), **failed}
