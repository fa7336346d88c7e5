# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contradictions in the platform's documents: a gateway ends with the valid credential whichever variant is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from emulator import Emulator
from gateways import WAYS, Gateway, end_lease, new_gateway, run_task

REREGISTRATION = pytest.mark.parametrize("reregistration", ["rotate", "same", "refuse"])


@pytest.fixture(autouse=True)
def documented(platform: Emulator) -> Iterator[None]:
    """Begin each test on the platform as most documents describe it."""
    platform.admin.settings(
        reregistration="rotate", reset_revokes="at_registration", refusals="http_200", unknown_device_code=6100
    )
    yield
    platform.admin.clear_faults()


@pytest.fixture
def gateways(platform: Emulator, tmp_path: Path) -> list[Gateway]:
    """Return a gateway for each way to register; both names are new to the platform in every test."""
    for gateway in platform.admin.products():
        for device in platform.admin.devices(gateway["product_key"]):
            platform.admin.delete_device(gateway["product_key"], device["device_name"])
    platform.admin.clear_requests()
    return [new_gateway(platform, tmp_path, f"gw.{way}", way) for way in WAYS]


def holds_what_the_platform_accepts(gateway: Gateway) -> bool:
    return gateway.path.read_text() == gateway.valid_text and gateway.beside == set()


@REREGISTRATION
def test_a_first_registration(platform: Emulator, gateways: list[Gateway], tmp_path: Path, reregistration: str) -> None:
    platform.admin.settings(reregistration=reregistration)
    run = run_task(gateways, tmp_path)
    assert run.rc == 0, run
    again = run_task(gateways, tmp_path)
    assert (again.rc, again.changed) == (0, 0), again
    for gateway in gateways:
        assert run.result(gateway.host)["reason"] == "missing"
        assert len(gateway.calls) == 1
        assert holds_what_the_platform_accepts(gateway)


@pytest.mark.parametrize("reregistration", ["rotate", "same"])
def test_a_lost_answer_is_asked_for_again(
    platform: Emulator, gateways: list[Gateway], tmp_path: Path, reregistration: str
) -> None:
    platform.admin.settings(reregistration=reregistration)
    for gateway in gateways:
        platform.admin.fault(drop_after=True, device_name=gateway.device_name)
    run = run_task(gateways, tmp_path)
    assert run.rc == 0, run
    for gateway in gateways:
        # The lost request may be processed late, and without a broker's address no login can be tried.
        assert (run.result(gateway.host)["registered"], run.result(gateway.host)["proven"]) == (True, False)
        assert len(gateway.calls) == 2
        assert holds_what_the_platform_accepts(gateway)


def test_a_lost_answer_of_a_platform_that_tells_once(
    platform: Emulator, gateways: list[Gateway], tmp_path: Path
) -> None:
    """If the only answer with a secret is lost, only a reset helps: the error says so, and the run after the reset succeeds."""
    platform.admin.settings(reregistration="refuse")
    for gateway in gateways:
        gateway.store("of an earlier life")
        platform.admin.fault(drop_after=True, device_name=gateway.device_name)
    first = run_task(gateways, tmp_path)
    for gateway in gateways:
        end_lease(gateway.journal_path)
    second = run_task(gateways, tmp_path)
    for gateway in gateways:
        told = first.result(gateway.host)
        assert (told["error"]["kind"], told["error"]["code"]) == ("refused", 6289)
        assert "The answer to an earlier request of this run was lost" in told["msg"]
        assert "ResetThing" in told["msg"]
        assert second.result(gateway.host)["reason"] == "interrupted"
        assert second.result(gateway.host)["error"]["code"] == 6289
        assert gateway.path.read_text() == "of an earlier life"
        platform.admin.reset(gateway.product_key, gateway.device_name)
    third = run_task(gateways, tmp_path)
    assert third.rc == 0, third
    for gateway in gateways:
        assert third.result(gateway.host)["reason"] == "interrupted"
        assert holds_what_the_platform_accepts(gateway)


@REREGISTRATION
def test_a_forced_registration(
    platform: Emulator, gateways: list[Gateway], tmp_path: Path, reregistration: str
) -> None:
    """The gateway keeps the valid credential even if a forced registration is refused."""
    platform.admin.settings(reregistration=reregistration)
    assert run_task(gateways, tmp_path).rc == 0
    issued = {gateway.host: gateway.path.read_text() for gateway in gateways}
    for gateway in gateways:
        gateway.options["register"] = "always"
    run = run_task(gateways, tmp_path)
    for gateway in gateways:
        result = run.result(gateway.host)
        assert holds_what_the_platform_accepts(gateway)
        assert (gateway.path.read_text() == issued[gateway.host]) is (reregistration != "rotate")
        if reregistration == "refuse":
            assert result["error"]["code"] == 6289
        else:
            assert (result["reason"], result["registered"]) == ("forced", True)
        del gateway.options["register"]
    settled = run_task(gateways, tmp_path)
    assert (settled.rc, settled.changed) == (0, 0), settled


@pytest.mark.parametrize("reset_revokes", ["at_once", "at_registration", "never"])
@REREGISTRATION
def test_a_registration_after_a_reset(
    platform: Emulator, gateways: list[Gateway], tmp_path: Path, reregistration: str, reset_revokes: str
) -> None:
    platform.admin.settings(reregistration=reregistration, reset_revokes=reset_revokes)
    for gateway in gateways:
        gateway.store(gateway.valid_text)
        platform.admin.activate(gateway.product_key, gateway.device_name)
        platform.admin.reset(gateway.product_key, gateway.device_name)
        gateway.options["register"] = "always"
    run = run_task(gateways, tmp_path)
    assert run.rc == 0, run
    assert all(holds_what_the_platform_accepts(gateway) for gateway in gateways)


@pytest.mark.parametrize("refusals", ["http_200", "http_4xx"])
@pytest.mark.parametrize("code", [6100, 6999])
def test_a_device_that_is_added_later(
    platform: Emulator, gateways: list[Gateway], tmp_path: Path, code: int, refusals: str
) -> None:
    """A refusal is recognized by its code, whatever the HTTP status, and the run after the repair succeeds."""
    platform.admin.settings(unknown_device_code=code, refusals=refusals)
    for gateway in gateways:
        platform.admin.delete_device(gateway.product_key, gateway.device_name)
    run = run_task(gateways, tmp_path)
    for gateway in gateways:
        error = run.result(gateway.host)["error"]
        assert (error["kind"], error["code"]) == ("refused", code)
        assert f"(code {code}, 'device not found')" in error["message"]
        assert len(gateway.calls) == 1
        assert gateway.files() == {}
        platform.admin.put_device(gateway.product_key, gateway.device_name)
    run = run_task(gateways, tmp_path)
    assert run.rc == 0, run
    assert all(holds_what_the_platform_accepts(gateway) for gateway in gateways)
