# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verify the credential on a gateway by one login over MQTT. PRIVATE to the collection.

The gateway logs in, or the controller does with what the gateway signed: DeviceSecret stays on the gateway.
"""

from __future__ import annotations

import re
import secrets
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import ScriptAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import login_content, signed_login
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    FleetopsError,
    InvalidOption,
    Kind,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import FINGERPRINT, bad_answer, text
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import DEVICE_NAME, PRODUCT_KEY
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import login_script
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._tools import lacks, missing_tools

Options = t.Mapping[str, t.Any]
Outcome = t.Literal["accepted", "refused", "failed", "impossible"]

# CONNACK codes that mean that the credential is not valid; any other failure of a login leaves that open.
NOT_ACCEPTED = (4, 5)
# Permanent errors: until their cause is removed, no login is possible. After any other error, a later login may succeed.
_LASTING: tuple[Kind, ...] = ("invalid_option", "missing_library", "missing_tool", "no_python")
_OPTIONS = ("path", "region", "instance_id", "mqtt_endpoint", "ca_path", "timeout")
_OPTIONAL = ("mqtt_port", "mqtt_ca_path", "proxy")

# Outcomes of the script login if there is no credential to sign with.
_PROBLEMS = {
    "missing": "cannot be read: there is no such file",
    "denied": "cannot be read: permission denied",
    "unreadable": "does not contain a valid credential",
}
# The masked signature, in hexadecimal digits.
_PASSWORD = re.compile(r"[0-9a-f]{32,64}")


class Login:
    """The login that verifies a new credential, with the options of the task that changed it."""

    def __init__(self, options: Options, remote: Remote, login_from: str) -> None:
        """Take the options of gateway_credential or of gateway_recovery.

        :param login_from: C(gateway) or C(controller)
        """
        elsewhere = options.get("endpoint") or options.get("openapi_endpoint")
        self._possible = bool(
            options.get("mqtt_endpoint") or (not elsewhere and (options["region"] or options["instance_id"]))
        )
        self._options = {
            **{name: options[name] for name in _OPTIONS},
            **{name: options.get(name) for name in _OPTIONAL},
            "wait_for_clock": options.get("wait_for_clock", 0),
            "validate_certs": options.get("validate_certs", True),
            # Every gateway has sha256sum: the scripts need it.
            "sign_method": "hmacsha256" if login_from == "controller" else options.get("sign_method", "hmacsha256"),
            "login_from": login_from,
        }
        self._remote = remote

    def attempt(self) -> tuple[Outcome, str]:
        """Log in once with the stored credential; return the outcome, and the problem unless it was accepted."""
        if not self._possible:
            return "impossible", "mqtt_endpoint is not set"
        try:
            self._log_in()
        except FleetopsError as error:
            if error.kind == "refused" and error.code in NOT_ACCEPTED:
                return "refused", error.msg
            return ("impossible" if error.kind in _LASTING else "failed"), error.msg
        return "accepted", ""

    def _log_in(self) -> None:
        """Log in; with a device token always from the gateway, where gateway_recovery may have kept one."""
        try:
            log_in(self._options, self._remote)
        except TokenStays:
            log_in({**self._options, "login_from": "gateway"}, self._remote)


class TokenStays(InvalidOption):
    """The controller does not log in with a device token, which is the password itself."""


def log_in(options: Options, remote: Remote) -> dict[str, str]:
    """Log in once with the credential that is stored on a gateway.

    :param options: those of device_login
    :returns: product_key, device_name and fingerprint of the credential that was accepted
    :raises FleetopsError: it was not accepted, or there is nothing to log in with
    """
    if options["login_from"] == "gateway":
        return remote.run_python("_device.login_program", dict(options), "login_from: controller")
    # Imported lazily: a run over gateways that are right never loads the code that logs in.
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.login_program import no_credential, verify

    mask = secrets.token_hex(32)
    content = login_content("${product_key}", "${device_name}")
    script = login_script(options["path"], content, options["sign_method"], mask)
    answer = remote.answer(script, "signed", "token", "lacking", *_PROBLEMS)
    if answer.outcome == "lacking":
        raise lacks(*missing_tools(answer))
    if answer.outcome == "token":
        raise TokenStays(
            "login_from",
            "controller",
            "would send the device token, which is the password itself, to the controller",
            "Log in from the gateway: login_from: gateway",
        )
    if answer.outcome in _PROBLEMS:
        raise no_credential(options["path"], _PROBLEMS[answer.outcome])
    fingerprint, product_key, device_name, masked = _signed(answer)
    connect = signed_login(product_key, device_name, _unmasked(masked, mask), options["sign_method"])
    return verify(options, product_key, device_name, fingerprint, connect)


def _signed(answer: ScriptAnswer) -> tuple[str, str, str, str]:
    """Return fingerprint, ProductKey, DeviceName and masked password from the answer of the script login.

    :raises StorageError: one of them is missing or cannot be one
    """
    # Use the last line of each: a login banner may contain such lines, too.
    identity = _last(answer, "identity").split(" ")
    if len(identity) != 3:
        raise bad_answer("identity", "it does not have three parts")
    return (
        text("fingerprint", identity[0], FINGERPRINT),
        text("product_key", identity[1], PRODUCT_KEY),
        text("device_name", identity[2], DEVICE_NAME),
        text("password", _last(answer, "password"), _PASSWORD),
    )


def _last(answer: ScriptAnswer, word: str) -> str:
    found = answer.all_of(word)
    if not found:
        raise bad_answer(word, "it is missing")
    return found[-1]


def _unmasked(masked: str, mask: str) -> str:
    """Remove the mask from a signature; return its upper-case hexadecimal digits."""
    return "".join("%X" % (int(one, 16) ^ int(other, 16)) for one, other in zip(masked, mask, strict=False))
