# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepare text for messages and results. PRIVATE to the collection."""

from __future__ import annotations

import typing as t


def clean(text: str, limit: int) -> str:
    """Return ``text`` on one line, without control characters that a terminal would obey, and cut to ``limit`` characters."""
    shown = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text[: 2 * limit])
    return shown if len(shown) <= limit else shown[:limit] + "..."


def first_of(names: t.Sequence[str], most: int) -> str:
    """Return the first ``most`` names as a list for a message, and the number of the others."""
    more = len(names) - most
    return ", ".join(names[:most]) + (" and %d more" % more if more > 0 else "")
