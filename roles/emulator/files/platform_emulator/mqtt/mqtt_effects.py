# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The effects of a fault on a CONNECT and its answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from platform_emulator.answers import compact_json
from platform_emulator.fields import integer, seconds
from platform_emulator.http_effects import COMMON, Effect, Effects, Hang, switch
from platform_emulator.mqtt.mqtt_replies import Message, Reply


@dataclass(frozen=True)
class Connack(Effect[Reply]):
    """The platform refuses, without processing."""

    code: int

    async def before(self) -> Reply:
        return Reply(self.code)


@dataclass(frozen=True)
class OtherPayload(Effect[Reply]):
    """The message says something else than what was stored; a refusal has no message and stays."""

    change: Callable[[bytes], bytes]

    async def after(self, answer: Reply) -> Reply:
        if answer.message is None:
            return answer
        return replace(answer, message=Message(answer.message.topic, self.change(answer.message.payload)))


class NoMessage(Effect[Reply]):
    """The CONNACK comes, the message never does."""

    async def after(self, answer: Reply) -> Reply:
        return replace(answer, message=None)


def _other(key: str, value: str) -> Effect[Reply]:
    def change(payload: bytes) -> bytes:
        content = json.loads(payload)
        return compact_json({**content, key: value} if key in content else content)

    return OtherPayload(change)


# A TCP connection was accepted: nobody knows yet who it is, and no TLS handshake has been answered.
TCP: Effects[Reply] = {"hang": lambda fields: Hang(fields.need("hang", seconds))}

CONNECT: Effects[Reply] = {
    **COMMON,
    "connack": lambda fields: Connack(fields.need("connack", integer(1, 5))),
}

REGISTER: Effects[Reply] = {
    **CONNECT,
    "no_message": switch("no_message", NoMessage()),
    "truncate": switch("truncate", OtherPayload(lambda payload: payload[: len(payload) // 2])),
    "not_json": switch("not_json", OtherPayload(lambda _: b"<html><body>Welcome</body></html>")),
    "other_device": switch("other_device", _other("deviceName", "another-device")),
    "other_product": switch("other_product", _other("productKey", "a1Another00")),
    "empty_secret": switch("empty_secret", _other("deviceSecret", "")),
    "empty_token": switch("empty_token", _other("deviceToken", "")),
}

ACTIONS: Mapping[str, Effects[Reply]] = {
    "mqtt_tcp": TCP,
    "connect": CONNECT,
    "register_mqtt": REGISTER,
    "regnwl": REGISTER,
}
