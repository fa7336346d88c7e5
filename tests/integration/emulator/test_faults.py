# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults that a client receives, and the changes that the platform has made meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from emulator import Emulator
from platform_emulator import faults
from platform_emulator.fields import Invalid
from processes import wait_for
from vectors import vectors

Post = Callable[..., requests.Response]
Register = Callable[..., dict[str, Any]]
Device = tuple[str, str]

OTHER_BODY = vectors("dynreg_https")[1]["body"]
LONG = 60.0  # seconds; no test waits this long


def registrations(platform: Emulator, device: Device) -> int:
    return int(platform.admin.device(*device)["registrations"])


def test_http_status_stands_before_the_platform(platform: Emulator, post: Post, device: Device) -> None:
    platform.admin.fault(http_status=503, retry_after=7)
    answer = post()
    assert (answer.status_code, answer.headers["Retry-After"], answer.content) == (503, "7", b"")
    assert registrations(platform, device) == 0
    platform.admin.fault(http_status=429)
    answer = post()
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(("extra", "status"), [({}, 307), ({"redirect_status": 302}, 302)])
def test_redirect(platform: Emulator, post: Post, device: Device, extra: dict[str, int], status: int) -> None:
    platform.admin.fault(redirect="https://elsewhere.example/auth", **extra)
    answer = post()
    assert (answer.status_code, answer.headers["Location"]) == (status, "https://elsewhere.example/auth")
    assert registrations(platform, device) == 0


def test_code(platform: Emulator, register: Register, device: Device) -> None:
    platform.admin.fault(code=429, message="too many requests")
    platform.admin.fault(code=6289)
    platform.admin.fault(code=6760)
    assert register() == {"code": 429, "message": "too many requests"}
    assert register() == {"code": 6289, "message": "device is already active"}
    assert register() == {"code": 6760, "message": "error"}
    assert registrations(platform, device) == 0


def test_drop_before_loses_the_request(platform: Emulator, post: Post, device: Device) -> None:
    platform.admin.fault(drop_before=True)
    with pytest.raises(requests.ConnectionError):
        post()
    assert registrations(platform, device) == 0
    (entry,) = platform.admin.requests()
    assert (entry["fault"], entry["http_status"], entry["code"]) == ("drop_before", None, None)


def test_drop_after_loses_the_answer(platform: Emulator, post: Post, device: Device) -> None:
    platform.admin.fault(drop_after=True)
    with pytest.raises(requests.ConnectionError):
        post()
    assert registrations(platform, device) == 1
    (entry,) = platform.admin.requests()
    assert (entry["fault"], entry["http_status"], entry["code"]) == ("drop_after", 200, 200)


def test_truncate_ends_half_way_through_the_promised_body(platform: Emulator, post: Post, device: Device) -> None:
    whole = len(post().content)
    platform.admin.fault(truncate=True)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=f"{whole // 2} bytes read"):
        post()
    assert registrations(platform, device) == 2


def test_not_json(platform: Emulator, post: Post, device: Device) -> None:
    platform.admin.fault(not_json=True)
    answer = post()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html"
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert registrations(platform, device) == 1


def test_oversize_pads_a_good_answer(platform: Emulator, post: Post, device: Device) -> None:
    platform.admin.fault(oversize=1_000_000)
    answer = post()
    assert len(answer.content) == 1_000_000
    assert answer.json()["data"]["deviceSecret"] == platform.admin.device(*device)["device_secret"]


@pytest.mark.parametrize(
    ("fault", "key", "value"),
    [
        ("other_device", "deviceName", "another-device"),
        ("other_product", "productKey", "a1Another00"),
        ("empty_secret", "deviceSecret", ""),
    ],
)
def test_answers_that_say_something_else(
    platform: Emulator, register: Register, device: Device, fault: str, key: str, value: str
) -> None:
    platform.admin.fault(**{fault: True}, times=2)
    answer = register()
    stored = platform.admin.device(*device)
    true = {"productKey": device[0], "deviceName": device[1], "deviceSecret": stored["device_secret"]}
    assert answer == {"code": 200, "data": {**true, key: value}, "message": "success"}
    assert "data" not in register(""), "a refusal stays as it is"


def test_delay_comes_before_processing(platform: Emulator, post: Post, device: Device) -> None:
    platform.admin.fault(delay=LONG)
    client = threading.Thread(target=pytest.raises, args=(requests.ConnectionError, post))
    client.start()
    wait_for(platform.admin.requests, "a request")
    assert registrations(platform, device) == 0
    platform.restart()
    client.join(10)
    assert registrations(platform, device) == 0


def test_a_short_delay_ends_in_an_answer(platform: Emulator, register: Register) -> None:
    platform.admin.fault(delay=0.05)
    started = time.monotonic()
    assert register()["code"] == 200
    assert time.monotonic() - started >= 0.05


def test_a_late_request_is_processed_after_the_retry(platform: Emulator, register: Register, device: Device) -> None:
    platform.admin.fault(delay=3)
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            platform.endpoints["register_url"],
            data=vectors("dynreg_https")[0]["body"],
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            verify=platform.endpoints["ca_file"],
            timeout=(10, 0.1),
        )
    wait_for(platform.admin.requests, "a request")
    answered = register()["data"]["deviceSecret"]
    assert platform.admin.device(*device)["device_secret"] == answered
    wait_for(lambda: registrations(platform, device) == 2, "the second registration")
    assert platform.admin.device(*device)["device_secret"] != answered
    assert [(entry["fault"], entry["code"]) for entry in platform.admin.requests()] == [("delay", 200), (None, 200)]


def test_hold_after_keeps_back_the_answer_of_what_is_done(platform: Emulator, post: Post, device: Device) -> None:
    issued = platform.admin.device(*device)["device_secret"]
    platform.admin.fault(hold_after=LONG)
    client = threading.Thread(target=pytest.raises, args=(requests.ConnectionError, post))
    client.start()
    wait_for(lambda: registrations(platform, device) == 1, "a registration")
    assert platform.admin.device(*device)["device_secret"] != issued
    assert client.is_alive()
    platform.restart()
    client.join(10)
    assert not client.is_alive()


def test_hang_reads_and_says_nothing(platform: Emulator, post: Post, device: Device) -> None:
    platform.admin.fault(hang=0.05)
    started = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        post()
    assert time.monotonic() - started >= 0.05
    (entry,) = platform.admin.requests()
    assert (entry["fault"], entry["code"]) == ("hang", None)
    assert registrations(platform, device) == 0


def test_a_fault_strikes_only_whom_it_names(platform: Emulator, register: Register, device: Device) -> None:
    platform.admin.fault(code=500, device_name=device[1], product_key=device[0])
    platform.admin.fault(code=501, product_key="a1Another00")
    assert register(OTHER_BODY)["code"] == 200
    assert register()["code"] == 500
    assert register()["code"] == 200


def test_the_oldest_fault_goes_first_and_is_used_up(platform: Emulator, register: Register) -> None:
    platform.admin.fault(code=500, times=2)
    platform.admin.fault(code=6760)
    assert [fault["remaining"] for fault in platform.admin.faults()] == [2, 1]
    assert [register()["code"] for _attempt in range(4)] == [500, 500, 6760, 200]
    assert platform.admin.faults() == []
    assert [entry["fault"] for entry in platform.admin.requests()] == ["code", "code", "code", None]


def test_a_fault_forever_stays_until_cleared_also_over_a_restart(platform: Emulator, register: Register) -> None:
    platform.admin.fault(code=500, times="forever")
    assert [register()["code"] for _attempt in range(3)] == [500] * 3
    platform.restart()
    assert register()["code"] == 500
    assert platform.admin.faults()[0]["remaining"] == "forever"
    platform.admin.clear_faults()
    assert register()["code"] == 200


def test_a_used_up_fault_does_not_come_back_after_a_crash(platform: Emulator, register: Register) -> None:
    platform.admin.fault(code=500)
    assert register()["code"] == 500
    platform.kill()
    platform.start()
    assert register()["code"] == 200


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"action": "register"}, "needs exactly one effect, has none"),
        ({"action": "register", "delay": 1, "hang": 1}, "needs exactly one effect, has delay and hang"),
        ({"delay": 1}, "action: is missing"),
        ({"action": "unregister", "delay": 1}, "action: 'unregister' is not possible; choose one of register"),
        ({"action": "register", "delay": "1"}, "delay: must be a number of seconds"),
        ({"action": "register", "delay": True}, "delay: must be a number of seconds"),
        ({"action": "register", "delay": -1}, "delay: must be a number of seconds"),
        ({"action": "register", "drop_after": False}, "drop_after: must be true"),
        ({"action": "register", "drop_after": 1}, "drop_after: must be true or false"),
        ({"action": "register", "http_status": 200}, "http_status: 200 is not possible"),
        ({"action": "register", "code": "x"}, "code: 'x' is not possible"),
        ({"action": "register", "code": 500, "retry_after": 1}, "retry_after: is not a known key"),
        ({"action": "register", "code": 500, "times": 0}, "times: 0 is not possible"),
        ({"action": "register", "code": 500, "times": "always"}, "times: 'always' is not possible"),
        ({"action": "register", "code": 500, "device_name": "abc"}, "device_name: has the wrong form"),
        ({"action": "register", "code": 500, "message": "a\nb"}, "message: has the wrong form"),
        ({"action": "register", "code": 500, "message": "\ud800"}, "message: has the wrong form"),
        ({"action": "register", "code": 10**5000}, "code: a value of type int is not possible"),
        ({"action": "register", "redirect": "a b"}, "redirect: has the wrong form"),
        ({"action": "register", "redirect": "a\0b"}, "redirect: has the wrong form"),
        ({"action": "register", "redirect": "a\x7fb"}, "redirect: has the wrong form"),
        (["register"], "must be a mapping"),
    ],
)
def test_a_fault_that_cannot_be(fault: object, message: str) -> None:
    with pytest.raises(Invalid) as error:
        faults.read(fault, "")
    assert message in str(error.value)
