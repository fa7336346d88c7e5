# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP service of the OpenAPI: requests become calls, and calls are answered."""

from __future__ import annotations

import re
import sqlite3

from aiohttp import web

from platform_emulator import exchange, settings
from platform_emulator.answers import Answer
from platform_emulator.exchange import Action
from platform_emulator.http_effects import Effect
from platform_emulator.openapi import message, openapi_access, openapi_replies, openapi_signatures, pages
from platform_emulator.openapi.actions import ACTIONS
from platform_emulator.openapi.call import Call
from platform_emulator.openapi.message import Message
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal, invalid, not_supplied
from platform_emulator.openapi.quotas import Throttle
from platform_emulator.products import DEVICE_NAME_PATTERN, PRODUCT_KEY_PATTERN
from platform_emulator.refusals import Refusal
from platform_emulator.store import Store

VERSION = "2018-01-20"
NAME_PARAMETERS = re.compile(r"(DeviceName|IotId)\.[0-9]+|DeviceNameList\.[0-9]+\.DeviceName")


def routes(store: Store) -> list[web.RouteDef]:
    throttle = Throttle()

    async def handle(request: web.Request) -> web.StreamResponse:
        asked = message.head(request)
        try:
            asked = await message.with_body(asked, request)
            return await exchange.run(request, store, action(asked))
        except OpenApiRefusal as refusal:
            return await exchange.send(request, openapi_replies.refused(asked, refusal))
        except sqlite3.Error as error:
            return await exchange.failed(
                request, error, openapi_replies.refused(asked, OpenApiRefusal("InternalError"))
            )

    def action(asked: Message) -> Action:
        def process(effect: Effect[Answer]) -> Answer:
            call = admitted(store, throttle, asked, effect)
            return openapi_replies.success(asked, ACTIONS[asked.action](call))

        def refuse(refusal: Refusal) -> Answer:
            assert isinstance(refusal, OpenApiRefusal)  # no action raises another
            return openapi_replies.refused(asked, refusal)

        name = asked.action if asked.action in ACTIONS else "unknown"
        product_key, device_name = about(store, asked)
        return Action(name, product_key, device_name, process, refuse, names(asked))

    return [web.route("*", "/", handle)]


def admitted(store: Store, throttle: Throttle, asked: Message, effect: Effect[Answer]) -> Call:
    """Return the call in a request, after all checks in front of the API; raises OpenApiRefusal."""
    current = settings.load(store)
    if not asked.action:
        raise not_supplied("Action")
    if not asked.version:
        raise not_supplied("Version")
    if asked.version != VERSION:
        raise invalid("Version")
    if asked.action not in ACTIONS:
        raise OpenApiRefusal("InvalidAction.NotFound")
    openapi_access.check(store, openapi_signatures.signed(asked), current)
    if current.throttling:
        throttle.admit(asked.action, pages.depth(asked.parameters))
    if asked.parameters.get("IotInstanceId", "") != current.instance_id:
        raise OpenApiRefusal("iot.system.InstanceNotFound")
    return Call(store, current, asked.parameters, effect)


def about(store: Store, asked: Message) -> tuple[str | None, str | None]:
    """Return the product and the device that a request names, for the log and for faults. Values that are not valid names are left out."""
    device = store.device_by_iot_id(asked.parameters.get("IotId", ""))
    if device is not None:
        return device.product_key, device.device_name
    key, name = asked.parameters.get("ProductKey", ""), asked.parameters.get("DeviceName", "")
    return (
        key if re.fullmatch(PRODUCT_KEY_PATTERN, key) else None,
        name if re.fullmatch(DEVICE_NAME_PATTERN, name) else None,
    )


def names(asked: Message) -> int | None:
    """Return how many devices a request lists; None if it lists none."""
    return sum(1 for name in asked.parameters if NAME_PARAMETERS.fullmatch(name)) or None
