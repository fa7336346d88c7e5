# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures that third-party clients of the platform computed on fixed inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[1] / "vectors.json"


def vectors(section: str) -> list[dict[str, Any]]:
    """Return the vectors of one kind: dynreg_https, mqtt_connect, mqtt_dynreg or openapi."""
    entries: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))[section]
    return entries


def openapi_key() -> tuple[str, str]:
    """Return the access key that signed the vectors of the OpenAPI: its ID and its secret."""
    inputs = json.loads(_FILE.read_text(encoding="utf-8"))["openapi_inputs"]
    return inputs["accessKeyId"], inputs["accessKeySecret"]
