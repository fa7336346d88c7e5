# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make text of other origin safe for messages and results. PRIVATE to the collection."""

from __future__ import annotations


def clean(text: str, limit: int) -> str:
    """Return ``text`` on one line, without control characters that a terminal would obey, and cut to ``limit`` characters."""
    shown = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text[: 2 * limit])
    return shown if len(shown) <= limit else shown[:limit] + "..."
