# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Query and change products. For the controller. PRIVATE to the collection.

The platform's answers contain the ProductSecret in clear text. Only :func:`product_secret` returns it; nothing else of this module does.
"""

from __future__ import annotations

import re
import typing as t
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    InvalidOption,
    NotFound,
    OpenApiRefused,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import (
    LONGEST_TEXT,
    TIME,
    OpenApiAnswer,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import check_total
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_product_key
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean

PAGE_SIZE = 200
# What the platform writes into its fields; a time is a number of milliseconds, or a text.
PRODUCT_KEY = "[A-Za-z0-9]{1,32}"
NODE_TYPES = ("device", "gateway")
NET_TYPES = ("wifi", "cellular", "ethernet", "other")
DATA_FORMATS = ("custom", "alink")
PRODUCT_NAME = re.compile(r"[\w@()-]+")
LONGEST_DESCRIPTION = 100

# The one setting that the OpenAPI can neither read nor change.
DYNAMIC_REGISTRATION = {
    "known": False,
    "hint": "The OpenAPI neither reports nor changes whether Dynamic Registration is switched on. Switch it on in the console: "
    "Devices > Products > the product's Product Details page > Dynamic Registration, confirmed by a text message. "
    "It is off for a new product, whose registrations are refused with 6288 until it is switched on.",
}


@dataclass(frozen=True)
class Product:
    """One product, without its secret. ``created`` is a time in milliseconds, as the platform has it. What the platform does not report
    is empty or None.
    """

    product_key: str
    product_name: str
    node_type: str
    authentication: str
    description: str
    device_count: int | None
    created: int | None

    def as_result(self) -> dict[str, t.Any]:
        return asdict(self)


@dataclass(frozen=True)
class ProductOutcome:
    """The outcome for a product: the reason for the change, and the product before and after; None if it does not exist."""

    reason: str
    before: Product | None
    after: Product | None

    def as_result(self) -> dict[str, t.Any]:
        product = self.after or self.before
        return {
            "changed": self.reason != "up_to_date",
            "reason": self.reason,
            "product_key": product.product_key if product else None,
            "product": self.after.as_result() if self.after else None,
            "dynamic_registration": DYNAMIC_REGISTRATION,
            "diff": {
                "before": self.before.as_result() if self.before else {},
                "after": self.after.as_result() if self.after else {},
            },
        }


def product_of_key(api: OpenApi, product_key: str) -> Product:
    """Return the product with this key.

    :raises NotFound: there is none
    """
    return _product(_query(api, product_key))


def product_secret(api: OpenApi, product_key: str) -> str:
    """Return the ProductSecret that registrations of the product are signed with. Keep it out of results.

    :raises NotFound: there is no such product
    :raises BadAnswer: the answer has no ProductSecret, or an invalid one
    """
    data = _query(api, product_key)
    secret = data.matching("ProductSecret", "[!-~]{0,64}")
    if not secret:
        raise data.wrong("ProductSecret", "is missing")
    return secret


def _query(api: OpenApi, product_key: str) -> OpenApiAnswer:
    data = api.call("QueryProduct", {"ProductKey": check_product_key(product_key)}).inner("Data")
    if data.matching("ProductKey", PRODUCT_KEY) != product_key:
        raise data.wrong("ProductKey", "is that of another product")
    return data


def products(api: OpenApi) -> t.Iterator[Product]:
    """Yield every product of the account, in this instance. A page without new products is the last one.

    :raises BadAnswer: the number of all is missing or less than the products, so that the list would be cut
    """
    seen: set[str] = set()
    page, total = 1, 0
    while True:
        asked = {"CurrentPage": page, "PageSize": PAGE_SIZE}
        data = api.call("QueryProductList", asked, depth=page * PAGE_SIZE).inner("Data")
        total = max(total, data.count("Total"))
        items = map(_product, data.inner("List").objects("ProductInfo", PAGE_SIZE))
        new = {product.product_key: product for product in items if product.product_key not in seen}
        seen.update(new)
        check_total(data, total, len(seen))
        yield from new.values()
        if not new or page * PAGE_SIZE >= total:
            return
        page += 1


def find_products(api: OpenApi, product_key: str | None, product_name: str | None) -> list[Product]:
    """Return the product of that key, or of that name, or all if both are None; an empty list where there is none.

    :raises InvalidOption: the key cannot be one
    """
    if product_key is not None:
        try:
            return [product_of_key(api, product_key)]
        except NotFound:
            return []
    wanted = None if product_name is None else product_name.strip()
    return [product for product in products(api) if wanted in (None, product.product_name)]


def ensure_product(api: OpenApi, options: t.Mapping[str, t.Any], check_mode: bool) -> ProductOutcome:
    """Ensure that one product is as in ``options``.

    :param options: as in ``product_spec()``
    :raises FleetopsError: a text is one that the platform refuses, it refused, or the product cannot be changed so
    """
    # YAML ends a text after > or | with a line feed.
    texts = {name: options[name].strip() for name in ("product_name", "description") if options[name] is not None}
    options = {**options, **texts}
    name = options["product_name"]
    # Without a key and a name, any product of the account would be the one.
    if name == "" or (name is None and options["product_key"] is None):
        raise InvalidOption("product_name", None, "is empty", "Set it, or set product_key to the key of a product")
    found = next(iter(find_products(api, options["product_key"], options["product_name"])), None)
    if options["state"] == "absent":
        return _remove(api, found, options, check_mode)
    if found is None:
        return _create(api, options, check_mode)
    wanted = decide(found, options)
    if wanted == found:
        return ProductOutcome("up_to_date", found, found)
    _check_texts({name: text for name, text in texts.items() if getattr(wanted, name) != getattr(found, name)})
    if not check_mode:
        texts = {"product_name": found.product_name, "description": found.description, **texts}
        described = {"ProductName": texts["product_name"], "Description": texts["description"]}
        api.call("UpdateProduct", {"ProductKey": found.product_key, **described})
    return ProductOutcome("changed", found, wanted)


def _check_texts(texts: t.Mapping[str, str]) -> None:
    """Check the texts that are to be sent against the documented limits of the platform.

    :raises InvalidOption: one is too short, too long, or has a character that is not allowed
    """
    name, description = texts.get("product_name"), texts.get("description", "")
    if name is not None and not (PRODUCT_NAME.fullmatch(name) and 4 <= _width(name) <= 30):
        raise InvalidOption(
            "product_name",
            name,
            "cannot be the name of a product",
            "Use 4 to 30 letters, digits, parentheses and _ - @; a letter that is not ASCII counts as two",
        )
    if re.search("[\ud800-\udfff]", description):  # no UTF-8 has them
        hint = "Check the encoding of the file or of the command line that it comes from; it must be UTF-8"
        raise InvalidOption("description", None, "is not valid Unicode", hint)
    if len(description) > LONGEST_DESCRIPTION:
        problem = "has %d characters" % len(description)
        raise InvalidOption("description", None, problem, "Use up to %d" % LONGEST_DESCRIPTION)


def _width(text: str) -> int:
    return sum(1 if character.isascii() else 2 for character in text)


def decide(found: Product, options: t.Mapping[str, t.Any]) -> Product:
    """Return the product with the changes in ``options``; fields that are not set stay. Texts are as they are read from the platform.

    :raises FleetopsError: of kind immutable: a field that cannot be changed differs
    """
    for name in ("node_type", "authentication"):
        if options[name] and getattr(found, name) not in ("", options[name]):
            raise FleetopsError(
                "product %s: %s is %s and cannot be changed to %s"
                % (found.product_key, name, getattr(found, name), options[name]),
                hint="Create another product",
                kind="immutable",
            )
    mutable = [name for name in ("product_name", "description") if options[name] is not None]
    wanted: dict[str, t.Any] = {name: _as_read(options[name]) for name in mutable}
    return replace(found, **wanted)


def _as_read(text: str) -> str:
    """Return a text as it is read from the platform once it is there."""
    return clean(text.strip(), LONGEST_TEXT)


def _create(api: OpenApi, options: t.Mapping[str, t.Any], check_mode: bool) -> ProductOutcome:
    if options["product_key"]:
        raise InvalidOption(
            "product_key",
            options["product_key"],
            "is not the key of a product",
            "Check product_key, region and instance_id. To create a product, leave product_key out, since the platform chooses the key",
        )
    if options["node_type"] is None:
        raise InvalidOption(
            "node_type",
            None,
            "is missing",
            "Set it to gateway or device, for a new product; it cannot be changed later",
        )
    if options["data_format"] and not options["net_type"]:
        raise InvalidOption("net_type", None, "is missing", "data_format requires it. Set it, or leave data_format out")
    _check_texts({name: options[name] for name in ("product_name", "description") if options[name] is not None})
    wanted = Product(
        product_key="",
        product_name=options["product_name"],
        node_type=options["node_type"],
        authentication=options["authentication"] or "secret",
        description=_as_read(options["description"] or ""),
        device_count=0,
        created=None,
    )
    if check_mode:
        return ProductOutcome("missing", None, wanted)
    parameters: dict[str, str | int] = {
        "ProductName": wanted.product_name,
        "NodeType": NODE_TYPES.index(wanted.node_type),
        "AuthType": wanted.authentication,
    }
    if options["description"]:
        parameters["Description"] = options["description"]
    if options["net_type"]:
        parameters["NetType"] = options["net_type"].upper()
    if options["data_format"]:
        parameters["AliyunCommodityCode"] = "iothub_senior"
        parameters["DataFormat"] = DATA_FORMATS.index(options["data_format"])
    try:
        answer = api.call("CreateProduct", parameters)
    except OpenApiRefused as refusal:
        # The answer to an earlier request may have been lost.
        found = find_products(api, None, wanted.product_name) if "AlreadyExisted" in str(refusal.code) else []
        if not found or decide(found[0], options) != found[0]:
            raise
        return ProductOutcome("missing", None, found[0])
    after = replace(wanted, product_key=_key_of(answer))
    # Its key must not be lost if it cannot be read yet.
    with suppress(FleetopsError):
        after = product_of_key(api, after.product_key)
    return ProductOutcome("missing", None, after)


def _key_of(answer: OpenApiAnswer) -> str:
    holder = answer if "ProductKey" in answer else answer.inner("Data")
    return holder.matching("ProductKey", PRODUCT_KEY)


def _remove(api: OpenApi, found: Product | None, options: t.Mapping[str, t.Any], check_mode: bool) -> ProductOutcome:
    if found is None:
        return ProductOutcome("up_to_date", None, None)
    _check_meant(found, options)
    if found.device_count is None:
        raise BadAnswer(
            "product %s (%s): the platform does not report how many devices would be deleted with it"
            % (found.product_key, found.product_name),
            hint="Nothing was changed. Delete it in the console",
        )
    if found.device_count:
        raise FleetopsError(
            "product %s (%s): has %d devices, which would be deleted with it"
            % (found.product_key, found.product_name, found.device_count),
            hint="Remove them first, with fleetops.aliyun_iot.devices",
            kind="has_devices",
        )
    if not check_mode:
        with suppress(NotFound):  # the answer to an earlier request was lost
            api.call("DeleteProduct", {"ProductKey": found.product_key})
    return ProductOutcome("exists", found, None)


def _check_meant(found: Product, options: t.Mapping[str, t.Any]) -> None:
    """Check that a product to be deleted is the one that the options describe, since its key and its secret are lost with it.

    :raises InvalidOption: an option contradicts the product
    """
    name = options["product_name"]
    wrong = [("product_name", found.product_name)] if name is not None and _as_read(name) != found.product_name else []
    for option in ("node_type", "authentication"):
        if options[option] and getattr(found, option) not in ("", options[option]):
            wrong.append((option, getattr(found, option)))
    for option, has in wrong:
        problem = "is not that of the product %s, which is %r" % (found.product_key, has)
        hint = "Nothing was changed. Check product_key, or leave %s out" % option
        raise InvalidOption(option, options[option], problem, hint)


def _product(item: OpenApiAnswer) -> Product:
    node_type = item.matching("NodeType", "[01]?")
    created = item.matching("GmtCreate", TIME)
    return Product(
        product_key=item.matching("ProductKey", PRODUCT_KEY),
        product_name=item.text("ProductName"),
        node_type=NODE_TYPES[int(node_type)] if node_type else "",
        authentication=item.matching("AuthType", "[a-z0-9_]{0,32}"),
        description=item.text("Description"),
        device_count=item.number("DeviceCount") if "DeviceCount" in item else None,
        created=int(created) if created.isdecimal() else None,
    )
