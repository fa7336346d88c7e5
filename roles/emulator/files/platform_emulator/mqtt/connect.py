# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of a CONNECT, before anybody has verified it.

The client id is a core of any form and an extension of fields: `core|key=value,key=value|`; the user name is
`deviceName&productKey` (https://alibabacloud.com/help/en/iot/user-guide/ipv6-based-mqtt-connections). One SDK
puts newlines and blanks between the fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from amqtt.mqtt.connect import ConnectPacket

from platform_emulator.mqtt.mqtt_replies import BAD_USER_NAME_OR_PASSWORD, IDENTIFIER_REJECTED, ConnectRefused
from platform_emulator.products import DEVICE_NAME_PATTERN, PRODUCT_KEY_PATTERN

PROTOCOLS = {("MQTT", 4), ("MQIsdp", 3)}

CLIENT_ID = re.compile(r"(?P<core>[^|]{1,64})\|(?P<extension>[^|]*)\|")
USER_NAME = re.compile(rf"(?P<device_name>{DEVICE_NAME_PATTERN})&(?P<product_key>{PRODUCT_KEY_PATTERN})")

# By authType: what the request log and the faults call it.
ACTIONS = {"register": "register_mqtt", "regnwl": "regnwl"}


@dataclass(frozen=True)
class Connect:
    """`core` is "" and `fields` are empty for a client id of another form; names are None in a malformed user name."""

    known_protocol: bool
    over_tls: bool
    core: str
    fields: Mapping[str, str] = field(repr=False)
    product_key: str | None
    device_name: str | None
    password: str = field(repr=False)
    keep_alive: int

    @property
    def action(self) -> str:
        return ACTIONS.get(self.fields.get("authType", ""), "connect")

    @property
    def names(self) -> tuple[str, str]:
        """Product key and device name; raises ConnectRefused."""
        if self.product_key is None or self.device_name is None:
            raise ConnectRefused(BAD_USER_NAME_OR_PASSWORD, "the user name is not deviceName&productKey")
        return self.product_key, self.device_name

    def value(self, key: str, *, among: tuple[str, ...] = (), pattern: str = ".*") -> str:
        """Return a field of the extension that must be there and have one of these values, or this form; raises ConnectRefused."""
        value = self.fields.get(key)
        if value is None or (among and value not in among) or not re.fullmatch(pattern, value):
            raise ConnectRefused(
                IDENTIFIER_REJECTED, f"{key} in the client id is {'missing' if value is None else 'wrong'}"
            )
        return value


def read(packet: ConnectPacket, over_tls: bool) -> Connect:
    client_id = CLIENT_ID.fullmatch(packet.client_id or "")
    names = USER_NAME.fullmatch(packet.username or "")
    return Connect(
        known_protocol=(packet.proto_name, packet.proto_level) in PROTOCOLS,
        over_tls=over_tls,
        core=client_id["core"] if client_id else "",
        fields=_fields(client_id["extension"]) if client_id else {},
        product_key=names["product_key"] if names else None,
        device_name=names["device_name"] if names else None,
        password=packet.password or "",
        keep_alive=packet.keep_alive,
    )


def _fields(extension: str) -> dict[str, str]:
    """Return the fields by their keys; none at all when one of them is not `key=value` or stands there twice."""
    pairs = [part.strip().partition("=") for part in extension.split(",")]
    fields = {key: value for key, _equals, value in pairs}
    return fields if len(fields) == len(pairs) and all(key and equals for key, equals, _value in pairs) else {}
