# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the fields of a CONNECT with those of other clients."""

from __future__ import annotations

from typing import Any

import pytest
from vectors import vectors

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import (
    ConnectFields,
    address,
    login,
    registration,
    token_login,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption

KEY, NAME, SECRET = "a1IoKTestP1", "gw-0001", "0123456789abcdef0123456789abcdef"


def parts(client_id: str) -> tuple[str, dict[str, str]]:
    """Return core and extension of a client id."""
    core, extension, end = client_id.split("|")
    assert end == ""
    return core, dict(field.split("=") for field in extension.split(","))


@pytest.mark.parametrize(
    "vector", vectors("mqtt_connect"), ids=lambda v: f"{v['client']} {v['deviceName']} {'tls' if v['tls'] else 'tcp'}"
)
def test_logins_of_other_clients(vector: dict[str, Any]) -> None:
    core, extension = parts(vector["clientId"])
    connect = login(
        *(vector[name] for name in ("productKey", "deviceName", "deviceSecret", "signMethod")),
        client_id=core,
        timestamp=extension["timestamp"],
    )
    assert connect.user_name == vector["username"]
    assert connect.password.lower() == vector["password"].lower()
    ours = parts(connect.client_id)
    # The SDKs add fields that identify the SDK; the collection always uses TLS.
    assert ours == (core, {**{name: extension[name] for name in ours[1]}, "securemode": "2"})


def test_a_login_that_is_published() -> None:
    connect = login("pk", "device", "secret", "hmacsha1", client_id="12345", timestamp="789")
    assert connect.password == "FAFD82A3D602B37FB0FA8B7892F24A477F851A14"
    assert connect.client_id == "12345|securemode=2,signmethod=hmacsha1,timestamp=789|"
    assert connect.user_name == "device&pk"


def test_the_login_of_the_sdk_for_c_is_ours() -> None:
    """The collection uses its client id, sign method and timestamp by default."""
    theirs = [vector for vector in vectors("mqtt_connect") if vector["client"] == "LinkSDK C 4.2.0"]
    assert theirs
    for vector in theirs:
        connect = login(vector["productKey"], vector["deviceName"], vector["deviceSecret"])
        assert connect.password == vector["password"]


def test_a_login_without_timestamp_does_not_sign_one() -> None:
    connect = login("pk", "device", "secret", "hmacmd5", client_id="12345", timestamp=None)
    # printf clientId12345deviceNamedeviceproductKeypk | openssl dgst -md5 -hmac secret
    assert connect.password == "2CE7304EC0DDD548EB1492D65AC0B334"
    assert "timestamp" not in connect.client_id


@pytest.mark.parametrize(
    "vector",
    vectors("mqtt_dynreg"),
    ids=lambda v: f"{v['client']} {v['deviceName']} {v['authType']} {v.get('instanceId', '')}",
)
def test_registrations_of_other_clients(vector: dict[str, Any]) -> None:
    core, extension = parts(vector["clientId"])
    connect = registration(
        *(vector[name] for name in ("productKey", "deviceName", "productSecret", "signMethod", "authType")),
        instance_id=vector.get("instanceId"),
        random=extension["random"],
    )
    assert connect.user_name == vector["username"]
    assert connect.password.lower() == vector["password"].lower()
    if core == f"{vector['deviceName']}.{vector['productKey']}":
        assert connect.client_id == vector["clientId"]
    else:
        assert parts(connect.client_id)[1] == extension


def test_every_registration_has_another_random() -> None:
    randoms = {parts(registration(KEY, NAME, SECRET).client_id)[1]["random"] for _attempt in range(20)}
    assert len(randoms) == 20
    assert all(random.isalnum() and len(random) == 16 for random in randoms)


def test_a_login_with_a_token() -> None:
    connect = token_login(KEY, NAME, "c1", "token")
    assert connect == ConnectFields("c1|securemode=-2,authType=connwl|", f"{NAME}&{KEY}", "token")


def test_nobody_prints_a_password() -> None:
    assert "hidden" not in repr(token_login(KEY, NAME, "c1", "hidden"))


@pytest.mark.parametrize(
    ("region", "instance_id", "endpoint", "expected"),
    [
        ("cn-beijing", None, None, (f"{KEY}.iot-as-mqtt.cn-beijing.aliyuncs.com", 443)),
        ("cn-shanghai", "iot-test01", None, ("iot-test01.mqtt.iothub.aliyuncs.com", 443)),
        (None, "iot-test01", None, ("iot-test01.mqtt.iothub.aliyuncs.com", 443)),
        ("cn-shanghai", "iot-test01", "localhost:8883", ("localhost", 8883)),
        (None, None, "broker.example", ("broker.example", 443)),
        (None, None, "[::1]:8883", ("::1", 8883)),
    ],
)
def test_where_to(region: Any, instance_id: Any, endpoint: Any, expected: tuple[str, int]) -> None:
    assert address(KEY, region, instance_id, endpoint) == expected


@pytest.mark.parametrize(
    ("place", "port", "expected"),
    [
        (("cn-shanghai", None, None), 8883, (f"{KEY}.iot-as-mqtt.cn-shanghai.aliyuncs.com", 8883)),
        (("cn-shanghai", "iot-test01", None), 1883, ("iot-test01.mqtt.iothub.aliyuncs.com", 1883)),
        ((None, None, "broker.example"), 8883, ("broker.example", 8883)),
        ((None, None, "broker.example:8883"), 8883, ("broker.example", 8883)),
        ((None, None, "broker.example:1883"), None, ("broker.example", 1883)),
    ],
)
def test_at_which_port(place: Any, port: int | None, expected: tuple[str, int]) -> None:
    assert address(KEY, *place, port) == expected


@pytest.mark.parametrize(
    ("endpoint", "port"), [("broker.example:443", 8883), (None, 0), (None, -1), ("broker.example:443", 65536)]
)
def test_at_no_port(endpoint: str | None, port: int) -> None:
    with pytest.raises(InvalidOption, match="mqtt_port"):
        address(KEY, "cn-shanghai", None, endpoint, port)


@pytest.mark.parametrize("host", [v["host"] for v in vectors("mqtt_dynreg") if "host" in v])
def test_hosts_of_other_clients(host: str) -> None:
    instance_id = host.split(".")[0] if "iothub" in host else None
    assert address(KEY, "cn-shanghai", instance_id, None)[0] == host


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((None, None, None), "region: is missing, and mqtt_endpoint or instance_id is not set"),
        (("cn-bejing", None, None), "Did you mean cn-beijing"),
        (("cn-shanghai", "iot test", None), "instance_id: 'iot test' is not the ID of an instance"),
        (("cn-shanghai", "a.b/c", None), "instance_id"),
        ((None, "a,securemode=3|", "localhost:8883"), "instance_id: 'a,securemode=3|' is not the ID of an instance"),
        ((None, None, "mqtts://localhost:8883"), "mqtt_endpoint: 'mqtts://localhost:8883' is not a host"),
        ((None, None, "localhost:port"), "mqtt_endpoint"),
        ((None, None, "localhost:0"), "mqtt_endpoint"),
        ((None, None, "me@localhost"), "mqtt_endpoint"),
        ((None, None, ":hidden@localhost"), "mqtt_endpoint: contains a user name or a password"),
        ((None, None, "local\x00host"), "mqtt_endpoint"),
        ((None, None, "localhost\n"), "mqtt_endpoint"),
        ((None, "a" * 64, None), "instance_id"),
        ((None, None, "local host"), "mqtt_endpoint"),
        ((None, None, "localhost/path"), "mqtt_endpoint"),
    ],
)
def test_nowhere(options: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(InvalidOption) as error:
        address(KEY, *options)
    assert message in str(error.value)
    assert "hidden" not in str(error.value)
