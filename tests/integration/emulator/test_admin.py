# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The admin API, called as tests and users call it."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from emulator import Emulator
from vectors import vectors

Register = Callable[..., dict[str, Any]]
Device = tuple[str, str]

BODIES = [vector["body"] for vector in vectors("dynreg_https")[:2]]


def call(platform: Emulator, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, platform.endpoints["admin_url"] + path, timeout=60, **options)


def test_health(platform: Emulator) -> None:
    assert call(platform, "GET", "/health").json() == {"status": "ok"}


def test_it_listens_on_loopback_only(tmp_path: Any) -> None:
    with Emulator(tmp_path, None, "--listen", "127.0.0.9") as platform:
        assert urlsplit(platform.endpoints["register_url"]).hostname == "127.0.0.9"
        url = urlsplit(platform.endpoints["admin_url"])
        assert url.hostname == "127.0.0.1"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.9", url.port), 10)


def test_a_product_is_put_patched_and_deleted(platform: Emulator) -> None:
    made = call(platform, "PUT", "/products/a1Another00", json={"node_type": "gateway", "product_name": "ovens"})
    assert made.status_code == 201
    product = made.json()
    assert re.fullmatch("[A-Za-z0-9]{16}", product["product_secret"])
    assert (product["node_type"], product["product_name"], product["dynamic_registration"]) == (
        "gateway",
        "ovens",
        True,
    )
    again = call(platform, "PUT", "/products/a1Another00", json={"product_name": "kilns"})
    assert (again.status_code, again.json()) == (200, {**product, "product_name": "kilns"})
    assert platform.admin.patch_product("a1Another00", dynamic_registration=False)["dynamic_registration"] is False
    platform.admin.put_device("a1Another00", "gw-0001")
    platform.admin.delete_product("a1Another00")
    assert [product["product_key"] for product in platform.admin.products()] == ["a1IoKTestP1"]
    platform.admin.put_product("a1Another00")
    assert platform.admin.devices("a1Another00") == []


def test_a_device_is_put_patched_and_deleted(platform: Emulator, device: Device) -> None:
    name = "gw:01@site-7.de_A"
    made = platform.admin.put_device(device[0], name)
    assert (made["status"], made["registration"], made["registrations"]) == ("UNACTIVE", "unregistered", 0)
    assert re.fullmatch("[0-9a-f]{32}", made["device_secret"])
    assert platform.admin.put_device(device[0], name) == made, "putting a device again leaves it as it is"
    changed = platform.admin.patch_device(device[0], name, device_secret="secret01", nickname="oven")
    assert changed == {**made, "device_secret": "secret01", "nickname": "oven"}
    assert changed in platform.admin.devices(device[0])
    platform.admin.delete_device(device[0], name)
    assert call(platform, "GET", f"/products/{device[0]}/devices/{name}").status_code == 404


@pytest.mark.parametrize("status", ["ONLINE", "OFFLINE", "DISABLE", "UNACTIVE"])
def test_a_device_is_brought_to_a_status(platform: Emulator, device: Device, status: str) -> None:
    platform.admin.patch_device(*device, activated=True)
    assert platform.admin.patch_device(*device, status=status)["status"] == status


def test_a_device_is_activated_and_deactivated(platform: Emulator, device: Device) -> None:
    activated = platform.admin.patch_device(*device, activated=True)
    assert (activated["activated"], activated["status"]) == (True, "OFFLINE")
    assert activated["activated_at"]
    deactivated = platform.admin.patch_device(*device, activated=False)
    assert (deactivated["activated"], deactivated["status"]) == (False, "UNACTIVE")


def test_the_request_log_is_filtered_and_cleared(platform: Emulator, register: Register, device: Device) -> None:
    for body in (*BODIES, "nonsense"):
        register(body)
    first, second, third = platform.admin.requests()
    assert set(first) == {
        *("id", "time", "action", "product_key", "device_name", "names", "http_status", "code", "fault", "peer")
    }
    assert (first["action"], first["product_key"], first["device_name"]) == ("register", *device)
    assert re.fullmatch(r"127\.0\.0\.1:\d+", first["peer"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
    assert (third["product_key"], third["device_name"], third["code"]) == (None, None, 460)
    assert platform.admin.requests(device_name=device[1]) == [first]
    assert platform.admin.requests(action="register", device_name="oven-01_a@b.c:1") == [second]
    assert platform.admin.requests(since=second["id"]) == [third]
    platform.admin.clear_requests()
    assert platform.admin.requests() == []
    register()
    assert platform.admin.requests()[0]["id"] > third["id"], "numbers are not given twice"


def test_only_what_has_a_names_form_gets_into_the_log(platform: Emulator, register: Register) -> None:
    register(BODIES[0].replace("deviceName=OvenDevice01", "deviceName=Oven%0ADevice01"))
    register(BODIES[0].replace("productKey=a1IoKTestP1", "productKey=%20"))
    assert [(entry["product_key"], entry["device_name"]) for entry in platform.admin.requests()] == [
        ("a1IoKTestP1", None),
        (None, "OvenDevice01"),
    ]


def test_settings_are_changed_one_by_one_and_kept(platform: Emulator) -> None:
    before = call(platform, "GET", "/settings").json()
    after = {**before, "reregistration": "same"}
    assert platform.admin.settings(reregistration="same") == after
    platform.kill()
    platform.start()
    assert call(platform, "GET", "/settings").json() == after


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/", None, 404, "GET /: Not Found"),
        ("POST", "/health", None, 405, "POST /health: Method Not Allowed"),
        ("GET", "/products/a1Another00", None, 404, "there is no product a1Another00"),
        ("PATCH", "/products/a1Another00", {}, 404, "there is no product a1Another00"),
        ("PUT", "/products/a1Another00/devices/gw-0001", {}, 404, "there is no product a1Another00"),
        ("GET", "/products/a1IoKTestP1/devices/gw-0001", None, 404, "has no device gw-0001"),
        ("POST", "/products/a1IoKTestP1/devices/gw-0001/reset", None, 404, "has no device gw-0001"),
        ("PATCH", "/products/a1IoKTestP1/devices/gw-0001", {}, 404, "has no device gw-0001"),
        ("PUT", "/products/a1-2", {}, 400, "the product key in the path: has the wrong form"),
        ("PUT", "/products/a1IoKTestP1/devices/gw%2F1", {}, 400, "the device name in the path: has the wrong form"),
        ("PUT", "/products/a1IoKTestP1", {"node_type": "oven"}, 400, "choose one of device, gateway"),
        ("PUT", "/products/a1IoKTestP1", {"dynamic_registration": "no"}, 400, "must be true or false"),
        ("PATCH", "/products/a1IoKTestP1/devices/OvenDevice01", {"status": "DEAD"}, 400, "choose one of UNACTIVE"),
        ("PATCH", "/products/a1IoKTestP1/devices/OvenDevice01", {"secret": "x"}, 400, "secret: is not a known key"),
        ("PATCH", "/settings", {"reregistration": "never"}, 400, "choose one of rotate, same, refuse"),
        ("PATCH", "/settings", {"unknown_device_code": True}, 400, "write a whole number from 1"),
        ("PATCH", "/settings", ["rotate"], 400, "must be a mapping"),
        ("PUT", "/products/a1IoKTestP1", {"product_name": "\ud800"}, 400, "product_name: has the wrong form"),
        ("PATCH", "/products/a1IoKTestP1/devices/OvenDevice01", {"nickname": "\udfff"}, 400, "nickname: has the wrong"),
        ("POST", "/faults", {"action": "register", "code": 1, "message": "\ud800"}, 400, "message: has the wrong form"),
        ("POST", "/faults", {"action": "register"}, 400, "needs exactly one effect"),
        ("GET", "/requests?sign=1", None, 400, "can be filtered by action"),
        ("GET", "/requests?since=x", None, 400, "since (a number)"),
        ("GET", f"/requests?since={2**63}", None, 400, "since (a number)"),
        ("GET", f"/requests?since={'9' * 5000}", None, 400, "since (a number)"),
    ],
)
def test_errors_are_json_and_say_why(
    platform: Emulator, method: str, path: str, body: object, status: int, message: str
) -> None:
    answer = call(platform, method, path, json=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", {}),
        (b"\xff", {}),
        pytest.param(b"[" * 100_000, {}, id="deep"),
        (b"{}", {"Content-Type": "application/json; charset=nosuch"}),
        (b"{}", {"Content-Type": "application/json; charset=hex"}),
        (b"{}", {"Content-Encoding": "gzip"}),
    ],
)
def test_a_body_that_is_not_json(platform: Emulator, body: bytes, headers: dict[str, str]) -> None:
    answer = call(platform, "PATCH", "/settings", data=body, headers={"Content-Type": "application/json", **headers})
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "the body is not JSON in UTF-8; send a JSON object",
    )
