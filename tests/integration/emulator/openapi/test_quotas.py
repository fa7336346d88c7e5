# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throttling, as documented and on demand."""

from __future__ import annotations

import pytest
from account import GATEWAY_NAME
from emulator import Emulator
from platform_emulator.openapi import pages
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal
from platform_emulator.openapi.quotas import QPS, Throttle
from sdks import Denied, Sdk


def test_each_action_has_its_own_limit_within_any_second() -> None:
    now = 0.0
    throttle = Throttle(lambda: now)
    for _attempt in range(5):
        throttle.admit("BatchQueryDeviceDetail")
    with pytest.raises(OpenApiRefusal, match=r"Throttling\.User"):
        throttle.admit("BatchQueryDeviceDetail")
    throttle.admit("QueryDeviceDetail")
    now = 0.99
    with pytest.raises(OpenApiRefusal):
        throttle.admit("BatchQueryDeviceDetail")
    now = 1.0
    throttle.admit("BatchQueryDeviceDetail")


@pytest.mark.parametrize("action", QPS)
def test_the_limit_is_the_documented_one(action: str) -> None:
    throttle = Throttle(lambda: 0.0)
    for _attempt in range(QPS[action]):
        throttle.admit(action)
    with pytest.raises(OpenApiRefusal):
        throttle.admit(action)


def test_deep_pages_are_served_twice_a_second() -> None:
    throttle = Throttle(lambda: 0.0)
    for _attempt in range(2):
        throttle.admit("QueryDevice", 100_000)
    with pytest.raises(OpenApiRefusal):
        throttle.admit("QueryDevice", 100_000)
    throttle.admit("QueryDevice", 99_999)
    throttle.admit("GetThingTopo", 100_000)


def test_calls_are_throttled_when_it_is_set(platform: Emulator, call: Sdk) -> None:
    def ask_deeply(times: int) -> None:
        for _attempt in range(times):
            call("QueryProductList", CurrentPage=500, PageSize=200)

    ask_deeply(10)
    platform.admin.settings(throttling=True)
    with pytest.raises(Denied) as denied:
        ask_deeply(100)
    assert (denied.value.http_status, denied.value.code) == (400, "Throttling.User")


@pytest.mark.parametrize(
    ("page", "depth"),
    [
        ({"CurrentPage": "10000"}, 100_000),
        ({"CurrentPage": "10000", "PageSize": ""}, 100_000),
        ({"CurrentPage": "10000", "PageSize": "5"}, 50_000),
        ({"PageSize": "50"}, 50),
        ({}, 10),
        ({"CurrentPage": "x"}, 0),
    ],
)
def test_a_page_is_as_deep_as_its_defaults_make_it(page: dict[str, str], depth: int) -> None:
    assert pages.depth(page) == depth


@pytest.mark.parametrize(("http_status", "expected"), [({}, 400), ({"http_status": 429}, 429)])
def test_throttling_on_demand(platform: Emulator, call: Sdk, http_status: dict[str, int], expected: int) -> None:
    platform.admin.fault("ResetThing", code="Throttling.User", times=2, **http_status)
    for _attempt in range(2):
        with pytest.raises(Denied) as denied:
            call("ResetThing", **GATEWAY_NAME)
        assert (denied.value.http_status, denied.value.code) == (expected, "Throttling.User")
    assert call("ResetThing", **GATEWAY_NAME)["Success"] is True
