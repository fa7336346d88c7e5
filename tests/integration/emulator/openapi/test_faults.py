# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults that a client of the OpenAPI receives, and the changes that the platform has made meanwhile."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
import sdks
from account import GATEWAY, GATEWAY_NAME, KEY, PRODUCT_KEY
from emulator import Emulator
from platform_emulator import faults
from platform_emulator.fields import Invalid
from platform_emulator.openapi.quotas import QPS
from processes import wait_for
from sdks import Denied, Sdk

WITH_NAMES = {
    "BatchCheckDeviceNames",
    "BatchGetDeviceState",
    "BatchQueryDeviceDetail",
    "BatchRegisterDeviceWithApplyId",
}


@pytest.fixture(autouse=True)
def activated(platform: Emulator) -> None:
    """Activate the gateway, so that a reset is visible."""
    platform.admin.activate(PRODUCT_KEY, GATEWAY)


def was_reset(platform: Emulator) -> bool:
    return bool(platform.admin.device(PRODUCT_KEY, GATEWAY)["registration"] == "unregistered")


def test_the_api_refuses_one_device_of_many(platform: Emulator, call: Sdk) -> None:
    platform.admin.put_device(PRODUCT_KEY, "OvenDevice02")
    platform.admin.fault("ResetThing", device_name=GATEWAY, code="iot.system.SystemException")
    answer = call("ResetThing", **GATEWAY_NAME)
    assert (answer["Success"], answer["Code"]) == (False, "iot.system.SystemException")
    assert answer["ErrorMessage"] == "A system exception occurred."
    assert call("ResetThing", ProductKey=PRODUCT_KEY, DeviceName="OvenDevice02")["Success"] is True
    assert not was_reset(platform)
    assert call("ResetThing", **GATEWAY_NAME)["Success"] is True


@pytest.mark.parametrize(
    ("fault", "http_status", "code", "message"),
    [
        ({"code": "ServiceUnavailable"}, 503, "ServiceUnavailable", "temporary failure"),
        ({"code": "Forbidden.RAM", "http_status": 403, "message": "No."}, 403, "Forbidden.RAM", "No."),
    ],
)
def test_a_refusal_in_front_of_the_api(
    platform: Emulator, call: Sdk, fault: dict[str, Any], http_status: int, code: str, message: str
) -> None:
    platform.admin.fault("ResetThing", **fault)
    with pytest.raises(Denied, match=message) as denied:
        call("ResetThing", **GATEWAY_NAME)
    assert (denied.value.http_status, denied.value.code) == (http_status, code)
    assert not was_reset(platform)
    (entry,) = platform.admin.requests()
    assert (entry["fault"], entry["http_status"], entry["code"]) == ("code", http_status, code)


@pytest.mark.parametrize(
    ("fault", "done"), [({"drop_before": True}, False), ({"drop_after": True}, True), ({"http_status": 502}, False)]
)
def test_answers_that_are_lost(platform: Emulator, fault: dict[str, Any], done: bool) -> None:
    platform.admin.fault("ResetThing", **fault)
    with pytest.raises(Exception, match=r"."):
        sdks.tea(platform.endpoints, KEY)("ResetThing", **GATEWAY_NAME)
    assert was_reset(platform) is done


def test_an_answer_that_is_late(platform: Emulator, call: Sdk) -> None:
    platform.admin.fault("ResetThing", hold_after=0.5)
    before = time.monotonic()
    assert call("ResetThing", **GATEWAY_NAME)["Success"] is True
    assert time.monotonic() - before >= 0.5


def test_a_late_reset_is_processed_after_the_retry(platform: Emulator, call: Sdk) -> None:
    """A delayed reset is still processed after the retry, even after the device has connected with its new secret."""
    platform.admin.settings(reset_revokes="at_once")
    platform.admin.fault("ResetThing", delay=3)
    with pytest.raises(Exception, match=r"(?i)timed? ?out"):
        sdks.generic(platform.endpoints, KEY, read_timeout=100)("ResetThing", **GATEWAY_NAME)
    wait_for(platform.admin.requests, "the reset")
    assert not was_reset(platform)
    assert call("ResetThing", **GATEWAY_NAME)["Success"] is True
    assert was_reset(platform)
    secret = platform.admin.activate(PRODUCT_KEY, GATEWAY)["device_secret"]
    assert not was_reset(platform)
    wait_for(lambda: was_reset(platform), "the late reset")
    assert platform.admin.device(PRODUCT_KEY, GATEWAY)["device_secret"] != secret
    assert [entry["fault"] for entry in platform.admin.requests()] == ["delay", None]


def test_a_fault_of_one_action_leaves_the_others_alone(platform: Emulator, call: Sdk) -> None:
    platform.admin.fault("ResetThing", code="Throttling.User")
    assert call("QueryDeviceDetail", **GATEWAY_NAME)["Success"] is True
    assert len(platform.admin.faults()) == 1


@pytest.mark.parametrize(
    ("fault", "left"), [({"fail_names": ["OvenDevice03"]}, ["02", "04"]), ({"fail_after": 2}, ["02", "03"])]
)
@pytest.mark.parametrize(
    ("action", "key"),
    [
        ("BatchGetDeviceState", "device_name"),
        ("BatchGetDeviceState", "iot_id"),
        ("BatchQueryDeviceDetail", "device_name"),
    ],
)
def test_a_part_of_a_query_fails(
    platform: Emulator, call: Sdk, action: str, key: str, fault: dict[str, Any], left: list[str]
) -> None:
    devices = [platform.admin.put_device(PRODUCT_KEY, f"OvenDevice{number:02}") for number in range(2, 5)]
    parameter = {"device_name": "DeviceName", "iot_id": "IotId"}[key]
    asked = {f"{parameter}.{number}": device[key] for number, device in enumerate(devices, 1)}
    platform.admin.fault(action, **fault)
    found = re.findall('"DeviceName": "OvenDevice(..)"', json.dumps(call(action, ProductKey=PRODUCT_KEY, **asked)))
    assert found == left
    found = re.findall('"DeviceName": "OvenDevice(..)"', json.dumps(call(action, ProductKey=PRODUCT_KEY, **asked)))
    assert found == ["02", "03", "04"]


@pytest.mark.parametrize("action", sorted(QPS.keys() - {"BatchRegisterDevice", "ResetThing"} - WITH_NAMES))
def test_no_part_fails_of_an_action_on_one_thing(action: str) -> None:
    for fault in ({"fail_names": ["gw-0001"]}, {"fail_after": 1}):
        with pytest.raises(Invalid, match="needs exactly one effect, has none"):
            faults.read({"action": action, **fault}, "")


@pytest.mark.parametrize("action", ["BatchRegisterDevice", "ResetThing"])
def test_what_has_no_names_fails_by_number(action: str) -> None:
    assert faults.read({"action": action, "fail_after": 1}, "").name == "fail_after"
    with pytest.raises(Invalid, match="needs exactly one effect, has none"):
        faults.read({"action": action, "fail_names": ["gw-0001"]}, "")


@pytest.mark.parametrize(
    ("action", "key"),
    [
        ("QueryDevice", "device_name"),
        ("BatchGetDeviceState", "device_name"),
        ("QueryJob", "product_key"),
        ("CreateProduct", "product_key"),
        ("CreateProduct", "device_name"),
    ],
)
def test_a_fault_for_one_thing_of_an_action_that_does_not_name_it(action: str, key: str) -> None:
    with pytest.raises(Invalid, match=f"{key}: is not a known key"):
        faults.read({"action": action, "drop_after": True, key: "a1IoKTestP1"}, "")


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "ResetThing"},
        {"action": "ResetThing", "code": 6289},
        {"action": "ResetThing", "code": "Throttling.User", "drop_after": True},
        {"action": "ResetThing", "http_status": 429, "fail_after": 1},
        {"action": "ResetThing", "code": "Throttling.User", "http_status": 200},
        {"action": "ResetThing", "other_device": True},
        {"action": "ResetThing", "fail_names": "gw-0001"},
        {"action": "ResetOven", "drop_after": True},
        {"action": "register", "code": "Throttling.User"},
        {"action": "register", "fail_after": 1},
    ],
)
def test_faults_that_cannot_be(fault: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        faults.read(fault, "")
