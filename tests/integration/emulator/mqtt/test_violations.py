# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Violations of MQTT, sent as bytes because a client library would not send them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from emulator import Emulator
from mqtt_client import login
from processes import wait_for

PRODUCT_KEY, DEVICE_NAME, DEVICE_SECRET = "a1IoKTestP1", "gw-0001", "0123456789abcdef0123456789abcdef"
TOPIC = f"/{PRODUCT_KEY}/{DEVICE_NAME}/user/get".encode()
ACCEPTED = b"\x20\x02\x00\x00"


def packet(kind: int, body: bytes) -> bytes:
    length, rest = b"", len(body)
    while rest or not length:
        rest, low = divmod(rest, 128)
        length += bytes([low | (0x80 if rest else 0)])
    return bytes([kind]) + length + body


def text(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


@contextmanager
def logged_in(
    broker: Emulator, keep_alive: int = 60, flags: int = 0xC2, kind: int = 0x10, will: tuple[bytes, ...] = ()
) -> Iterator[socket.socket]:
    client_id, *user = (field.encode() for field in login(PRODUCT_KEY, DEVICE_NAME, DEVICE_SECRET, securemode="3"))
    fields = (client_id, *will, *user)
    head = text(b"MQTT") + bytes([4, flags]) + keep_alive.to_bytes(2, "big")
    with socket.create_connection((broker.endpoints["mqtt"]["host"], broker.endpoints["mqtt"]["port"]), 60) as tcp:
        tcp.sendall(packet(kind, head + b"".join(map(text, fields))))
        yield tcp


def status(broker: Emulator) -> str:
    return str(broker.admin.device(PRODUCT_KEY, DEVICE_NAME)["status"])


def test_a_connect_with_the_reserved_flag(broker: Emulator) -> None:
    with logged_in(broker, flags=0xC3) as tcp:
        assert tcp.recv(100) == b""
    assert broker.admin.requests() == []


@pytest.mark.parametrize(
    "options",
    [
        {"kind": 0x11},
        {"kind": 0x1F},
        {"flags": 0xDE, "will": (b"topic", b"message")},
        {"flags": 0xCA},
        {"flags": 0xE2},
        {"flags": 0xC6, "will": (b"to\0pic", b"message")},
    ],
    ids=[
        "flag",
        "flags",
        "will of QoS 3",
        "QoS without a will",
        "retained without a will",
        "U+0000 in the will's topic",
    ],
)
def test_a_connect_that_violates_the_protocol(broker: Emulator, options: dict[str, Any]) -> None:
    with logged_in(broker, **options) as tcp:
        assert tcp.recv(100) == b""
    assert broker.admin.requests() == []


@pytest.mark.parametrize("flags", [0xC6, 0xCE, 0xD6, 0xE6])
def test_a_connect_with_a_will(broker: Emulator, flags: int) -> None:
    with logged_in(broker, flags=flags, will=(b"topic", b"mess\0age")) as tcp:
        assert tcp.recv(4) == ACCEPTED


@pytest.mark.parametrize("flags", [0x42, 0xC2])
def test_a_connect_with_a_password_alone_or_with_u_0000(broker: Emulator, flags: int) -> None:
    fields = [b"client|securemode=3|", b"gw-0001&a1IoKTestP1\0", b"password"][: 3 if flags & 0x80 else None]
    if not flags & 0x80:
        del fields[1]
    head = text(b"MQTT") + bytes([4, flags, 0, 60])
    with socket.create_connection((broker.endpoints["mqtt"]["host"], broker.endpoints["mqtt"]["port"]), 60) as tcp:
        tcp.sendall(packet(0x10, head + b"".join(map(text, fields))))
        assert tcp.recv(100) == b""
    assert broker.admin.requests() == []


@pytest.mark.parametrize(
    "sent",
    [
        packet(0x80, b"\x00\x01" + text(TOPIC) + b"\x01"),
        packet(0x8A, b"\x00\x01" + text(TOPIC) + b"\x01"),
        packet(0xA0, b"\x00\x01" + text(TOPIC)),
        packet(0xC1, b""),
        packet(0x42, b"\x00\x01"),
        packet(0x30, text(TOPIC + b"\0") + b"hello"),
        packet(0x30, text(TOPIC + b"/#") + b"hello"),
        packet(0x82, b"\x00\x01" + text(TOPIC + b"\0") + b"\x01"),
        packet(0x82, b"\x00\x01" + text(b"") + b"\x01"),
        packet(0xA2, b"\x00\x01" + text(TOPIC + b"\0")),
        packet(0x82, b"\x00\x01" + text(TOPIC) + b"\x03"),
        packet(0x82, b"\x00\x01"),
        packet(0x82, b"\x00\x00" + text(TOPIC) + b"\x01"),
        packet(0xA2, b"\x00\x01"),
        packet(0xA2, b"\x00\x00" + text(TOPIC)),
        packet(0x32, text(TOPIC) + b"\x00\x00" + b"hello"),
    ],
    ids=[
        *("flags of SUBSCRIBE", "DUP of SUBSCRIBE", "flags of UNSUBSCRIBE", "flags of PINGREQ", "flags of PUBACK"),
        *("publish to U+0000", "publish to a filter", "subscribe to U+0000", "subscribe to nothing"),
        *("unsubscribe from U+0000", "QoS 3", "no filter", "subscribe as 0", "unsubscribe from nothing"),
        *("unsubscribe as 0", "publish as 0"),
    ],
)
def test_a_violation_ends_the_connection(broker: Emulator, sent: bytes) -> None:
    with logged_in(broker) as tcp:
        assert tcp.recv(4) == ACCEPTED
        tcp.sendall(sent)
        assert tcp.recv(100) == b""


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (packet(0x82, b"\x00\x01" + text(TOPIC) + b"\x02"), b"\x90\x03\x00\x01\x01"),
        (packet(0xA2, b"\x00\x01" + text(TOPIC)), b"\xb0\x02\x00\x01"),
        (packet(0x32, text(TOPIC) + b"\x00\x01" + b"hello"), b"\x40\x02\x00\x01"),
    ],
    ids=["subscribe", "unsubscribe", "publish"],
)
def test_the_same_without_a_violation(broker: Emulator, sent: bytes, answer: bytes) -> None:
    with logged_in(broker) as tcp:
        assert tcp.recv(4) == ACCEPTED
        tcp.sendall(sent)
        assert tcp.recv(100) == answer


def test_a_keep_alive_of_0_switches_it_off(broker: Emulator) -> None:
    broker.admin.settings(shortest_keep_alive=0)
    with logged_in(broker, keep_alive=0) as tcp:
        assert tcp.recv(4) == ACCEPTED
        tcp.settimeout(0.5)
        with pytest.raises(TimeoutError):
            tcp.recv(1)
        tcp.settimeout(60)
        tcp.sendall(packet(0xC0, b""))
        assert tcp.recv(2) == b"\xd0\x00"


def test_a_client_that_does_not_read_is_thrown_out(broker: Emulator) -> None:
    """A client that does not read is disconnected, even if it sends: its own messages are sent back to it until the buffer is full."""
    broker.admin.settings(shortest_keep_alive=1)
    with logged_in(broker, keep_alive=1) as tcp:
        assert tcp.recv(4) == ACCEPTED
        tcp.sendall(packet(0x82, b"\x00\x01" + text(TOPIC) + b"\x00"))
        assert tcp.recv(5) == b"\x90\x03\x00\x01\x00"
        tcp.settimeout(0.2)
        with suppress(TimeoutError):
            while True:
                tcp.sendall(packet(0x30, text(TOPIC) + b"x" * 200_000))
        wait_for(lambda: status(broker) == "OFFLINE", "the end of the session")
