# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registering many devices at once."""

from __future__ import annotations

from typing import Any

import pytest
import sdks
from account import GATEWAY, KEY, PRODUCT_KEY
from emulator import Emulator
from sdks import Denied, Sdk

PRODUCT = {"ProductKey": PRODUCT_KEY}
NAMES = [f"oven-{number}" for number in range(5)]


def check(call: Sdk, names: list[str]) -> dict[str, Any]:
    """Apply for names and return the answer."""
    body = {f"DeviceName.{number}": name for number, name in enumerate(names, 1)}
    return call("BatchCheckDeviceNames", body, **PRODUCT)


def applied(call: Sdk, names: list[str]) -> dict[str, object]:
    return {"ApplyId": check(call, names)["Data"]["ApplyId"]}


def status(call: Sdk, application: dict[str, object]) -> dict[str, Any]:
    data: dict[str, Any] = call("QueryBatchRegisterDeviceStatus", **PRODUCT, **application)["Data"]
    return data


def test_ten_thousand_names_with_few_calls(platform: Emulator, call: Sdk) -> None:
    names = [f"oven-{number:05}@a.b:c" for number in range(10_000)]
    application = applied(call, names)
    statuses = [status(call, application)["Status"] for _attempt in range(2)]
    call("BatchRegisterDeviceWithApplyId", **PRODUCT, **application)
    statuses += [status(call, application)["Status"] for _attempt in range(2)]
    assert statuses == ["CHECK", "CHECK_SUCCESS", "CREATE", "CREATE_SUCCESS"]
    page = call("QueryPageByApplyId", CurrentPage=200, PageSize=50, **application)
    assert [info["DeviceName"] for info in page["ApplyDeviceList"]["ApplyDeviceInfo"]] == names[-50:]
    assert (page["Page"], page["PageCount"], page["PageSize"], page["Total"]) == (200, 200, 50, 10_000)
    last = page["ApplyDeviceList"]["ApplyDeviceInfo"][-1]
    assert last["DeviceSecret"] == platform.admin.device(PRODUCT_KEY, names[-1])["device_secret"]
    assert call("QueryDevice", **PRODUCT)["Total"] == 10_001
    log = platform.admin.requests()
    assert len(log) == 8
    assert (log[0]["action"], log[0]["names"]) == ("BatchCheckDeviceNames", 10_000)


def test_as_many_queries_as_set_find_it_under_way(platform: Emulator, call: Sdk) -> None:
    platform.admin.settings(job_polls=3)
    application = applied(call, NAMES)
    assert [status(call, application)["Status"] for _attempt in range(5)] == ["CHECK"] * 3 + ["CHECK_SUCCESS"] * 2
    platform.admin.settings(job_polls=0)
    call("BatchRegisterDeviceWithApplyId", **PRODUCT, **application)
    assert status(call, application)["Status"] == "CREATE_SUCCESS"


def test_what_is_under_way_survives_a_crash(platform: Emulator, call: Sdk) -> None:
    application = applied(call, NAMES)
    assert status(call, application)["Status"] == "CHECK"
    platform.kill()
    platform.start()
    call = sdks.generic(platform.endpoints, KEY)
    assert status(call, application)["Status"] == "CHECK_SUCCESS"


def test_on_success_the_lists_are_empty(platform: Emulator, call: Sdk) -> None:
    platform.admin.settings(job_polls=0)
    assert status(call, applied(call, NAMES)) == {
        "Status": "CHECK_SUCCESS",
        "ValidList": {"Name": []},
        "InvalidList": {"Name": []},
        "InvalidDetailList": {"invalidDetailList": []},
    }


def test_names_with_nicknames_take_precedence(platform: Emulator, call: Sdk) -> None:
    platform.admin.settings(job_polls=0)
    body = {
        "DeviceName.1": "oven-unheard",
        "DeviceNameList.2.DeviceName": "oven-two",
        "DeviceNameList.10.DeviceName": "oven-ten",
        "DeviceNameList.2.DeviceNickname": "烤箱二",
    }
    application = {"ApplyId": call("BatchCheckDeviceNames", body, **PRODUCT)["Data"]["ApplyId"]}
    assert status(call, application)["Status"] == "CHECK_SUCCESS"
    call("BatchRegisterDeviceWithApplyId", **PRODUCT, **application)
    created = call("QueryPageByApplyId", **application)["ApplyDeviceList"]["ApplyDeviceInfo"]
    assert [info["DeviceName"] for info in created] == ["oven-two", "oven-ten"]
    assert platform.admin.device(PRODUCT_KEY, "oven-two")["nickname"] == "烤箱二"
    assert len(platform.admin.devices(PRODUCT_KEY)) == 3


def test_names_that_are_wrong_are_told_at_once(call: Sdk) -> None:
    answer = check(call, ["abc", "oven-1", "oven/2", "oven-1"])
    assert (answer["Success"], answer["Code"]) == (False, "iot.device.InvalidFormattedDeviceName")
    data = answer["Data"]
    assert data["InvalidDeviceNameList"] == {"InvalidDeviceName": ["abc", "oven/2"]}
    assert data["RepeatedDeviceNameList"] == {"RepeatDevieNameList": ["oven-1"]}
    details = data["InvalidDetailList"]["InvalidDetailList"]
    assert [detail["DeviceName"] for detail in details] == ["abc", "oven/2", "oven-1"]
    assert set(details[0]) == {"DeviceName", "NickName", "ErrorMsg"}
    assert check(call, ["oven-1", "oven-1"])["Code"] == "iot.device.AlreadyExistedDeviceName"


def test_how_many_names(call: Sdk) -> None:
    assert check(call, [])["Code"] == "iot.device.NoneDeviceNameElement"
    too_many = [f"oven-{number}" for number in range(10_001)]
    assert check(call, too_many)["Code"] == "iot.device.DeviceCountExceeded"


def test_names_that_are_taken_fail_the_check(platform: Emulator, call: Sdk) -> None:
    platform.admin.settings(job_polls=0)
    application = applied(call, ["oven-1", GATEWAY])
    data = status(call, application)
    assert (data["Status"], data["ValidList"], data["InvalidList"]) == (
        "CHECK_FAILED",
        {"Name": ["oven-1"]},
        {"Name": [GATEWAY]},
    )
    (detail,) = data["InvalidDetailList"]["invalidDetailList"]
    assert (detail["DeviceName"], detail["ErrorMsg"]) == (GATEWAY, "The device name already exists.")
    answer = call("BatchRegisterDeviceWithApplyId", **PRODUCT, **application)
    assert answer["Code"] == "iot.device.IncorrentDeviceApplyInfo"


def test_a_name_taken_between_check_and_creation_fails_alone(platform: Emulator, call: Sdk) -> None:
    application = applied(call, NAMES)
    assert [status(call, application)["Status"] for _attempt in range(2)] == ["CHECK", "CHECK_SUCCESS"]
    taken = platform.admin.put_device(PRODUCT_KEY, NAMES[0])
    call("BatchRegisterDeviceWithApplyId", **PRODUCT, **application)
    status(call, application)
    data = status(call, application)
    assert (data["Status"], data["InvalidList"]["Name"]) == ("CREATE_FAILED", NAMES[:1])
    assert data["ValidList"]["Name"] == NAMES[1:]
    assert platform.admin.device(PRODUCT_KEY, NAMES[0])["device_secret"] == taken["device_secret"]
    assert call("QueryPageByApplyId", **application)["Total"] == 4


@pytest.mark.parametrize(
    ("action", "fault", "failed", "created"),
    [
        ("BatchCheckDeviceNames", {"fail_names": ["oven-2"]}, ["oven-2"], None),
        ("BatchRegisterDeviceWithApplyId", {"fail_names": ["oven-0", "oven-3"]}, ["oven-0", "oven-3"], 3),
        ("BatchRegisterDeviceWithApplyId", {"fail_after": 2}, ["oven-2", "oven-3", "oven-4"], 2),
    ],
)
def test_some_names_fail_on_demand(
    platform: Emulator, call: Sdk, action: str, fault: dict[str, Any], failed: list[str], created: int | None
) -> None:
    platform.admin.settings(job_polls=0)
    platform.admin.fault(action, **fault)
    application = applied(call, NAMES)
    if created is not None:
        assert status(call, application)["Status"] == "CHECK_SUCCESS"
        call("BatchRegisterDeviceWithApplyId", **PRODUCT, **application)
    data = status(call, application)
    assert data["Status"] == ("CHECK_FAILED" if created is None else "CREATE_FAILED")
    assert data["InvalidList"]["Name"] == failed
    assert len(platform.admin.devices(PRODUCT_KEY)) == 1 + (created or 0)
    assert call("QueryPageByApplyId", **application)["Total"] == (created or 0)


def test_an_application_is_registered_once_and_only_after_its_check(call: Sdk) -> None:
    application = applied(call, NAMES)

    def register() -> dict[str, Any]:
        return call("BatchRegisterDeviceWithApplyId", **PRODUCT, **application)

    assert register()["Code"] == "iot.device.IncorrentDeviceApplyInfo"
    assert [status(call, application)["Status"] for _attempt in range(2)] == ["CHECK", "CHECK_SUCCESS"]
    assert register()["Data"] == application
    assert register()["Code"] == "iot.device.CreateDeviceTaskIsRunning"
    assert [status(call, application)["Status"] for _attempt in range(2)] == ["CREATE", "CREATE_SUCCESS"]
    assert register()["Code"] == "iot.device.IncorrentDeviceApplyInfo"


def test_applications_that_do_not_exist(platform: Emulator, call: Sdk) -> None:
    for action in ("BatchRegisterDeviceWithApplyId", "QueryBatchRegisterDeviceStatus", "QueryPageByApplyId"):
        assert call(action, **PRODUCT, ApplyId=999_999)["Code"] == "iot.device.DeviceApplyIsNotFound"
        with pytest.raises(Denied, match="InvalidApplyId"):
            call(action, **PRODUCT, ApplyId="x")


def test_an_application_is_that_of_its_product(platform: Emulator, call: Sdk) -> None:
    platform.admin.put_product("a1Another01")
    application = applied(call, NAMES)
    for action in ("QueryBatchRegisterDeviceStatus", "BatchRegisterDeviceWithApplyId"):
        other = call(action, ProductKey="a1Another01", **application)
        assert other["Code"] == "iot.device.DeviceApplyIsNotFound"
        with pytest.raises(Denied, match="MissingProductKey"):
            call(action, **application)
    assert [status(call, application)["Status"] for _attempt in range(2)] == ["CHECK", "CHECK_SUCCESS"]


@pytest.mark.parametrize("again", [False, True])
def test_an_application_ends_with_its_product(platform: Emulator, call: Sdk, again: bool) -> None:
    platform.admin.settings(job_polls=0)
    checked, random = applied(call, NAMES), call("BatchRegisterDevice", **PRODUCT, Count=3)["Data"]
    assert status(call, checked)["Status"] == "CHECK_SUCCESS"
    call("BatchRegisterDeviceWithApplyId", **PRODUCT, **checked)
    call("DeleteProduct", **PRODUCT)
    if again:
        platform.admin.put_product(PRODUCT_KEY)
    for application in (checked, random):
        answers = [call("QueryPageByApplyId", ApplyId=application["ApplyId"]) for _attempt in range(2)]
        assert [answer.get("Code") for answer in answers] == ["iot.device.DeviceApplyIsNotFound"] * 2


def test_random_names(platform: Emulator, call: Sdk) -> None:
    application = {"ApplyId": call("BatchRegisterDevice", **PRODUCT, Count=3)["Data"]["ApplyId"]}
    assert [status(call, application)["Status"] for _attempt in range(2)] == ["CREATE", "CREATE_SUCCESS"]
    created = call("QueryPageByApplyId", **application)["ApplyDeviceList"]["ApplyDeviceInfo"]
    assert len({info["DeviceName"] for info in created}) == 3
    assert call("BatchRegisterDevice", **PRODUCT, Count=10_001)["Code"] == "iot.device.DeviceCountExceeded"
    with pytest.raises(Denied, match="InvalidCount"):
        call("BatchRegisterDevice", **PRODUCT, Count=0)


def test_many_devices_in_the_sdks_own_words(platform: Emulator) -> None:
    """Both SDKs can send 10,000 names as a form."""
    names = [f"oven-{number:05}" for number in range(10_000)]
    for sdk in (sdks.tea, sdks.core):
        answer = sdk(platform.endpoints, KEY)("BatchCheckDeviceNames", ProductKey=PRODUCT_KEY, DeviceName=names)
        assert answer["Success"] is True
    assert [entry["names"] for entry in platform.admin.requests()] == [10_000] * 2
