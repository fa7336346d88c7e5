# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Violations of MQTT, sent as bytes because a client library would not send them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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
def logged_in(broker: Emulator, keep_alive: int = 60, flags: int = 0xC2) -> Iterator[socket.socket]:
    fields = login(PRODUCT_KEY, DEVICE_NAME, DEVICE_SECRET, securemode="3")
    head = text(b"MQTT") + bytes([4, flags]) + keep_alive.to_bytes(2, "big")
    with socket.create_connection((broker.endpoints["mqtt"]["host"], broker.endpoints["mqtt"]["port"]), 60) as tcp:
        tcp.sendall(packet(0x10, head + b"".join(text(field.encode()) for field in fields)))
        yield tcp


def status(broker: Emulator) -> str:
    return str(broker.admin.device(PRODUCT_KEY, DEVICE_NAME)["status"])


def test_a_connect_with_the_reserved_flag(broker: Emulator) -> None:
    with logged_in(broker, flags=0xC3) as tcp:
        assert tcp.recv(100) == b""
    assert broker.admin.requests() == []


@pytest.mark.parametrize(
    "sent",
    [
        packet(0x82, b"\x00\x01" + text(TOPIC) + b"\x03"),
        packet(0x82, b"\x00\x01"),
        packet(0x82, b"\x00\x00" + text(TOPIC) + b"\x01"),
        packet(0xA2, b"\x00\x01"),
        packet(0xA2, b"\x00\x00" + text(TOPIC)),
        packet(0x32, text(TOPIC) + b"\x00\x00" + b"hello"),
    ],
    ids=["QoS 3", "no filter", "subscribe as 0", "unsubscribe from nothing", "unsubscribe as 0", "publish as 0"],
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
