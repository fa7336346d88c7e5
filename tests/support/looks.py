# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at a gateway for tests: a bare gateway, and variants of it."""

from __future__ import annotations

import stat
from typing import Any

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export, Wanted
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Entry, Identity, Journal, Look

PATH = "/etc/aliyun-iot/device.json"
KEY, NAME = "a1IoKTestP1", "OvenDevice01"
OURS = Identity("1111111111111111", KEY, NAME)
NEW = Identity("2222222222222222", KEY, NAME)
TOKEN = Identity("5555555555555555", KEY, NAME, "token")
OTHER_NAME = Identity("3333333333333333", KEY, "OvenDevice02")
OTHER_PRODUCT = Identity("3333333333333333", "a1IoKTestP2", NAME)


def file(
    mode: int = 0o600, uid: int = 0, user: str = "root", gid: int = 0, group: str = "root", acl: bool = False
) -> Entry:
    return Entry(stat.S_IFREG | mode, uid, gid, user, group, acl)


def found(entry: Entry | None = None, **changes: Any) -> Look:
    """Return root's look at an empty gateway, with these changes; `entry` is the file at the credential's path."""
    values: dict[str, Any] = {
        "expected": "",
        "uid": 0,
        "gid": 0,
        "path": PATH,
        "credential": None,
        "staged": None,
        "journal": None,
        "boot": "boot-1",
        "uptime": 1000,
        **changes,
    }
    return Look(entry=entry, **values)


def provisioned(entry: Entry | None = None, **changes: Any) -> Look:
    """Return a look at a gateway with the wanted credential at its path."""
    return found(entry or file(), **{"credential": OURS, **changes})


def journal(mark: str | None = None, fingerprint: str | None = None, **fields: Any) -> Journal:
    """Return the journal of a registration, whose lease was taken 10 seconds before the look and lasts 80."""
    values = {"token": "there", "intent": "register", "boot": "boot-1", "taken": 990, "ttl": 80, **fields}
    return Journal(**values, mark=mark, fingerprint=fingerprint)


def marked(mark: str, identity: Identity, **fields: Any) -> Journal:
    """Return a journal whose last line contains this mark of a new credential."""
    return journal(mark, identity.fingerprint, **fields)


def wanted(**changes: Any) -> Wanted:
    return Wanted(**{"product_key": KEY, "device_name": NAME, "owner": None, "group": None, "mode": 0o600, **changes})


def export(number: int = 1, **changes: Any) -> Export:
    values = {"dest": f"/etc/agent/{number}.conf", "owner": None, "group": None, "mode": 0o640, "content": "x"}
    return Export(**{**values, "digest": f"digest-{number}", **changes})
