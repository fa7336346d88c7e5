# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins over MQTT: the accepted credentials, the refusals, and the changes of the device."""

from __future__ import annotations

import hmac
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from emulator import Emulator
from mqtt_client import Client, login
from paho.mqtt.client import MQTTv5, MQTTv31
from processes import wait_for
from vectors import vectors

Connect = Callable[..., Client]

PRODUCT_KEY, DEVICE_NAME, DEVICE_SECRET = "a1IoKTestP1", "gw-0001", "0123456789abcdef0123456789abcdef"
CLIENT_ID, USER_NAME, PASSWORD = login(PRODUCT_KEY, DEVICE_NAME, DEVICE_SECRET)

# The example of the platform's page "Establish MQTT connections over TCP", which masks the last four digits.
PUBLISHED = (
    "12345|securemode=3,signmethod=hmacsha1,timestamp=789|",
    "device&pk",
    "FAFD82A3D602B37FB0FA8B7892F24A477F851A14",
)


def soon(look: Callable[[], Any], wanted: Any) -> None:
    """Wait for a value that the platform sets a moment after the client has acted."""
    wait_for(lambda: look() == wanted, repr(wanted))


def status(platform: Emulator) -> str:
    return str(platform.admin.device(PRODUCT_KEY, DEVICE_NAME)["status"])


@pytest.mark.parametrize(
    "vector", vectors("mqtt_connect"), ids=lambda vector: f"{vector['client']} {vector['clientId']}"
)
def test_recorded_logins(broker: Emulator, connect: Connect, vector: dict[str, Any]) -> None:
    broker.admin.put_device(vector["productKey"], vector["deviceName"], device_secret=vector["deviceSecret"])
    device = connect(vector["clientId"], vector["username"], vector["password"], tls=vector["tls"])
    assert device.connack == 0
    assert broker.admin.device(vector["productKey"], vector["deviceName"])["status"] == "ONLINE"


def test_the_published_login(broker: Emulator, connect: Connect) -> None:
    broker.admin.put_product("pk")
    broker.admin.put_device("pk", "device", device_secret="secret")
    assert connect(*PUBLISHED, tls=False).connack == 0


@pytest.mark.parametrize("method", ["hmacmd5", "hmacsha1", "hmacsha256"])
def test_every_method_in_either_case_of_hex(connect: Connect, method: str) -> None:
    client_id, user_name, password = login(PRODUCT_KEY, DEVICE_NAME, DEVICE_SECRET, method)
    assert connect(client_id, user_name, password).connack == 0
    assert connect(client_id, user_name, password.upper()).connack == 0


@pytest.mark.parametrize(
    "client_id",
    [
        CLIENT_ID.replace(",", ",\n  "),
        CLIENT_ID.replace("|", "|_v=1.2.13,", 1),
        CLIENT_ID[:-1] + ",_conn=tls_2a|",
    ],
)
def test_extensions_that_clients_send(connect: Connect, client_id: str) -> None:
    assert connect(client_id, USER_NAME, PASSWORD).connack == 0


def test_without_method_it_is_md5_and_without_timestamp_it_is_not_signed(connect: Connect) -> None:
    content = f"clientIdanythingdeviceName{DEVICE_NAME}productKey{PRODUCT_KEY}"
    password = hmac.new(DEVICE_SECRET.encode(), content.encode(), "md5").hexdigest()
    assert connect("anything|securemode=2|", USER_NAME, password).connack == 0


def test_mqtt_3_1_too(connect: Connect) -> None:
    assert connect(CLIENT_ID, USER_NAME, PASSWORD, protocol=MQTTv31).connack == 0


@pytest.mark.parametrize(
    ("code", "credentials", "options"),
    [
        (2, ("gw-0001", USER_NAME, PASSWORD), {}),
        (2, (CLIENT_ID[len("gw-0001") :], USER_NAME, PASSWORD), {}),
        (2, (CLIENT_ID[:-1], USER_NAME, PASSWORD), {}),
        (2, ("x" * 65 + CLIENT_ID, USER_NAME, PASSWORD), {}),
        (2, (CLIENT_ID.replace("securemode=2,", ""), USER_NAME, PASSWORD), {}),
        (2, (CLIENT_ID.replace("securemode=2", "securemode"), USER_NAME, PASSWORD), {}),
        (2, (CLIENT_ID.replace("securemode=2", "securemode=2,securemode=2"), USER_NAME, PASSWORD), {}),
        (2, (CLIENT_ID.replace("securemode=2", "securemode=3"), USER_NAME, PASSWORD), {}),
        (2, (CLIENT_ID, USER_NAME, PASSWORD), {"tls": False}),
        (2, (CLIENT_ID.replace("hmacsha256", "hmacsha3"), USER_NAME, PASSWORD), {}),
        (2, (CLIENT_ID.replace("securemode", "authType=other,securemode"), USER_NAME, PASSWORD), {}),
        (3, (CLIENT_ID, USER_NAME, PASSWORD), {"keep_alive": 0}),
        (3, (CLIENT_ID, USER_NAME, PASSWORD), {"keep_alive": 29}),
        (3, (CLIENT_ID, USER_NAME, PASSWORD), {"keep_alive": 1201}),
        (4, (CLIENT_ID, None, None), {}),
        (4, (CLIENT_ID, "gw-0001", PASSWORD), {}),
        (4, (CLIENT_ID, "gw&a1IoKTestP1", PASSWORD), {}),
        (4, (CLIENT_ID, USER_NAME, None), {}),
        (4, (CLIENT_ID, USER_NAME, PASSWORD[:-1]), {}),
        (4, (CLIENT_ID, USER_NAME, PASSWORD[:-1] + "g"), {}),
        (5, (CLIENT_ID, USER_NAME, PASSWORD[:-1] + ("0" if PASSWORD[-1] != "0" else "1")), {}),
        (5, (CLIENT_ID.replace("timestamp=1", "timestamp=2"), USER_NAME, PASSWORD), {}),
        (5, (CLIENT_ID.replace("gw-0001|", "gw-0002|"), USER_NAME, PASSWORD), {}),
        (5, (CLIENT_ID, "gw-9999&a1IoKTestP1", PASSWORD), {}),
        (5, (CLIENT_ID, "gw-0001&a1Nowhere", PASSWORD), {}),
    ],
)
def test_a_refusal_by_its_code_and_closed(
    broker: Emulator, connect: Connect, code: int, credentials: tuple[str, str, str], options: dict[str, Any]
) -> None:
    device = connect(*credentials, **options)
    assert device.connack == code
    assert device.gone()
    assert status(broker) == "UNACTIVE"
    assert [(entry["action"], entry["code"]) for entry in broker.admin.requests()] == [("connect", code)]


def test_mqtt_5_is_refused(broker: Emulator) -> None:
    """MQTT 5 is refused; paho cannot read the refusal, which has the format of MQTT 3.1.1."""
    with Client(broker.endpoints, CLIENT_ID, USER_NAME, PASSWORD, protocol=MQTTv5) as device:
        assert device.gone()
    assert broker.admin.requests()[0]["code"] == 1


def test_a_disabled_device_is_refused_and_thrown_out(broker: Emulator, log_in: Connect) -> None:
    device = log_in()
    broker.admin.patch_device(PRODUCT_KEY, DEVICE_NAME, status="DISABLE")
    assert device.gone()
    assert log_in().connack == 5
    broker.admin.patch_device(PRODUCT_KEY, DEVICE_NAME, status="OFFLINE")
    assert log_in().connack == 0


@pytest.mark.parametrize("product", [False, True])
def test_a_deleted_device_is_thrown_out_and_refused(broker: Emulator, log_in: Connect, product: bool) -> None:
    device = log_in()
    if product:
        broker.admin.delete_product(PRODUCT_KEY)
    else:
        broker.admin.delete_device(PRODUCT_KEY, DEVICE_NAME)
    assert device.gone()
    assert log_in().connack == 5


def test_the_first_login_activates(broker: Emulator, log_in: Connect, register: Callable[[str], Any]) -> None:
    before = broker.admin.device(PRODUCT_KEY, DEVICE_NAME)
    assert (before["status"], before["activated_at"]) == ("UNACTIVE", None)
    device = log_in()
    online = broker.admin.device(PRODUCT_KEY, DEVICE_NAME)
    assert (online["status"], online["registration"]) == ("ONLINE", "activated")
    device.leave()
    soon(lambda: status(broker), "OFFLINE")
    log_in()
    assert broker.admin.device(PRODUCT_KEY, DEVICE_NAME)["activated_at"] == online["activated_at"]


def test_after_a_login_registration_over_https_is_refused(
    broker: Emulator, connect: Connect, register: Callable[[], Any]
) -> None:
    vector = vectors("dynreg_https")[0]
    secret = register()["data"]["deviceSecret"]
    assert connect(*login(vector["productKey"], vector["deviceName"], secret)).connack == 0
    assert register()["code"] == 6289


def test_the_last_secret_is_the_valid_one(connect: Connect, register: Callable[[], Any]) -> None:
    vector = vectors("dynreg_https")[0]
    secrets = [register()["data"]["deviceSecret"] for _attempt in range(2)]
    codes = [connect(*login(vector["productKey"], vector["deviceName"], secret)).connack for secret in secrets]
    assert codes == [5, 0]


def test_a_login_with_a_doomed_secret_leaves_registration_open(
    broker: Emulator, connect: Connect, register: Callable[[], Any]
) -> None:
    vector = vectors("dynreg_https")[0]
    names = vector["productKey"], vector["deviceName"]
    secret = register()["data"]["deviceSecret"]
    device = connect(*login(*names, secret))
    assert device.connack == 0
    device.leave()
    broker.admin.reset(*names)
    assert connect(*login(*names, secret)).connack == 0
    assert register()["code"] == 200
    assert connect(*login(*names, secret)).connack == 5


def test_a_second_login_ends_the_first(broker: Emulator, log_in: Connect) -> None:
    first = log_in()
    second = log_in()
    assert first.gone()
    assert not second.gone(0.2)
    assert status(broker) == "ONLINE"


def test_kill_9_leaves_nobody_online(broker: Emulator, log_in: Connect) -> None:
    device = log_in()
    broker.kill()
    assert device.gone()
    broker.start()
    assert status(broker) == "OFFLINE"
    assert log_in().connack == 0


def test_a_stop_sends_everyone_offline(broker: Emulator, log_in: Connect) -> None:
    device = log_in()
    broker.restart()
    assert device.gone()
    assert status(broker) == "OFFLINE"
    assert "Traceback" not in broker.log


def test_who_says_nothing_for_one_and_a_half_keep_alives_is_thrown_out(broker: Emulator) -> None:
    """A client that sends nothing for one and a half keep-alives is disconnected. It sends bytes: paho would send PINGREQs."""
    broker.admin.settings(shortest_keep_alive=1)
    fields = [CLIENT_ID, USER_NAME, PASSWORD]
    rest = b"\x00\x04MQTT\x04\xc2\x00\x01" + b"".join(len(f).to_bytes(2, "big") + f.encode() for f in fields)
    context = ssl.create_default_context(cafile=broker.endpoints["ca_file"])
    address = (broker.endpoints["mqtts"]["host"], broker.endpoints["mqtts"]["port"])
    with (
        socket.create_connection(address, 60) as tcp,
        context.wrap_socket(tcp, server_hostname="localhost") as tls,
    ):
        tls.sendall(b"\x10" + bytes([0x80 | len(rest) % 128, len(rest) // 128]) + rest)
        assert tls.recv(100) == b"\x20\x02\x00\x00"
        since = time.monotonic()
        with suppress(ConnectionError, ssl.SSLEOFError):
            assert tls.recv(100) == b""
        assert time.monotonic() - since > 1.2
    soon(lambda: status(broker), "OFFLINE")


def test_logins_of_a_minute_can_be_limited(broker: Emulator, log_in: Connect) -> None:
    broker.admin.settings(connects_per_minute=2)
    assert [log_in().connack for _attempt in range(3)] == [0, 0, 3]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff\xff",
        b"\x10\xff\xff\xff\x7f",
        b"\x10\x02\x00\x09",
        b"\xc0\x00",
        b"\x00\x00",
        b"",
    ],
)
def test_what_is_not_mqtt_is_dropped(broker: Emulator, sent: bytes) -> None:
    with socket.create_connection((broker.endpoints["mqtt"]["host"], broker.endpoints["mqtt"]["port"]), 60) as tcp:
        tcp.sendall(sent)
        tcp.shutdown(socket.SHUT_WR)
        assert tcp.recv(100) == b""
    assert broker.admin.requests() == []
    assert "Traceback" not in broker.log


def test_no_secret_is_logged(broker: Emulator, connect: Connect, log_in: Connect) -> None:
    log_in()
    connect(CLIENT_ID, USER_NAME, PASSWORD.upper())
    connect(CLIENT_ID, USER_NAME, PASSWORD[:-2] + "00")
    connect(CLIENT_ID, PASSWORD, PASSWORD)
    written = broker.log + str(broker.admin.requests())
    assert "refused connect a1IoKTestP1 gw-0001: the signature is not that of DeviceSecret" in written
    assert [word for word in (DEVICE_SECRET, PASSWORD[:-2]) if word.lower() in written.lower()] == []
