# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access keys of the OpenAPI: permanent ones, and temporary ones with a security token."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from platform_emulator.fields import Fields, Invalid, text
from platform_emulator.products import secret
from platform_emulator.store import Store

_id = text(r"[A-Za-z0-9._-]{1,128}", "1 to 128 letters, digits and . _ -")
_token = text(r"[!-~]{1,4096}", "1 to 4096 printable ASCII characters without blanks")


@dataclass(frozen=True)
class AccessKey:
    """One key. `security_token` is empty for a permanent key; `expires` is a time in ISO 8601, or empty."""

    id: str
    secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)
    expires: str = ""

    def expired(self, now: datetime) -> bool:
        return bool(self.expires) and datetime.fromisoformat(self.expires) <= now


def read(value: object, where: str) -> AccessKey:
    """Return the key in a mapping of the seed; raises Invalid."""
    fields = Fields(value, where)
    key = AccessKey(
        fields.need("id", _id),
        fields.need("secret", secret),
        fields.get("security_token", _token) or "",
        fields.get("expires", _time) or "",
    )
    fields.close()
    return key


def load(store: Store, key_id: str) -> AccessKey | None:
    row = store.row("SELECT * FROM access_key WHERE id = ?", (key_id,))
    return AccessKey(**dict(row)) if row else None


def save(store: Store, key: AccessKey) -> None:
    values = asdict(key)
    marks = ", ".join("?" * len(values))
    store.rows(f"INSERT OR REPLACE INTO access_key ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))


def _time(value: object, where: str) -> str:
    """Return a time in ISO 8601, from text or from a time that YAML has parsed; raises Invalid."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise Invalid(f"{where}: is not a time; write it as 2026-01-02T03:04:05Z") from None
    return time.replace(tzinfo=time.tzinfo or UTC).isoformat()
