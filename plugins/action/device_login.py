# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_login on the controller: log in from the gateway, or from the controller with a password that the gateway signed.

The options are documented in the module of the same name. DeviceSecret stays on the gateway, the signed password in this process.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import device_login_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.login_program import check_options
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import Result
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_action import LOGIN, GatewayAction, load
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._login import log_in
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import check_connection, check_path
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote

load(LOGIN)


class ActionModule(GatewayAction):
    """One login: by the gateway, or by the controller."""

    _spec = staticmethod(device_login_spec)

    def _failed(self, error: FleetopsError) -> Result:
        result = {"accepted": False, **super()._failed(error)}
        del result["registered"]  # which is of no concern here
        return result

    def _perform(self, options: dict[str, t.Any], remote: Remote) -> Result:
        check_options(options)
        check_connection(options)
        check_path("path", options["path"])
        if self._task.check_mode:
            return {"changed": False, "accepted": None}
        return dict(log_in(options, remote), changed=False, accepted=True)
