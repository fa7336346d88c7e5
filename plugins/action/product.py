# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""product: create, change or remove one product, in this process. The options are documented in the module."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import product_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import ensure_product
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction


class ActionModule(ControllerAction):
    """Ensure the state of one product."""

    _spec = staticmethod(product_spec)
    _constraints: t.ClassVar[dict[str, t.Any]] = {"required_one_of": [("product_key", "product_name")]}

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return ensure_product(connect(options), options, self._task.check_mode).as_result()
