# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform's answers to registrations."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
import requests
from emulator import Emulator
from vectors import vectors

VECTORS = vectors("dynreg_https")
BODY = VECTORS[0]["body"]
SIGN = VECTORS[0]["sign"]
SPECIAL = next(vector for vector in VECTORS if vector["deviceName"] == "oven-01_a@b.c:1" and "@" in vector["body"])

Register = Callable[..., dict]
Device = tuple[str, str]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['client']}-{vector['signMethod']}")
def test_third_party_clients_get_the_stored_secret(platform: Emulator, register: Register, vector: dict) -> None:
    before = platform.admin.device(vector["productKey"], vector["deviceName"])
    answer = register(vector["body"])
    after = platform.admin.device(vector["productKey"], vector["deviceName"])
    assert answer == {
        "code": 200,
        "data": {
            "productKey": vector["productKey"],
            "deviceName": vector["deviceName"],
            "deviceSecret": after["device_secret"],
        },
        "message": "success",
    }
    assert re.fullmatch("[0-9a-f]{32}", after["device_secret"])
    assert (before["registrations"], after["registrations"]) == (0, 1)
    assert (before["registration"], after["registration"]) == ("unregistered", "registered")
    assert after["status"] == "UNACTIVE"


def test_every_value_may_be_percent_encoded(register: Register) -> None:
    encoded = "&".join(f"{name}={''.join(f'%{ord(c):02X}' for c in SPECIAL[name])}" for name in SPECIAL["paramOrder"])
    assert register(encoded)["code"] == 200


def test_a_plus_is_a_blank(register: Register) -> None:
    assert register(BODY.replace("OvenDevice01", "Oven+Device1"))["code"] == 460


def test_a_charset_in_the_content_type_does_not_matter(post: Callable[..., requests.Response]) -> None:
    assert post(BODY, "application/x-www-form-urlencoded; charset=utf-8").json()["code"] == 200


@pytest.mark.parametrize("method", ["hmacsha256", "HmacSHA256", "hmac_sha256", "HMAC_SHA256"])
def test_the_methods_spelling_is_read_leniently(register: Register, method: str) -> None:
    assert register(BODY.replace("signMethod=hmacsha256", f"signMethod={method}"))["code"] == 200


@pytest.mark.parametrize("sign", [SIGN.upper(), SIGN.lower(), SIGN[:32] + SIGN[32:].upper()])
def test_the_signs_case_does_not_matter(register: Register, sign: str) -> None:
    assert register(BODY.replace(SIGN, sign))["code"] == 200


@pytest.mark.parametrize(
    "body",
    [
        "",
        "&",
        "productKey",
        *(re.sub(f"(^|&){name}=[^&]*", "", BODY).lstrip("&") for name in VECTORS[0]["paramOrder"]),
        *(re.sub(f"(^|&){name}=[^&]*", rf"\g<1>{name}=", BODY) for name in VECTORS[0]["paramOrder"]),
        *(f"{BODY}&{name}={quote(VECTORS[0][name])}" for name in VECTORS[0]["paramOrder"]),
        f"{BODY}&extra=1",
        f"{BODY}&",
        BODY.replace("productKey", "ProductKey"),
        BODY.replace("a1IoKTestP1", "a1-IoKTestP1"),
        BODY.replace("a1IoKTestP1", "a" * 21),
        BODY.replace("OvenDevice01", "abc"),
        BODY.replace("OvenDevice01", "a" * 33),
        BODY.replace("OvenDevice01", "Oven%2FDevice01"),
        BODY.replace("OvenDevice01", "%E7%83%A4%E7%AE%B1%E7%83%A4"),
        BODY.replace("random=567345", "random=56%0073"),
        BODY.replace("random=567345", "random=%FF%FE"),
        b"\xff\xfe" + BODY.encode(),
    ],
)
def test_460_for_what_is_not_the_five_parameters_once(platform: Emulator, register: Register, body: str) -> None:
    assert register(body) == {"code": 460, "message": "request parameter error"}
    assert [entry["code"] for entry in platform.admin.requests()] == [460]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_460_for_another_content_type(post: Callable[..., requests.Response], content_type: str) -> None:
    assert post(BODY, content_type).json()["code"] == 460


@pytest.mark.parametrize("method", ["hmacsha512", "sha256", "hmac-sha256", "md5", "hmacsha2566"])
def test_6292_for_another_method(register: Register, method: str) -> None:
    assert register(BODY.replace("signMethod=hmacsha256", f"signMethod={method}"))["code"] == 6292


def test_6250_for_an_unknown_product(register: Register) -> None:
    assert register(BODY.replace("a1IoKTestP1", "a1IoKTestP2"))["code"] == 6250


def test_a_product_keys_case_matters(register: Register) -> None:
    assert register(BODY.replace("a1IoKTestP1", "A1IOKTESTP1"))["code"] == 6250


@pytest.mark.parametrize(
    "body",
    [
        BODY.replace(SIGN, SIGN[:-1] + ("0" if SIGN[-1] != "0" else "1")),
        BODY.replace(SIGN, SIGN[:-1]),
        BODY.replace(SIGN, SIGN + "0"),
        BODY.replace(SIGN, "%E7%83%A4"),
        BODY.replace("random=567345", "random=567346"),
        BODY.replace("OvenDevice01", "OvenDevice02"),
        BODY.replace("signMethod=hmacsha256", "signMethod=hmacsha1"),
    ],
)
def test_6600_for_a_sign_of_something_else(platform: Emulator, register: Register, body: str) -> None:
    assert register(body)["code"] == 6600
    assert [device["registrations"] for device in platform.admin.devices("a1IoKTestP1")] == [0, 0]


def test_6600_for_another_product_secret(platform: Emulator, register: Register) -> None:
    platform.admin.patch_product("a1IoKTestP1", product_secret="another0secret01")
    assert register()["code"] == 6600


def test_6288_while_dynamic_registration_is_off(platform: Emulator, register: Register, device: Device) -> None:
    platform.admin.patch_product(device[0], dynamic_registration=False)
    assert register()["code"] == 6288
    platform.admin.patch_product(device[0], dynamic_registration=True)
    assert register()["code"] == 200


@pytest.mark.parametrize("code", [6100, 6250])
def test_a_device_that_was_never_added(platform: Emulator, register: Register, device: Device, code: int) -> None:
    platform.admin.delete_device(*device)
    platform.admin.settings(unknown_device_code=code)
    assert register() == {"code": code, "message": "device not found"}


def test_only_who_knows_the_product_secret_learns_whether_a_device_exists(
    platform: Emulator, register: Register, device: Device
) -> None:
    forged = BODY.replace(SIGN, "0" * 64)
    known = register(forged)
    platform.admin.delete_device(*device)
    assert register(forged) == known
    platform.admin.patch_product(device[0], dynamic_registration=False)
    assert register(forged) == known


def test_6204_while_disabled_and_the_status_underneath_returns(
    platform: Emulator, register: Register, device: Device
) -> None:
    platform.admin.activate(*device)
    platform.admin.reset(*device)
    platform.admin.patch_device(*device, status="DISABLE")
    assert register()["code"] == 6204
    assert platform.admin.device(*device)["activated"] is True
    platform.admin.patch_device(*device, status="OFFLINE")
    assert platform.admin.device(*device)["status"] == "OFFLINE"


def test_6289_once_activated_until_reset(platform: Emulator, register: Register, device: Device) -> None:
    first = register()["data"]["deviceSecret"]
    assert platform.admin.activate(*device)["status"] == "OFFLINE"
    assert register() == {"code": 6289, "message": "device is already active"}
    assert platform.admin.device(*device)["device_secret"] == first
    assert platform.admin.reset(*device)["status"] == "OFFLINE"
    assert register()["data"]["deviceSecret"] != first
    assert register()["code"] == 200, "the answer after a reset may be lost, and asked for again"
    platform.admin.activate(*device)
    assert register()["code"] == 6289


def test_rotate_gives_another_secret_every_time(platform: Emulator, register: Register, device: Device) -> None:
    issued = platform.admin.device(*device)["device_secret"]
    secrets = [register()["data"]["deviceSecret"] for _attempt in range(3)]
    assert len({issued, *secrets}) == 4
    assert platform.admin.device(*device)["device_secret"] == secrets[-1]


def test_same_gives_the_secret_issued_at_adding(platform: Emulator, register: Register, device: Device) -> None:
    platform.admin.settings(reregistration="same")
    issued = platform.admin.device(*device)["device_secret"]
    assert [register()["data"]["deviceSecret"] for _attempt in range(3)] == [issued] * 3
    assert platform.admin.device(*device)["registrations"] == 3


def test_refuse_hands_the_secret_out_once(platform: Emulator, register: Register, device: Device) -> None:
    platform.admin.settings(reregistration="refuse")
    issued = platform.admin.device(*device)["device_secret"]
    assert register()["data"]["deviceSecret"] == issued
    assert register()["code"] == 6289
    platform.admin.reset(*device)
    assert register()["code"] == 200
    assert register()["code"] == 6289


@pytest.mark.parametrize(
    ("reset_revokes", "renewed_by_reset", "renewed_by_registration"),
    [("at_once", True, False), ("at_registration", False, True), ("never", False, False)],
)
def test_when_a_reset_ends_the_old_secret(
    platform: Emulator,
    register: Register,
    device: Device,
    reset_revokes: str,
    renewed_by_reset: bool,
    renewed_by_registration: bool,
) -> None:
    platform.admin.settings(reregistration="same", reset_revokes=reset_revokes)
    old = register()["data"]["deviceSecret"]
    platform.admin.activate(*device)
    after_reset = platform.admin.reset(*device)["device_secret"]
    assert (after_reset != old) is renewed_by_reset
    assert (register()["data"]["deviceSecret"] != after_reset) is renewed_by_registration


def test_refusals_may_be_http_400(platform: Emulator, post: Callable[..., requests.Response]) -> None:
    refused = post("")
    assert (refused.status_code, refused.json()["code"]) == (200, 460)
    platform.admin.settings(refusals="http_4xx")
    refused = post("")
    assert (refused.status_code, refused.json()["code"]) == (400, 460)
    assert post().status_code == 200
    assert [entry["http_status"] for entry in platform.admin.requests()] == [200, 400, 200]
