# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the vendor's SDK for devices against the emulator, under the cloud's host names and over verified TLS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator

SUPPORT = Path(__file__).parents[3] / "support" / "linkkit"
ROOT = Path(__file__).parents[4]
ENVIRONMENT = ROOT / ".venv" / "linkkit"

PRODUCT_KEY, PRODUCT_SECRET, DEVICE_NAME = "a1IoKTestP1", "6vEu5Qlj5STest01", "gw-0001"


@pytest.fixture(scope="module")
def python() -> Path:
    """Return the Python of the SDK's own environment, which is created again when its requirements change."""
    requirements, stamp = SUPPORT / "requirements.txt", ENVIRONMENT / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != requirements.read_bytes():
        new = ENVIRONMENT.with_name(f"linkkit.{os.getpid()}")
        subprocess.run(["requirements/install.sh", new, requirements, sys.executable], cwd=ROOT, check=True)
        shutil.copy(requirements, new)
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        new.rename(ENVIRONMENT)
    return ENVIRONMENT / "bin" / "python"


def run(python: Path, platform: Emulator, how: str) -> dict[str, Any]:
    orders = {
        "how": how,
        "product_key": PRODUCT_KEY,
        "product_secret": PRODUCT_SECRET,
        "device_name": DEVICE_NAME,
        "endpoints": platform.endpoints,
    }
    ended = subprocess.run(
        [python, SUPPORT / "device.py"],
        input=json.dumps(orders),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


@pytest.mark.parametrize(
    ("how", "actions"),
    [
        ("https", [("register", 200), ("connect", 0)]),
        ("register", [("register_mqtt", 0), ("connect", 0)]),
        ("regnwl", [("regnwl", 0), ("connect", 0)]),
    ],
)
def test_it_registers_logs_in_and_posts(
    broker: Emulator, python: Path, how: str, actions: list[tuple[str, int]]
) -> None:
    said = run(python, broker, how)
    assert (said["connack"], said["reply"]) == (0, 200)
    device = broker.admin.device(PRODUCT_KEY, DEVICE_NAME)
    assert device["activated"]
    assert said.get("secret", device["device_secret"]) == device["device_secret"]
    assert [(entry["action"], entry["code"]) for entry in broker.admin.requests()] == actions
