# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that a file that is no valid credential, such as an edited one, is refused before the login is tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.login_program import perform
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import NetworkError, StorageError

SECRET = {"productKey": "a1IoKTestP1", "deviceName": "gw-0001", "deviceSecret": "0123456789abcdef"}
TOKEN = {"productKey": "a1IoKTestP1", "deviceName": "gw-0001", "clientId": "c-1", "deviceToken": "^1^t"}


def log_in(path: Path) -> None:
    options: dict[str, Any] = {"region": None, "instance_id": None, "ca_path": None, "validate_certs": True}
    perform({**options, "path": str(path), "mqtt_endpoint": "127.0.0.1:9", "timeout": 1, "sign_method": "hmacsha256"})


@pytest.mark.parametrize("content", [SECRET, TOKEN], ids=str)
def test_a_credential_is_tried(tmp_path: Path, content: dict[str, str]) -> None:
    path = tmp_path / "device.json"
    path.write_text(json.dumps(content, indent=2))
    with pytest.raises(NetworkError):
        log_in(path)


@pytest.mark.parametrize("value", ["", "\ud800", "a b", "ä", "a\nb", "a" * 257, 7, None, ["a"]], ids=ascii)
@pytest.mark.parametrize(("content", "part"), [(each, part) for each in (SECRET, TOKEN) for part in each], ids=str)
def test_what_no_platform_issues_is_none(tmp_path: Path, content: dict[str, str], part: str, value: Any) -> None:
    path = tmp_path / "device.json"
    path.write_text(json.dumps({**content, part: value}))
    with pytest.raises(StorageError, match="does not contain a valid credential") as raised:
        log_in(path)
    assert raised.value.kind == "unreadable"


@pytest.mark.parametrize("value", ["~root", "$(id)", "a`b", "a'b", "a;b", "a" * 65], ids=ascii)
def test_what_a_shell_would_take_for_more_is_no_secret(tmp_path: Path, value: str) -> None:
    path = tmp_path / "device.json"
    path.write_text(json.dumps({**SECRET, "deviceSecret": value}))
    with pytest.raises(StorageError, match="does not contain a valid credential"):
        log_in(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000], ids=lambda text: text[:2])
def test_what_is_no_object_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "device.json"
    path.write_text(text)
    with pytest.raises(StorageError, match="does not contain a valid credential"):
        log_in(path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none.json", "No such file or directory"),
        *((name, "no file can have this name") for name in ("a\0b", "\ud800")),
    ],
    ids=ascii,
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(StorageError, match=f"cannot be read: {problem}") as raised:
        log_in(tmp_path / name)
    assert raised.value.kind == "unreadable"


def test_a_file_without_an_end_is_not_read_to_it(tmp_path: Path) -> None:
    """A user can create such a file without using disk space, because the file is sparse."""
    path = tmp_path / "device.json"
    path.write_text(json.dumps(SECRET))
    with path.open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(StorageError, match="does not contain a valid credential"):
        log_in(path)
