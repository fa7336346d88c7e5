# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_login on the controller: lets the gateway log in, or logs in itself with what the gateway signed.

The options are documented in the module of the same name. DeviceSecret stays on the gateway, the signed password in this process.
"""

from __future__ import annotations

import re
import secrets
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.action.gateway_credential import (
    ActionModule as GatewayCredential,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import device_login_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Answer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.login_program import (
    check_options,
    no_credential,
    prove,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import login_content, signed_login
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import FINGERPRINT, bad_answer, text
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    DEVICE_NAME,
    PRODUCT_KEY,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import check_path
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import login_script

# What the script login says when there is nothing to sign with.
PROBLEMS = {
    "missing": "cannot be read: there is no such file",
    "denied": "cannot be read: permission denied",
    "unreadable": "is no credential",
}
OUTCOMES = ("signed", "token", *PROBLEMS)
# Hexadecimal digits of a signature with the mask over them.
PASSWORD = re.compile(r"[0-9a-f]{32,64}")


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
        return self._run_program("_device.login_program", self._args, "login_from: controller")

    def _from_controller(self) -> dict[str, t.Any]:
        args = self._args
        mask = secrets.token_hex(32)
        content = login_content("${product_key}", "${device_name}")
        answer = self._script(login_script(args["path"], content, args["sign_method"], mask), *OUTCOMES)
        outcome = answer.outcome
        if outcome == "token":
            raise InvalidOption(
                "login_from",
                "controller",
                "would take the device token off the gateway, for it is the password itself",
                "Log in from the gateway: login_from: gateway",
            )
        if outcome in PROBLEMS:
            raise no_credential(args["path"], PROBLEMS[outcome])
        fingerprint, product_key, device_name, masked = _signed(answer)
        connect = signed_login(product_key, device_name, _unmasked(masked, mask), args["sign_method"])
        return prove(args, product_key, device_name, fingerprint, connect)


def _signed(answer: Answer) -> tuple[str, str, str, str]:
    """Return fingerprint, ProductKey, DeviceName and masked password from the answer of the script login.

    :raises StorageError: one of them is missing or cannot be one
    """
    # The last line of each: a login banner may have such words, too.
    identity = _last(answer, "identity").split(" ")
    if len(identity) != 3:
        raise bad_answer("identity", "it does not have three parts")
    return (
        text("fingerprint", identity[0], FINGERPRINT),
        text("product_key", identity[1], PRODUCT_KEY),
        text("device_name", identity[2], DEVICE_NAME),
        text("password", _last(answer, "password"), PASSWORD),
    )


def _last(answer: Answer, word: str) -> str:
    found = answer.all_of(word)
    if not found:
        raise bad_answer(word, "it is missing")
    return found[-1]


def _unmasked(masked: str, mask: str) -> str:
    """The upper-case hexadecimal digits that have ``mask`` over them."""
    return "".join("%X" % (int(one, 16) ^ int(other, 16)) for one, other in zip(masked, mask, strict=False))
