# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of requests from devices and clients, without secrets, signatures and random numbers."""

from __future__ import annotations

import logging

from platform_emulator.products import utc_now
from platform_emulator.store import Store

_log = logging.getLogger(__name__)


def opened(
    store: Store,
    action: str,
    product_key: str | None,
    device_name: str | None,
    peer: str,
    fault: str | None,
    names: int | None = None,
) -> int:
    """Log that a request came in; returns the entry's number."""
    return store.insert(
        "INSERT INTO request (time, action, product_key, device_name, peer, fault, names) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (utc_now(), action, product_key, device_name, peer, fault, names),
    )


def answered(store: Store, entry: int, http_status: int | None, code: int | str | None) -> None:
    """Log the outcome of a request. An entry without an outcome was never processed."""
    store.rows("UPDATE request SET http_status = ?, code = ? WHERE id = ?", (http_status, code, entry))
    row = store.row("SELECT * FROM request WHERE id = ?", (entry,))
    if row:
        _log.info("%s", " ".join(f"{key}={value}" for key, value in dict(row).items() if value is not None))


def entries(store: Store, since: int, **equal: str) -> list[dict[str, object]]:
    """Return the entries after number `since`, oldest first, whose columns have the given values."""
    where = "".join(f" AND {column} = ?" for column in equal)
    statement = f"SELECT * FROM request WHERE id > ?{where} ORDER BY id"
    return [dict(row) for row in store.rows(statement, (since, *equal.values()))]


def clear(store: Store) -> None:
    store.rows("DELETE FROM request")
