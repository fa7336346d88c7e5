# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions on products."""

from __future__ import annotations

import pytest
from account import GATEWAY, PRODUCT_KEY
from emulator import Emulator
from sdks import Denied, Sdk


def test_a_product_is_created_with_dynamic_registration_off(platform: Emulator, call: Sdk) -> None:
    answer = call("CreateProduct", ProductName="Fridges_1", NodeType=1, Description="all of them")
    data = answer["Data"]
    assert answer["ProductKey"] == data["ProductKey"]
    assert (data["ProductName"], data["NodeType"], data["AliyunCommodityCode"]) == ("Fridges_1", 1, "iothub")
    product = next(each for each in platform.admin.products() if each["product_key"] == data["ProductKey"])
    assert product["product_secret"] == data["ProductSecret"]
    assert product["dynamic_registration"] is False
    assert "dynamic" not in str(call("QueryProduct", ProductKey=data["ProductKey"])).lower()


def test_the_console_switches_dynamic_registration_on(platform: Emulator, call: Sdk) -> None:
    product = call("CreateProduct", ProductName="Fridges", NodeType=0)["Data"]
    assert platform.admin.patch_product(product["ProductKey"], dynamic_registration=True)["dynamic_registration"]
    call("UpdateProduct", ProductKey=product["ProductKey"], ProductName="Freezers")
    (changed,) = (each for each in platform.admin.products() if each["product_name"] == "Freezers")
    assert changed["dynamic_registration"] is True


def test_a_product_with_a_model_says_its_data_format(call: Sdk) -> None:
    model = {"AliyunCommodityCode": "iothub_senior", "NodeType": 0, "NetType": "WIFI"}
    key = call("CreateProduct", ProductName="Fridges", DataFormat=1, **model)["ProductKey"]
    data = call("QueryProduct", ProductKey=key)["Data"]
    assert (data["AliyunCommodityCode"], data["DataFormat"], data["NetType"]) == ("iothub_senior", 1, 3)
    with pytest.raises(Denied, match="MissingDataFormat"):
        call("CreateProduct", ProductName="Freezers", **model)
    with pytest.raises(Denied, match="InvalidDataFormat"):
        call("CreateProduct", ProductName="Freezers", DataFormat=2, **model)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ProductName": "abc"}, "iot.prod.InvalidFormattedProductName"),
        ({"ProductName": "a" * 31}, "iot.prod.InvalidFormattedProductName"),
        ({"ProductName": "烤" * 16}, "iot.prod.InvalidFormattedProductName"),
        ({"ProductName": "Ovens/1"}, "iot.prod.InvalidFormattedProductName"),
        ({"ProductName": "Ovens"}, "iot.prod.AlreadyExistedProductName"),
        ({"NodeType": 2}, "iot.prod.InvalidNodeType"),
        ({"Description": "x" * 101}, "iot.prod.LongProductDesc"),
    ],
)
def test_products_that_cannot_be_created(platform: Emulator, call: Sdk, changes: dict[str, object], code: str) -> None:
    assert call("CreateProduct", **{"ProductName": "Fridges", "NodeType": 1, **changes})["Code"] == code
    assert len(platform.admin.products()) == 1


def test_a_validation_of_an_unknown_kind(platform: Emulator, call: Sdk) -> None:
    for kind in (0, 3, 9, "x"):
        with pytest.raises(Denied, match="InvalidValidateType"):
            call("CreateProduct", ProductName="Fridges", NodeType=1, ValidateType=kind)
    assert len(platform.admin.products()) == 1
    for kind in (1, 2):
        assert call("CreateProduct", ProductName=f"Fridges{kind}", NodeType=1, ValidateType=kind)["Success"] is True


@pytest.mark.parametrize("name", ["烤箱", "烤" * 15, "Oven", "a" * 30])
def test_a_character_beyond_ascii_counts_twice(call: Sdk, name: str) -> None:
    assert call("CreateProduct", ProductName=name, NodeType=1)["Success"] is True


def test_an_update_changes_name_and_description_only(platform: Emulator, call: Sdk) -> None:
    (before,) = platform.admin.products()
    call("UpdateProduct", ProductKey=PRODUCT_KEY, ProductName="Ovens", Description="hot")
    call("UpdateProduct", ProductKey=PRODUCT_KEY, ProductName="Stoves", NodeType=0)
    (after,) = platform.admin.products()
    assert after == {**before, "product_name": "Stoves", "description": "hot"}


def test_products_are_listed_page_by_page_the_newest_first(call: Sdk) -> None:
    for number in range(4):
        call("CreateProduct", ProductName=f"Fridges_{number}", NodeType=0)
    data = call("QueryProductList", CurrentPage=2, PageSize=2)["Data"]
    assert [info["ProductName"] for info in data["List"]["ProductInfo"]] == ["Fridges_1", "Fridges_0"]
    assert (data["CurrentPage"], data["PageSize"], data["PageCount"], data["Total"]) == (2, 2, 3, 5)
    last = call("QueryProductList", CurrentPage=3, PageSize=2)["Data"]["List"]["ProductInfo"]
    assert [(info["ProductName"], info["DeviceCount"]) for info in last] == [("Ovens", 1)]
    assert (
        call("QueryProductList", CurrentPage=1, PageSize=200, AliyunCommodityCode="iothub_senior")["Data"]["Total"] == 0
    )
    for page in ({"CurrentPage": 0, "PageSize": 2}, {"CurrentPage": 1, "PageSize": 201}):
        assert call("QueryProductList", **page)["Code"] == "iot.common.InvalidPageParams"


def test_deleting_a_product_deletes_its_devices(platform: Emulator, call: Sdk) -> None:
    assert call("DeleteProduct", ProductKey=PRODUCT_KEY)["Success"] is True
    assert platform.admin.products() == []
    assert call("GetDeviceStatus", ProductKey=PRODUCT_KEY, DeviceName=GATEWAY)["Code"] == "iot.device.NotExistedDevice"
