# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform's ways to write a time, from the UTC text that the state keeps.

Where a field's name begins with Gmt, the documents' samples show China's time, eight hours ahead of the Utc field beside
it: https://help.aliyun.com/document_detail/69594.html
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))


def gmt(utc: str | None) -> str:
    """2026-01-02 11:04:05; empty for what has not happened yet."""
    return datetime.fromisoformat(utc).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S") if utc else ""


def milliseconds(utc: str) -> int:
    return round(datetime.fromisoformat(utc).timestamp() * 1000)
