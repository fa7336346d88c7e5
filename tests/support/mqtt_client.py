# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An MQTT device for tests. It uses paho-mqtt, so that the emulator is not tested with its own codec.

with Client(platform.endpoints, *login("a1IoKTestP1", "gw-0001", secret)) as device:
    assert device.connack == 0
    device.subscribe("/a1IoKTestP1/gw-0001/user/get")
    device.publish("/a1IoKTestP1/gw-0001/user/get", b"hello")
    assert device.message() == ("/a1IoKTestP1/gw-0001/user/get", b"hello")
"""

from __future__ import annotations

import hmac
import json
import queue
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import MQTT_ERR_SUCCESS, CallbackAPIVersion, MQTTv311
from paho.mqtt.client import Client as Paho

SECONDS = 10.0
NO_ANSWER = None

# paho 2 translates the codes of MQTT 3.1.1 into those of MQTT 5.
CONNACK = {0: 0, 132: 1, 133: 2, 136: 3, 134: 4, 135: 5}

Credentials = tuple[str, str, str]


def sign(content: str, secret: str, method: str) -> str:
    return hmac.new(secret.encode(), content.encode(), method.removeprefix("hmac")).hexdigest()


def login(
    product_key: str, device_name: str, device_secret: str, method: str = "hmacsha256", **extension: str
) -> Credentials:
    """Return client ID, user name and password of a login with DeviceSecret; `extension` adds or changes fields."""
    fields = {"securemode": "2", "signmethod": method, "timestamp": "1700000000000", **extension}
    content = f"clientId{device_name}deviceName{device_name}productKey{product_key}timestamp{fields['timestamp']}"
    return client_id(device_name, fields), f"{device_name}&{product_key}", sign(content, device_secret, method)


def registration(
    product_key: str, device_name: str, product_secret: str, auth_type: str = "register", **extension: str
) -> Credentials:
    """Return the same for a dynamic registration, with `authType` register or regnwl."""
    fields = {"securemode": "2", "authType": auth_type, "random": "567345", "signmethod": "hmacsha256", **extension}
    content = f"deviceName{device_name}productKey{product_key}random{fields['random']}"
    password = sign(content, product_secret, "hmacsha256")
    return client_id(f"{device_name}.{product_key}", fields), f"{device_name}&{product_key}", password


def token_login(issued: dict[str, str]) -> Credentials:
    """Return the same for a login with the device token from a message on /ext/regnwl."""
    user_name = f"{issued['deviceName']}&{issued['productKey']}"
    return f"{issued['clientId']}|securemode=-2,authType=connwl|", user_name, issued["deviceToken"]


def client_id(core: str, fields: dict[str, str]) -> str:
    return f"{core}|{','.join(f'{key}={value}' for key, value in fields.items())}|"


class Client:
    """One connection, which lasts as long as `with`; it never reconnects by itself.

    `connack` is the code of the CONNACK; None if none came in time or before the connection ended.
    """

    def __init__(
        self,
        endpoints: dict[str, Any],
        client_id: str,
        user_name: str | None,
        password: str | None,
        *,
        tls: bool = True,
        keep_alive: int = 60,
        protocol: int = MQTTv311,
        seconds: float = SECONDS,
    ) -> None:
        self.connack: int | None = NO_ANSWER
        self._answered = threading.Event()
        self._gone = threading.Event()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._todo: queue.Queue[tuple[Future[Any], Callable[[], Any]]] = queue.Queue()
        self._acknowledged: queue.Queue[list[int]] = queue.Queue()
        self._messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._keep_alive = keep_alive
        self._seconds = seconds
        self._address = endpoints["mqtts" if tls else "mqtt"]
        self._paho = Paho(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol, reconnect_on_failure=False
        )
        self._paho.username_pw_set(user_name, password)
        self._paho.on_unsubscribe = lambda *_: self._acknowledged.put([])
        if tls:
            self._paho.tls_set_context(ssl.create_default_context(cafile=endpoints["ca_file"]))
        self._paho.on_connect = self._on_connect
        self._paho.on_message = lambda _client, _data, message: self._messages.put((message.topic, message.payload))
        self._paho.on_subscribe = lambda *arguments: self._acknowledged.put([code.value for code in arguments[3]])

    def __enter__(self) -> Self:
        self._paho.connect(self._address["host"], self._address["port"], self._keep_alive)
        self._thread.start()
        self._answered.wait(self._seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        self._in_loop(self._paho.disconnect)
        self._leaving.set()
        self._thread.join()

    def message(self, seconds: float = SECONDS) -> tuple[str, bytes] | None:
        """Return the topic and payload of the next message; None if none arrives in time."""
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            return None

    def content(self) -> Any:
        """Return the JSON in the next message."""
        message = self.message()
        assert message, "no message came"
        return json.loads(message[1])

    def subscribe(self, topic_filter: str, qos: int = 0) -> int:
        """Subscribe, and return the code of the SUBACK."""
        self._in_loop(lambda: self._paho.subscribe(topic_filter, qos))
        (code,) = self._acknowledged.get(timeout=SECONDS)
        return code

    def unsubscribe(self, topic_filter: str) -> None:
        """Unsubscribe, and wait for the acknowledgement."""
        self._in_loop(lambda: self._paho.unsubscribe(topic_filter))
        self._acknowledged.get(timeout=SECONDS)

    def publish(self, topic: str, payload: bytes | str, qos: int = 0, seconds: float = SECONDS) -> None:
        """Publish a message, and wait at most `seconds` until it is sent, with QoS 1 until it is acknowledged."""
        self._in_loop(lambda: self._paho.publish(topic, payload, qos)).wait_for_publish(seconds)

    def gone(self, seconds: float = SECONDS) -> bool:
        """Return whether the server ends the connection within `seconds`."""
        return self._gone.wait(seconds)

    def _loop(self) -> None:
        """Run paho's loop; its own loop_start leaves sockets behind."""
        while self._paho.loop(0.02) == MQTT_ERR_SUCCESS and not self._leaving.is_set():
            self._do()
        self._ended()
        self._do()

    def _in_loop(self, call: Callable[[], Any]) -> Any:
        """Run a call in the loop's thread: without loop_start, paho does not prevent two threads from writing at once."""
        future: Future[Any] = Future()
        self._todo.put((future, call))
        if self._gone.is_set():
            self._do()
        return future.result(SECONDS)

    def _do(self) -> None:
        while True:
            try:
                future, call = self._todo.get_nowait()
            except queue.Empty:
                return
            try:
                future.set_result(call())
            except Exception as error:
                future.set_exception(error)

    def _on_connect(self, *arguments: Any) -> None:
        self.connack = CONNACK[arguments[3].value]
        self._answered.set()

    def _ended(self) -> None:
        self._answered.set()
        self._gone.set()
