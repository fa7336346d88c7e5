# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""service_restart: restart a service with the gateway's shell.

The options are documented in the module of the same name.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import service_restart_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import Result
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import end_with_handler
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_action import GatewayAction
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import check_service
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._service import restart


class ActionModule(GatewayAction):
    """One restart."""

    _spec = staticmethod(service_restart_spec)

    def _failed(self, error: FleetopsError) -> Result:
        result = super()._failed(error)
        del result["registered"]  # which does not apply here
        if not self._task.ignore_errors and (why := end_with_handler(self._host(), self._vars)):
            self._display.warning(why)
        return result

    def _perform(self, options: dict[str, t.Any], remote: Remote) -> Result:
        service = check_service(options["service"])
        if not service:
            raise InvalidOption("service", None, "is empty", "Name the service to restart")
        return {"changed": True, "manager": restart(service, remote, bool(self._task.check_mode))}
