# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dynamic registration of a device over HTTPS: the request, its verification, and the answer.

https://www.alibabacloud.com/help/doc-detail/74006.htm; where clients differ from it, as measured with
aliyun-iot-linkkit 1.2.13 (Python), alibabacloud-iot-device-sdk (Node) and LinkSDK C 4.2.0.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from platform_emulator import exchange, lifecycle, refusals, settings, signatures
from platform_emulator.answers import Answer, compact_json
from platform_emulator.exchange import Action
from platform_emulator.forms import FORM_TYPE, form_pairs
from platform_emulator.http_effects import Effect
from platform_emulator.products import DEVICE_NAME_PATTERN, PRODUCT_KEY_PATTERN, Device, Product
from platform_emulator.refusals import Refusal
from platform_emulator.store import Store

PATH = "/auth/register/device"

PARAMETERS = {
    "productKey": PRODUCT_KEY_PATTERN,
    "deviceName": DEVICE_NAME_PATTERN,
    "random": r"[A-Za-z0-9]+",
    "sign": r".+",
    "signMethod": r".+",
}


@dataclass(frozen=True)
class SignedRequest:
    product_key: str
    device_name: str
    random: str = field(repr=False)
    sign: str = field(repr=False)
    sign_method: str

    @property
    def content(self) -> str:
        """Return the string that the client signed, of raw values, even if they are percent-encoded in the body."""
        return f"deviceName{self.device_name}productKey{self.product_key}random{self.random}"


def signed_request(pairs: list[tuple[str, str]]) -> SignedRequest:
    """Return the request in a form; raises Refusal 460 unless it has each parameter once, not empty, and no other."""
    form = dict(pairs)
    if len(form) != len(pairs) or form.keys() != PARAMETERS.keys():
        raise Refusal(refusals.PARAMETER_ERROR)
    if not all(re.fullmatch(pattern, form[name]) for name, pattern in PARAMETERS.items()):
        raise Refusal(refusals.PARAMETER_ERROR)
    return SignedRequest(form["productKey"], form["deviceName"], form["random"], form["sign"], form["signMethod"])


def register(store: Store, request: SignedRequest) -> Device:
    """Register the device; return it with its secret. Raises Refusal."""
    product = authorizing_product(store, request)
    current = settings.load(store)
    device = store.device(product.product_key, request.device_name)
    if device is None:
        raise Refusal(current.unknown_device_code, refusals.MESSAGES[refusals.DEVICE_NOT_FOUND])
    device = lifecycle.register(device, current)
    store.save_device(device)
    return device


def authorizing_product(store: Store, request: SignedRequest) -> Product:
    """Return the product whose secret signed the request, if its dynamic registration is on; raises Refusal.

    The signature is checked first, so that nobody without ProductSecret learns about the product's devices.
    """
    digest = signatures.digest_name(request.sign_method)
    if digest is None:
        raise Refusal(refusals.SIGN_METHOD_NOT_SUPPORTED)
    product = store.product(request.product_key)
    if product is None:
        raise Refusal(refusals.PRODUCT_NOT_FOUND)
    if not signatures.signs(request.sign, request.content, product.product_secret, digest):
        raise Refusal(refusals.SIGNATURE_MISMATCH)
    if not product.dynamic_registration:
        raise Refusal(refusals.REGISTRATION_SWITCHED_OFF)
    return product


def routes(store: Store) -> list[web.RouteDef]:
    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        pairs = form_pairs(body) if request.content_type == FORM_TYPE else []
        named = _names(pairs)

        def process(_effect: Effect[Answer]) -> Answer:
            return _issued(register(store, signed_request(pairs)))

        def refuse(refusal: Refusal) -> Answer:
            return _refused(refusal, settings.load(store).refusals)

        action = Action("register", named.get("productKey"), named.get("deviceName"), process, refuse)
        try:
            return await exchange.run(request, store, action)
        except sqlite3.Error as error:
            return await exchange.failed(request, error, _refused(Refusal(refusals.SYSTEM_ERROR), "http_200"))

    return [web.post(PATH, handle)]


def _names(pairs: list[tuple[str, str]]) -> Mapping[str, str]:
    """Return the names in a request, for the log. Values that are not valid names are left out."""
    return {
        name: value
        for name, value in pairs
        if name in ("productKey", "deviceName") and re.fullmatch(PARAMETERS[name], value)
    }


def _issued(device: Device) -> Answer:
    data = {
        "productKey": device.product_key,
        "deviceName": device.device_name,
        "deviceSecret": device.device_secret,
    }
    return Answer(200, compact_json({"code": 200, "data": data, "message": "success"}), 200)


def _refused(refusal: Refusal, style: str) -> Answer:
    """Return the answer for a refusal: HTTP 200 without data, since several clients fail without a message at 400 and above."""
    body = compact_json({"code": refusal.code, "message": refusal.message})
    return Answer(200 if style == "http_200" else 400, body, refusal.code)
