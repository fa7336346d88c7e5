# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_login on the controller: lets the gateway log in, or logs in itself with what the gateway signed.

The options are documented in the module of the same name. DeviceSecret stays on the gateway, the signed password in this process.
"""

from __future__ import annotations

import secrets
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.action.gateway_credential import (
    ActionModule as GatewayCredential,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import device_login_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device_login import (
    check_options,
    no_credential,
    prove,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._mqtt import login_content, signed_login
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import check_path
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._paho import check_paho, exchange
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import login_script

# What the script login says when there is nothing to sign with.
PROBLEMS = {
    "missing": "cannot be read: there is no such file",
    "denied": "cannot be read: permission denied",
    "unreadable": "is no credential",
}


class ActionModule(GatewayCredential):
    """One login: by the gateway, or by the controller."""

    _spec = staticmethod(device_login_spec)

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        result.pop("registered", None)  # which is of no concern here
        return result

    def _converge(self) -> dict[str, t.Any]:
        self._report = {"accepted": False}
        args = self._args = self._valid_args()
        check_options(args)
        check_path("path", args["path"])
        if self._task.check_mode:
            return {"changed": False, "accepted": None}
        proven = self._from_controller() if args["login_from"] == "controller" else self._from_gateway_itself()
        return dict(proven, changed=False, accepted=True)

    def _from_gateway_itself(self) -> dict[str, t.Any]:
        return self._run_program("_device_login", self._args, "login_from: controller")

    def _from_controller(self) -> dict[str, t.Any]:
        args = self._args
        check_paho()
        mask = secrets.token_hex(32)
        content = login_content("${product_key}", "${device_name}")
        answer = self._script(login_script(args["path"], content, args["sign_method"], mask))
        if answer.outcome == "token":
            raise InvalidOption(
                "login_from",
                "controller",
                "would take the device token off the gateway, for it is the password itself",
                "Log in from the gateway: login_from: gateway",
            )
        if answer.outcome in PROBLEMS:
            raise no_credential(args["path"], PROBLEMS[answer.outcome])
        # The last ones: a login banner may say such words, too.
        identity, masked = answer.all_of("identity")[-1], answer.all_of("password")[-1]
        shown, product_key, device_name = identity.split()
        connect = signed_login(product_key, device_name, _unmasked(masked, mask), args["sign_method"])
        return prove(args, product_key, device_name, shown, connect, exchange)


def _unmasked(masked: str, mask: str) -> str:
    """The upper-case hexadecimal digits that have ``mask`` over them."""
    return "".join("%X" % (int(one, 16) ^ int(other, 16)) for one, other in zip(masked, mask, strict=False))
