# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""product_info: on the controller alone. The module does the rest."""

from __future__ import annotations

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._on_controller import ActionModule

__all__ = ["ActionModule"]
