# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats of times in answers, from the UTC text in the store.

In the documents' samples, fields whose names begin with Gmt have China's time, eight hours ahead of the Utc field of the
same event: https://help.aliyun.com/document_detail/69594.html
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))


def gmt(utc: str | None) -> str:
    """Return a time as 2026-01-02 11:04:05; empty for an event that has not happened."""
    return datetime.fromisoformat(utc).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S") if utc else ""


def milliseconds(utc: str) -> int:
    return round(datetime.fromisoformat(utc).timestamp() * 1000)
