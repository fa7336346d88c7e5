# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the MQTT client with hostile brokers, and the parsing of a broker's answer."""

from __future__ import annotations

import io
import json
import ssl
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import body_of, mutated, outcome
from tls_server import Behaviour, Certificates, Server, hangs, repeats, trickles

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import clock
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device import mqtt_client as _mqtt_client
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import ConnectFields
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import exchange, log_in
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_registration import (
    MqttRequest,
    parse_answer,
    register,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    BusyError,
    FleetopsError,
    NetworkError,
    TlsError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TlsContext, mqtt_context, tls_context

KEY, NAME, SECRET = "a1IoKTestP1", "gw-0001", "0123456789abcdef0123456789abcdef"
CONNECT = ConnectFields("c|x|", f"{NAME}&{KEY}", "p")
ACCEPTED = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"
TIMEOUT = 1.0  # seconds, enough for a handshake on a loaded machine
RIGHT = {"productKey": KEY, "deviceName": NAME, "deviceSecret": SECRET}
RIGHT_TOKEN = {"productKey": KEY, "deviceName": NAME, "clientId": "c-1", "deviceToken": "^1^t"}
ALPHABET = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+/=^@:,%")


@pytest.fixture
def context(certificates: Certificates) -> TlsContext:
    return tls_context(certificates.ca, True)


def broker(certificates: Certificates, behaviour: Behaviour) -> Server:
    """Return a server that shows this behaviour after a CONNECT."""

    def behave(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        connection.recv(4096)
        behaviour(connection, stop)

    return Server(behave, certificates.server).without_http()


def request_to(server: Server) -> MqttRequest:
    return MqttRequest("127.0.0.1", server.port, "register", KEY, NAME, CONNECT)


def publish(topic: bytes, payload: bytes) -> bytes:
    content = len(topic).to_bytes(2, "big") + topic + payload
    return bytes([0x30, len(content) % 128 | 128, len(content) // 128]) + content


ANSWER = ACCEPTED + publish(b"/ext/register", json.dumps(RIGHT).encode())
OTHER = publish(b"/other", b"x" * 1000)


@pytest.mark.parametrize(
    "behaviour",
    [
        hangs,
        repeats(PINGRESP, ACCEPTED),
        repeats(PINGRESP, ACCEPTED, 0.01),
        repeats(OTHER, ACCEPTED),
        repeats(OTHER, ACCEPTED, 0.01),
        repeats(b"\x80", ACCEPTED, 0.01),
        trickles(ANSWER, 0),
        trickles(ANSWER, 4),
    ],
    ids=[
        "nothing",
        "PINGRESP",
        "PINGRESP slowly",
        "PUBLISH",
        "PUBLISH slowly",
        "length",
        "drip",
        "drip of the message",
    ],
)
def test_a_broker_that_does_not_come_to_an_end(
    certificates: Certificates, context: TlsContext, behaviour: Behaviour
) -> None:
    with broker(certificates, behaviour) as server, pytest.raises((NetworkError, BadAnswer)) as caught:
        register(request_to(server), exchange, context, TIMEOUT, 0)
    assert caught.value.may_have_registered is True
    assert NAME in caught.value.msg


def test_an_answer_after_the_end_of_the_lease_counts(certificates: Certificates, context: TlsContext) -> None:
    """After the lease nothing may be sent, not even a DISCONNECT, but the answer to an earlier request is valid."""
    context.not_after = clock() + 60

    def end_the_lease(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        context.not_after = 0
        connection.sendall(ANSWER)
        stop.wait(5)

    with broker(certificates, end_the_lease) as server:
        assert register(request_to(server), exchange, context, 5, 0).device_secret == SECRET


def test_a_login_that_drips(certificates: Certificates, context: TlsContext) -> None:
    with broker(certificates, repeats(b"", ACCEPTED[:1], 0.05)) as server, pytest.raises(
        NetworkError, match="timed out"
    ):
        log_in(("127.0.0.1", server.port), CONNECT, context, TIMEOUT)


def test_a_handshake_that_hangs(certificates: Certificates, context: TlsContext) -> None:
    with Server(hangs, certificates.server).without_tls() as server, pytest.raises(NetworkError, match="timed out"):
        log_in(("127.0.0.1", server.port), CONNECT, context, TIMEOUT)


def test_nothing_is_sent_when_the_lease_has_run_out(certificates: Certificates, context: TlsContext) -> None:
    received = []

    def receive(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        received.append(connection.recv(4096))

    context.not_after = clock()
    with Server(receive, certificates.server).without_http() as server:
        error = outcome(lambda: register(request_to(server), exchange, context, 5, 30))
    assert isinstance(error, BusyError)
    assert (error.msg, error.may_have_registered) == ("the lease ended before the request was sent", False)
    assert b"".join(received) == b""


def test_a_lost_answer_before_the_one_that_came_is_a_doubt(certificates: Certificates, context: TlsContext) -> None:
    answers = [b"", ANSWER, ANSWER]
    with broker(certificates, lambda connection, _stop: connection.sendall(answers.pop(0))) as server:
        assert register(request_to(server), exchange, context, 5, 30) == Issued(SECRET, doubt=True)
        assert register(request_to(server), exchange, context, 5, 30) == Issued(SECRET)


def test_a_mistake_of_our_own_is_no_trouble_on_the_way(context: TlsContext) -> None:
    def mistaken(*_arguments: Any) -> Any:
        raise KeyError("mistake")

    with pytest.raises(KeyError):
        register(MqttRequest("127.0.0.1", 9, "register", KEY, NAME, CONNECT), mistaken, context, 1, 30)


# Parsing an answer


@given(
    st.sampled_from([b"", ACCEPTED, ACCEPTED + b"\x30", ACCEPTED + b"\x30\x20\x00\x0d/ext/register"]),
    st.binary(max_size=300),
)
def test_any_bytes_are_a_message_or_an_error(first: bytes, said: bytes) -> None:
    answers: Any = io.BytesIO(first + said)
    try:
        if not _mqtt_client._connack(answers):
            assert isinstance(_mqtt_client._message(answers, ["/ext/register"]), bytes)
    except (EOFError, FleetopsError):
        pass


@pytest.mark.parametrize(("auth_type", "right"), [("register", RIGHT), ("regnwl", RIGHT_TOKEN)])
@given(data=st.data())
def test_no_wrong_answer_gets_past(auth_type: str, right: Any, data: st.DataObject) -> None:
    answer = data.draw(mutated(right))
    payload = data.draw(st.just(body_of(answer)) | st.binary(max_size=200))
    request = MqttRequest("localhost", 443, auth_type, KEY, NAME, CONNECT)
    told = outcome(lambda: parse_answer(request, "registration", 0, payload))
    if isinstance(told, FleetopsError):
        assert told.hint
    else:
        assert set(told.device_secret + told.device_token + told.client_id) <= ALPHABET
        assert (answer["productKey"], answer["deviceName"]) == (KEY, NAME)


@pytest.mark.parametrize(
    "payload", [b"[" * 60_000, b'{"a":' * 60_000, b"", b"\xff"], ids=["lists", "objects", "", "ff"]
)
def test_what_is_no_json(payload: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_answer(MqttRequest("localhost", 443, "register", KEY, NAME, CONNECT), "registration", 0, payload)


# Trust


def accept(connection: ssl.SSLSocket, _stop: threading.Event) -> None:
    connection.sendall(ACCEPTED)


@pytest.mark.parametrize(
    ("ca_path", "mqtt_ca_path", "accepted"),
    [
        ("ca", None, True),
        ("ca", "", True),
        ("other_ca", "ca", True),
        (None, "ca", True),
        ("ca", "other_ca", False),
        ("other_ca", None, False),
        (None, None, False),
    ],
)
def test_mqtt_has_authorities_of_its_own(
    certificates: Certificates, ca_path: str | None, mqtt_ca_path: str | None, accepted: bool
) -> None:
    given = {"ca_path": ca_path, "mqtt_ca_path": mqtt_ca_path}
    options = {name: getattr(certificates, value) if value else value for name, value in given.items()}
    with broker(certificates, accept) as server:

        def attempt() -> None:
            log_in(("127.0.0.1", server.port), CONNECT, mqtt_context({**options, "validate_certs": True}), 20)

        if accepted:
            attempt()
            return
        with pytest.raises(TlsError) as caught:
            attempt()
    assert "Set mqtt_ca_path" in caught.value.hint
    assert "mqtt_port 8883" in caught.value.hint


@pytest.mark.parametrize("path", ["a\0b", "/x\ud800"], ids=ascii)
def test_a_name_that_no_file_can_have_is_none_of_authorities(path: str) -> None:
    with pytest.raises(TlsError, match=r"^ca_path: '.*' cannot be used: no file can have this name"):
        mqtt_context({"ca_path": path, "validate_certs": True})


def test_a_file_that_is_not_there_is_named_by_its_option() -> None:
    for options, option in (({}, "ca_path"), ({"mqtt_ca_path": "/missing.pem"}, "mqtt_ca_path")):
        with pytest.raises(TlsError, match=f"^{option}: '/missing.pem' cannot be used"):
            mqtt_context({"ca_path": "/missing.pem", "validate_certs": True, **options})
