# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways and a controller whose only way out is a proxy, which records the hosts that are called, under the platform's own names.

The names lead nowhere on this machine, so a connection that bypasses the proxy fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from account import KEY
from connect_proxy import ConnectProxy
from emulator import Emulator
from operations import left_over, role_variables
from playbook import PRODUCT_KEY, Run, connection, inventory, run_playbook

JSON = Any

REGION = "cn-shanghai"
REGISTRATION = f"iot-auth.{REGION}.aliyuncs.com:443"
MQTT = f"{PRODUCT_KEY}.iot-as-mqtt.{REGION}.aliyuncs.com:443"
MQTT_8883 = f"{PRODUCT_KEY}.iot-as-mqtt.{REGION}.aliyuncs.com:8883"
OPENAPI = f"iot.{REGION}.aliyuncs.com:443"
PASSWORD = "hidden-p:a@s/s%word"
CREDENTIALS = f"operator:{PASSWORD}"
WAYS = ("gateway", "controller")

pytestmark = pytest.mark.usefixtures("new_platform")


@pytest.fixture
def proxy(platform: Emulator) -> Iterator[ConnectProxy]:
    """Yield a proxy that requires a password and connects the platform's names to the emulator."""
    mqtt = (platform.endpoints["mqtts"]["host"], platform.endpoints["mqtts"]["port"])
    places = {REGISTRATION: https(platform), OPENAPI: https(platform), MQTT: mqtt, MQTT_8883: mqtt}
    with ConnectProxy(places, CREDENTIALS) as proxy:
        yield proxy


def https(platform: Emulator) -> tuple[str, int]:
    host, _colon, port = platform.endpoints["openapi_endpoint"].rpartition(":")
    return host, int(port)


def variables(platform: Emulator, **more: JSON) -> JSON:
    known = {name: value for name, value in role_variables(platform).items() if name != "gateway_endpoint"}
    # HTTPS and MQTT take the authority from different variables.
    known["gateway_mqtt_ca_path"] = known.pop("gateway_ca_path")
    both = {"gateway_region": REGION, "gateway_ca_path": platform.endpoints["ca_file"], "gateway_verify": "login"}
    return {**known, **both, "gateway_report": "all", **more}


def shows_the_password(run: Run, tmp_path: Path) -> list[str]:
    """Return the places that contain the password: the output with the highest verbosity (with command lines), the log, or the results."""
    log = tmp_path / "ansible.log"
    told = {"output": run.stdout + run.stderr, "log": log.read_text() if log.exists() else "", "results": run.results}
    forms = (PASSWORD, "hidden-p", "%2Fs%25word")
    return [place for place, text in told.items() if any(form in str(text) for form in forms)]


def run(playbook: JSON, hosts: JSON, tmp_path: Path, env: dict[str, str] | None = None) -> Run:
    talkative = {"ANSIBLE_LOG_PATH": str(tmp_path / "ansible.log"), "ANSIBLE_DEBUG": "1"}
    return run_playbook(playbook, hosts, tmp_path, "-vvvvv", "--diff", env={**talkative, **(env or {})})


@pytest.mark.parametrize("named_by", ["option", "environment"])
@pytest.mark.parametrize("way", WAYS)
def test_a_gateway_is_registered_and_logs_in(
    platform: Emulator, proxy: ConnectProxy, tmp_path: Path, way: str, named_by: str
) -> None:
    """The pass registers a gateway through the proxy over HTTPS, and logs in over MQTT at the port that belongs to its own authority."""
    given = {"gateway_proxy": proxy.url} if named_by == "option" else {}
    hosts = inventory(1, tmp_path, **variables(platform, gateway_register_from=way, gateway_mqtt_port=8883, **given))
    env = {} if given else {"https_proxy": proxy.url}
    passed = run("fleetops.aliyun_iot.provision", hosts, tmp_path, env)
    assert passed.rc == 0, passed
    assert platform.admin.device(PRODUCT_KEY, "gw-0001")["activated"] is True
    # The run checks before the registration that the login is possible.
    assert proxy.asked == [MQTT_8883, REGISTRATION, MQTT_8883]
    assert shows_the_password(passed, tmp_path) == []
    assert left_over(tmp_path, ["gw-0001"]) == {}


@pytest.mark.parametrize("way", WAYS)
def test_the_role_and_its_task(platform: Emulator, proxy: ConnectProxy, tmp_path: Path, way: str) -> None:
    """A gateway uses the environment of its task if the inventory names no proxy."""
    roles = {"import_role": {"name": "fleetops.aliyun_iot.gateway"}}
    play: JSON = {"hosts": "gateways", "gather_facts": False, "tasks": [{"name": "Provision", **roles}]}
    given = {}
    if way == "gateway":
        play["environment"] = {"HTTPS_PROXY": proxy.url}
    else:
        given["gateway_proxy"] = proxy.url
    hosts = inventory(1, tmp_path, **variables(platform, gateway_register_from=way, **given))
    passed = run(play, hosts, tmp_path)
    assert passed.rc == 0, passed
    assert proxy.asked == [MQTT, REGISTRATION, MQTT]
    # A task's environment is in the command lines that Ansible prints; gateway_proxy avoids this.
    assert (shows_the_password(passed, tmp_path) == []) is (way == "controller")


@pytest.mark.parametrize("way", WAYS)
def test_a_registration_over_mqtt(platform: Emulator, proxy: ConnectProxy, tmp_path: Path, way: str) -> None:
    more = {
        "gateway_transport": "mqtt",
        "gateway_verify": "none",
        "gateway_mqtt_port": 8883,
        "gateway_proxy": proxy.url,
    }
    hosts = inventory(1, tmp_path, **variables(platform, gateway_register_from=way, **more))
    passed = run("fleetops.aliyun_iot.provision", hosts, tmp_path)
    assert passed.rc == 0, passed
    assert proxy.asked == [MQTT_8883]
    assert shows_the_password(passed, tmp_path) == []


def test_modules_and_the_openapi(platform: Emulator, proxy: ConnectProxy, tmp_path: Path) -> None:
    """device_registration, device_login both ways, and modules with an AccessKey, which know the environment alone, use the proxy."""
    options = {name: value for name, value in connection(platform).items() if name != "endpoint"}
    reached = {"region": REGION, "ca_path": platform.endpoints["ca_file"]}
    account = {"access_key_id": KEY.id, "access_key_secret": KEY.secret}
    login = {**reached, "path": "{{ root }}/device.json", "mqtt_port": 8883, "proxy": proxy.url}
    tasks = [
        {"fleetops.aliyun_iot.devices_info": {**reached, **account, "product_key": PRODUCT_KEY, "names": ["gw-0001"]}},
        {
            "fleetops.aliyun_iot.device_registration": {
                **options,
                **reached,
                "device_name": "gw-0002",
                "proxy": proxy.url,
            }
        },
        {
            "fleetops.aliyun_iot.gateway_credential": {
                **options,
                **reached,
                "path": "{{ root }}/device.json",
                "proxy": proxy.url,
            }
        },
        *({"fleetops.aliyun_iot.device_login": {**login, "login_from": way}} for way in WAYS),
    ]
    play = {"hosts": "gateways", "gather_facts": False, "tasks": tasks}
    passed = run(play, inventory(1, tmp_path), tmp_path, {"https_proxy": proxy.url})
    assert passed.rc == 0, passed
    assert proxy.asked == [OPENAPI, REGISTRATION, REGISTRATION, MQTT_8883, MQTT_8883]
    assert shows_the_password(passed, tmp_path) == []


@pytest.mark.parametrize("no_proxy", ["10.0.0.0/8,127.0.0.0/8", "127.0.0.1", "*"])
def test_no_proxy_holds_for_all_alike(platform: Emulator, tmp_path: Path, no_proxy: str) -> None:
    """no_proxy applies to all alike; the proxy is a port on which no program listens."""
    account = {"access_key_id": KEY.id, "access_key_secret": KEY.secret}
    openapi = {**account, "openapi_endpoint": platform.endpoints["openapi_endpoint"]}
    info = {**openapi, "ca_path": platform.endpoints["ca_file"], "product_key": PRODUCT_KEY, "names": ["gw-0001"]}
    ways = [
        {**connection(platform), "path": f"{{{{ root }}}}/{way}.json", "device_name": name, "register_from": way}
        for way, name in zip(WAYS, ("gw-0001", "gw-0002"), strict=True)
    ]
    tasks = [
        {"fleetops.aliyun_iot.devices_info": info},
        *({"fleetops.aliyun_iot.gateway_credential": options} for options in ways),
        {"fleetops.aliyun_iot.device_registration": {**connection(platform), "device_name": "gw-0003"}},
    ]
    play = {"hosts": "gateways", "gather_facts": False, "tasks": tasks}
    env = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": no_proxy}
    passed = run_playbook(play, inventory(1, tmp_path), tmp_path, env=env)
    assert passed.rc == 0, passed


@pytest.mark.parametrize("way", WAYS)
def test_a_proxy_that_refuses_registers_nothing(
    platform: Emulator, proxy: ConnectProxy, tmp_path: Path, way: str
) -> None:
    """No device is registered, and the message names the proxy by its variable and its host."""
    wrong = proxy.url.replace("operator", "stranger")
    hosts = inventory(1, tmp_path, **variables(platform, gateway_register_from=way, gateway_proxy=wrong))
    passed = run("fleetops.aliyun_iot.provision", hosts, tmp_path)
    assert passed.rc == 2, passed
    result = passed.result("gw-0001")
    assert result["error"]["kind"] == "network"
    assert "HTTP status 407" in result["msg"]
    assert proxy.address in result["msg"]
    assert shows_the_password(passed, tmp_path) == []
    assert platform.admin.device(PRODUCT_KEY, "gw-0001")["registrations"] == 0
    assert left_over(tmp_path, ["gw-0001"]) == {}


@pytest.mark.parametrize("value", [f"https://{CREDENTIALS}@127.0.0.1:3128", f"{CREDENTIALS}@127.0.0.1:3128"])
def test_what_is_no_proxy_is_refused_and_not_shown(platform: Emulator, tmp_path: Path, value: str) -> None:
    hosts = inventory(1, tmp_path, **variables(platform, gateway_proxy=value))
    passed = run("fleetops.aliyun_iot.provision", hosts, tmp_path)
    result = passed.result("gw-0001")
    assert result["error"]["kind"] == "invalid_option"
    assert "gateway_proxy: is not an HTTP proxy" in result["msg"]
    assert shows_the_password(passed, tmp_path) == []


def test_json_of_the_results_has_no_proxy(platform: Emulator, proxy: ConnectProxy, tmp_path: Path) -> None:
    hosts = inventory(1, tmp_path, **variables(platform, gateway_proxy=proxy.url))
    passed = run("fleetops.aliyun_iot.provision", hosts, tmp_path)
    assert proxy.address not in json.dumps(passed.results)
