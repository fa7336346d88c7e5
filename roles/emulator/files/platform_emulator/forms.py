# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of a form or a query string."""

from __future__ import annotations

from urllib.parse import unquote_plus

FORM_TYPE = "application/x-www-form-urlencoded"


def form_pairs(text: bytes) -> list[tuple[str, str]]:
    """Return the parameters in their order; an empty list if the text is not UTF-8."""
    try:
        pairs = [part.partition("=") for part in text.decode().split("&")]
        return [
            (unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict"))
            for name, _equals, value in pairs
        ]
    except UnicodeDecodeError:
        return []
