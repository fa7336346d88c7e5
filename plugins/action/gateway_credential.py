# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gateway_credential on the controller: look, decide, sign, and register from the gateway or from the controller.

The options are documented in the module of the same name. ProductSecret stays in this process.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_credential_spec
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import Result
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_action import CHANGE, GatewayAction, load
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_work import credential_work
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote

load(CHANGE)


class ActionModule(GatewayAction):
    """One gateway's credential."""

    _spec = staticmethod(gateway_credential_spec)

    def _perform(self, options: dict[str, t.Any], remote: Remote) -> Result:
        return self._converge(credential_work(options, self._host(), remote), remote)
