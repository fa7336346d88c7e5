# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the filter mqtt_login with other clients."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from vectors import vectors

from ansible_collections.fleetops.aliyun_iot.plugins.filter.mqtt_login import FilterModule

KEY, NAME = "a1IoKTestP1", "gw-0001"
# The SDK for C uses the same client id, sign method and timestamp as the collection.
VECTORS = [vector for vector in vectors("mqtt_connect") if vector["client"] == "LinkSDK C 4.2.0"]
mqtt_login = FilterModule().filters()["mqtt_login"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["deviceName"])
def test_it_is_what_another_client_sends(vector: dict[str, Any]) -> None:
    names = (vector["productKey"], vector["deviceName"])
    login = mqtt_login(*names, device_secret=vector["deviceSecret"], region="cn-shanghai")
    assert login["password"] == vector["password"]
    assert login["user_name"] == vector["username"]
    core, extension, _end = vector["clientId"].split("|")
    ours_core, ours, end = login["client_id"].split("|")
    assert (ours_core, end) == (core, "")
    assert set(ours.split(",")) <= set(extension.split(","))


@pytest.mark.parametrize("host", sorted({v["host"] for v in vectors("mqtt_connect") if "host" in v}))
def test_the_host_is_that_of_other_clients(host: str) -> None:
    login = mqtt_login(KEY, NAME, region="cn-shanghai")
    assert (login["host"], login["port"]) == (host, 443)


@pytest.mark.parametrize("secret", [None, ""])
def test_without_secret_there_is_no_password(secret: str | None) -> None:
    login = mqtt_login(KEY, NAME, device_secret=secret, mqtt_endpoint="localhost:8883")
    assert login == {
        "host": "localhost",
        "port": 8883,
        "ca_path": None,
        "user_name": "gw-0001&a1IoKTestP1",
        "client_id": "a1IoKTestP1.gw-0001|securemode=2,signmethod=hmacsha256,timestamp=2524608000000|",
    }


@pytest.mark.parametrize(
    ("options", "port", "ca_path"),
    [
        ({}, 443, None),
        ({"mqtt_port": 8883, "mqtt_ca_path": "/etc/own.pem"}, 8883, "/etc/own.pem"),
        ({"mqtt_port": "8883", "mqtt_ca_path": ""}, 8883, None),  # as in variables of a playbook
        ({"mqtt_port": ""}, 443, None),
        ({"mqtt_endpoint": "broker.example", "mqtt_port": 1883}, 1883, None),
        ({"mqtt_endpoint": "broker.example:1884", "mqtt_port": 1884}, 1884, None),
        ({"mqtt_endpoint": "broker.example:1884"}, 1884, None),
    ],
)
def test_the_port_and_the_authorities_that_go_with_it(options: dict[str, Any], port: int, ca_path: str | None) -> None:
    login = mqtt_login(KEY, NAME, region="cn-shanghai", **options)
    assert (login["port"], login["ca_path"]) == (port, ca_path)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((KEY, NAME), {}, "region: is missing"),
        ((KEY, NAME), {"region": "cn-shanghai", "mqtt_port": 0}, "mqtt_port: 0 is not a port"),
        ((KEY, NAME), {"region": "cn-shanghai", "mqtt_port": 65536}, "mqtt_port: 65536 is not a port"),
        ((KEY, NAME), {"region": "cn-shanghai", "mqtt_port": "mqtts"}, "mqtt_port: 'mqtts' is not a number"),
        ((KEY, NAME), {"region": "cn-shanghai", "mqtt_port": "8" * 5000}, "mqtt_port: '8888"),
        ((KEY, NAME), {"region": "cn-shanghai", "mqtt_port": True}, "mqtt_port: True is not a number"),
        (
            (KEY, NAME),
            {"mqtt_endpoint": "broker.example:443", "mqtt_port": 8883},
            "mqtt_port: 8883 is not the port of mqtt_endpoint",
        ),
        ((KEY, NAME), {"region": "cn-bejing"}, "Did you mean cn-beijing"),
        ((KEY, NAME), {"region": "cn-shanghai", "sign_method": "sha256"}, "sign_method: 'sha256' is unknown"),
        ((KEY, "gw"), {"region": "cn-shanghai"}, "device_name: 'gw' is not a DeviceName"),
        ((KEY, None), {"region": "cn-shanghai"}, "device_name: is not a string"),
        ((KEY, [NAME]), {"region": "cn-shanghai"}, r"device_name: \['gw-0001'\] is not a string"),
        ((None, NAME), {"region": "cn-shanghai"}, "product_key: is not a string"),
        (("a1/b", NAME), {"region": "cn-shanghai"}, "product_key: 'a1/b' is not a ProductKey"),
        ((KEY, NAME), {"region": 5}, "region: '5' is not a region"),
        ((KEY, NAME), {"region": ["cn-shanghai"]}, r"region: \['cn-shanghai'\] is not a string"),
        ((KEY, NAME), {"instance_id": True}, "instance_id: True is not a string"),
        ((KEY, NAME), {"mqtt_endpoint": {}}, "mqtt_endpoint: {} is not a string"),
        ((KEY, NAME), {"region": "cn-shanghai", "mqtt_ca_path": []}, r"mqtt_ca_path: \[\] is not a string"),
        ((KEY, NAME), {"region": "cn-shanghai", "sign_method": ["x"]}, r"sign_method: \['x'\] is not a string"),
        ((KEY, NAME), {"region": "cn-shanghai", "sign_method": None}, "sign_method: is not a string"),
    ],
)
def test_what_no_login_can_be_made_of(arguments: tuple[Any, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        mqtt_login(*arguments, **options)


@pytest.mark.parametrize(
    "secret", ["hidden\n", "hidd en", ["hidden"], {"hidden": 1}, True, "\ud800", "x" * 65], ids=ascii
)
def test_what_is_no_secret_is_not_signed_with_and_not_shown(secret: Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"mqtt_login: device_secret: is not a DeviceSecret\. Use ") as caught:
        mqtt_login(KEY, NAME, device_secret=secret, region="cn-shanghai")
    assert "hidd" not in str(caught.value)


def test_a_name_may_be_a_number() -> None:
    """YAML and native templates turn a serial number into a number."""
    login = mqtt_login(KEY, 10012345, device_secret="s", region="cn-shanghai")
    assert login == mqtt_login(KEY, "10012345", device_secret="s", region="cn-shanghai")
    assert mqtt_login(KEY, NAME, instance_id=12345)["host"] == "12345.mqtt.iothub.aliyuncs.com"
