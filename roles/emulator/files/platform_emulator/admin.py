# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The admin API, with which tests and trials read and change the emulator's state. Plain HTTP on loopback, guarded by a token."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import asdict

from aiohttp import web

from platform_emulator import faults, lifecycle, products, request_log, settings
from platform_emulator.admin_guard import PREFIX, Handler, guard, path_in_api
from platform_emulator.catalogue import DEVICE_ATTRIBUTES, PRODUCT_ATTRIBUTES, put_device, put_product, refuse_cycle
from platform_emulator.fields import Fields, Invalid, Reader
from platform_emulator.products import Device, Product
from platform_emulator.settings import Settings
from platform_emulator.store import Store, advice

_log = logging.getLogger(__name__)


class NotThere(LookupError):
    """The path names a product or device that does not exist."""


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Invalid as error:
        return web.json_response({"error": str(error)}, status=400)
    except NotThere as error:
        return web.json_response({"error": str(error)}, status=404)
    except web.HTTPException as error:
        message = f"{request.method} {path_in_api(request)}: {error.reason}"
        return web.json_response({"error": message}, status=error.status, headers=_allowed(error))
    except sqlite3.Error as error:
        _log.error("%s: %s", type(error).__name__, error)
        return web.json_response({"error": f"the state cannot be used ({error}); {advice(error)}"}, status=500)


def application(store: Store, token: str) -> web.Application:
    """Return the API, whose paths all begin with the token."""
    app = web.Application(middlewares=[guard(token), errors_as_json])
    api = Admin(store)
    product = f"{PREFIX}/products/{{product_key}}"
    device = f"{product}/devices/{{device_name}}"
    app.add_routes(
        [
            web.get(f"{PREFIX}/health", api.health),
            web.get(f"{PREFIX}/products", api.list_products),
            web.get(product, api.get_product),
            web.put(product, api.put_product),
            web.patch(product, api.patch_product),
            web.delete(product, api.delete_product),
            web.get(f"{product}/devices", api.list_devices),
            web.get(device, api.get_device),
            web.put(device, api.put_device),
            web.patch(device, api.patch_device),
            web.delete(device, api.delete_device),
            web.post(f"{device}/activate", api.activate_device),
            web.post(f"{device}/reset", api.reset_device),
            web.get(f"{PREFIX}/requests", api.list_requests),
            web.delete(f"{PREFIX}/requests", api.clear_requests),
            web.get(f"{PREFIX}/settings", api.get_settings),
            web.patch(f"{PREFIX}/settings", api.patch_settings),
            web.get(f"{PREFIX}/faults", api.list_faults),
            web.post(f"{PREFIX}/faults", api.add_fault),
            web.delete(f"{PREFIX}/faults", api.clear_faults),
        ]
    )
    return app


class Admin:
    """The handlers, over one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    # Products

    async def list_products(self, _request: web.Request) -> web.Response:
        return web.json_response([asdict(product) for product in self._store.products()])

    async def get_product(self, request: web.Request) -> web.Response:
        return web.json_response(asdict(self._product(request)))

    async def put_product(self, request: web.Request) -> web.Response:
        key = products.product_key(request.match_info["product_key"], "the product key in the path")
        attributes = await _attributes(request, PRODUCT_ATTRIBUTES)
        with self._store.transaction():
            status = 200 if self._store.product(key) else 201
            product = put_product(self._store, key, attributes)
        return web.json_response(asdict(product), status=status)

    async def patch_product(self, request: web.Request) -> web.Response:
        attributes = await _attributes(request, PRODUCT_ATTRIBUTES)
        with self._store.transaction():
            product = put_product(self._store, self._product(request).product_key, attributes)
        return web.json_response(asdict(product))

    async def delete_product(self, request: web.Request) -> web.Response:
        self._store.delete_product(self._product(request).product_key)
        return web.Response(status=204)

    # Devices

    async def list_devices(self, request: web.Request) -> web.Response:
        devices = self._store.devices(self._product(request).product_key)
        return web.json_response([_device(device) for device in devices])

    async def get_device(self, request: web.Request) -> web.Response:
        device = self._device(request)
        sub_devices = [
            {"product_key": sub_device.product_key, "name": sub_device.device_name}
            for sub_device in self._store.sub_devices(device)
        ]
        return web.json_response({**_device(device), "sub_devices": sub_devices})

    async def put_device(self, request: web.Request) -> web.Response:
        name = products.device_name(request.match_info["device_name"], "the device name in the path")
        attributes = await _attributes(request, DEVICE_ATTRIBUTES)
        with self._store.transaction():
            key = self._product(request).product_key
            status = 200 if self._store.device(key, name) else 201
            device = put_device(self._store, key, name, attributes)
            refuse_cycle(self._store, key, name)
        return web.json_response(_device(device), status=status)

    async def patch_device(self, request: web.Request) -> web.Response:
        attributes = await _attributes(request, DEVICE_ATTRIBUTES)
        with self._store.transaction():
            device = self._device(request)
            device = put_device(self._store, device.product_key, device.device_name, attributes)
            refuse_cycle(self._store, device.product_key, device.device_name)
        return web.json_response(_device(device))

    async def delete_device(self, request: web.Request) -> web.Response:
        device = self._device(request)
        self._store.delete_device(device.product_key, device.device_name)
        return web.Response(status=204)

    async def activate_device(self, request: web.Request) -> web.Response:
        """Activate the device, as if it had connected once and disconnected."""
        return self._change_device(request, lambda device: lifecycle.log_out(lifecycle.log_in(device)))

    async def reset_device(self, request: web.Request) -> web.Response:
        current = settings.load(self._store)
        return self._change_device(request, lambda device: lifecycle.reset(device, current))

    # Requests, settings, faults

    async def list_requests(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        since = query.pop("since", "0")
        unknown = query.keys() - {"action", "product_key", "device_name"}
        if unknown or not re.fullmatch("[0-9]{1,18}", since):
            raise Invalid(
                "requests can be filtered by action, product_key, device_name and since (a number); remove the other parameters"
            )
        return web.json_response(request_log.entries(self._store, int(since), **query))

    async def clear_requests(self, _request: web.Request) -> web.Response:
        request_log.clear(self._store)
        return web.Response(status=204)

    async def get_settings(self, _request: web.Request) -> web.Response:
        return web.json_response(asdict(settings.load(self._store)))

    async def patch_settings(self, request: web.Request) -> web.Response:
        changes = await _json(request)
        with self._store.transaction():
            changed: Settings = settings.changed(settings.load(self._store), changes, "")
            settings.save(self._store, changed)
        return web.json_response(asdict(changed))

    async def list_faults(self, _request: web.Request) -> web.Response:
        return web.json_response(faults.everything(self._store))

    async def add_fault(self, request: web.Request) -> web.Response:
        number = faults.add(self._store, await _json(request), "")
        return web.json_response({"id": number}, status=201)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        faults.clear(self._store)
        return web.Response(status=204)

    # Helpers

    def _product(self, request: web.Request) -> Product:
        key = request.match_info["product_key"]
        product = self._store.product(key)
        if product is None:
            raise NotThere(f"there is no product {key}; add it with PUT /products/{key}")
        return product

    def _device(self, request: web.Request) -> Device:
        product = self._product(request)
        name = request.match_info["device_name"]
        device = self._store.device(product.product_key, name)
        if device is None:
            raise NotThere(f"product {product.product_key} has no device {name}; add it with PUT")
        return device

    def _change_device(self, request: web.Request, change: Callable[[Device], Device]) -> web.Response:
        with self._store.transaction():
            device = change(self._device(request))
            self._store.save_device(device)
        return web.json_response(_device(device))


def _device(device: Device) -> dict[str, object]:
    return {**asdict(device), "status": device.status, "activated": device.activated}


async def _json(request: web.Request) -> object:
    try:
        content: object = json.loads(await request.text() or "{}")
    except (ValueError, LookupError, RecursionError, web.RequestPayloadError):
        raise Invalid("the body is not JSON in UTF-8; send a JSON object") from None
    return content


async def _attributes(request: web.Request, readers: Mapping[str, Reader[object]]) -> dict[str, object]:
    fields = Fields(await _json(request), "")
    attributes = fields.named(readers)
    fields.close()
    return attributes


def _allowed(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
