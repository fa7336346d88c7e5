# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform's state in SQLite. Committed changes survive a crash of the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from platform_emulator.fields import Invalid
from platform_emulator.products import Device, Product, utc_now

SCHEMA_VERSION = 3
SCHEMA = f"""
CREATE TABLE product (
    product_key TEXT PRIMARY KEY,
    product_secret TEXT NOT NULL,
    product_name TEXT NOT NULL,
    node_type TEXT NOT NULL,
    dynamic_registration INTEGER NOT NULL,
    description TEXT NOT NULL,
    net_type TEXT NOT NULL,
    data_format INTEGER,
    gmt_create TEXT NOT NULL
);
CREATE TABLE device (
    product_key TEXT NOT NULL REFERENCES product ON DELETE CASCADE,
    device_name TEXT NOT NULL,
    device_secret TEXT NOT NULL,
    nickname TEXT NOT NULL,
    iot_id TEXT NOT NULL UNIQUE,
    gmt_create TEXT NOT NULL,
    activated_at TEXT,
    online INTEGER NOT NULL,
    online_at TEXT,
    changed_at TEXT,
    disabled INTEGER NOT NULL,
    registration TEXT NOT NULL,
    renew_secret INTEGER NOT NULL,
    registrations INTEGER NOT NULL,
    token_generation INTEGER NOT NULL,
    gateway TEXT REFERENCES device (iot_id) ON DELETE SET NULL,
    PRIMARY KEY (product_key, device_name)
);
CREATE INDEX device_gateway ON device (gateway);
CREATE TABLE device_token (
    client_id TEXT PRIMARY KEY,
    product_key TEXT NOT NULL,
    device_name TEXT NOT NULL,
    device_token TEXT NOT NULL,
    generation INTEGER NOT NULL,
    FOREIGN KEY (product_key, device_name) REFERENCES device ON DELETE CASCADE
);
CREATE TABLE access_key (id TEXT PRIMARY KEY, secret TEXT NOT NULL, security_token TEXT NOT NULL, expires TEXT NOT NULL);
CREATE TABLE nonce (access_key_id TEXT NOT NULL, nonce TEXT NOT NULL, time REAL NOT NULL, PRIMARY KEY (access_key_id, nonce));
CREATE INDEX nonce_time ON nonce (time);
CREATE TABLE application (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    spec TEXT NOT NULL,
    product_key TEXT REFERENCES product ON DELETE CASCADE
);
CREATE TABLE job (id TEXT PRIMARY KEY, spec TEXT NOT NULL);
CREATE TABLE setting (name TEXT PRIMARY KEY, value NOT NULL);
CREATE TABLE fault (id INTEGER PRIMARY KEY AUTOINCREMENT, spec TEXT NOT NULL, remaining INTEGER);
CREATE TABLE request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    action TEXT NOT NULL,
    product_key TEXT,
    device_name TEXT,
    names INTEGER,
    http_status INTEGER,
    code,
    fault TEXT,
    peer TEXT NOT NULL
);
CREATE TABLE seeded (entry TEXT PRIMARY KEY, digest TEXT NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
"""
# Faults are deleted, because some that were possible are now refused. Those of the seed are applied again.
FROM_VERSION_2 = f"""
ALTER TABLE device ADD COLUMN online_at TEXT;
ALTER TABLE device ADD COLUMN changed_at TEXT;
ALTER TABLE device ADD COLUMN token_generation INTEGER NOT NULL DEFAULT 0;
UPDATE device SET online_at = activated_at, changed_at = activated_at;
ALTER TABLE device_token ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
CREATE INDEX nonce_time ON nonce (time);
DELETE FROM application WHERE json_extract(spec, '$.product_key') NOT IN (SELECT product_key FROM product);
ALTER TABLE application ADD COLUMN product_key TEXT REFERENCES product ON DELETE CASCADE;
UPDATE application SET product_key = json_extract(spec, '$.product_key');
UPDATE job SET spec = json_set(
    spec, '$.gateway', (SELECT gateway FROM device WHERE iot_id = json_extract(spec, '$.sub_devices[0]'))
);
DELETE FROM fault;
DELETE FROM seeded WHERE entry = 'faults';
PRAGMA user_version = {SCHEMA_VERSION};
"""


BROKEN = "restore it, or remove the state directory"
ADVICE = {
    sqlite3.SQLITE_FULL: "the state is intact, but the disk is full: free some space",
    sqlite3.SQLITE_BUSY: "the state is intact, but another program uses it: end that program",
    sqlite3.SQLITE_LOCKED: "the state is intact, but another program uses it: end that program",
    sqlite3.SQLITE_CORRUPT: BROKEN,
    sqlite3.SQLITE_NOTADB: BROKEN,
}


def advice(error: sqlite3.Error) -> str:
    """Return what the user can do about an error of SQLite."""
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the other bits distinguish causes of the same kind
    return ADVICE.get(
        primary, "it must be a file that you can read and write, on a disk without errors and with free space"
    )


@contextmanager
def opened(database: Path, *, copy: bool = False) -> Iterator[Store]:
    """Yield the state, with `copy` a copy of it in memory; raises Invalid if SQLite reports an error."""
    try:
        store = Store(database, copy=copy)
        try:
            yield store
        finally:
            store.close()
    except sqlite3.Error as error:
        raise Invalid(f"{database}: cannot be used ({error}); {advice(error)}") from None


class Store:
    """The state, for one thread. What belongs together goes into one `transaction`."""

    def __init__(self, path: Path, *, copy: bool = False) -> None:
        self._watchers: list[Callable[[str, str | None], None]] = []
        self._db = sqlite3.connect(":memory:" if copy else path, isolation_level=None)
        try:
            if copy:
                _read_into(self._db, path)
            self._prepare(path)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, path: Path) -> None:
        self._db.row_factory = sqlite3.Row
        # NORMAL: commits survive a crash of the process; only a power failure can lose the last ones.
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")
        row = self.row("PRAGMA user_version")
        version = row[0] if row else 0
        if version in (0, 2):
            self._db.executescript(f"BEGIN IMMEDIATE; {FROM_VERSION_2 if version else SCHEMA} COMMIT;")
        elif version != SCHEMA_VERSION:
            raise Invalid(f"{path}: was made by another version of the emulator; remove the state directory")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all of the changes inside, or none. Never await inside."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:  # after some errors, SQLite itself has rolled back
                self._db.execute("ROLLBACK")

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        return self._db.execute(statement, values).fetchall()

    def row(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Row | None:
        rows = self.rows(statement, values)
        return rows[0] if rows else None

    def insert(self, statement: str, values: Sequence[object]) -> int:
        """Run an INSERT; returns the new row's number."""
        return int(self._db.execute(statement, values).lastrowid or 0)

    def watch(self, watcher: Callable[[str, str | None], None]) -> None:
        """Call the watcher with the names of each device that is changed or removed, within the transaction.

        The device name is None if a product is removed with its devices.
        """
        self._watchers.append(watcher)

    def _notify(self, product_key: str, device_name: str | None) -> None:
        for watcher in self._watchers:
            watcher(product_key, device_name)

    # Products

    def products(self) -> list[Product]:
        return [_product(row) for row in self.rows("SELECT * FROM product ORDER BY rowid")]

    def product(self, product_key: str) -> Product | None:
        row = self.row("SELECT * FROM product WHERE product_key = ?", (product_key,))
        return _product(row) if row else None

    def save_product(self, product: Product) -> None:
        self._save("product", asdict(product), ("product_key",))

    def delete_product(self, product_key: str) -> None:
        """Remove a product and its devices."""
        self.rows("DELETE FROM product WHERE product_key = ?", (product_key,))
        self._notify(product_key, None)

    # Devices

    def devices(self, product_key: str) -> list[Device]:
        return self.select_devices("WHERE product_key = ? ORDER BY rowid", (product_key,))

    def select_devices(self, clauses: str, values: Sequence[object]) -> list[Device]:
        """Return the devices that the clauses after FROM select."""
        return [_device(row) for row in self.rows(f"SELECT * FROM device {clauses}", values)]

    def sub_devices(self, gateway: Device) -> list[Device]:
        """Return the devices in a gateway's topology."""
        return self.select_devices("WHERE gateway = ? ORDER BY rowid", (gateway.iot_id,))

    def device(self, product_key: str, device_name: str) -> Device | None:
        row = self.row("SELECT * FROM device WHERE product_key = ? AND device_name = ?", (product_key, device_name))
        return _device(row) if row else None

    def device_by_iot_id(self, iot_id: str) -> Device | None:
        return next(iter(self.select_devices("WHERE iot_id = ?", (iot_id,))), None)

    def save_device(self, device: Device) -> None:
        self._save("device", asdict(device), ("product_key", "device_name"))
        self._notify(device.product_key, device.device_name)

    def delete_device(self, product_key: str, device_name: str) -> None:
        self.rows("DELETE FROM device WHERE product_key = ? AND device_name = ?", (product_key, device_name))
        self._notify(product_key, device_name)

    def all_offline(self) -> None:
        """Set all devices offline, since connections end with the process."""
        self.rows("UPDATE device SET online = 0, changed_at = ? WHERE online = 1", (utc_now(),))

    def _save(self, table: str, values: dict[str, object], key: tuple[str, ...]) -> None:
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        updates = ", ".join(f"{column} = excluded.{column}" for column in values if column not in key)
        self.rows(
            f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}",
            tuple(values.values()),
        )


def _read_into(memory: sqlite3.Connection, path: Path) -> None:
    """Copy the database, if there is one, without a change to its files: SQLite would add some to read one that is not open."""
    if not path.exists():
        return
    log = path.with_name(f"{path.name}-wal")
    source = f"{path.absolute().as_uri()}?{'mode=ro' if log.exists() else 'immutable=1'}"
    with closing(sqlite3.connect(source, uri=True)) as database:
        database.backup(memory)


def _product(row: sqlite3.Row) -> Product:
    return Product(**{**dict(row), "dynamic_registration": bool(row["dynamic_registration"])})


def _device(row: sqlite3.Row) -> Device:
    return Device(**{**dict(row), **{name: bool(row[name]) for name in ("online", "disabled", "renew_secret")}})
