# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The product that `make live` uses: add devices to it, and return the platform's answers without secrets."""

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

# The names of all devices of a run begin with this prefix. Every device with the prefix may be deleted.
PREFIX = "fleetops-live-"
SECONDS = 10
LONGEST_MESSAGE = 60


@dataclass(frozen=True)
class Endpoints:
    """The platform's endpoints: registration URL, MQTT host and port, and authorities to trust in addition to the system's."""

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
    """The answer to a registration over HTTPS; its text contains no secret."""

    status: int
    code: int | None
    message: str
    secret: str | None = field(repr=False)

    def __str__(self) -> str:
        message = f" ({self.message})" if self.message and self.code != 200 else ""
        return f"HTTP {self.status}, code {self.code}{message}"


@dataclass
class Live:
    """The product, and all secrets that are known so far, which no output may contain.

    ``patience`` is the number of seconds within which a session may end after a reset.
    """

    api: OpenApi
    product: Product
    product_secret: str = field(repr=False)
    endpoints: Endpoints
    known_secrets: set[str] = field(repr=False)
    patience: float = 10
    run: str = field(default_factory=lambda: secrets.token_hex(3))

    @property
    def product_key(self) -> str:
        return self.product.product_key

    def name(self, purpose: str) -> str:
        return f"{PREFIX}{self.run}-{purpose}"

    def add(self, purpose: str) -> str:
        """Add a device, and return its name."""
        answer = self.api.call("RegisterDevice", self._parameters(self.name(purpose))).inner("Data")
        self.known_secrets.add(answer.matching("DeviceSecret", ANY_SECRET))
        return self.name(purpose)

    def body(self, name: str, product_key: str | None = None, product_secret: str | None = None) -> str:
        """Return a signed registration, which is different each time."""
        return registration_body(
            product_key or self.product_key, product_secret or self.product_secret, name, "hmacsha256"
        )

    def register(self, body: str) -> Answer:
        """Send a registration, once."""
        reply = http_client_post(self.endpoints.context(), SECONDS)(self.endpoints.register_url, body)
        content = parse_object(reply.body)
        data = content.get("data")
        secret = data.get("deviceSecret") if isinstance(data, dict) else None
        if isinstance(secret, str) and secret:
            self.known_secrets.add(secret)
        code, message = content.get("code"), content.get("message")
        return Answer(
            reply.status,
            code if isinstance(code, int) else None,
            gate.message(message, LONGEST_MESSAGE) if isinstance(message, str) else "",
            secret if isinstance(secret, str) and secret else None,
        )

    def connect(self, connect: mqtt.ConnectFields) -> str:
        """Send a CONNECT, and describe the answer."""
        try:
            code, _payload = exchange(self.endpoints.mqtt, connect, self.endpoints.context(), SECONDS)
        except EOFError:
            return "the connection ends without a CONNACK"
        return f"CONNACK {code}"

    def log_in(self, name: str, secret: str) -> str:
        """Log in, and describe the answer; an accepted login activates the device."""
        return self.connect(mqtt.login(self.product_key, name, secret))

    def open_session(self, client_id: str, user_name: str, password: str) -> Client:
        """Return a client whose connection lasts as long as `with`."""
        host, port = self.endpoints.mqtt
        endpoints = {"mqtts": {"host": host, "port": port}, "ca_file": self.endpoints.ca_path}
        return Client(endpoints, client_id, user_name, password)

    def reset(self, name: str) -> None:
        answer = self.api.call("ResetThing", self._parameters(name), once=True)
        if job := answer.matching("JobId", "[!-~]{0,64}"):
            finish_job(self.api, job, 60)

    def disable(self, name: str) -> None:
        self.api.call("DisableThing", self._parameters(name))

    def status(self, name: str) -> str:
        found = named_devices(self.api, self.product_key, [name])
        return found[name].status if name in found else "no such device"

    def mask(self, text: str) -> str:
        """Return a text in which every known secret is masked, from whatever source."""
        for secret in sorted(filter(None, self.known_secrets), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _parameters(self, name: str) -> dict[str, str | int]:
        return {"ProductKey": self.product_key, "DeviceName": name}


def foreign_devices(api: OpenApi, product_key: str) -> list[str]:
    """Return the devices of a product that `make live` has not added."""
    return [name for name in all_devices(api, product_key) if not name.startswith(PREFIX)]


def delete_devices(api: OpenApi, product_key: str) -> list[str]:
    """Delete the devices of this run and of earlier runs; return the names of the remaining ones."""
    for name in all_devices(api, product_key):
        if name.startswith(PREFIX):
            try:
                api.call("DeleteDevice", {"ProductKey": product_key, "DeviceName": name})
            except NotFound:
                continue
            except FleetopsError:
                continue  # the device is among the remaining ones
    return [name for name in all_devices(api, product_key) if name.startswith(PREFIX)]


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body, empty if there is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
