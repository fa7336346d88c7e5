# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regions that register over MQTT alone, and devices that were not added by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from gateways import credential_text, fingerprint
from mqtt_client import Client, login, token_login
from operations import called, credential_file, left_over, operate, role_variables
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run, inventory, mqtt_connection, mqtt_endpoint, run_playbook

JSON = Any

WAYS = ("gateway", "controller")
BY_WAY = {"gw-0001": {"gateway_register_from": "gateway"}, "gw-0002": {"gateway_register_from": "controller"}}


pytestmark = pytest.mark.usefixtures("new_platform")


def gateways(platform: Emulator, hosts: JSON, tmp_path: Path, **variables: JSON) -> JSON:
    known = {**role_variables(platform), **{f"gateway_{k}": v for k, v in mqtt_connection(platform).items()}}
    del known["gateway_endpoint"]
    return inventory(hosts, tmp_path, gateway_report="all", **{**known, **variables})


def stored(tmp_path: Path, host: str) -> JSON:
    return json.loads(credential_file(tmp_path, host).read_text())


def accepted(platform: Emulator, credentials: tuple[str, str, str]) -> bool:
    with Client(platform.endpoints, *credentials) as device:
        return device.connack == 0


def test_a_life_without_https(platform: Emulator, tmp_path: Path) -> None:
    hosts = gateways(platform, BY_WAY, tmp_path)
    first = operate("provision", platform, hosts, tmp_path)
    assert first.rc == 0, first
    assert sorted(called(platform, "register_mqtt")) == sorted(BY_WAY)
    assert called(platform, "register") == []
    old = {}
    for host in BY_WAY:
        secret = platform.admin.device(PRODUCT_KEY, host)["device_secret"]
        assert credential_file(tmp_path, host).read_text() == credential_text(PRODUCT_KEY, host, secret)
        old[host] = login(PRODUCT_KEY, host, secret)
        assert accepted(platform, old[host])

    renewed = operate("reprovision", platform, hosts, tmp_path)
    assert renewed.rc == 0, renewed
    for host in BY_WAY:
        new = login(PRODUCT_KEY, host, stored(tmp_path, host)["deviceSecret"])
        assert not accepted(platform, old[host])
        assert accepted(platform, new)
    platform.admin.clear_requests()
    for check in (True, False):
        again = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, check=check)
        assert (again.rc, again.changed) == (0, 0), again
    assert platform.admin.requests() == []
    assert left_over(tmp_path, BY_WAY) == {}


def test_devices_that_were_not_added(platform: Emulator, tmp_path: Path) -> None:
    """Devices that were not added are registered in check mode, run, check mode, run; then the token logs in and is exported."""
    own = {f"new-{way}": {"gateway_register_from": way} for way in WAYS}
    export = {"dest": "{{ root }}/agent.env", "format": "env"}
    hosts = gateways(
        platform, own, tmp_path, gateway_auth_type="regnwl", gateway_region="cn-shanghai", gateway_exports=[export]
    )
    passes = [run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, "--diff", check=c) for c in (1, 0, 1, 0)]
    assert [run.rc for run in passes] == [0] * 4, passes
    assert [run.changed for run in passes] == [2, 2, 0, 0]
    assert sorted(called(platform, "regnwl")) == sorted(own)
    for host in own:
        issued = stored(tmp_path, host)
        assert list(issued) == ["clientId", "deviceName", "deviceToken", "productKey"]
        assert (issued["deviceName"], issued["productKey"]) == (host, PRODUCT_KEY)
        assert accepted(platform, token_login(issued))
        result = of(passes[1], host)
        assert result["fingerprint"] == fingerprint(PRODUCT_KEY, host, issued["deviceToken"])
        lines = (tmp_path / host / "agent.env").read_text().splitlines()
        assert f"ALIYUN_IOT_CLIENT_ID={issued['clientId']}" in lines
        assert f"ALIYUN_IOT_DEVICE_TOKEN={issued['deviceToken']}" in lines
        for run in passes:
            assert issued["deviceToken"] not in run.stdout + run.stderr + json.dumps(run.results)

    # A credential of the other kind counts as another identity.
    ours = {host: {"gateway_register_from": "controller"} for host in own}
    for host in own:
        platform.admin.put_device(PRODUCT_KEY, host, activated=False)
    changed = run_playbook("fleetops.aliyun_iot.provision", gateways(platform, ours, tmp_path), tmp_path)
    assert {of(changed, host)["reason"] for host in own} == {"identity_changed"}, changed


@pytest.mark.parametrize("way", WAYS)
def test_a_token_that_is_right_outlives_an_interruption(platform: Emulator, tmp_path: Path, way: str) -> None:
    """A valid token outlives an interruption: the platform refuses another, so the gateway tries the token, which does not leave it."""
    platform.admin.settings(devices_per_name=1)
    hosts = gateways(platform, {"new-1": {}}, tmp_path, gateway_auth_type="regnwl", gateway_register_from=way)
    assert run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path).rc == 0
    before = credential_file(tmp_path, "new-1").read_text()
    (tmp_path / "new-1/.device.json.journal").write_text("1 token=0123456789abcdef intent=register ttl=0\n")
    settled, again = (run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path) for _again in range(2))
    assert [of(run, "new-1").get("reason") for run in (settled, again)] == ["interrupted", "up_to_date"], settled
    assert (settled.rc, of(settled, "new-1")["registered"]) == (0, False)
    assert credential_file(tmp_path, "new-1").read_text() == before
    assert left_over(tmp_path, ["new-1"]) == {}


def test_a_recovery_leaves_a_token_alone(platform: Emulator, tmp_path: Path) -> None:
    """A recovery keeps a token, which cannot be read back from the platform, and an audit does not take it for a replaced secret."""
    export = {"dest": "{{ root }}/agent.env", "format": "env"}
    hosts = gateways(platform, {"new-1": {}}, tmp_path, gateway_auth_type="regnwl", gateway_exports=[export])
    assert run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path).rc == 0
    before = [(tmp_path / "new-1" / name).read_text() for name in ("device.json", "agent.env")]
    report = tmp_path / "audit.json"
    assert operate("audit", platform, hosts, tmp_path, audit_report=str(report)).rc == 0
    assert [each["finding"] for each in json.loads(report.read_text()) if each["gateway"]] == ["ok"]
    platform.admin.clear_requests()
    recovered = operate("recover", platform, hosts, tmp_path)
    assert (recovered.rc, recovered.changed) == (0, 0), recovered
    assert platform.admin.requests() == []
    assert [(tmp_path / "new-1" / name).read_text() for name in ("device.json", "agent.env")] == before
    forced = operate("recover", platform, hosts, tmp_path, gateway_recovery_force=True)
    assert (forced.rc, forced.changed) == (0, 1), forced
    assert stored(tmp_path, "new-1")["deviceSecret"] == platform.admin.device(PRODUCT_KEY, "new-1")["device_secret"]


def test_a_recovery_verifies_a_token_from_the_gateway(platform: Emulator, tmp_path: Path) -> None:
    hosts = gateways(platform, {"new-1": {}}, tmp_path, gateway_auth_type="regnwl")
    assert run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path).rc == 0
    before = stored(tmp_path, "new-1")
    shown = fingerprint(PRODUCT_KEY, "new-1", before["deviceToken"])
    journal = tmp_path / "new-1/.device.json.journal"
    journal.write_text(f"2 token=0123456789abcdef intent=register boot=- taken=0 ttl=0\nunproven {shown}\n")
    recovered = operate("recover", platform, hosts, tmp_path)
    assert (recovered.rc, of(recovered, "new-1")["proven"]) == (0, True), recovered
    assert stored(tmp_path, "new-1") == before
    assert left_over(tmp_path, ["new-1"]) == {}


def of(run: Run, host: str) -> JSON:
    [task] = [each for each in run.results[host] if each["action"] == "fleetops.aliyun_iot.fleet_report"]
    return task["result"]


# Refusals and faults: the variables or the fault, and the error.
REFUSED = {
    "wrong-secret": ({"gateway_product_secret": "NotTheSecret0001"}, {}, "refused", 4),
    "unknown": ({}, {}, "refused", 4),
    "disabled": ({}, {}, "refused", 4),
    "activated": ({}, {}, "refused", 4),
    "client-id": ({}, {"connack": 2}, "refused", 2),
    "not-now": ({}, {"connack": 3}, "throttled", 3),
    "dropped": ({}, {"drop_before": True}, "network", None),
    "silent": ({}, {"hang": 20}, "network", None),
    "no-message": ({}, {"no_message": True}, "network", None),
    "other-device": ({}, {"other_device": True}, "bad_answer", None),
    "other-product": ({}, {"other_product": True}, "bad_answer", None),
    "half": ({}, {"truncate": True}, "bad_answer", None),
    "empty": ({}, {"empty_secret": True}, "bad_answer", None),
    "authority": ({"gateway_ca_path": ""}, {}, "tls", None),
    "nobody": ({"gateway_mqtt_endpoint": "127.0.0.1:9"}, {}, "network", None),
    "no-mqtt-host": ({"gateway_mqtt_endpoint": "mqtts://x"}, {}, "invalid_option", None),
    "other-way": (
        {"gateway_mqtt_endpoint": "", "gateway_endpoint": "https://127.0.0.1:9"},
        {},
        "invalid_option",
        None,
    ),
    "no-instance": ({"gateway_instance_id": "https://iot-1"}, {}, "invalid_option", None),
    "no-way": ({"gateway_auth_type": "regnwl", "gateway_transport": "https"}, {}, "invalid_option", None),
    "no-token": ({"gateway_auth_type": "regnwl"}, {"empty_token": True}, "bad_answer", None),
    "half-token": ({"gateway_auth_type": "regnwl"}, {"truncate": True}, "bad_answer", None),
}
# The platform may have issued a secret: the next run has to request another one.
IN_DOUBT = (
    "dropped",
    "silent",
    "no-message",
    "other-device",
    "other-product",
    "half",
    "empty",
    "no-token",
    "half-token",
)


# A gateway runs the same client as the controller, in a Python of its own: it has one case of each outcome of the client.
ON_GATEWAYS = (
    *("wrong-secret", "unknown", "client-id", "not-now", "dropped", "other-device", "authority", "nobody"),
    *("other-way", "no-way", "half-token"),
)


def test_what_goes_wrong(platform: Emulator, tmp_path: Path) -> None:
    hosts = {}
    ways = {name: WAYS if name in ON_GATEWAYS else ("controller",) for name in REFUSED}
    for name, (variables, fault, _kind, _code) in REFUSED.items():
        for way in ways[name]:
            host = f"{name}.{way}"
            hosts[host] = {"gateway_register_from": way, **variables}
            if name == "unknown":
                hosts[host]["gateway_device_name"] = f"nobody-knows.{way}"
            platform.admin.put_device(PRODUCT_KEY, host)
            if fault:
                action = "regnwl" if "gateway_auth_type" in variables else "register_mqtt"
                platform.admin.fault(action, device_name=host, **fault)
    platform.admin.put_device(PRODUCT_KEY, "disabled.controller", status="DISABLE")
    platform.admin.activate(PRODUCT_KEY, "activated.controller")
    fleet = gateways(platform, hosts, tmp_path, gateway_timeout=5, gateway_retry_time=0)
    run = run_playbook("fleetops.aliyun_iot.provision", fleet, tmp_path, "-vvv")
    assert "Traceback" not in run.stdout + run.stderr
    assert PRODUCT_SECRET not in run.stdout + run.stderr + json.dumps(run.results)
    for name, (_variables, _fault, kind, code) in REFUSED.items():
        for way in ways[name]:
            host = f"{name}.{way}"
            result = of(run, host)
            error = result["error"]
            assert (error["kind"], error["code"]) == (kind, code), (host, result)
            assert ". " in result["msg"], "what was wrong, and what to do"
            assert not credential_file(tmp_path, host).exists()
    in_doubt = {host for host in hosts if any(".journal" in name for name in left_over(tmp_path, [host]).get(host, []))}
    assert in_doubt == {f"{name}.{way}" for name in IN_DOUBT for way in ways[name]}

    good = {host: hosts[host] for host in hosts if host.partition(".")[0] in (*IN_DOUBT, "client-id", "not-now")}
    repaired = run_playbook("fleetops.aliyun_iot.provision", gateways(platform, good, tmp_path), tmp_path)
    assert repaired.rc == 0, repaired
    assert left_over(tmp_path, good) == {}
    for host in good:
        assert of(repaired, host)["reason"] == ("interrupted" if host in in_doubt else "missing")


@pytest.mark.parametrize("way", WAYS)
def test_mqtt_has_authorities_of_its_own(platform: Emulator, tmp_path: Path, way: str) -> None:
    """A registration over MQTT uses only the authorities for MQTT."""
    own = {"gateway_ca_path": "/missing.pem", "gateway_mqtt_ca_path": platform.endpoints["ca_file"]}
    hosts = gateways(platform, {"gw-0001": {"gateway_register_from": way, **own}}, tmp_path)
    assert run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path).rc == 0
    assert called(platform, "register_mqtt") == ["gw-0001"]


@pytest.mark.parametrize("way", WAYS)
def test_what_the_login_will_need_is_proved_before_a_registration_over_https(
    platform: Emulator, tmp_path: Path, way: str
) -> None:
    known = {**role_variables(platform), "gateway_mqtt_endpoint": mqtt_endpoint(platform), "gateway_verify": "login"}
    own = {"gateway_register_from": way, "gateway_mqtt_ca_path": "/missing.pem"}
    hosts = inventory({"gw-0001": own}, tmp_path, **known)
    for check in (True, False):
        run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, check=check)
        result = run.result("gw-0001")
        assert result["error"]["kind"] == "tls", run
        assert "gateway_mqtt_ca_path: '/missing.pem' cannot be used" in result["msg"]
    assert called(platform, "register") == []
