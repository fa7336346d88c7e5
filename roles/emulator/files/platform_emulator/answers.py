# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An answer of the platform before it goes on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """HTTP status and body, with the platform's code for the request log.

    `cut` is the number of bytes after which the connection ends, although the headers promise the whole body.
    """

    http_status: int
    body: bytes = field(repr=False)
    code: int | str | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


def compact_json(value: object) -> bytes:
    """Return JSON without blanks after colons and commas: one C client does not strip the quotes of a value after a blank."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
