# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that answers of the OpenAPI are checked before use: right answers with wrong fields, and endless lists."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from any_text import CHARACTERS
from hypothesis import given
from hypothesis import strategies as st
from mutations import body_of, mutated, outcome

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BadAnswer, FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import HttpReply
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.batch_add import MOST_CHECKS, Added, add_many
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import (
    Device,
    all_devices,
    device_secrets,
    named_devices,
    sub_devices,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.jobs import finish_job
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import (
    ensure_product,
    find_products,
    product_of_key,
    products,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.quotas import Limiter
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.reset import reset

JSON = Any

KEY, NAME, SECRET = "a1IoKTestP1", "gw-0001", "0123456789abcdef0123456789abcdef"
DEVICE: JSON = {
    "ProductKey": KEY,
    "DeviceName": NAME,
    "IotId": "Q7uOhVRdZRRlDnTLv000100",
    "DeviceSecret": SECRET,
    "Nickname": "by the door",
    "UtcCreate": "2026-11-25T21:18:53.000Z",
}
PRODUCT: JSON = {
    "ProductKey": KEY,
    "ProductName": "Ovens",
    "NodeType": 1,
    "AuthType": "secret",
    "Description": "hot",
    "DeviceCount": 1,
    "GmtCreate": 1764105533000,
}
FAILED: JSON = {
    "Status": "CHECK_FAILED",
    "ValidList": {"Name": []},
    "InvalidList": {"Name": [NAME]},
    "InvalidDetailList": {"invalidDetailList": [{"DeviceName": NAME, "ErrorMsg": "no"}]},
}
REJECTED: JSON = {
    "Success": False,
    "Code": "iot.device.InvalidFormattedDeviceName",
    "ErrorMessage": "no",
    "RequestId": "R1",
    "Data": {
        "InvalidDeviceNameList": {"InvalidDeviceName": [NAME]},
        "RepeatedDeviceNameList": {"RepeatDevieNameList": []},
        "InvalidDetailList": {"InvalidDetailList": [{"DeviceName": NAME, "ErrorMsg": "no"}]},
    },
}


def success(**fields: JSON) -> JSON:
    return {"Success": True, "RequestId": "R1", **fields}


RIGHT: dict[str, JSON] = {
    "BatchCheckDeviceNames": success(Data={"ApplyId": 1}),
    "BatchQueryDeviceDetail": success(Data={"Data": [{**DEVICE, "Status": "OFFLINE", "UtcActive": ""}]}),
    "BatchRegisterDeviceWithApplyId": success(Data={"ApplyId": 1}),
    "CreateProduct": success(ProductKey=KEY, Data={"ProductKey": KEY}),
    "GetThingTopo": success(Data={"Total": 3, "List": {"deviceInfo": []}}),
    "QueryBatchRegisterDeviceStatus": success(Data=FAILED),
    "QueryDevice": success(
        Data={"DeviceInfo": [{**DEVICE, "DeviceStatus": "DISABLE"}]}, Total=120, NextToken="dG9rZW4=", PageCount=3
    ),
    "QueryJob": success(Data={"JobId": "j", "Status": "COMPLETED"}),
    "QueryProduct": success(Data=PRODUCT),
    "QueryProductList": success(Data={"List": {"ProductInfo": [PRODUCT]}, "Total": 500, "CurrentPage": 1}),
    "ResetThing": success(JobId="j"),
}
RESET = {"product_key": KEY, "names": [NAME], "job_timeout": 1, "reset_topology": True, "timeout": 5}
RESET.update({"leases": {}, "fingerprints": {}})
NEW = {"product_key": None, "product_name": "News", "state": "present", "node_type": "gateway"}
NEW.update(dict.fromkeys(("authentication", "description", "net_type", "data_format")))


class Platform:
    """A platform with one answer for each action, however often it is called; ``most`` is no limit of the collection."""

    def __init__(self, answers: dict[str, JSON], most: int = 100) -> None:
        self.answers = answers
        self.calls = 0
        self.most = most

    def __call__(self, action: str, query: dict[str, str], form: dict[str, str]) -> HttpReply:
        self.calls += 1
        assert self.calls <= self.most, "no end"
        answer = self.answers[action]
        return answer if isinstance(answer, HttpReply) else HttpReply(200, body_of(answer))


def api(platform: Platform) -> OpenApi:
    limiter = Limiter(lambda: 0.0, lambda _seconds: None)
    return OpenApi(platform, endpoint="iot.example", retry_time=0, limiter=limiter)


# Each reader of answers, and the actions that it calls.
READERS: dict[str, tuple[Callable[[OpenApi], JSON], list[str]]] = {
    "all devices": (lambda api: all_devices(api, KEY), ["QueryDevice", "BatchQueryDeviceDetail"]),
    "devices by name": (lambda api: named_devices(api, KEY, [NAME]), ["BatchQueryDeviceDetail"]),
    "many by name": (
        lambda api: named_devices(api, KEY, [f"gw-{number:04}" for number in range(101)]),
        ["QueryDevice", "BatchQueryDeviceDetail"],
    ),
    "secrets": (lambda api: device_secrets(api, KEY, [NAME]), ["BatchQueryDeviceDetail"]),
    "sub-devices": (lambda api: sub_devices(api, KEY, NAME), ["GetThingTopo"]),
    "products": (lambda api: list(products(api)), ["QueryProductList"]),
    "a product": (lambda api: product_of_key(api, KEY), ["QueryProduct"]),
    "products by name": (lambda api: find_products(api, None, "Ovens"), ["QueryProductList"]),
    "a new product": (
        lambda api: ensure_product(api, NEW, False),
        ["QueryProductList", "CreateProduct", "QueryProduct"],
    ),
    "a job": (lambda api: finish_job(api, "j", 0), ["QueryJob"]),
    "many added": (
        lambda api: add_many(api, KEY, [NAME, "gw-0002"], 0),
        ["BatchCheckDeviceNames", "QueryBatchRegisterDeviceStatus", "BatchQueryDeviceDetail"],
    ),
    "a reset": (
        lambda api: reset(api, RESET, False),
        ["QueryProduct", "BatchQueryDeviceDetail", "ResetThing", "QueryJob", "GetThingTopo"],
    ),
}


def strings(value: JSON) -> list[str]:
    """Return every text in a result."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    if isinstance(value, (list, tuple)):
        return [text for part in value for text in strings(part)]
    return strings(vars(value)) if hasattr(value, "__dict__") and not isinstance(value, Exception) else []


def check(told: JSON) -> None:
    if isinstance(told, FleetopsError):
        assert told.msg.isprintable()
        assert len(told.msg) < 1500
        json.dumps(told.as_result()).encode("ascii")
        return
    for text in strings(told):
        assert text.isprintable(), text
        assert len(text) < 1500


@pytest.mark.parametrize("name", READERS)
def test_right_answers_are_understood(name: str) -> None:
    read, actions = READERS[name]
    told = outcome(lambda: read(api(Platform({action: RIGHT[action] for action in actions}))))
    if name == "many added":
        assert isinstance(told, FleetopsError), "the platform refuses one name for ever"
    else:
        assert not isinstance(told, FleetopsError), told


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_wrong_fields_are_no_answer(name: str, data: st.DataObject) -> None:
    """Only FleetopsError is raised, and everything that is read can be shown on a terminal and in a result."""
    read, actions = READERS[name]
    answers = {action: RIGHT[action] for action in actions}
    for action in data.draw(st.lists(st.sampled_from(actions), min_size=1, max_size=2, unique=True)):
        right = st.sampled_from([RIGHT[action], REJECTED])
        answers[action] = data.draw(right.flatmap(mutated) if action.startswith("Batch") else mutated(RIGHT[action]))
    check(outcome(lambda: read(api(Platform(answers)))))


@given(
    body=st.binary(max_size=300) | st.text(CHARACTERS).map(str.encode),
    status=st.sampled_from([200, 302, 400, 403, 429, 500]),
)
def test_any_bytes_are_an_error(body: bytes, status: int) -> None:
    told = outcome(lambda: api(Platform({"QueryJob": HttpReply(status, body)})).call("QueryJob", {"JobId": "j"}))
    assert isinstance(told, FleetopsError)
    check(told)


def changed(action: str, path: str, value: JSON) -> dict[str, JSON]:
    """Return the right answers, except for the field at ``path``."""
    answers = copy.deepcopy(RIGHT)
    *outer, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    holder = answers[action]
    for part in outer:
        holder = holder[part]
    holder[last] = value
    return answers


@pytest.mark.parametrize(
    ("name", "action", "path", "value"),
    [
        ("all devices", "QueryDevice", "Total", "x"),
        ("all devices", "QueryDevice", "Total", None),
        ("all devices", "QueryDevice", "Total", -1),
        ("all devices", "QueryDevice", "Total", True),
        ("all devices", "QueryDevice", "Total", 1.5),
        ("all devices", "QueryDevice", "Data", []),
        ("all devices", "QueryDevice", "Data", None),
        ("all devices", "QueryDevice", "Data.DeviceInfo", None),
        ("all devices", "QueryDevice", "Data.DeviceInfo", {}),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0", "x"),
        ("all devices", "QueryDevice", "Data.DeviceInfo", [DEVICE] * 51),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.DeviceName", {}),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.DeviceName", "a b c d"),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.DeviceName", "all{{x}}"),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.DeviceStatus", "ON LINE"),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.DeviceStatus", "x/../y"),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.IotId", "a b"),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.IotId", ["a"]),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.UtcCreate", "{{ x }}"),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.Nickname", {"a": 1}),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.DeviceSecret", "\ud800"),
        ("all devices", "QueryDevice", "Data.DeviceInfo.0.ProductKey", "a1IoKTestP2"),
        ("all devices", "QueryDevice", "NextToken", "a b"),
        ("devices by name", "BatchQueryDeviceDetail", "Data.Data.0.DeviceName", "gw-0002"),
        (
            "devices by name",
            "BatchQueryDeviceDetail",
            "Data.Data",
            [RIGHT["BatchQueryDeviceDetail"]["Data"]["Data"][0]] * 2,
        ),
        ("secrets", "BatchQueryDeviceDetail", "Data.Data.0.DeviceSecret", "$(id)"),
        ("secrets", "BatchQueryDeviceDetail", "Data.Data.0.DeviceSecret", "~root"),
        ("secrets", "BatchQueryDeviceDetail", "Data.Data.0.DeviceSecret", ""),
        ("secrets", "BatchQueryDeviceDetail", "Data.Data.0.DeviceSecret", "a" * 65),
        ("secrets", "BatchQueryDeviceDetail", "Data.Data.0.DeviceSecret", None),
        ("secrets", "BatchQueryDeviceDetail", "Data.Data.0.DeviceName", "gw-0002"),
        ("sub-devices", "GetThingTopo", "Data.Total", "3"),
        ("products", "QueryProductList", "Data.List.ProductInfo.0.NodeType", 2),
        ("products", "QueryProductList", "Data.List.ProductInfo.0.NodeType", [0]),
        ("products", "QueryProductList", "Data.List.ProductInfo.0.NodeType", True),
        ("products", "QueryProductList", "Data.List.ProductInfo.0.ProductKey", "a/b"),
        ("products", "QueryProductList", "Data.List.ProductInfo.0.DeviceCount", "many"),
        ("products", "QueryProductList", "Data.List", "x"),
        ("a product", "QueryProduct", "Data.ProductKey", "a1IoKTestP2"),
        ("a product", "QueryProduct", "Data.ProductKey", None),
        ("a new product", "CreateProduct", "ProductKey", {"x": 1}),
        ("a job", "QueryJob", "Data.Status", ["COMPLETED"]),
        ("many added", "BatchCheckDeviceNames", "Data.ApplyId", None),
        ("many added", "QueryBatchRegisterDeviceStatus", "Data.InvalidList.Name", [{"x": 1}]),
        ("many added", "QueryBatchRegisterDeviceStatus", "Data.InvalidDetailList.invalidDetailList", ["x"]),
    ],
    ids=lambda value: re.sub(r"[^\w.-]+", " ", str(value))[:40],
)
def test_a_wrong_field_is_named(name: str, action: str, path: str, value: JSON) -> None:
    told = outcome(lambda: READERS[name][0](api(Platform(changed(action, path, value)))))
    assert isinstance(told, BadAnswer)
    assert told.msg.startswith(action)
    assert told.hint
    assert SECRET not in str(told)


def test_a_reset_says_of_a_wrong_job_which_device_it_is() -> None:
    told = reset(api(Platform(changed("ResetThing", "JobId", ["j"]))), RESET, False)
    assert [(item.device_name, item.error and item.error.kind) for item in told.items] == [(NAME, "bad_answer")]
    assert told.items[0].changed, "the device is reset all the same"


def test_free_text_is_cut_and_loses_what_a_terminal_obeys() -> None:
    answers = changed("BatchQueryDeviceDetail", "Data.Data.0.Nickname", "\x1b]0;x\x07\u202eby\nthe " + "door" * 1000)
    [device] = all_devices(api(Platform(answers)), KEY).values()
    assert device.nickname.startswith("]0;xby the door")
    assert len(device.nickname) < 210


# Endless lists


@pytest.mark.parametrize("name", ["all devices", "many by name", "products", "products by name"])
def test_a_page_that_brings_nothing_new_is_the_last(name: str) -> None:
    answers = changed("QueryDevice", "Total", 900)  # few enough to be read page by page
    answers["QueryProductList"]["Data"]["Total"] = 10**9
    platform = Platform(answers)
    READERS[name][0](api(platform))
    assert platform.calls <= 4


class PagedPlatform:
    """A platform with 130 devices or 450 products that reports other totals."""

    def __init__(self, totals: JSON) -> None:
        self.totals = totals
        self.calls = 0

    def __call__(self, action: str, query: dict[str, str], form: dict[str, str]) -> HttpReply:
        total = self.totals[self.calls] if isinstance(self.totals, list) else self.totals
        position = {} if total is None else {"Total": total}
        self.calls += 1
        first = (int(query["CurrentPage"]) - 1) * int(query["PageSize"])
        page = range(first, first + int(query["PageSize"]))
        if action == "QueryDevice":
            infos = [{**DEVICE, "DeviceName": f"gw-{n:04}", "DeviceStatus": "ONLINE"} for n in page if n < 130]
            return HttpReply(200, body_of(success(Data={"DeviceInfo": infos}, **position)))
        found = [{**PRODUCT, "ProductKey": f"a1{n}"} for n in page if n < 450]
        return HttpReply(200, body_of(success(Data={"List": {"ProductInfo": found}, **position})))


def reading(platform: Any, name: str) -> JSON:
    api = OpenApi(platform, endpoint="iot.example", retry_time=0, limiter=Limiter(lambda: 0.0, lambda _seconds: None))
    return outcome(lambda: READERS[name][0](api))


@pytest.mark.parametrize("total", [None, 0, 10, 120])
@pytest.mark.parametrize("name", ["all devices", "many by name", "products", "products by name"])
def test_a_list_is_not_cut_by_a_wrong_number(name: str, total: int | None) -> None:
    told = reading(PagedPlatform(total), name)
    assert isinstance(told, BadAnswer)
    assert "the answer's Total is " in told.msg


@pytest.mark.parametrize(("name", "count"), [("all devices", 130), ("products", 450)])
def test_a_number_that_falls_does_not_end_a_list(name: str, count: int) -> None:
    """Devices and products may be removed while the list is read."""
    assert len(reading(PagedPlatform([count, 60, 40]), name)) == count


@pytest.mark.parametrize(
    "answer", [success(Total=0), success(Total=0, Data={}), success(Total=0, Data={"DeviceInfo": []})]
)
def test_an_empty_list_may_be_left_out(answer: JSON) -> None:
    assert all_devices(api(Platform({"QueryDevice": answer})), KEY) == {}


def test_a_list_that_is_left_out_is_not_an_empty_one() -> None:
    told = outcome(lambda: all_devices(api(Platform({"QueryDevice": success(Total=3)})), KEY))
    assert isinstance(told, BadAnswer)


# Fields that a decision to delete or to reset depends on


@pytest.mark.parametrize("topology", [success(), success(Data={}), success(Data={"List": {"deviceInfo": [{}]}})])
def test_a_gateway_whose_sub_devices_are_not_told_is_not_reset(topology: JSON) -> None:
    answers = {**RIGHT, "GetThingTopo": topology}
    del answers["ResetThing"]
    told = outcome(lambda: reset(api(Platform(answers)), {**RESET, "reset_topology": False}, False))
    assert isinstance(told, BadAnswer)
    assert "Total is missing" in told.msg


def test_a_product_whose_devices_are_not_told_is_not_deleted() -> None:
    described = {name: value for name, value in PRODUCT.items() if name != "DeviceCount"}
    platform = api(Platform({"QueryProduct": success(Data=described)}))
    options = {**dict.fromkeys(NEW), "product_key": KEY, "state": "absent"}
    for check in (True, False):
        told = outcome(lambda check=check: ensure_product(platform, options, check))
        assert isinstance(told, BadAnswer)
        assert "how many devices" in told.msg
    assert product_of_key(platform, KEY).as_result()["device_count"] is None


@pytest.mark.parametrize("status", [None, ""])
def test_a_device_whose_status_is_not_told_is_not_reset(status: str | None) -> None:
    """The device may be disabled."""
    answers = {**RIGHT, "BatchQueryDeviceDetail": success(Data={"Data": [{**DEVICE, "Status": status}]})}
    del answers["ResetThing"]
    told = outcome(lambda: reset(api(Platform(answers)), RESET, False))
    assert isinstance(told, BadAnswer)
    assert "Status is missing" in told.msg


# Changes that succeeded


@pytest.mark.parametrize(
    "answer",
    [
        HttpReply(500, body_of({"Code": "X"})),
        {**REJECTED, "Code": "iot.prod.NotExistedProduct"},
        success(Data={**PRODUCT, "ProductKey": "a1IoKTestP2"}),
    ],
    ids=["error", "not yet there", "another one"],
)
def test_a_new_product_that_cannot_be_read_keeps_its_key(answer: JSON) -> None:
    nothing = success(Data={"List": {"ProductInfo": []}, "Total": 0})
    answers = {**RIGHT, "QueryProductList": nothing, "QueryProduct": answer}
    told = ensure_product(api(Platform(answers)), {**NEW, "description": "hot"}, False).as_result()
    assert (told["changed"], told["reason"], told["product_key"]) == (True, "missing", KEY)
    assert told["product"] == {
        "product_key": KEY,
        "product_name": "News",
        "node_type": "gateway",
        "authentication": "secret",
        "description": "hot",
        "device_count": 0,
        "created": None,
    }


def test_a_device_that_moved_to_the_next_page_is_there_once() -> None:
    pages = [["gw-0003", "gw-0002"], ["gw-0002", "gw-0001"], ["gw-0001"]]

    def call_api(action: str, query: dict[str, str], form: dict[str, str]) -> HttpReply:
        names = pages[int(query["CurrentPage"]) - 1]
        infos = [{**DEVICE, "DeviceName": name, "DeviceStatus": "ONLINE"} for name in names]
        return HttpReply(200, body_of(success(Data={"DeviceInfo": infos}, Total=150)))

    found = all_devices(OpenApi(call_api, limiter=Limiter(lambda: 0.0, lambda _seconds: None)), KEY)
    assert list(found) == ["gw-0003", "gw-0002", "gw-0001"]
    assert all(isinstance(device, Device) for device in found.values())


def test_names_are_not_rejected_for_ever() -> None:
    """A platform may refuse another name in every check, so the number of checks is limited."""
    rejected = iter(range(1000))

    def call_api(action: str, query: dict[str, str], form: dict[str, str]) -> HttpReply:
        if action == "BatchQueryDeviceDetail":
            return HttpReply(200, body_of(success(Data={"Data": []})))
        name = f"gw-{next(rejected):04}"
        data = {"InvalidDeviceNameList": {"InvalidDeviceName": [name]}}
        return HttpReply(200, body_of({**REJECTED, "Data": data}))

    names = [f"gw-{number:04}" for number in range(1000)]
    told = outcome(
        lambda: add_many(OpenApi(call_api, limiter=Limiter(lambda: 0.0, lambda _seconds: None)), KEY, names, 0)
    )
    assert isinstance(told, BadAnswer)
    assert next(rejected) == MOST_CHECKS


def test_what_failed_without_a_name_was_not_added() -> None:
    answers = copy.deepcopy(RIGHT)
    statuses = iter([{"Status": "CHECK_SUCCESS"}, {"Status": "CREATE_FAILED"}])

    def call_api(action: str, query: dict[str, str], form: dict[str, str]) -> HttpReply:
        if action == "QueryBatchRegisterDeviceStatus":
            return HttpReply(200, body_of(success(Data=next(statuses))))
        return HttpReply(200, body_of(answers[action]))

    told = add_many(OpenApi(call_api, limiter=Limiter(lambda: 0.0, lambda _seconds: None)), KEY, [NAME], 0)
    assert isinstance(told, Added)
    assert [(name, error.kind) for name, error in told.failed.items()] == [(NAME, "bad_answer")]
