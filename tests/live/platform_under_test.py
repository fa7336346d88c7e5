# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A product of an account, as `make live` works on it: devices of its own, and what the platform answers, without secrets."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from mqtt_client import Client

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _gate as gate
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device import mqtt
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https import http_client_post
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import exchange
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.signing import registration_body
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, NotFound
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import (
    ANY_SECRET,
    all_devices,
    named_devices,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.jobs import finish_job
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import Product
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TlsContext, tls_context, trust

# What all devices of a run are called; whatever is called so may be deleted.
PREFIX = "fleetops-live-"
SECONDS = 10
LONGEST_MESSAGE = 60


@dataclass(frozen=True)
class Places:
    """The places of the platform: the URL to register at, the MQTT host and port, and authorities to trust beside the system's."""

    register_url: str
    mqtt: tuple[str, int]
    ca_path: str | None

    def context(self) -> TlsContext:
        context = tls_context(None, True)
        if self.ca_path:
            trust(context, self.ca_path)
        return context


@dataclass(frozen=True)
class Answer:
    """The answer to a registration over HTTPS; its text has no secret."""

    status: int
    code: int | None
    message: str
    secret: str | None = field(repr=False)

    def __str__(self) -> str:
        words = f" ({self.message})" if self.message and self.code != 200 else ""
        return f"HTTP {self.status}, code {self.code}{words}"


@dataclass
class Live:
    """The product, with the secrets that have been seen, which no output may have.

    ``patience`` is how many seconds a session may take to end after a reset.
    """

    api: OpenApi
    product: Product
    product_secret: str = field(repr=False)
    places: Places
    seen: set[str] = field(repr=False)
    patience: float = 10
    run: str = field(default_factory=lambda: secrets.token_hex(3))

    @property
    def product_key(self) -> str:
        return self.product.product_key

    def name(self, what: str) -> str:
        return f"{PREFIX}{self.run}-{what}"

    def add(self, what: str) -> str:
        """Add a device; return its name."""
        answer = self.api.call("RegisterDevice", self._asked(self.name(what))).inner("Data")
        self.seen.add(answer.matching("DeviceSecret", ANY_SECRET))
        return self.name(what)

    def body(self, name: str, product_key: str | None = None, product_secret: str | None = None) -> str:
        """Return a signed registration, another one each time."""
        return registration_body(
            product_key or self.product_key, product_secret or self.product_secret, name, "hmacsha256"
        )

    def register(self, body: str) -> Answer:
        """Send a registration, once."""
        reply = http_client_post(self.places.context(), SECONDS)(self.places.register_url, body)
        content = parsed(reply.body)
        data = content.get("data")
        secret = data.get("deviceSecret") if isinstance(data, dict) else None
        if isinstance(secret, str) and secret:
            self.seen.add(secret)
        code, message = content.get("code"), content.get("message")
        return Answer(
            reply.status,
            code if isinstance(code, int) else None,
            gate.message(message, LONGEST_MESSAGE) if isinstance(message, str) else "",
            secret if isinstance(secret, str) and secret else None,
        )

    def connect(self, connect: mqtt.ConnectFields) -> str:
        """Return what a CONNECT is answered with."""
        try:
            code, _payload = exchange(self.places.mqtt, connect, self.places.context(), SECONDS)
        except EOFError:
            return "the connection ends without a CONNACK"
        return f"CONNACK {code}"

    def log_in(self, name: str, secret: str) -> str:
        """Return what a login is answered with; one that is accepted activates the device."""
        return self.connect(mqtt.login(self.product_key, name, secret))

    def stay(self, client_id: str, user_name: str, password: str) -> Client:
        """Return a connection that stays, for `with`."""
        host, port = self.places.mqtt
        endpoints = {"mqtts": {"host": host, "port": port}, "ca_file": self.places.ca_path}
        return Client(endpoints, client_id, user_name, password)

    def reset(self, name: str) -> None:
        answer = self.api.call("ResetThing", self._asked(name), once=True)
        if job := answer.matching("JobId", "[!-~]{0,64}"):
            finish_job(self.api, job, 60)

    def disable(self, name: str) -> None:
        self.api.call("DisableThing", self._asked(name))

    def status(self, name: str) -> str:
        found = named_devices(self.api, self.product_key, [name])
        return found[name].status if name in found else "no such device"

    def masked(self, text: str) -> str:
        """Return a text without any secret, whatever has put one there."""
        for secret in sorted(filter(None, self.seen), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _asked(self, name: str) -> dict[str, str | int]:
        return {"ProductKey": self.product_key, "DeviceName": name}


def others(api: OpenApi, product_key: str) -> list[str]:
    """Return the devices of a product that are no run's."""
    return [name for name in all_devices(api, product_key) if not name.startswith(PREFIX)]


def sweep(api: OpenApi, product_key: str) -> list[str]:
    """Delete the devices of this run and of those before; return the names of those that are still there."""
    for name in all_devices(api, product_key):
        if name.startswith(PREFIX):
            try:
                api.call("DeleteDevice", {"ProductKey": product_key, "DeviceName": name})
            except NotFound:
                continue
            except FleetopsError:
                continue  # it is named in the end
    return [name for name in all_devices(api, product_key) if name.startswith(PREFIX)]


def parsed(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
