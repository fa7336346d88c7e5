# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state in SQLite, and the upgrade from the version before."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from platform_emulator.fields import Invalid
from platform_emulator.mqtt import tokens
from platform_emulator.mqtt.tokens import Token
from platform_emulator.store import Store, opened

VERSION_2 = """
CREATE TABLE product (product_key TEXT PRIMARY KEY, product_secret TEXT NOT NULL, product_name TEXT NOT NULL,
    node_type TEXT NOT NULL, dynamic_registration INTEGER NOT NULL, description TEXT NOT NULL, net_type TEXT NOT NULL,
    data_format INTEGER, gmt_create TEXT NOT NULL);
CREATE TABLE device (product_key TEXT NOT NULL REFERENCES product ON DELETE CASCADE, device_name TEXT NOT NULL,
    device_secret TEXT NOT NULL, nickname TEXT NOT NULL, iot_id TEXT NOT NULL UNIQUE, gmt_create TEXT NOT NULL,
    activated_at TEXT, online INTEGER NOT NULL, disabled INTEGER NOT NULL, registration TEXT NOT NULL,
    renew_secret INTEGER NOT NULL, registrations INTEGER NOT NULL,
    gateway TEXT REFERENCES device (iot_id) ON DELETE SET NULL, PRIMARY KEY (product_key, device_name));
CREATE INDEX device_gateway ON device (gateway);
CREATE TABLE device_token (client_id TEXT PRIMARY KEY, product_key TEXT NOT NULL, device_name TEXT NOT NULL,
    device_token TEXT NOT NULL, FOREIGN KEY (product_key, device_name) REFERENCES device ON DELETE CASCADE);
CREATE TABLE access_key (id TEXT PRIMARY KEY, secret TEXT NOT NULL, security_token TEXT NOT NULL, expires TEXT NOT NULL);
CREATE TABLE nonce (access_key_id TEXT NOT NULL, nonce TEXT NOT NULL, time REAL NOT NULL,
    PRIMARY KEY (access_key_id, nonce));
CREATE TABLE application (id INTEGER PRIMARY KEY AUTOINCREMENT, spec TEXT NOT NULL);
CREATE TABLE job (id TEXT PRIMARY KEY, spec TEXT NOT NULL);
CREATE TABLE setting (name TEXT PRIMARY KEY, value NOT NULL);
CREATE TABLE fault (id INTEGER PRIMARY KEY AUTOINCREMENT, spec TEXT NOT NULL, remaining INTEGER);
CREATE TABLE request (id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, action TEXT NOT NULL, product_key TEXT,
    device_name TEXT, names INTEGER, http_status INTEGER, code, fault TEXT, peer TEXT NOT NULL);
CREATE TABLE seeded (entry TEXT PRIMARY KEY, digest TEXT NOT NULL);
INSERT INTO product VALUES ('a1', 's', '', 'gateway', 1, '', '', NULL, '2026-01-01T00:00:00.000Z');
INSERT INTO device VALUES ('a1', 'gw-0001', 's', '', 'i1', '2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z', 0, 0,
    'activated', 0, 1, NULL);
INSERT INTO device VALUES ('a1', 'sub-0001', 's', '', 'i2', '2026-01-01T00:00:00.000Z', NULL, 0, 0, 'unregistered', 0, 0,
    'i1');
INSERT INTO device_token VALUES ('client', 'a1', 'gw-0001', 'token');
INSERT INTO application (spec) VALUES ('{"product_key": "a1"}'), ('{"product_key": "a1Gone"}');
INSERT INTO job VALUES ('job', '{"sub_devices": ["i2"]}');
INSERT INTO fault (spec) VALUES ('{"action": "mqtt_tcp", "device_name": "gw-0001", "hang": 1}');
INSERT INTO seeded VALUES ('faults', 'x'), ('settings', 'x');
PRAGMA user_version = 2;
"""


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[Store]:
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as database:
        database.executescript(VERSION_2)
    store = Store(tmp_path / "state.sqlite")
    yield store
    store.close()


def test_the_state_of_the_version_before_is_taken_over(upgraded: Store) -> None:
    gateway, sub_device = upgraded.devices("a1")
    assert (gateway.online_at, gateway.changed_at) == (gateway.activated_at,) * 2 == ("2026-01-02T00:00:00.000Z",) * 2
    assert (sub_device.online_at, sub_device.gateway) == (None, "i1")
    assert tokens.is_valid(upgraded, gateway, Token("client", "token"))
    applications = upgraded.rows("SELECT id, product_key FROM application")
    assert [tuple(row) for row in applications] == [(1, "a1")]
    assert [json.loads(row["spec"])["gateway"] for row in upgraded.rows("SELECT spec FROM job")] == ["i1"]
    assert upgraded.rows("SELECT * FROM fault") == []
    assert [row["entry"] for row in upgraded.rows("SELECT entry FROM seeded")] == ["settings"]


def test_an_upgrade_leads_to_the_same_columns(upgraded: Store, tmp_path: Path) -> None:
    def columns(store: Store) -> dict[str, set[str]]:
        tables = [row[0] for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: {row["name"] for row in store.rows(f"PRAGMA table_info({table})")} for table in tables}

    new = Store(tmp_path / "new.sqlite")
    assert columns(upgraded) == columns(new)
    new.close()


def test_the_advice_depends_on_the_error(tmp_path: Path) -> None:
    """The advice to remove the state is for a broken one only: on a full disk, or while another program uses it, it is intact."""
    database = tmp_path / "state.sqlite"
    full = pytest.raises(Invalid, match=r"is full\); the state is intact, but the disk is full: free some space$")
    with full, opened(database) as store:
        store.rows("PRAGMA max_page_count = 1")
        with store.transaction():
            for number in range(1000):
                store.insert("INSERT INTO application (spec) VALUES (?)", ("x" * 1000 + str(number),))
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        used = pytest.raises(
            Invalid, match=r"is locked\); the state is intact, but another program uses it: end that program$"
        )
        with used, opened(database) as store, store.transaction():
            pass
    with opened(database) as store:
        assert store.rows("SELECT * FROM application") == []
    sound = database.read_bytes()
    for content, kind in ((b"x" * len(sound), "is not a database"), (sound[:4096] + b"x" * len(sound), "malformed")):
        database.write_bytes(content)
        broken = pytest.raises(Invalid, match=rf"{kind}\); restore it, or remove the state directory$")
        with broken, opened(database) as store:
            store.rows("SELECT * FROM application")


def test_an_error_at_the_end_of_a_transaction_does_not_leave_it_open(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")

    def change() -> None:
        with store.transaction():
            store.rows("PRAGMA defer_foreign_keys = ON")
            store.insert("INSERT INTO application (spec, product_key) VALUES ('', ?)", ("a1Gone",))

    with pytest.raises(sqlite3.IntegrityError):
        change()
    with store.transaction():
        assert store.rows("SELECT * FROM application") == []
    store.close()
