# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A state that is not writable for a moment, as on a full disk."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import sdks
from account import KEY, SEED
from emulator import Emulator
from mqtt_client import Client, login, registration
from processes import wait_for
from sdks import Denied
from vectors import vectors

VECTOR = vectors("dynreg_https")[0]
NAMES = VECTOR["productKey"], VECTOR["deviceName"]
SECRET = "0123456789abcdef0123456789abcdef"
PRODUCT = {
    "product_key": NAMES[0],
    "product_secret": VECTOR["productSecret"],
    "devices": [{"name": NAMES[1], "secret": SECRET}],
}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(tmp_path, {**SEED, "products": [PRODUCT]}) as emulator:
        yield emulator


@contextmanager
def full_disk(platform: Emulator) -> Iterator[None]:
    """Prevent the emulator from writing to files."""
    pid = platform.endpoints["pid"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def register(platform: Emulator) -> tuple[int, Any]:
    answer = requests.post(
        platform.endpoints["register_url"],
        data=VECTOR["body"],
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        verify=platform.endpoints["ca_file"],
        timeout=60,
    )
    return answer.status_code, answer.json()["code"]


def test_the_platform_fails_in_its_own_words_and_recovers(platform: Emulator) -> None:
    call = sdks.generic(platform.endpoints, KEY)
    product, device = {"ProductKey": NAMES[0]}, {"ProductKey": NAMES[0], "DeviceName": NAMES[1]}
    with full_disk(platform):
        assert register(platform) == (200, 500)
        with pytest.raises(Denied) as denied:
            call("ResetThing", **device)
        assert (denied.value.http_status, denied.value.code) == (500, "InternalError")
        for credentials in (login(*NAMES, SECRET), registration(*NAMES, VECTOR["productSecret"])):
            with Client(platform.endpoints, *credentials) as client:
                assert (client.connack, client.gone()) == (3, True)
    assert call("QueryDevice", **product)["Total"] == 1
    assert call("ResetThing", **device)["Success"] is True
    assert register(platform) == (200, 200)
    assert "Traceback" not in platform.log


def test_a_device_that_leaves_meanwhile_is_offline_afterwards(platform: Emulator) -> None:
    with Client(platform.endpoints, *login(*NAMES, SECRET)) as client:
        assert client.connack == 0
        with full_disk(platform):
            client.leave()
            assert platform.admin.device(*NAMES)["status"] == "ONLINE"
            with pytest.raises(
                AssertionError, match=r"500 \{\"error\": \"the state cannot be used \(.*\); .* free space"
            ):
                platform.admin.clear_requests()
    wait_for(lambda: platform.admin.device(*NAMES)["status"] == "OFFLINE", "the end of the session")
    assert "Traceback" not in platform.log


def test_a_device_that_comes_back_meanwhile_stays_online(platform: Emulator) -> None:
    with Client(platform.endpoints, *login(*NAMES, SECRET)) as client, full_disk(platform):
        client.leave()
        assert platform.admin.device(*NAMES)["status"] == "ONLINE"
    with Client(platform.endpoints, *login(*NAMES, SECRET)) as client:
        assert client.connack == 0
        assert not client.gone(1.5)
        assert platform.admin.device(*NAMES)["status"] == "ONLINE"
