# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dynamic registration over MQTT, with and without pre-registration."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from emulator import Emulator
from mqtt_client import Client, login, registration, token_login
from vectors import vectors

Connect = Callable[..., Client]

PRODUCT_KEY, PRODUCT_SECRET, DEVICE_NAME = "a1IoKTestP1", "6vEu5Qlj5STest01", "gw-0001"
TOPICS = {"register": "/ext/register", "regnwl": "/ext/regnwl"}
CLIENT_ID, USER_NAME, PASSWORD = registration(PRODUCT_KEY, DEVICE_NAME, PRODUCT_SECRET)


def device(platform: Emulator) -> Any:
    return platform.admin.device(PRODUCT_KEY, DEVICE_NAME)


@pytest.mark.parametrize(
    "vector", vectors("mqtt_dynreg"), ids=lambda vector: f"{vector['client']} {vector['clientId']}"
)
def test_recorded_registrations(broker: Emulator, connect: Connect, vector: dict[str, Any]) -> None:
    broker.admin.settings(instance_id=vector.get("instanceId", ""))
    client = connect(vector["clientId"], vector["username"], vector["password"])
    assert client.connack == 0
    message = client.message()
    assert message is not None
    topic, payload = message
    assert topic == TOPICS[vector["authType"]]
    assert b" " not in payload
    content = json.loads(payload)
    stored = broker.admin.device(vector["productKey"], vector["deviceName"])
    names = {"productKey": vector["productKey"], "deviceName": vector["deviceName"]}
    if vector["authType"] == "register":
        assert content == {**names, "deviceSecret": stored["device_secret"]}
    else:
        assert content.keys() == {*names, "clientId", "deviceToken"}
        assert names.items() <= content.items()
    assert (stored["status"], stored["registrations"]) == ("UNACTIVE", 1)


def test_the_secret_works_until_the_next_registration(connect: Connect, register_mqtt: Connect) -> None:
    secrets = [register_mqtt().content()["deviceSecret"] for _attempt in range(2)]
    assert [connect(*login(PRODUCT_KEY, DEVICE_NAME, secret)).connack for secret in secrets] == [5, 0]
    assert register_mqtt().connack == 4


def test_both_ways_are_one_registration(broker: Emulator, register_mqtt: Connect, register: Callable[[], Any]) -> None:
    broker.admin.settings(reregistration="refuse")
    assert register()["code"] == 200
    assert register_mqtt(device_name=vectors("dynreg_https")[0]["deviceName"]).connack == 4
    assert register_mqtt().connack == 0


@pytest.mark.parametrize("auth_type", ["register", "regnwl"])
def test_the_keep_alive_is_not_looked_at(broker: Emulator, auth_type: str) -> None:
    credentials = registration(PRODUCT_KEY, DEVICE_NAME, PRODUCT_SECRET, auth_type)
    with Client(broker.endpoints, *credentials, keep_alive=0) as client:
        assert client.message()


@pytest.mark.parametrize("auth_type", ["register", "regnwl"])
def test_the_connection_is_for_registering_alone_and_does_not_last(
    broker: Emulator, register_mqtt: Connect, auth_type: str
) -> None:
    broker.admin.settings(registration_window=0.5)
    since = time.monotonic()
    client = register_mqtt(auth_type)
    assert client.message()
    client.publish(f"/{PRODUCT_KEY}/{DEVICE_NAME}/user/update", b"hello")
    assert client.gone()
    assert time.monotonic() - since > 0.4
    assert device(broker)["status"] == "UNACTIVE"


@pytest.mark.parametrize("auth_type", ["register", "regnwl"])
@pytest.mark.parametrize(
    ("code", "was", "becomes"),
    [
        (2, "securemode=2", "securemode=3"),
        (2, "securemode=2,", ""),
        (2, "random=567345,", ""),
        (2, "random=567345", "random="),
        (2, "random=567345", "random=\x01"),
        (2, ",signmethod=hmacsha256", ""),
        (2, "signmethod=hmacsha256", "signmethod=hmacsha3"),
        (4, "random=567345", "random=567346"),
        (4, "signmethod=hmacsha256", "signmethod=hmacsha1"),
    ],
)
def test_a_client_id_that_is_refused(
    broker: Emulator, connect: Connect, auth_type: str, code: int, was: str, becomes: str
) -> None:
    client_id, user_name, password = registration(PRODUCT_KEY, DEVICE_NAME, PRODUCT_SECRET, auth_type)
    assert was in client_id
    client = connect(client_id.replace(was, becomes), user_name, password)
    assert (client.connack, client.gone()) == (code, True)
    (entry,) = broker.admin.requests()
    assert (entry["action"], entry["code"]) == ({"register": "register_mqtt"}.get(auth_type, auth_type), code)
    assert (entry["product_key"], entry["device_name"]) == (PRODUCT_KEY, DEVICE_NAME)
    assert device(broker)["registrations"] == 0


@pytest.mark.parametrize("auth_type", ["register", "regnwl"])
def test_without_tls_it_is_refused(broker: Emulator, connect: Connect, auth_type: str) -> None:
    credentials = registration(PRODUCT_KEY, DEVICE_NAME, PRODUCT_SECRET, auth_type)
    assert connect(*credentials, tls=False).connack == 2


@pytest.mark.parametrize("auth_type", ["register", "regnwl"])
def test_who_is_refused(broker: Emulator, connect: Connect, register_mqtt: Connect, auth_type: str) -> None:
    assert connect(*registration("a1Nowhere", DEVICE_NAME, PRODUCT_SECRET, auth_type)).connack == 4
    assert connect(*registration(PRODUCT_KEY, DEVICE_NAME, "another", auth_type)).connack == 4
    assert connect(*registration(PRODUCT_KEY, "gw", PRODUCT_SECRET, auth_type)).connack == 4
    broker.admin.patch_product(PRODUCT_KEY, dynamic_registration=False)
    assert register_mqtt(auth_type).connack == 4
    broker.admin.patch_product(PRODUCT_KEY, dynamic_registration=True)
    broker.admin.patch_device(PRODUCT_KEY, DEVICE_NAME, status="DISABLE")
    assert register_mqtt(auth_type).connack == 4
    broker.admin.patch_device(PRODUCT_KEY, DEVICE_NAME, status="OFFLINE")
    assert register_mqtt(auth_type).connack == 4
    broker.admin.patch_device(PRODUCT_KEY, DEVICE_NAME, status="UNACTIVE")
    assert register_mqtt(auth_type).connack == 0


def test_only_registration_without_pre_registration_makes_a_device(broker: Emulator, register_mqtt: Connect) -> None:
    assert register_mqtt("register", "gw-9999").connack == 4
    assert register_mqtt("regnwl", "gw-9999").connack == 0
    assert broker.admin.device(PRODUCT_KEY, "gw-9999")["status"] == "UNACTIVE"


@pytest.mark.parametrize(
    ("auth_type", "said", "code"),
    [
        ("register", None, 0),
        ("register", "iot-test01", 0),
        ("register", "iot-other", 2),
        ("regnwl", None, 2),
        ("regnwl", "iot-test01", 0),
        ("regnwl", "iot-other", 2),
    ],
)
def test_the_instance_must_be_this_one(
    broker: Emulator, register_mqtt: Connect, auth_type: str, said: str | None, code: int
) -> None:
    broker.admin.settings(instance_id="iot-test01")
    assert register_mqtt(auth_type, **({"instanceId": said} if said else {})).connack == code


@pytest.mark.parametrize("secure_mode", ["2", "-2"])
def test_a_token_logs_in_and_activates(
    broker: Emulator, connect: Connect, register_mqtt: Connect, secure_mode: str
) -> None:
    issued = register_mqtt("regnwl", "gw-9999", securemode=secure_mode).content()
    assert connect(*token_login(issued)).connack == 0
    assert broker.admin.device(PRODUCT_KEY, "gw-9999")["status"] == "ONLINE"
    assert register_mqtt("register", "gw-9999").connack == 4


def test_a_token_that_is_refused(broker: Emulator, connect: Connect, register_mqtt: Connect) -> None:
    first, second = (register_mqtt("regnwl").content() for _attempt in range(2))
    client_id, user_name, token = token_login(first)
    assert connect(client_id, user_name, second["deviceToken"]).connack == 5
    assert connect(client_id, user_name, "").connack == 5
    assert connect(client_id, f"OvenDevice01&{PRODUCT_KEY}", token).connack == 5
    assert connect(client_id.replace("securemode=-2", "securemode=2"), user_name, token).connack == 2
    assert connect(client_id, user_name, token, tls=False).connack == 2
    assert connect(client_id, user_name, token, keep_alive=10).connack == 3
    broker.admin.delete_device(PRODUCT_KEY, DEVICE_NAME)
    broker.admin.put_device(PRODUCT_KEY, DEVICE_NAME)
    assert connect(client_id, user_name, token).connack == 5


def test_some_physical_devices_share_a_name(broker: Emulator, connect: Connect, register_mqtt: Connect) -> None:
    broker.admin.settings(devices_per_name=2)
    issued = [register_mqtt("regnwl").content() for _attempt in range(2)]
    assert register_mqtt("regnwl").connack == 4
    first, second = (connect(*token_login(each)) for each in issued)
    assert (first.connack, second.connack) == (0, 0)
    second.leave()
    assert not first.gone(0.2)
    assert device(broker)["status"] == "ONLINE"
    assert connect(*token_login(issued[0])).connack == 0
    assert first.gone()


def test_a_token_is_short_enough_for_every_client(register_mqtt: Connect) -> None:
    assert 0 < len(register_mqtt("regnwl").content()["deviceToken"]) < 64


@pytest.mark.parametrize(
    ("setting", "before", "after", "again"), [("at_once", 5, 5, 0), ("at_registration", 0, 5, 0), ("never", 0, 0, 4)]
)
@pytest.mark.parametrize("auth_type", ["register", "regnwl"])
def test_a_reset_revokes_tokens_as_it_revokes_the_secret(
    broker: Emulator,
    connect: Connect,
    register_mqtt: Connect,
    auth_type: str,
    setting: str,
    before: int,
    after: int,
    again: int,
) -> None:
    """A reset revokes tokens as it revokes the secret.

    `before` and `after` are the CONNACKs of a token before and after the next registration; `again` is the CONNACK of a registration for
    another token, for which the name had no place left.
    """
    broker.admin.settings(reset_revokes=setting)
    issued = [register_mqtt("regnwl").content() for _attempt in range(5)]
    assert register_mqtt("regnwl").connack == 4
    assert connect(*token_login(issued[0])).connack == 0
    broker.admin.reset(PRODUCT_KEY, DEVICE_NAME)
    assert device(broker)["registration"] == "unregistered"
    if setting != "never":  # with "never", a login with the token closes the registration again
        assert connect(*token_login(issued[0])).connack == before
        assert device(broker)["registration"] == "unregistered"
    assert register_mqtt(auth_type).connack == (again if auth_type == "regnwl" else 0)
    assert connect(*token_login(issued[1])).connack == after


def test_a_registration_for_a_token_after_a_reset_revokes_the_secret(
    broker: Emulator, connect: Connect, register_mqtt: Connect
) -> None:
    secret = register_mqtt().content()["deviceSecret"]
    broker.admin.reset(PRODUCT_KEY, DEVICE_NAME)
    issued = register_mqtt("regnwl").content()
    assert connect(*login(PRODUCT_KEY, DEVICE_NAME, secret)).connack == 5
    assert connect(*token_login(issued)).connack == 0
    assert device(broker)["registration"] == "activated"


def test_tokens_survive_kill_9(broker: Emulator, connect: Connect, register_mqtt: Connect) -> None:
    issued = register_mqtt("regnwl").content()
    broker.kill()
    broker.start()
    assert connect(*token_login(issued)).connack == 0


def test_no_secret_is_logged(broker: Emulator, connect: Connect, register_mqtt: Connect) -> None:
    issued = register_mqtt("regnwl").content()
    secret = register_mqtt("register").content()["deviceSecret"]
    connect(*token_login(issued))
    connect(CLIENT_ID, USER_NAME, PASSWORD)
    connect(CLIENT_ID, USER_NAME, PASSWORD[:-1])
    written = broker.log + json.dumps(broker.admin.requests())
    assert "refused register_mqtt" in written
    secrets = (PRODUCT_SECRET, PASSWORD[:-1], "567345", issued["clientId"], issued["deviceToken"], secret)
    assert [word for word in secrets if word in written] == []
