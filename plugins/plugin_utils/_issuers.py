# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Issuers of a DeviceSecret: a registration by the gateway or by the controller, or a query to the platform. PRIVATE to the
collection.

During a change, only these objects use ProductSecret and AccessKey.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import (
    Issued,
    ScriptAnswer,
    Scripts,
    change,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import ALREADY_ACTIVE
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import address
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.registrar import (
    choose,
    prepare,
    to_fields,
    unsigned,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption, Refused
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._login import NOT_ACCEPTED
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import SHARED

if t.TYPE_CHECKING:
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.registrar import AnyRequest

Options = t.Mapping[str, t.Any]
# Options of the host that sends a registration.
_SENDING = ("ca_path", "mqtt_ca_path", "validate_certs", "timeout", "retry_time", "proxy", "wait_for_clock")
ReadProductSecret = t.Callable[[], str]
# A well-formed ProductSecret, to check the other options with.
_ANY_SECRET = "0" * 16
# Returns the DeviceSecret of each device that exists, for a ProductKey and DeviceNames.
ReadSecrets = t.Callable[[str, t.Sequence[str]], t.Mapping[str, str]]


class Issuer(t.Protocol):
    """Gets a secret and has it stored, under a lease."""

    registers: bool  # a new secret is issued, which makes the old one invalid

    def check(self, device_name: str | None, needed: bool = False) -> None:
        """Check the options and the account before the gateway is changed.

        :param needed: whether a secret is going to be issued, as far as it is known; without it no account is asked
        :raises FleetopsError: InvalidOption, of kind missing_library, or an error of the account
        """

    def change(self, scripts: Scripts, device_name: str, lease: int) -> ScriptAnswer:
        """Run the scripts of a change, with the secret; without a script that stores, only check that it could be issued.

        :param lease: seconds
        :raises FleetopsError: as change() of _device.change
        """

    def says_activated(self, error: Refused) -> bool:
        """Return whether a refusal may mean that the device is activated."""

    def says_why(self) -> bool:
        """Return whether a refusal gives its reason."""


class ControllerIssuer:
    """Registers from the controller."""

    registers = True

    def __init__(self, options: Options, remote: Remote, read_product_secret: ReadProductSecret | None = None) -> None:
        self._options = options
        self._remote = remote
        self._read_product_secret = read_product_secret
        self._prepared: dict[tuple[str, bool], AnyRequest] = {}  # by DeviceName, and whether it has the ProductSecret

    def check(self, device_name: str | None, needed: bool = False) -> None:
        self._prepare(device_name or "name", needed)
        login_address(self._options)

    def _prepare(self, device_name: str, needed: bool) -> tuple[str, bool]:
        """Check and sign the registration unless that is done; return its key."""
        key = device_name, needed or not self._read_product_secret
        if key not in self._prepared:
            self._prepared[key] = prepare(self._signing(needed), device_name)
        return key

    def _signing(self, needed: bool) -> Options:
        """Return the options with ProductSecret, which is read from the account only if it is needed."""
        if not self._read_product_secret:
            return self._options
        return {**self._options, "product_secret": self._read_product_secret() if needed else _ANY_SECRET}

    def change(self, scripts: Scripts, device_name: str, lease: int) -> ScriptAnswer:
        # Imported lazily: a run over gateways that are right never loads the code that sends.
        from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import exchange
        from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.sender import reach_broker, send
        from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._requests import requests_post

        options, request = self._options, self._request(scripts, device_name)

        def request_secret(not_after: float) -> Issued | None:
            if broker := login_address(options):
                reach_broker(broker, options, exchange)
            secret = send(request, options, requests_post, exchange, not_after)
            return secret if scripts.store else None

        return change(self._remote.run, scripts, request_secret, lease, options["timeout"])

    def says_activated(self, error: Refused) -> bool:
        return error.code == ALREADY_ACTIVE if self.says_why() else error.code in NOT_ACCEPTED

    def says_why(self) -> bool:
        return choose(self._options) == "https"

    def _request(self, scripts: Scripts, device_name: str) -> AnyRequest:
        # Every registration has a random number of its own.
        request = self._prepared.pop(self._prepare(device_name, True))
        return request if scripts.store else unsigned(request)


class GatewayIssuer(ControllerIssuer):
    """Signs on the controller, and lets the gateway register itself, so that DeviceSecret never leaves the gateway."""

    def change(self, scripts: Scripts, device_name: str, lease: int) -> ScriptAnswer:
        todo = {
            "shell": self._remote.shell,
            "scripts": scripts.split(SHARED),
            "request": to_fields(self._request(scripts, device_name)),
            "options": {name: self._options[name] for name in _SENDING},
            "lease": lease,
            "broker": login_address(self._options),
        }
        result = self._remote.run_python("_device.registration_program", todo, "register_from: controller", SHARED)
        return ScriptAnswer(result["outcome"], tuple(result["lines"]))


class PlatformIssuer:
    """Reads the current secret from the platform; registers nothing."""

    registers = False

    def __init__(self, options: Options, remote: Remote, read_secrets: ReadSecrets) -> None:
        self._options = options
        self._remote = remote
        self._read_secrets = read_secrets

    def check(self, device_name: str | None, needed: bool = False) -> None:
        """Do nothing: only the call itself shows whether it is possible."""

    def change(self, scripts: Scripts, device_name: str, lease: int) -> ScriptAnswer:
        def read(_not_after: float) -> Issued:
            try:
                found = self._read_secrets(self._options["product_key"], [device_name])
            except FleetopsError as error:
                # A query changes nothing, even if its answer is lost.
                error.may_have_registered = False
                raise
            if device_name not in found:
                raise FleetopsError(
                    "recovery of %s: the platform does not know the device" % device_name,
                    hint="Check the product and the name; a device that was deleted must be added and registered",
                    kind="not_found",
                )
            return Issued(found[device_name])

        return change(self._remote.run, scripts, read, lease, self._options["timeout"])

    def says_activated(self, error: Refused) -> bool:
        return error.code == ALREADY_ACTIVE

    def says_why(self) -> bool:
        return True


def login_address(options: Options) -> tuple[str, int] | None:
    """Return host and port of the login that verifies a new credential; None if the options ask for none.

    :raises InvalidOption: they do not determine the host
    """
    if options["verify"] != "login":
        return None
    # With another endpoint, the platform's own MQTT hosts are not the right ones.
    region, instance_id = (None, None) if options["endpoint"] else (options["region"], options["instance_id"])
    try:
        return address(options["product_key"], region, instance_id, options["mqtt_endpoint"], options["mqtt_port"])
    except InvalidOption as error:
        if options["mqtt_endpoint"] or not options["endpoint"]:
            raise
        raise InvalidOption(
            "mqtt_endpoint",
            None,
            "is missing, and endpoint does not determine the MQTT host",
            "Set mqtt_endpoint (gateway_mqtt_endpoint); or set gateway_verify: none, to store a new credential without a login",
        ) from error


def login_from(options: Options) -> str:
    """Return the host that logs in with a new credential: the one that registered; but a device token stays on the gateway."""
    return "gateway" if options["auth_type"] == "regnwl" else str(options["register_from"])
