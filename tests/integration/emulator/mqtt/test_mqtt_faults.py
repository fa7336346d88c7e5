# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of logins and registrations over MQTT."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from emulator import Emulator
from mqtt_client import Client, login, registration
from platform_emulator import faults
from platform_emulator.fields import Invalid
from processes import wait_for

Connect = Callable[..., Client]

PRODUCT_KEY, PRODUCT_SECRET = "a1IoKTestP1", "6vEu5Qlj5STest01"
DEVICE_NAME, DEVICE_SECRET = "gw-0001", "0123456789abcdef0123456789abcdef"
LOGIN = login(PRODUCT_KEY, DEVICE_NAME, DEVICE_SECRET)


def device(platform: Emulator) -> Any:
    return platform.admin.device(PRODUCT_KEY, DEVICE_NAME)


@pytest.mark.parametrize("tls", [True, False])
def test_a_connection_that_nobody_answers(broker: Emulator, tls: bool) -> None:
    broker.admin.fault("mqtt_tcp", hang=0.5)
    address = broker.endpoints["mqtts" if tls else "mqtt"]
    with socket.create_connection((address["host"], address["port"]), 60) as tcp:
        since = time.monotonic()
        tcp.sendall(b"\x16\x03\x01")
        with suppress(ConnectionResetError):
            assert tcp.recv(100) == b""
        assert time.monotonic() - since > 0.4
    (entry,) = broker.admin.requests()
    assert (entry["action"], entry["fault"], entry["code"]) == ("mqtt_tcp", "hang", None)


@pytest.mark.parametrize("fault", [{"drop_before": True}, {"hang": 0.3}])
def test_a_login_that_is_lost(broker: Emulator, log_in: Connect, fault: dict[str, Any]) -> None:
    broker.admin.fault("connect", **fault)
    client = log_in()
    assert (client.connack, client.gone()) == (None, True)
    assert device(broker)["status"] == "UNACTIVE"
    assert log_in().connack == 0


def test_a_login_whose_answer_is_lost(broker: Emulator, log_in: Connect) -> None:
    broker.admin.fault("connect", drop_after=True)
    assert log_in().connack is None
    assert device(broker)["status"] == "OFFLINE"


@pytest.mark.parametrize("effect", ["delay", "hold_after"])
def test_a_login_that_takes_its_time(broker: Emulator, log_in: Connect, effect: str) -> None:
    broker.admin.fault("connect", **{effect: 0.4})
    since = time.monotonic()
    assert log_in().connack == 0
    assert time.monotonic() - since > 0.35


def test_a_late_registration_is_processed_after_the_retry(
    broker: Emulator, connect: Connect, register_mqtt: Connect
) -> None:
    broker.admin.fault("register_mqtt", delay=3)
    hasty = connect(*registration(PRODUCT_KEY, DEVICE_NAME, PRODUCT_SECRET), seconds=0.1)
    assert hasty.connack is None
    wait_for(broker.admin.requests, "the registration")
    hasty.leave()
    answered = register_mqtt().content()["deviceSecret"]
    assert device(broker)["device_secret"] == answered
    wait_for(lambda: device(broker)["registrations"] == 2, "the late registration")
    assert device(broker)["device_secret"] != answered
    assert [(entry["fault"], entry["code"]) for entry in broker.admin.requests()] == [("delay", 0), (None, 0)]


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("action", ["connect", "register_mqtt", "regnwl"])
def test_a_refusal_on_demand(broker: Emulator, log_in: Connect, register_mqtt: Connect, action: str, code: int) -> None:
    asks = {"connect": log_in, "register_mqtt": register_mqtt, "regnwl": lambda: register_mqtt("regnwl")}
    broker.admin.fault(action, connack=code, device_name=DEVICE_NAME)
    client = asks[action]()
    assert client.gone()
    if code != 1:  # after 1, paho tries MQTT 3.1 by itself
        assert client.connack == code
        (entry,) = broker.admin.requests()
        assert (entry["action"], entry["code"], entry["fault"]) == (action, code, "connack")
    assert device(broker)["registrations"] == 0


def test_a_registration_whose_answer_is_lost(broker: Emulator, register_mqtt: Connect) -> None:
    broker.admin.fault("register_mqtt", drop_after=True)
    assert register_mqtt().connack is None
    assert device(broker)["registrations"] == 1


@pytest.mark.parametrize("auth_type", ["register", "regnwl"])
def test_a_message_that_never_comes(broker: Emulator, register_mqtt: Connect, auth_type: str) -> None:
    broker.admin.settings(registration_window=0.5)
    broker.admin.fault({"register": "register_mqtt"}.get(auth_type, auth_type), no_message=True)
    client = register_mqtt(auth_type)
    assert client.connack == 0
    assert client.gone()
    assert client.message(0) is None
    assert device(broker)["registrations"] == 1


@pytest.mark.parametrize(
    ("auth_type", "effect", "changed"),
    [
        ("register", "other_device", {"deviceName": "another-device"}),
        ("register", "other_product", {"productKey": "a1Another00"}),
        ("register", "empty_secret", {"deviceSecret": ""}),
        ("regnwl", "other_device", {"deviceName": "another-device"}),
        ("regnwl", "empty_token", {"deviceToken": ""}),
    ],
)
def test_a_message_that_says_otherwise(
    broker: Emulator, register_mqtt: Connect, auth_type: str, effect: str, changed: dict[str, str]
) -> None:
    broker.admin.fault({"register": "register_mqtt"}.get(auth_type, auth_type), **{effect: True})
    assert changed.items() <= register_mqtt(auth_type).content().items()


@pytest.mark.parametrize("effect", ["truncate", "not_json"])
def test_a_message_that_is_not_json(broker: Emulator, register_mqtt: Connect, effect: str) -> None:
    broker.admin.fault("regnwl", **{effect: True})
    message = register_mqtt("regnwl").message()
    assert message is not None
    with pytest.raises(json.JSONDecodeError):
        json.loads(message[1])


def test_a_fault_of_one_action_leaves_the_others_alone(broker: Emulator, log_in: Connect, connect: Connect) -> None:
    for action in ("register", "register_mqtt", "regnwl"):
        broker.admin.fault(action, drop_before=True)
    assert log_in().connack == 0
    broker.admin.fault("connect", drop_before=True, device_name="gw-0002")
    assert log_in().connack == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "connect", "connack": 0},
        {"action": "connect", "connack": 6},
        {"action": "connect", "http_status": 503},
        {"action": "connect", "no_message": True},
        {"action": "mqtt_tcp", "connack": 5},
        {"action": "mqtt_tcp", "hang": 1, "device_name": DEVICE_NAME},
        {"action": "mqtt_tcp", "hang": 1, "product_key": PRODUCT_KEY},
        {"action": "register", "connack": 5},
    ],
)
def test_a_fault_that_cannot_be(fault: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        faults.read(fault, "")
