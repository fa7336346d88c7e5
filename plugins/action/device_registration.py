# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_registration: register one device, in this process. The options are documented in the module."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import device_registration_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https import http_client_post
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import (
    register,
    signed_request,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import fingerprint
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._proxy import check_proxy
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import https_context
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction


class ActionModule(ControllerAction):
    """Register one device; return its DeviceSecret only to a task that sets no_log."""

    _spec = staticmethod(device_registration_spec)

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        if options["return_secret"] and not self._task.no_log:
            raise InvalidOption(
                "return_secret",
                None,
                "the DeviceSecret would be printed and logged",
                "Add no_log: true to the task, or leave return_secret out",
            )
        check_proxy(options["proxy"])
        request = signed_request(options, options["device_name"])
        secret = shown = None
        if not self._task.check_mode:
            post = http_client_post(https_context(options), options["timeout"])
            secret = register(request, post, options["retry_time"]).device_secret
            shown = fingerprint(request.product_key, request.device_name, secret)
        result = {"product_key": request.product_key, "device_name": request.device_name, "fingerprint": shown}
        return {**result, "changed": True, **({"device_secret": secret} if options["return_secret"] else {})}
