# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions that change a device, and their effects on a gateway's topology."""

from __future__ import annotations

import re
from typing import Any

import pytest
from account import GATEWAY, GATEWAY_NAME, PRODUCT_KEY
from emulator import Emulator
from sdks import Denied, Sdk


@pytest.fixture
def sub_devices(platform: Emulator) -> list[str]:
    """Attach three sub-devices of another product to the gateway and return their names."""
    platform.admin.put_product("a1Sensors01", node_type="device")
    names = ["sensor-1", "sensor-2", "sensor-3"]
    attached = [{"product_key": "a1Sensors01", "name": name} for name in names]
    platform.admin.put_device(PRODUCT_KEY, GATEWAY, sub_devices=attached)
    return names


def topology(call: Sdk, **page: int) -> dict[str, Any]:
    data: dict[str, Any] = call("GetThingTopo", **GATEWAY_NAME, **{"PageNo": 1, "PageSize": 50, **page})["Data"]
    return data


def test_a_device_is_registered_with_a_secret_of_its_own(platform: Emulator, call: Sdk) -> None:
    data = call("RegisterDevice", ProductKey=PRODUCT_KEY, DeviceName="oven:02@a.b", Nickname="烤箱")["Data"]
    device = platform.admin.device(PRODUCT_KEY, "oven:02@a.b")
    assert (data["DeviceSecret"], data["IotId"]) == (device["device_secret"], device["iot_id"])
    assert (data["Nickname"], device["status"]) == ("烤箱", "UNACTIVE")


def test_a_device_without_a_name_gets_one(call: Sdk) -> None:
    names = [call("RegisterDevice", ProductKey=PRODUCT_KEY)["Data"]["DeviceName"] for _attempt in range(2)]
    assert all(re.fullmatch("[A-Za-z0-9]{4,32}", name) for name in names)
    assert len(set(names)) == 2


def test_devices_that_cannot_be_registered(platform: Emulator, call: Sdk) -> None:
    for name in ("abc", "a" * 33, "oven/02", "烤箱烤箱"):
        assert call("RegisterDevice", ProductKey=PRODUCT_KEY, DeviceName=name)["Code"] == (
            "iot.device.InvalidFormattedDeviceName"
        )
    assert call("RegisterDevice", **GATEWAY_NAME)["Code"] == "iot.device.AlreadyExistedDeviceName"
    assert call("RegisterDevice", ProductKey="a1Nothing")["Code"] == "iot.prod.NotExistedProduct"
    with pytest.raises(Denied, match="InvalidNickname"):
        call("RegisterDevice", ProductKey=PRODUCT_KEY, DeviceName="OvenDevice02", Nickname="abc")
    assert len(platform.admin.devices(PRODUCT_KEY)) == 1


def test_a_disabled_device_comes_back_as_it_was(platform: Emulator, call: Sdk) -> None:
    platform.admin.activate(PRODUCT_KEY, GATEWAY)
    call("DisableThing", **GATEWAY_NAME)
    assert call("GetDeviceStatus", **GATEWAY_NAME)["Data"]["Status"] == "DISABLE"
    call("EnableThing", **GATEWAY_NAME)
    assert call("GetDeviceStatus", **GATEWAY_NAME)["Data"]["Status"] == "OFFLINE"


def test_iot_id_wins_over_the_names(platform: Emulator, call: Sdk) -> None:
    other = platform.admin.put_device(PRODUCT_KEY, "OvenDevice02")
    call("DisableThing", **GATEWAY_NAME, IotId=other["iot_id"])
    assert platform.admin.device(PRODUCT_KEY, GATEWAY)["status"] == "UNACTIVE"
    assert platform.admin.device(PRODUCT_KEY, "OvenDevice02")["status"] == "DISABLE"
    (entry,) = platform.admin.requests()
    assert (entry["product_key"], entry["device_name"]) == (PRODUCT_KEY, "OvenDevice02")


@pytest.mark.parametrize("action", ["ResetThing", "DisableThing", "EnableThing", "DeleteDevice", "GetDeviceStatus"])
def test_a_device_that_does_not_exist(call: Sdk, action: str) -> None:
    assert call(action, ProductKey=PRODUCT_KEY, DeviceName="OvenDevice09")["Code"] == "iot.device.NotExistedDevice"
    assert call(action, IotId="nothing000100")["Code"] == "iot.device.NotExistedDevice"
    with pytest.raises(Denied, match="MissingDeviceName"):
        call(action, ProductKey=PRODUCT_KEY)


def test_a_reset_lets_register_again_and_leaves_the_status(platform: Emulator, call: Sdk) -> None:
    platform.admin.settings(reset_revokes="at_once")
    platform.admin.activate(PRODUCT_KEY, GATEWAY)
    before = platform.admin.device(PRODUCT_KEY, GATEWAY)
    answer = call("ResetThing", **GATEWAY_NAME)
    assert set(answer) == {"RequestId", "Success"}
    after = platform.admin.device(PRODUCT_KEY, GATEWAY)
    assert (before["registration"], after["registration"]) == ("activated", "unregistered")
    assert (before["status"], after["status"]) == ("OFFLINE", "OFFLINE")
    assert after["device_secret"] != before["device_secret"]


def test_topology_page_by_page(call: Sdk, sub_devices: list[str]) -> None:
    data = topology(call, PageNo=2, PageSize=2)
    assert [info["DeviceName"] for info in data["List"]["deviceInfo"]] == sub_devices[2:]
    assert (data["CurrentPage"], data["PageSize"], data["PageCount"], data["Total"]) == (2, 2, 2, 3)
    assert set(data["List"]["deviceInfo"][0]) == {"ProductKey", "DeviceName", "IotId"}
    refused = call("GetThingTopo", **GATEWAY_NAME, PageNo=1, PageSize=51)
    assert refused["Code"] == "iot.common.InvalidPageParams"


@pytest.mark.parametrize("action", ["ResetThing", "DeleteDevice"])
def test_a_gateway_loses_its_topology_but_its_sub_devices_stay(
    platform: Emulator, call: Sdk, sub_devices: list[str], action: str
) -> None:
    assert topology(call)["Total"] == 3
    assert "JobId" not in call(action, **GATEWAY_NAME)
    assert [device["gateway"] for device in platform.admin.devices("a1Sensors01")] == [None] * 3
    platform.admin.put_device(PRODUCT_KEY, GATEWAY)
    assert topology(call)["Total"] == 0


def test_two_thousand_sub_devices_go_at_once(platform: Emulator, call: Sdk) -> None:
    platform.admin.put_device(PRODUCT_KEY, GATEWAY, sub_devices=[f"sub-{number}" for number in range(2000)])
    assert "JobId" not in call("ResetThing", **GATEWAY_NAME)
    assert topology(call)["Total"] == 0


@pytest.mark.parametrize(("fault", "left", "status"), [({}, 0, "COMPLETED"), ({"fail_after": 1500}, 501, "FAILED")])
def test_more_go_in_a_job(platform: Emulator, call: Sdk, fault: dict[str, int], left: int, status: str) -> None:
    platform.admin.settings(job_polls=2)
    platform.admin.put_device(PRODUCT_KEY, GATEWAY, sub_devices=[f"sub-{number}" for number in range(2001)])
    if fault:
        platform.admin.fault("ResetThing", **fault)
    job = {"JobId": call("ResetThing", **GATEWAY_NAME)["JobId"]}
    assert platform.admin.device(PRODUCT_KEY, GATEWAY)["registration"] == "unregistered"
    statuses = [call("QueryJob", **job)["Data"]["Status"] for _attempt in range(2)]
    assert (statuses, topology(call)["Total"]) == (["IN_PROGRESS"] * 2, 2001)
    statuses = [call("QueryJob", **job)["Data"]["Status"] for _attempt in range(2)]
    assert (statuses, topology(call)["Total"]) == ([status] * 2, left)


@pytest.fixture
def many(platform: Emulator) -> list[str]:
    """Give the gateway more sub-devices than are removed at once."""
    names = [f"sub-{number}" for number in range(2001)]
    platform.admin.put_device(PRODUCT_KEY, GATEWAY, sub_devices=names)
    return names


def test_a_job_leaves_sub_devices_that_another_gateway_has_meanwhile(
    platform: Emulator, call: Sdk, many: list[str]
) -> None:
    platform.admin.settings(job_polls=0)
    job = {"JobId": call("ResetThing", **GATEWAY_NAME)["JobId"]}
    other = platform.admin.put_device(PRODUCT_KEY, "OvenDevice02", sub_devices=many[:2])
    assert call("QueryJob", **job)["Data"]["Status"] == "COMPLETED"
    assert platform.admin.device(PRODUCT_KEY, many[0])["gateway"] == other["iot_id"]
    assert topology(call)["Total"] == 0


def test_a_deleted_gateway_loses_all_sub_devices_at_once(platform: Emulator, call: Sdk, many: list[str]) -> None:
    assert set(call("DeleteDevice", **GATEWAY_NAME)) == {"RequestId", "Success"}
    assert {device["gateway"] for device in platform.admin.devices(PRODUCT_KEY)} == {None}


def test_a_job_that_does_not_exist(call: Sdk) -> None:
    assert call("QueryJob", JobId="0123")["Code"] == "iot.system.IllegalRequest"
