# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the reading and writing of the stored file in Python; plugins/test_stored_file.py compares it with the shell."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from stored_files import (
    CLIENT_ID,
    KEY,
    LINE,
    NAME,
    RIGHT,
    RIGHT_TOKENS,
    SECRET,
    TOKEN,
    TOKEN_LINE,
    WRONG,
    files,
)

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.certificate import compose, parse


@pytest.mark.parametrize("text", RIGHT.values(), ids=list(RIGHT))
def test_a_secret(text: str) -> None:
    found = parse(text.encode())
    assert found is not None
    assert (found.kind, found.product_key, found.device_name, found.secret) == ("secret", KEY, NAME, SECRET)
    assert found.values == {"productKey": KEY, "deviceName": NAME, "deviceSecret": SECRET}
    assert found.fingerprint == hashlib.sha256(f"fleetops:{KEY}:{NAME}:{SECRET}".encode()).hexdigest()[:16]
    assert SECRET not in repr(found)


@pytest.mark.parametrize("text", RIGHT_TOKENS.values(), ids=list(RIGHT_TOKENS))
def test_a_token(text: str) -> None:
    found = parse(text.encode())
    assert found is not None
    assert (found.kind, found.product_key, found.device_name, found.secret) == ("token", KEY, NAME, TOKEN)
    assert found.values == {"productKey": KEY, "deviceName": NAME, "deviceToken": TOKEN, "clientId": CLIENT_ID}
    assert found.fingerprint == hashlib.sha256(f"fleetops:{KEY}:{NAME}:{TOKEN}".encode()).hexdigest()[:16]
    assert TOKEN not in repr(found)


@pytest.mark.parametrize("text", WRONG.values(), ids=list(WRONG))
def test_what_is_none(text: str) -> None:
    assert parse(text.encode()) is None


@pytest.mark.parametrize("octets", [b"\xff", LINE.encode() + b"\xff", LINE.encode("utf-16"), b"[" * 4096, b"{" * 4096])
def test_what_is_no_text_is_none(octets: bytes) -> None:
    assert parse(octets) is None


@pytest.mark.parametrize("line", [LINE, TOKEN_LINE])
def test_what_is_written_stays_as_it_was_byte_by_byte(line: str) -> None:
    found = parse(line.encode())
    assert found is not None
    assert compose(found.values) == line


@given(octets=files())
def test_what_is_read_can_be_written(octets: bytes) -> None:
    found = parse(octets)
    if found is not None:
        assert parse(compose(found.values).encode()) == found
