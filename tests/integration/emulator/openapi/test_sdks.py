# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor's Python SDKs: every action, and the refusal of a wrong secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sdks
from account import GATEWAY, GATEWAY_NAME, KEY, PRODUCT_KEY, TEMPORARY_KEY, Key
from alibabacloud_iot20180120 import models
from emulator import Emulator
from platform_emulator.openapi.quotas import QPS
from sdks import Denied, Sdk

SDKS: dict[str, Callable[[Any, Key], Sdk]] = {
    "tea-v3": sdks.tea,
    "tea-v1": lambda endpoints, key: sdks.tea(endpoints, key, "v2"),
    "core-v1": sdks.core,
}

# The parameters that each action requires.
CALLS: dict[str, dict[str, object]] = {
    "BatchCheckDeviceNames": {"ProductKey": PRODUCT_KEY, "DeviceName": ["OvenDevice02", "oven:03@a.b"]},
    "BatchGetDeviceState": {"ProductKey": PRODUCT_KEY, "DeviceName": [GATEWAY]},
    "BatchQueryDeviceDetail": {"ProductKey": PRODUCT_KEY, "DeviceName": [GATEWAY]},
    "BatchRegisterDevice": {"ProductKey": PRODUCT_KEY, "Count": 2},
    "BatchRegisterDeviceWithApplyId": {"ProductKey": PRODUCT_KEY, "ApplyId": 1},
    "CreateProduct": {"ProductName": "Fridges", "NodeType": 1},
    "DeleteDevice": GATEWAY_NAME,
    "DeleteProduct": {"ProductKey": PRODUCT_KEY},
    "DisableThing": GATEWAY_NAME,
    "EnableThing": GATEWAY_NAME,
    "GetDeviceStatus": GATEWAY_NAME,
    "GetThingTopo": {**GATEWAY_NAME, "PageNo": 1, "PageSize": 50},
    "QueryBatchRegisterDeviceStatus": {"ProductKey": PRODUCT_KEY, "ApplyId": 1},
    "QueryDevice": {"ProductKey": PRODUCT_KEY},
    "QueryDeviceByStatus": {"ProductKey": PRODUCT_KEY, "Status": 0, "CurrentPage": 1, "PageSize": 50},
    "QueryDeviceDetail": GATEWAY_NAME,
    "QueryJob": {"JobId": "0123456789abcdef"},
    "QueryPageByApplyId": {"ApplyId": 1, "CurrentPage": 1, "PageSize": 50},
    "QueryProduct": {"ProductKey": PRODUCT_KEY},
    "QueryProductList": {"CurrentPage": 1, "PageSize": 200},
    "RegisterDevice": {"ProductKey": PRODUCT_KEY, "DeviceName": "oven-01_a@b.c:1", "Nickname": "烤箱 A+B/*~'(!)="},
    "ResetThing": GATEWAY_NAME,
    "UpdateProduct": {"ProductKey": PRODUCT_KEY, "ProductName": "烤箱_1"},
}


@pytest.fixture(params=SDKS)
def sdk(request: pytest.FixtureRequest) -> Callable[[Any, Key], Sdk]:
    return SDKS[request.param]


def test_every_action_has_its_call() -> None:
    assert set(CALLS) == set(QPS)


@pytest.mark.parametrize("action", CALLS)
def test_every_sdk_is_answered_in_fields_that_it_knows(
    platform: Emulator, sdk: Callable[[Any, Key], Sdk], action: str
) -> None:
    platform.admin.settings(job_polls=0)
    call = sdk(platform.endpoints, KEY)
    parameters = {**CALLS[action], **_prepared(platform, call, action)}
    answer = call(action, **parameters)
    assert answer["Success"] is True, answer
    known = getattr(models, f"{action}ResponseBody")().from_map(answer)
    assert known.to_map() == answer
    assert {entry["code"] for entry in platform.admin.requests(action=action)} == {None}


def _prepared(platform: Emulator, call: Sdk, action: str) -> dict[str, object]:
    """Prepare an action and return the parameters that only another call returns: the ApplyId or the JobId."""
    if action in ("BatchRegisterDeviceWithApplyId", "QueryBatchRegisterDeviceStatus", "QueryPageByApplyId"):
        names = {"ProductKey": PRODUCT_KEY, "DeviceName": ["OvenDevice02", "OvenDevice03"]}
        application = {"ApplyId": call("BatchCheckDeviceNames", **names)["Data"]["ApplyId"]}
        call("QueryBatchRegisterDeviceStatus", ProductKey=PRODUCT_KEY, **application)
        return application
    if action == "QueryJob":
        platform.admin.put_device(*GATEWAY_NAME.values(), sub_devices=[f"sub-{number}" for number in range(2001)])
        return {"JobId": call("ResetThing", **GATEWAY_NAME)["JobId"]}
    return {}


@pytest.mark.parametrize("action", CALLS)
def test_every_sdk_is_refused_with_a_wrong_secret(
    platform: Emulator, sdk: Callable[[Any, Key], Sdk], action: str
) -> None:
    before = platform.admin.devices(PRODUCT_KEY)
    with pytest.raises(Denied) as denied:
        sdk(platform.endpoints, Key(KEY.id, "another0Secret"))(action, **CALLS[action])
    # sdk-core finds its own string to sign in the message, and concludes that the secret is wrong.
    assert (denied.value.http_status, denied.value.code) in [
        (400, "SignatureDoesNotMatch"),
        (400, "InvalidAccessKeySecret"),
    ]
    (entry,) = platform.admin.requests()
    assert (entry["action"], entry["http_status"], entry["code"]) == (action, 400, "SignatureDoesNotMatch")
    assert platform.admin.devices(PRODUCT_KEY) == before
    assert [product["product_name"] for product in platform.admin.products()] == ["Ovens"]


def test_sdk_core_sees_that_it_is_the_secret_and_not_the_signing(platform: Emulator) -> None:
    with pytest.raises(Denied, match="InvalidAccessKeySecret"):
        sdks.core(platform.endpoints, Key(KEY.id, "another0Secret"))("QueryDevice", ProductKey=PRODUCT_KEY)


def test_every_sdk_may_come_with_a_security_token(platform: Emulator, sdk: Callable[[Any, Key], Sdk]) -> None:
    assert sdk(platform.endpoints, TEMPORARY_KEY)("QueryDevice", ProductKey=PRODUCT_KEY)["Total"] == 1


def test_a_life_as_every_sdk_sees_it(platform: Emulator, sdk: Callable[[Any, Key], Sdk]) -> None:
    call = sdk(platform.endpoints, KEY)
    created = call("CreateProduct", ProductName="Fridges", NodeType=1)
    product = {"ProductKey": created["ProductKey"]}
    device = {**product, "DeviceName": "fridge:01@a.b"}
    registered = call("RegisterDevice", **device)["Data"]
    assert call("QueryDeviceDetail", **device)["Data"]["DeviceSecret"] == registered["DeviceSecret"]
    platform.admin.activate(*device.values())
    assert call("GetDeviceStatus", IotId=registered["IotId"])["Data"]["Status"] == "OFFLINE"
    call("DisableThing", **device)
    assert call("QueryDevice", **product)["Data"]["DeviceInfo"][0]["DeviceStatus"] == "DISABLE"
    call("EnableThing", **device)
    call("ResetThing", **device)
    assert call("GetDeviceStatus", **device)["Data"]["Status"] == "OFFLINE", "a reset leaves the activation"
    assert platform.admin.device(*device.values())["registration"] == "unregistered"
    call("DeleteDevice", **device)
    assert call("GetDeviceStatus", **device)["Code"] == "iot.device.NotExistedDevice"
    call("DeleteProduct", **product)
    assert call("QueryProduct", **product)["Code"] == "iot.prod.NotExistedProduct"
