# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that somebody else wrote, made fit for messages and results. PRIVATE to the collection."""

from __future__ import annotations


def clean(text: str, longest: int) -> str:
    """Return ``text`` on one line, without what a terminal would take for more than a character, and cut to ``longest``."""
    shown = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text[: 2 * longest])
    return shown if len(shown) <= longest else shown[:longest] + "..."
