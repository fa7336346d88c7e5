# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registrations over MQTT: the meaning of answers, and the client against the emulator and its faults."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from playbook import PRODUCT_KEY, PRODUCT_SECRET

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device import mqtt_client as _mqtt_client
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import ConnectFields
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import exchange
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_registration import (
    MqttRequest,
    parse_answer,
    register,
    signed_connect,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    InvalidOption,
    NetworkError,
    Refused,
    Throttled,
    TlsError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TlsContext, tls_context

NAME = "gw-0001"
SECRET = "0123456789abcdef0123456789abcdef"
CONNECT = ConnectFields("c|x|", "gw-0001&a1IoKTestP1", "p")
REQUEST = MqttRequest("localhost", 443, "register", PRODUCT_KEY, NAME, CONNECT)
WITHOUT = MqttRequest("localhost", 443, "regnwl", PRODUCT_KEY, NAME, CONNECT)

RIGHT = {"productKey": PRODUCT_KEY, "deviceName": NAME, "deviceSecret": SECRET}
RIGHT_TOKEN = {"productKey": PRODUCT_KEY, "deviceName": NAME, "clientId": "c-1", "deviceToken": "^1^t"}


# Answers


def read(request: MqttRequest, answer: Any, code: int = 0) -> Issued:
    payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return parse_answer(request, "registration of gw-0001", code, payload)


def test_a_secret() -> None:
    assert read(REQUEST, RIGHT) == Issued(SECRET)


def test_a_token() -> None:
    assert read(WITHOUT, RIGHT_TOKEN) == Issued(device_token="^1^t", client_id="c-1")


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (REQUEST, b""),
        (REQUEST, b"\xff"),
        (REQUEST, b"<html>"),
        (REQUEST, b"[" * 60_000),
        (REQUEST, []),
        (REQUEST, {}),
        (REQUEST, {**RIGHT, "deviceName": "gw-0002"}),
        (REQUEST, {**RIGHT, "productKey": "a1IoKTestP2"}),
        (REQUEST, {**RIGHT, "deviceSecret": ""}),
        (REQUEST, {**RIGHT, "deviceSecret": "a b"}),
        (REQUEST, {**RIGHT, "deviceSecret": 'a"b'}),
        (REQUEST, {**RIGHT, "deviceSecret": "a" * 65}),
        (REQUEST, {**RIGHT, "deviceSecret": 7}),
        (REQUEST, RIGHT_TOKEN),
        (WITHOUT, RIGHT),
        (WITHOUT, {**RIGHT_TOKEN, "deviceToken": ""}),
        (WITHOUT, {**RIGHT_TOKEN, "deviceToken": "a\nb"}),
        (WITHOUT, {**RIGHT_TOKEN, "deviceToken": "a" * 257}),
        (WITHOUT, {**RIGHT_TOKEN, "clientId": ""}),
        (WITHOUT, {**RIGHT_TOKEN, "clientId": "a|b"}),
        (WITHOUT, {**RIGHT_TOKEN, "clientId": None}),
    ],
    ids=lambda value: str(value)[:80],
)
def test_what_is_no_answer(request_: MqttRequest, answer: Any) -> None:
    with pytest.raises(BadAnswer) as raised:
        read(request_, answer)
    assert raised.value.may_have_registered, "the platform has accepted the request"
    assert raised.value.hint


@pytest.mark.parametrize("code", [1, 2, 4, 5, 6])
@pytest.mark.parametrize("request_", [REQUEST, WITHOUT], ids=["register", "regnwl"])
def test_a_refusal(request_: MqttRequest, code: int) -> None:
    with pytest.raises(Refused, match=f"CONNACK {code}") as raised:
        read(request_, b"", code)
    assert (raised.value.code, raised.value.may_have_registered) == (code, False)
    assert raised.value.hint
    if code in (4, 5):
        assert "activated" in raised.value.hint, "over MQTT, 6289 looks like any other refusal"


def test_not_now() -> None:
    with pytest.raises(Throttled) as raised:
        read(REQUEST, b"", 3)
    assert not raised.value.may_have_registered


# Requests

OPTIONS = {
    **{"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET, "sign_method": "hmacsha256", "timeout": 10},
    **{"retry_time": 30, "region": "cn-beijing", "instance_id": None, "mqtt_endpoint": None, "auth_type": "register"},
}


@pytest.mark.parametrize(
    ("changes", "host", "port"),
    [
        ({}, "a1IoKTestP1.iot-as-mqtt.cn-beijing.aliyuncs.com", 443),
        ({"instance_id": "iot-06z00abc"}, "iot-06z00abc.mqtt.iothub.aliyuncs.com", 443),
        ({"mqtt_endpoint": "broker:8883", "region": None}, "broker", 8883),
    ],
)
def test_where_to(changes: dict[str, Any], host: str, port: int) -> None:
    request = signed_connect({**OPTIONS, **changes}, NAME)
    assert (request.host, request.port) == (host, port)
    assert PRODUCT_SECRET not in repr(request)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"region": None}, "region: is missing, and mqtt_endpoint or instance_id is not set"),
        ({"region": "cn-bejing"}, "Did you mean cn-beijing"),
        ({"mqtt_endpoint": "mqtts://broker"}, "mqtt_endpoint"),
        ({"instance_id": "a b"}, "instance_id"),
        ({"timeout": 0}, "timeout"),
        ({"product_secret": None}, "product_secret"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_options_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        signed_connect({**OPTIONS, **changes}, NAME)
    assert message in str(raised.value)


# The client against the emulator


pytestmark = pytest.mark.usefixtures("new_platform")


def connect(platform: Emulator, auth_type: str = "register", **changes: Any) -> MqttRequest:
    endpoint = "{host}:{port}".format_map(platform.endpoints["mqtts"])
    return signed_connect({**OPTIONS, "mqtt_endpoint": endpoint, "auth_type": auth_type, **changes}, NAME)


def trusting(platform: Emulator) -> TlsContext:
    return tls_context(platform.endpoints["ca_file"], True)


def registered(platform: Emulator, request: MqttRequest, timeout: float = 5, budget: float = 0) -> Issued:
    return register(request, exchange, trusting(platform), timeout, budget)


def test_register(platform: Emulator) -> None:
    answer = registered(platform, connect(platform))
    assert answer == Issued(platform.admin.device(PRODUCT_KEY, NAME)["device_secret"])
    assert [(entry["action"], entry["code"]) for entry in platform.admin.requests()] == [("register_mqtt", 0)]
    assert not platform.admin.device(PRODUCT_KEY, NAME)["activated"]


@pytest.mark.parametrize("name", [NAME, "nobody-knows-it"])
def test_regnwl(platform: Emulator, name: str) -> None:
    options = {**OPTIONS, "mqtt_endpoint": "{host}:{port}".format_map(platform.endpoints["mqtts"])}
    request = signed_connect({**options, "auth_type": "regnwl"}, name)
    answer = registered(platform, request)
    assert answer.device_secret == ""
    token_login = ConnectFields(
        f"{answer.client_id}|securemode=-2,authType=connwl|", f"{name}&{PRODUCT_KEY}", answer.device_token
    )
    address = (request.host, request.port)
    assert exchange(address, token_login, trusting(platform), 5, ()) == (0, b"")


def test_the_connection_alone(platform: Emulator) -> None:
    request = connect(platform)
    unsigned = MqttRequest(request.host, request.port, "register", PRODUCT_KEY, NAME, None)
    assert registered(platform, unsigned) == Issued()
    assert platform.admin.requests() == []


@pytest.mark.parametrize(
    ("fault", "error", "doubt"),
    [
        ({"connack": 2}, Refused, False),
        ({"connack": 3}, Throttled, False),
        ({"connack": 4}, Refused, False),
        ({"drop_before": True}, NetworkError, True),
        ({"drop_after": True}, NetworkError, True),
        ({"hang": 12}, NetworkError, True),
        ({"no_message": True}, NetworkError, True),
        ({"truncate": True}, BadAnswer, True),
        ({"not_json": True}, BadAnswer, True),
        ({"other_device": True}, BadAnswer, True),
        ({"other_product": True}, BadAnswer, True),
        ({"empty_secret": True}, BadAnswer, True),
    ],
    ids=str,
)
def test_what_may_go_wrong(platform: Emulator, fault: dict[str, Any], error: type[FleetopsError], doubt: bool) -> None:
    platform.admin.fault("register_mqtt", **fault)
    with pytest.raises(error) as raised:
        registered(platform, connect(platform), timeout=4)
    assert raised.value.may_have_registered is doubt
    assert NAME in str(raised.value)
    assert raised.value.hint


@pytest.mark.parametrize("fault", [{"empty_token": True}, {"truncate": True}], ids=str)
def test_a_token_that_cannot_be(platform: Emulator, fault: dict[str, Any]) -> None:
    platform.admin.fault("regnwl", **fault)
    with pytest.raises(BadAnswer):
        registered(platform, connect(platform, "regnwl"))


def test_a_lost_answer_is_asked_for_again(platform: Emulator) -> None:
    platform.admin.fault("register_mqtt", drop_after=True)
    answer = registered(platform, connect(platform), budget=20)
    assert answer == Issued(platform.admin.device(PRODUCT_KEY, NAME)["device_secret"], doubt=True)
    assert platform.admin.device(PRODUCT_KEY, NAME)["registrations"] == 2


def test_a_refusal_after_a_lost_answer_is_in_doubt(platform: Emulator) -> None:
    platform.admin.settings(reregistration="refuse")
    platform.admin.fault("register_mqtt", drop_after=True)
    with pytest.raises(Refused) as raised:
        registered(platform, connect(platform), budget=20)
    assert raised.value.may_have_registered


def test_another_authority(platform: Emulator) -> None:
    with pytest.raises(TlsError) as raised:
        register(connect(platform), exchange, tls_context(None, True), 5, 0)
    assert not raised.value.may_have_registered
    assert platform.admin.requests() == []


def test_a_wrong_product_secret(platform: Emulator) -> None:
    with pytest.raises(Refused, match="CONNACK 4"):
        registered(platform, connect(platform, product_secret="another0000"))


def test_a_host_that_accepts_and_says_nothing() -> None:
    """A silent host times out, because the handshake has a deadline too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        request = MqttRequest(*server.getsockname(), "register", PRODUCT_KEY, NAME, CONNECT)
        with pytest.raises(NetworkError, match="timed out"):
            register(request, exchange, tls_context(None, False), 1, 0)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    request = MqttRequest("127.0.0.1", port, "register", PRODUCT_KEY, NAME, CONNECT)
    with pytest.raises(NetworkError) as raised:
        register(request, exchange, tls_context(None, False), 2, 0)
    assert not raised.value.may_have_registered


# The client against the test's own broker


def publish(topic: bytes, payload: bytes, flags: int = 0) -> bytes:
    number = b"\x00\x07" if flags & 6 else b""
    content = len(topic).to_bytes(2, "big") + topic + number + payload
    length = len(content)
    octets = bytearray()
    while True:
        length, low = divmod(length, 128)
        octets.append(low | (128 if length else 0))
        if not length:
            return bytes([0x30 | flags]) + bytes(octets) + content


ACCEPTED = b"\x20\x02\x00\x00"


@pytest.mark.parametrize(
    "said",
    [
        [ACCEPTED + publish(b"/ext/register", b"payload")],
        [ACCEPTED, publish(b"/ext/register", b"payload", flags=2)],
        [ACCEPTED, publish(b"/broadcast/x", b"x" * 300), publish(b"/ext/register", b"payload")],
        [ACCEPTED, b"\xd0\x00" + publish(b"/ext/register", b"payload")],
        [bytes([octet]) for octet in ACCEPTED + publish(b"/ext/register", b"payload")],
    ],
    ids=["at once", "with QoS 1", "after a message of no interest", "after a PINGRESP", "byte by byte"],
)
def test_a_message_however_it_comes(platform: Emulator, said: list[bytes]) -> None:
    with Broker(platform, said) as broker:
        assert exchange(broker.address, CONNECT, trusting(platform), 5, ["/ext/register"]) == (0, b"payload")


def test_a_broker_that_does_not_wait_for_the_goodbye(platform: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reset after a complete answer does not count as a lost answer, after which another secret would be requested."""
    read = _mqtt_client._message
    monkeypatch.setattr(_mqtt_client, "_message", lambda *arguments: (read(*arguments), time.sleep(1))[0])
    with Broker(platform, [ACCEPTED + publish(b"/ext/register", b"payload")], reset_after=0.5) as broker:
        exchanged = exchange(broker.address, CONNECT, trusting(platform), 5, ["/ext/register"])
    assert exchanged == (0, b"payload")


@pytest.mark.parametrize(
    "said",
    [[b"HTTP/1.1 400 Bad Request\r\n\r\n"], [ACCEPTED, b"\x30\xff\xff\xff\x7f"], [b"\x20\x02\x00"], [b"\x00"], []],
    ids=["HTTP", "a length of 256 MB", "half a CONNACK", "a NUL", "nothing"],
)
def test_what_is_no_broker(platform: Emulator, said: list[bytes]) -> None:
    with Broker(platform, said) as broker:
        request = MqttRequest(*broker.address, "register", PRODUCT_KEY, NAME, CONNECT)
        with pytest.raises((BadAnswer, NetworkError)):
            register(request, exchange, trusting(platform), 2, 0)


class Broker:
    """A server that sends prepared bytes to its client and closes the connection or, after a while, resets it."""

    def __init__(self, platform: Emulator, said: list[bytes], reset_after: float | None = None) -> None:
        self._said = said
        self._reset_after = reset_after
        state = Path(platform.endpoints["ca_file"]).parent
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(state / "server.pem", state / "server.key")
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = ("localhost", self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Broker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        connection, _address = self._server.accept()
        with self._context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            for part in self._said:
                tls.sendall(part)
            if self._reset_after is not None:
                time.sleep(self._reset_after)
                tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
