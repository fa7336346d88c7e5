# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions that query devices."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime

import pytest
import sdks
from account import GATEWAY, GATEWAY_NAME, KEY, PRODUCT_KEY
from emulator import Emulator
from platform_emulator.openapi import times
from sdks import Denied, Sdk


def indexed(name: str, values: list[str]) -> dict[str, str]:
    return {f"{name}.{number}": value for number, value in enumerate(values, 1)}


def test_the_detail_of_a_device_that_has_never_connected(platform: Emulator, call: Sdk) -> None:
    device = platform.admin.device(PRODUCT_KEY, GATEWAY)
    data = call("QueryDeviceDetail", **GATEWAY_NAME)["Data"]
    assert (data["Status"], data["DeviceSecret"]) == ("UNACTIVE", device["device_secret"])
    assert [data[name] for name in ("UtcActive", "GmtActive", "UtcOnline", "GmtOnline")] == [""] * 4
    assert (data["ProductName"], data["NodeType"], data["Region"]) == ("Ovens", 1, "cn-shanghai")
    assert call("QueryDeviceDetail", IotId=device["iot_id"])["Data"] == data


def test_gmt_is_chinas_time(platform: Emulator, call: Sdk) -> None:
    assert times.gmt("2020-01-08T06:47:08.000Z") == "2020-01-08 14:47:08"
    platform.admin.activate(PRODUCT_KEY, GATEWAY)
    data = call("QueryDeviceDetail", **GATEWAY_NAME)["Data"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", data["UtcActive"])
    assert data["GmtActive"] == times.gmt(data["UtcActive"])
    moment = call("GetDeviceStatus", **GATEWAY_NAME)["Data"]["Timestamp"]
    assert abs(moment / 1000 - datetime.now(UTC).timestamp()) < 600


def test_the_last_login_and_the_last_change_of_the_status(platform: Emulator, call: Sdk) -> None:
    def look() -> tuple[str, str, str, int]:
        detail = call("QueryDeviceDetail", **GATEWAY_NAME)["Data"]
        (state,) = call("BatchGetDeviceState", ProductKey=PRODUCT_KEY, **{"DeviceName.1": GATEWAY})["DeviceStatusList"][
            "DeviceStatus"
        ]
        assert (detail["GmtOnline"], state["LastOnlineTime"]) == (times.gmt(detail["UtcOnline"]),) * 2
        changed = call("GetDeviceStatus", **GATEWAY_NAME)["Data"]["Timestamp"]
        assert changed == state["Timestamp"]
        return detail["Status"], detail["UtcActive"], detail["UtcOnline"], changed

    platform.admin.put_device(PRODUCT_KEY, GATEWAY, status="ONLINE")
    first = look()
    time.sleep(0.01)
    platform.admin.put_device(PRODUCT_KEY, GATEWAY, status="OFFLINE")
    time.sleep(0.01)
    platform.admin.put_device(PRODUCT_KEY, GATEWAY, status="ONLINE")
    again = look()
    assert (first[0], again[0], first[1]) == ("ONLINE", "ONLINE", again[1])
    assert first[1] == first[2] < again[2]
    assert again[3] == times.milliseconds(again[2])
    time.sleep(0.01)
    platform.restart()
    call = sdks.generic(platform.endpoints, KEY)
    offline = look()
    assert (offline[0], offline[2]) == ("OFFLINE", again[2])
    assert offline[3] > again[3]
    platform.restart()
    call = sdks.generic(platform.endpoints, KEY)
    assert look() == offline


def test_up_to_a_hundred_details_of_those_that_exist(platform: Emulator, call: Sdk) -> None:
    names = [GATEWAY, *(f"nothing-{number}" for number in range(99))]
    data = call("BatchQueryDeviceDetail", ProductKey=PRODUCT_KEY, **indexed("DeviceName", names))["Data"]["Data"]
    assert [(each["DeviceName"], each["Status"]) for each in data] == [(GATEWAY, "UNACTIVE")]
    assert data[0]["DeviceSecret"] == platform.admin.device(PRODUCT_KEY, GATEWAY)["device_secret"]
    (entry,) = platform.admin.requests()
    assert (entry["names"], entry["device_name"]) == (100, None)
    names.append("nothing-99")
    too_many = call("BatchQueryDeviceDetail", ProductKey=PRODUCT_KEY, **indexed("DeviceName", names))
    assert too_many["Code"] == "iot.device.DeviceCountExceeded"
    assert call("BatchQueryDeviceDetail", ProductKey=PRODUCT_KEY)["Code"] == "iot.device.NoneDeviceNameElement"


def test_up_to_fifty_states_by_name_or_iot_id(platform: Emulator, call: Sdk) -> None:
    other = platform.admin.put_device(PRODUCT_KEY, "OvenDevice02", status="ONLINE")
    names = ["OvenDevice02", "nothing-01", GATEWAY]
    answer = call("BatchGetDeviceState", ProductKey=PRODUCT_KEY, **indexed("DeviceName", names))
    states = answer["DeviceStatusList"]["DeviceStatus"]
    assert [(state["DeviceName"], state["Status"]) for state in states] == [
        ("OvenDevice02", "ONLINE"),
        (GATEWAY, "UNACTIVE"),
    ]
    by_id = call("BatchGetDeviceState", **indexed("IotId", [other["iot_id"]]))
    assert by_id["DeviceStatusList"]["DeviceStatus"] == states[:1]
    for name in ("DeviceName", "IotId"):
        fifty_one = indexed(name, [GATEWAY] * 51)
        assert call("BatchGetDeviceState", ProductKey=PRODUCT_KEY, **fifty_one)["Code"] == (
            "iot.device.DeviceCountExceeded"
        )


@pytest.mark.parametrize(("number", "status"), [(0, "UNACTIVE"), (1, "ONLINE"), (3, "OFFLINE"), (8, "DISABLE")])
def test_devices_by_status(platform: Emulator, call: Sdk, number: int, status: str) -> None:
    for each in ("UNACTIVE", "ONLINE", "OFFLINE", "DISABLE"):
        platform.admin.put_device(PRODUCT_KEY, f"oven-{each}", status=each)
    platform.admin.delete_device(PRODUCT_KEY, GATEWAY)
    page = {"CurrentPage": 1, "PageSize": 50}
    answer = call("QueryDeviceByStatus", ProductKey=PRODUCT_KEY, Status=number, **page)
    found = [(info["DeviceName"], info["Status"]) for info in answer["Data"]["SimpleDeviceInfo"]]
    assert (found, answer["Total"]) == ([(f"oven-{status}", status)], 1)
    with pytest.raises(Denied, match="InvalidStatus"):
        call("QueryDeviceByStatus", ProductKey=PRODUCT_KEY, Status=2, **page)


def test_devices_page_by_page_the_newest_first(platform: Emulator, call: Sdk) -> None:
    for number in range(2, 13):
        platform.admin.put_device(PRODUCT_KEY, f"OvenDevice{number:02}")
    first = call("QueryDevice", ProductKey=PRODUCT_KEY)
    assert [info["DeviceName"] for info in first["Data"]["DeviceInfo"]] == [
        f"OvenDevice{number:02}" for number in range(12, 2, -1)
    ]
    assert (first["Page"], first["PageSize"], first["PageCount"], first["Total"]) == (1, 10, 2, 12)
    second = call("QueryDevice", ProductKey=PRODUCT_KEY, CurrentPage=2)
    assert [info["DeviceName"] for info in second["Data"]["DeviceInfo"]] == ["OvenDevice02", GATEWAY]
    assert "NextToken" not in second
    by_token = call("QueryDevice", ProductKey=PRODUCT_KEY, CurrentPage=2, NextToken=first["NextToken"])
    assert by_token["Data"] == second["Data"]
    assert call("QueryDevice", ProductKey=PRODUCT_KEY, PageSize=51)["Code"] == "iot.common.InvalidPageParams"


def test_beyond_ten_thousand_only_a_token_leads_on(call: Sdk) -> None:
    call("RegisterDevice", ProductKey=PRODUCT_KEY)
    token = call("QueryDevice", ProductKey=PRODUCT_KEY, PageSize=1)["NextToken"]
    page = {"ProductKey": PRODUCT_KEY, "PageSize": 50}
    assert call("QueryDevice", **page, CurrentPage=200)["Data"]["DeviceInfo"] == []
    assert call("QueryDevice", **page, CurrentPage=201)["Code"] == "iot.common.InvalidPageParams"
    answer = call("QueryDevice", **page, CurrentPage=201, NextToken=token)
    assert [info["DeviceName"] for info in answer["Data"]["DeviceInfo"]] == [GATEWAY]
    assert call("QueryDevice", **page, CurrentPage=20_001, NextToken=token)["Code"] == "iot.common.InvalidPageParams"
    with pytest.raises(Denied, match="InvalidNextToken"):
        call("QueryDevice", **page, NextToken=KEY.id)


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000, "-1", "x"])
def test_a_token_with_a_number_that_cannot_be(call: Sdk, number: str) -> None:
    token = base64.urlsafe_b64encode(f"device {number}".encode()).decode()
    with pytest.raises(Denied, match="InvalidNextToken"):
        call("QueryDevice", ProductKey=PRODUCT_KEY, NextToken=token)


@pytest.mark.parametrize("throttling", [False, True])
@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("QueryDevice", "CurrentPage"),
        ("QueryDeviceByStatus", "CurrentPage"),
        ("QueryProductList", "CurrentPage"),
        ("GetThingTopo", "PageNo"),
    ],
)
def test_a_page_that_cannot_be(platform: Emulator, call: Sdk, action: str, name: str, throttling: bool) -> None:
    platform.admin.settings(throttling=throttling)
    given = {"ProductKey": PRODUCT_KEY, "DeviceName": GATEWAY, "PageSize": 50, "Status": 3}
    assert call(action, **given, **{name: "9" * 18})["Code"] == "iot.common.InvalidPageParams"
    for number in ("9" * 19, "9" * 5000):
        with pytest.raises(Denied, match=f"Invalid{name}"):
            call(action, **given, **{name: number})
