# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at a gateway as tests imagine them: a bare gateway, and what differs from it."""

from __future__ import annotations

import stat
from typing import Any

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export, Wanted
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._found import Entry, Found, Identity, Journal

PATH = "/etc/aliyun-iot/device.json"
KEY, NAME = "a1IoKTestP1", "OvenDevice01"
OURS = Identity("1111111111111111", KEY, NAME)
NEW = Identity("2222222222222222", KEY, NAME)


def file(mode: int = 0o600, uid: int = 0, user: str = "root", gid: int = 0, group: str = "root") -> Entry:
    return Entry(stat.S_IFREG | mode, uid, gid, user, group)


def directory(mode: int = 0o755, uid: int = 0, user: str = "root") -> Entry:
    return Entry(stat.S_IFDIR | mode, uid, 0, user, "root")


def symlink() -> Entry:
    return Entry(stat.S_IFLNK | 0o777, 0, 0, "root", "root")


DIRECTORIES = {"/": directory(), "/etc": directory(), "/etc/aliyun-iot": directory()}


def found(entries: dict[str, Entry] | None = None, **changes: Any) -> Found:
    """A gateway with nothing but the directories, on which root looks, and what differs from that."""
    values: dict[str, Any] = {
        "expected": "",
        "uid": 0,
        "path": PATH,
        "credential": None,
        "staged": None,
        "journal": None,
        "places": {},
        "exports": {},
        "hardware_name": "",
        "denied": (),
        "missing_tools": (),
        "boot": "boot-1",
        "uptime": 1000,
        "process_start": None,
        **changes,
    }
    return Found(entries={**DIRECTORIES, **(entries or {})}, **values)


def provisioned(entries: dict[str, Entry] | None = None, **changes: Any) -> Found:
    """A gateway with the wanted credential in its place."""
    return found({PATH: file(), **(entries or {})}, **{"credential": OURS, **changes})


def journal(stored: str | None = None, **fields: object) -> Journal:
    values = {"holder": "here", "pid": 42, "start": "7", "boot": "boot-1", "taken": 990, "ttl": 80, **fields}
    return Journal({name: str(value) for name, value in values.items()}, stored)


def wanted(**changes: Any) -> Wanted:
    return Wanted(**{"product_key": KEY, "device_name": NAME, "owner": None, "group": None, "mode": 0o600, **changes})


def export(number: int = 1, **changes: Any) -> Export:
    values = {"dest": f"/etc/agent/{number}.conf", "owner": None, "group": None, "mode": 0o640, "content": "x"}
    return Export(**{**values, "digest": f"digest-{number}", **changes})
