# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make live` on the emulator in place of the platform: it finds out how a platform behaves, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from account import KEY, SEED
from emulator import Emulator
from playbook import PRODUCT_KEY, PRODUCT_SECRET
from processes import wait_for

JSON = Any

ROOT = Path(__file__).parents[2]
NAME = "throwaway"
OF_LIVE = "fleetops-live-"
SECONDS = 300
DONE, INCOMPLETE, REFUSED, INTERRUPTED = 0, 1, 2, 130


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Emulator]:
    product = {
        **{"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET},
        **{"product_name": NAME, "node_type": "gateway"},
    }
    with Emulator(tmp_path / "platform", {**SEED, "products": [product]}) as platform:
        yield platform


def start(platform: Emulator, home: Path, **given: str) -> subprocess.Popen[str]:
    """Start the program with the variables of `make live`, without the empty ones."""
    readme = home / "README.md"
    if not readme.exists():
        readme.write_text((ROOT / "README.md").read_text())
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": f"{ROOT}/tests/support:{ROOT}/.venv/collections",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY.id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY.secret,
        "PRODUCT_KEY": PRODUCT_KEY,
        "REGION": "cn-shanghai",
        "CONFIRM": NAME,
        "PATIENCE": "1",
        "README": str(readme),
        "REGISTER_URL": platform.endpoints["register_url"],
        "OPENAPI_ENDPOINT": platform.endpoints["openapi_endpoint"],
        "MQTT_ENDPOINT": "{host}:{port}".format_map(platform.endpoints["mqtts"]),
        "CA_PATH": platform.endpoints["ca_file"],
        **given,
    }
    return subprocess.Popen(
        [sys.executable, ROOT / "tests/live/live.py"],
        env={name: value for name, value in variables.items() if value},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def live(platform: Emulator, home: Path, **given: str) -> tuple[int, str]:
    """Run the program; return its exit code and its whole output."""
    with start(platform, home, **given) as process:
        stdout, stderr = process.communicate(timeout=SECONDS)
    return process.returncode, stdout + stderr


def table(home: Path) -> dict[str, str]:
    """Return the table of results in README."""
    [text] = re.findall(r"<!-- live -->\n(.*?)<!-- end of live -->", (home / "README.md").read_text(), re.DOTALL)
    return {row[0]: row[1] for row in re.findall(r"^\| (.+?) \| (.+) \|$", text, re.MULTILINE)}


def devices(platform: Emulator) -> list[str]:
    return [device["device_name"] for device in platform.admin.devices(PRODUCT_KEY)]


AGAIN = "registering again before activation"
REPLAYED = "the first request once more, signed before activation and ResetThing"
OLD_LOGIN = "login with the old DeviceSecret between ResetThing and registration"


def test_it_finds_out_what_a_platform_does(new: Emulator, tmp_path: Path) -> None:
    code, said = live(new, tmp_path)
    assert code == DONE, said
    found = table(tmp_path)
    activated = "HTTP 200, code 6289 (device is already active)"
    certificates = {name: text for name, text in found.items() if name.startswith("certificates of ")}
    assert {name: text for name, text in found.items() if name not in certificates} == {
        "what": "found",
        "---": "---",
        "ProductSecret in the answer of QueryProduct": "yes",
        "registration over HTTPS, product of node type gateway": "HTTP 200, code 200",
        AGAIN: "HTTP 200, code 200, another DeviceSecret",
        "login with the DeviceSecret before that": "CONNACK 5",
        "login with the DeviceSecret that came last": "CONNACK 0",
        "registering an activated device": activated,
        "status of the device after ResetThing": "OFFLINE",
        REPLAYED: "HTTP 200, code 200, another DeviceSecret",
        OLD_LOGIN: "CONNACK 0",
        "registering after ResetThing and such a login": "HTTP 200, code 200, another DeviceSecret",
        "login with the old DeviceSecret after the new registration": "CONNACK 5",
        "a session during ResetThing": "stays, for 1 seconds at least",
        "registering a DeviceName that was not added": "HTTP 200, code 6100 (device not found)",
        "registering a disabled device": "HTTP 200, code 6204 (device is disabled)",
        "registering with an unknown ProductKey": "HTTP 200, code 6250 (query product info failed)",
        "registering with a wrong signature": "HTTP 200, code 6600 (sign check failed)",
        "registering a DeviceName that was not added, over MQTT": "CONNACK 4",
        "registering a disabled device, over MQTT": "CONNACK 4",
        "registering with a wrong signature, over MQTT": "CONNACK 4",
        "registration over MQTT, authType register": (
            "CONNACK 0, deviceName, deviceSecret, productKey on /ext/register"
        ),
        "registration over MQTT, authType regnwl": (
            "CONNACK 0, clientId, deviceName, deviceToken, productKey on /ext/regnwl, a token of 48 characters"
        ),
        "login without a timestamp": "CONNACK 0",
    }
    assert len(certificates) == 2
    assert all(text.startswith("fleetops IoT Platform emulator &lt; ") for text in certificates.values())
    assert all(text.endswith("refused by this system's authorities") for text in certificates.values())
    assert devices(new) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"reregistration": "same", "reset_revokes": "at_once"},
            {AGAIN: "HTTP 200, code 200, the same DeviceSecret", OLD_LOGIN: "CONNACK 5"},
        ),
        (
            {"reregistration": "refuse", "refusals": "http_4xx"},
            {AGAIN: "HTTP 400, code 6289 (device is already active)"},
        ),
    ],
    ids=["same and revoked", "refused"],
)
def test_other_platforms_give_other_tables(
    new: Emulator, tmp_path: Path, settings: JSON, expected: dict[str, str]
) -> None:
    new.admin.settings(**settings)
    assert live(new, tmp_path)[0] == DONE
    found = table(tmp_path)
    assert {name: found[name] for name in expected} == expected
    assert devices(new) == []


def test_what_cannot_be_deleted_is_named_and_no_secret_is_printed(new: Emulator, tmp_path: Path) -> None:
    secrets = {PRODUCT_SECRET, KEY.secret}
    # The platform repeats secrets in its refusals, and keeps the devices, so that the test knows their secrets.
    new.admin.fault("register", code=460, message=f"the sign of {PRODUCT_SECRET} is wrong", times=1)
    new.admin.fault("DeleteDevice", code="iot.device.DeleteDeviceFailed", times="forever")
    code, said = live(new, tmp_path)
    assert code == INCOMPLETE
    left = new.admin.devices(PRODUCT_KEY)
    secrets |= {device["device_secret"] for device in left}
    assert len(secrets) > 6
    assert "the sign of *** is wrong" in said
    written = (tmp_path / "README.md").read_text()
    assert not [secret for secret in secrets if secret in said or secret in written]
    assert all(name.startswith(OF_LIVE) and name in said for name in (device["device_name"] for device in left))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"CONFIRM": ""}, "set CONFIRM to the product's name"),
        ({"CONFIRM": "another"}, "set CONFIRM to the product's name"),
        ({"CI": "true"}, "never for CI"),
        ({"PRODUCT_KEY": ""}, "make live PRODUCT_KEY="),
        ({"PRODUCT_KEY": "a1Another00"}, "iot.prod.NotExistedProduct"),
        ({"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"}, "SignatureDoesNotMatch"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_it_refuses_what_was_not_confirmed(new: Emulator, tmp_path: Path, given: dict[str, str], problem: str) -> None:
    code, said = live(new, tmp_path, **given)
    assert (code, problem in said) == (REFUSED, True), said
    asked = {entry["action"] for entry in new.admin.requests()}
    assert asked <= {"QueryProduct", "QueryDevice"}, "nothing was changed"


def test_it_refuses_a_product_that_is_in_use(new: Emulator, tmp_path: Path) -> None:
    new.admin.put_device(PRODUCT_KEY, "gw-0001")
    code, said = live(new, tmp_path)
    assert (code, "gw-0001: it is no throwaway" in said) == (REFUSED, True), said
    assert devices(new) == ["gw-0001"]


def test_it_stops_where_dynamic_registration_is_off(new: Emulator, tmp_path: Path) -> None:
    new.admin.patch_product(PRODUCT_KEY, dynamic_registration=False)
    code, said = live(new, tmp_path)
    assert (code, "Dynamic Registration is switched off" in said) == (INCOMPLETE, True), said
    assert devices(new) == []
    assert "No results yet" in (tmp_path / "README.md").read_text()


def test_a_question_that_fails_is_not_settled_and_the_others_are(new: Emulator, tmp_path: Path) -> None:
    new.admin.fault("ResetThing", code="iot.system.SystemException", times="forever")
    assert live(new, tmp_path)[0] == DONE
    found = table(tmp_path)
    unsettled = [text for text in found.values() if text.startswith("not settled: ResetThing")]
    assert len(unsettled) == 3
    assert found["login without a timestamp"] == "CONNACK 0"
    assert devices(new) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_it_cleans_up_after_an_end_at_any_time(new: Emulator, tmp_path: Path, number: signal.Signals) -> None:
    """After a kill, the next run deletes what was left. Without a file to write, that run leaves README alone: it is another platform."""
    new.admin.fault("ResetThing", delay=60)
    with start(new, tmp_path) as process:
        wait_for(lambda: new.admin.requests(action="ResetThing"), "the first reset")
        assert devices(new)
        process.send_signal(number)
        process.communicate(timeout=SECONDS)
    assert "No results yet" in (tmp_path / "README.md").read_text()
    if number is signal.SIGKILL:
        assert devices(new)
        new.admin.clear_faults()
        before = (ROOT / "README.md").read_bytes()
        code, said = live(new, tmp_path, README="")
        assert (code, "this was not the real platform" in said) == (DONE, True)
        assert (ROOT / "README.md").read_bytes() == before
    else:
        assert process.returncode == INTERRUPTED
    assert devices(new) == []
