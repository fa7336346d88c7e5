# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions on products."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from platform_emulator.openapi import pages, times
from platform_emulator.openapi.call import Call
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal, invalid, missing
from platform_emulator.products import Product, new_product_key

NODE_TYPES = ("device", "gateway")
NET_TYPES = {"": 0, "WIFI": 3, "CELLULAR": 6, "ETHERNET": 7, "OTHER": 8}


def create_product(call: Call) -> Mapping[str, object]:
    """Create a product with dynamic registration off, which only the console can switch on."""
    _check_authentication(call)
    product = Product(
        new_product_key(),
        product_name=_product_name(call),
        node_type=_node_type(call),
        dynamic_registration=False,
        description=_description(call),
        net_type=_net_type(call),
        data_format=_data_format(call),
    )
    call.store.save_product(product)
    return {"ProductKey": product.product_key, "Data": _created(product)}


def update_product(call: Call) -> Mapping[str, object]:
    product = call.product()
    name = _product_name(call, product.product_key)
    description = _description(call) if "Description" in call.parameters else product.description
    call.store.save_product(replace(product, product_name=name, description=description))
    return {}


def query_product(call: Call) -> Mapping[str, object]:
    """Return a product; the answer does not show whether dynamic registration is on."""
    product = call.product()
    details = {
        "DeviceCount": _device_count(call, product),
        "GmtCreate": times.milliseconds(product.gmt_create),
        "Owner": True,
        "ProductStatus": "DEVELOPMENT_STATUS",
        "ValidateType": 1,
        "NetType": NET_TYPES[product.net_type],
    }
    return {"Data": {**_created(product), **details}}


def query_product_list(call: Call) -> Mapping[str, object]:
    """Return the products, the newest first."""
    page = pages.asked(call, 200)
    kind = call.text("AliyunCommodityCode")
    products = [product for product in reversed(call.store.products()) if kind in ("", _commodity_code(product))]
    return {
        "Data": {
            "CurrentPage": page.number,
            "PageSize": page.size,
            "PageCount": page.count(len(products)),
            "Total": len(products),
            "List": {"ProductInfo": [_info(call, product) for product in products[page.offset :][: page.size]]},
        }
    }


def delete_product(call: Call) -> Mapping[str, object]:
    """Delete a product, and its devices too ("the related information about the product is also deleted")."""
    call.store.delete_product(call.product().product_key)
    return {}


def _created(product: Product) -> dict[str, object]:
    return {
        "ProductKey": product.product_key,
        "ProductSecret": product.product_secret,
        "ProductName": product.product_name,
        "Description": product.description,
        "NodeType": NODE_TYPES.index(product.node_type),
        "AliyunCommodityCode": _commodity_code(product),
        "AuthType": "secret",
        "Id2": False,
        **_tsl(product),
    }


def _info(call: Call, product: Product) -> dict[str, object]:
    return {
        "ProductKey": product.product_key,
        "ProductName": product.product_name,
        "Description": product.description,
        "NodeType": NODE_TYPES.index(product.node_type),
        "AuthType": "secret",
        "DeviceCount": _device_count(call, product),
        "GmtCreate": times.milliseconds(product.gmt_create),
        **_tsl(product),
    }


def _commodity_code(product: Product) -> str:
    return "iothub" if product.data_format is None else "iothub_senior"


def _tsl(product: Product) -> dict[str, object]:
    return {} if product.data_format is None else {"DataFormat": product.data_format}


def _device_count(call: Call, product: Product) -> int:
    row = call.store.row("SELECT count(*) FROM device WHERE product_key = ?", (product.product_key,))
    return int(row[0]) if row else 0


def _product_name(call: Call, own_key: str = "") -> str:
    """Return the name: 4 to 30 characters, of which those beyond ASCII count twice, and not another product's."""
    name = call.need("ProductName")
    if not re.fullmatch(r"[\w@()-]+", name) or not 4 <= width(name) <= 30:
        raise OpenApiRefusal("iot.prod.InvalidFormattedProductName")
    if any(product.product_name == name and product.product_key != own_key for product in call.store.products()):
        raise OpenApiRefusal("iot.prod.AlreadyExistedProductName")
    return name


def width(text: str) -> int:
    return sum(1 if character.isascii() else 2 for character in text)


def _node_type(call: Call) -> str:
    if call.need("NodeType") not in ("0", "1"):
        raise OpenApiRefusal("iot.prod.InvalidNodeType")
    return NODE_TYPES[int(call.need("NodeType"))]


def _description(call: Call) -> str:
    if len(call.text("Description")) > 100:
        raise OpenApiRefusal("iot.prod.LongProductDesc")
    return call.text("Description")


def _net_type(call: Call) -> str:
    if call.text("NetType") not in NET_TYPES:
        raise invalid("NetType")
    return call.text("NetType")


def _check_authentication(call: Call) -> None:
    """Refuse everything but the authentication with secrets, and unknown kinds of validation."""
    if call.text("AuthType") not in ("", "secret"):
        raise invalid("AuthType")
    if call.text("ValidateType") not in ("", "1", "2"):
        raise invalid("ValidateType")


def _data_format(call: Call) -> int | None:
    """Return the data format, which a product with a TSL model requires."""
    match call.text("AliyunCommodityCode"):
        case "" | "iothub":
            return None
        case "iothub_senior" if call.need("DataFormat") in ("0", "1"):
            if not call.text("NetType"):
                raise missing("NetType")
            return int(call.need("DataFormat"))
        case "iothub_senior":
            raise invalid("DataFormat")
        case _:
            raise invalid("AliyunCommodityCode")
