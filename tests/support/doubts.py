# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways whose secret is in doubt: lose an answer or a login, and check how the change has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emulator import Emulator
from gateways import Gateway, new_gateway
from playbook import Run, mqtt_endpoint

JSON = Any

OLD_SECRET = "0dd5ec2e70dd5ec2e70dd5ec2e7bef00"
WORDS = "the new credential is stored, but was not verified by a login"


def new(
    platform: Emulator, directory: Path, host: str, way: str, name: str | None = None, /, **options: JSON
) -> Gateway:
    """Return a gateway with the broker's address, unless `options` contain another."""
    options = {"mqtt_endpoint": mqtt_endpoint(platform), "timeout": 10, "retry_time": 10, **options}
    return new_gateway(platform, directory, host, way, name, **options)


def lose_an_answer(gateway: Gateway, action: str = "", **effect: JSON) -> None:
    """Make the platform process the next registration and lose its answer."""
    action = action or ("register_mqtt" if gateway.options.get("region") else "register")
    names = {"product_key": gateway.product_key, "device_name": gateway.device_name}
    gateway.platform.admin.fault(action, **names, **(effect or {"drop_after": True}))


def cut_logins_off(gateway: Gateway) -> None:
    """Make the broker answer no login of the device, though it answers registrations."""
    names = {"product_key": gateway.product_key, "device_name": gateway.device_name}
    gateway.platform.admin.fault("connect", drop_before=True, times="forever", **names)


def logins(gateway: Gateway) -> list[JSON]:
    names = {"product_key": gateway.product_key, "device_name": gateway.device_name}
    return list(gateway.platform.admin.requests(action="connect", **names))


def journal(gateway: Gateway) -> list[str]:
    return gateway.journal_path.read_text().splitlines() if gateway.journal_path.exists() else []


def told(run: Run, gateway: Gateway, *names: str) -> list[JSON]:
    """Return these values of the host's result; if the task failed, the kind of its error instead."""
    result = run.result(gateway.host)
    return [result["error"]["kind"]] if "error" in result else [result[name] for name in names]


def valid(gateway: Gateway) -> bool:
    return gateway.path.read_text() == gateway.valid_text


def said(run: Run, gateway: Gateway) -> bool:
    """Return whether the run warned that the credential was not verified."""
    return f"{gateway.host}: {WORDS}" in " ".join(run.stderr.split())
