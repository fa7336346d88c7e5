# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""devices_info: read the devices of a product, in this process. The options are documented in the module."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import devices_info_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import devices_as_asked
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction


class ActionModule(ControllerAction):
    """Read the devices of a list, or all of a product."""

    _spec = staticmethod(devices_info_spec)

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        product_key, names = options["product_key"], options["names"]
        found = devices_as_asked(connect(options), product_key, names)
        return {
            "changed": False,
            "product_key": product_key,
            "devices": [device.as_result() for device in found.values()],
            "missing": [name for name in dict.fromkeys(names or ()) if name not in found],
        }
