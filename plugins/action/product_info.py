# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""product_info: list products, in this process. The options are documented in the module."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import product_info_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import find_products
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction


class ActionModule(ControllerAction):
    """Find products by key or by name, or return all of them."""

    _spec = staticmethod(product_info_spec)

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        found = find_products(connect(options), options["product_key"], options["product_name"])
        return {"changed": False, "products": [product.as_result() for product in found]}
