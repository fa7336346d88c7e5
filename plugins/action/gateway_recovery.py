# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gateway_recovery on the controller: gateway_credential with the current secret of the platform."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_recovery_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import device_secrets
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import Result
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_action import CHANGE, GatewayAction, load
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_work import recovery_work
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote

load(CHANGE)


class ActionModule(GatewayAction):
    """Looks, decides and stores as gateway_credential does, but nothing is registered."""

    _spec = staticmethod(gateway_recovery_spec)

    def _perform(self, options: dict[str, t.Any], remote: Remote) -> Result:
        def read_secrets(product_key: str, names: t.Sequence[str]) -> t.Mapping[str, str]:
            return device_secrets(connect(options), product_key, names)

        return self._converge(recovery_work(options, self._host(), remote, read_secrets), remote)
