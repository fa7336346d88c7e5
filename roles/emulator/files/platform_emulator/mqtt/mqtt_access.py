# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a CONNECT: logins with a secret or a token, and dynamic registration with and without pre-registration.

Login: https://alibabacloud.com/help/en/iot/user-guide/ipv6-based-mqtt-connections. Dynamic registration:
https://www.alibabacloud.com/help/doc-detail/132111.htm. Clients send a time in seconds, in milliseconds, or a
constant. It is part of the signature, but not compared with the clock.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque

from platform_emulator import lifecycle, refusals, registration, settings, signatures
from platform_emulator.answers import compact_json
from platform_emulator.mqtt import tokens
from platform_emulator.mqtt.connect import Connect
from platform_emulator.mqtt.mqtt_replies import (
    ACCEPTED,
    BAD_USER_NAME_OR_PASSWORD,
    IDENTIFIER_REJECTED,
    NOT_AUTHORIZED,
    SERVER_UNAVAILABLE,
    UNACCEPTABLE_PROTOCOL,
    ConnectRefused,
    Message,
    Reply,
)
from platform_emulator.mqtt.tokens import Token
from platform_emulator.products import Device
from platform_emulator.refusals import Refusal
from platform_emulator.registration import SignedRequest
from platform_emulator.settings import Settings
from platform_emulator.store import Store

LONGEST_KEEP_ALIVE = 1200  # seconds; the shortest is a setting


class Access:
    """Checks every CONNECT, and stores its outcome."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def reply(self, asked: Connect) -> Reply:
        """Process a CONNECT; return the reply. Raises ConnectRefused."""
        if not asked.known_protocol:
            raise ConnectRefused(UNACCEPTABLE_PROTOCOL, "the protocol is not MQTT 3.1 or 3.1.1")
        if not asked.core:
            raise ConnectRefused(IDENTIFIER_REJECTED, "the client id does not have the form core|extension|")
        current = settings.load(self._store)
        if asked.action == "connect":
            return self._log_in(asked, current)
        try:
            return (self._register if asked.action == "register_mqtt" else self._admit)(asked, current)
        except Refusal as refusal:
            raise ConnectRefused(BAD_USER_NAME_OR_PASSWORD, str(refusal)) from None

    # Login

    def _log_in(self, asked: Connect, current: Settings) -> Reply:
        device = self._by_token(asked) if "authType" in asked.fields else self._by_secret(asked)
        if device.disabled:
            raise ConnectRefused(NOT_AUTHORIZED, "the device is disabled")
        if not current.shortest_keep_alive <= asked.keep_alive <= LONGEST_KEEP_ALIVE:
            raise ConnectRefused(SERVER_UNAVAILABLE, f"a keep-alive of {asked.keep_alive} s is out of bounds")
        if current.connects_per_minute and self._too_often(device, current.connects_per_minute):
            raise ConnectRefused(SERVER_UNAVAILABLE, "the device connects too often")
        self._store.save_device(lifecycle.log_in(device))
        return Reply(ACCEPTED)

    def _by_secret(self, asked: Connect) -> Device:
        asked.value("securemode", among=("2",) if asked.over_tls else ("3",))
        digest = signatures.digest_name(asked.fields.get("signmethod", "hmacmd5"))
        if digest is None:
            raise ConnectRefused(IDENTIFIER_REJECTED, "signmethod in the client id is wrong")
        product_key, device_name = asked.names
        if not signatures.is_hex_digest(asked.password, digest):
            raise ConnectRefused(BAD_USER_NAME_OR_PASSWORD, f"the password is not a hexadecimal {digest} digest")
        device = self._device(asked)
        content = f"clientId{asked.core}deviceName{device_name}productKey{product_key}"
        if "timestamp" in asked.fields:
            content += f"timestamp{asked.fields['timestamp']}"
        if not signatures.signs(asked.password, content, device.device_secret, digest):
            raise ConnectRefused(NOT_AUTHORIZED, "the signature is not that of DeviceSecret")
        return device

    def _by_token(self, asked: Connect) -> Device:
        asked.value("authType", among=("connwl",))
        if not asked.over_tls:
            raise ConnectRefused(IDENTIFIER_REJECTED, "a token needs TLS")
        asked.value("securemode", among=("-2",))
        device = self._device(asked)
        if not tokens.is_valid(self._store, device, Token(asked.core, asked.password)):
            raise ConnectRefused(NOT_AUTHORIZED, "the client id and the token do not belong together")
        return device

    def _device(self, asked: Connect) -> Device:
        device = self._store.device(*asked.names)
        if device is None:
            raise ConnectRefused(NOT_AUTHORIZED, "there is no such device")
        return device

    def _too_often(self, device: Device, limit: int) -> bool:
        """Return whether the device has reached its limit of connections a minute; if not, count this one."""
        recent, now = self._recent[device.product_key, device.device_name], time.monotonic()
        while recent and recent[0] <= now - 60:
            recent.popleft()
        if len(recent) >= limit:
            return True
        recent.append(now)
        return False

    # Dynamic registration

    def _register(self, asked: Connect, current: Settings) -> Reply:
        if "instanceId" in asked.fields:
            _check_instance(asked, current)
        device = registration.register(self._store, _signed_request(asked, ("2",)))
        names = {"productKey": device.product_key, "deviceName": device.device_name}
        return _issued("/ext/register", {**names, "deviceSecret": device.device_secret})

    def _admit(self, asked: Connect, current: Settings) -> Reply:
        """Register a device without pre-registration: it need not exist."""
        _check_instance(asked, current)
        request = _signed_request(asked, ("2", "-2"))
        product = registration.authorizing_product(self._store, request)
        device = self._store.device(product.product_key, request.device_name)
        device = lifecycle.register_for_token(device or Device(product.product_key, request.device_name))
        sharers = tokens.count(self._store, device)
        if device.registration == "activated" and not sharers:
            raise Refusal(refusals.ALREADY_ACTIVE)
        if sharers >= current.devices_per_name:
            raise ConnectRefused(BAD_USER_NAME_OR_PASSWORD, f"{sharers} physical devices share the name already")
        self._store.save_device(device)
        token = tokens.issue(self._store, device)
        names = {"productKey": device.product_key, "deviceName": device.device_name}
        return _issued("/ext/regnwl", {**names, "clientId": token.client_id, "deviceToken": token.device_token})


def _check_instance(asked: Connect, current: Settings) -> None:
    """Check that the CONNECT has the ID of the instance, if the instance has one.

    :raises ConnectRefused: it has not
    """
    if current.instance_id:
        asked.value("instanceId", among=(current.instance_id,))


def _signed_request(asked: Connect, secure_modes: tuple[str, ...]) -> SignedRequest:
    """Return the signed request in a CONNECT, as a registration over HTTPS sends it; raises ConnectRefused."""
    if not asked.over_tls:
        raise ConnectRefused(IDENTIFIER_REJECTED, "dynamic registration needs TLS")
    asked.value("securemode", among=secure_modes)
    sign_method = asked.value("signmethod")
    if signatures.digest_name(sign_method) is None:
        raise ConnectRefused(IDENTIFIER_REJECTED, "signmethod in the client id is wrong")
    return SignedRequest(*asked.names, asked.value("random", pattern="[A-Za-z0-9]+"), asked.password, sign_method)


def _issued(topic: str, content: dict[str, str]) -> Reply:
    return Reply(ACCEPTED, Message(topic, compact_json(content)))
