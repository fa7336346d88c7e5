# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test how the shell reads the stored file, with every awk, and that Python reads any file in the same way."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from script_box import Box, Shell, fingerprint
from shells import AWKS, installed, write_shell
from stored_files import (
    KEY,
    LINE,
    NAME,
    RIGHT,
    RIGHT_TOKENS,
    SECRET,
    TOKEN,
    WRONG,
    files,
)

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.certificate import parse
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Identity


@pytest.fixture(scope="module", params=installed(AWKS))
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Box:
    folder = tmp_path_factory.mktemp("gateway")
    command = write_shell(folder / "shell", {"awk": f'exec {request.param} "$@"'})
    box = Box(Shell((str(command),), os.environ["PATH"]), folder)
    box.path.parent.mkdir()
    return box


def identified(gateway: Box, octets: bytes) -> Identity | None:
    gateway.path.write_bytes(octets)
    return gateway.look().credential


def python_says(octets: bytes) -> Identity | None:
    found = parse(octets)
    return found and Identity(found.fingerprint, found.product_key, found.device_name, found.kind)


def test_there_is_more_than_one_awk() -> None:
    assert len(installed(AWKS)) >= 2


@pytest.mark.parametrize("text", RIGHT.values(), ids=list(RIGHT))
def test_a_secret(gateway: Box, text: str) -> None:
    assert identified(gateway, text.encode()) == Identity(fingerprint(SECRET, KEY, NAME), KEY, NAME)


@pytest.mark.parametrize("text", RIGHT_TOKENS.values(), ids=list(RIGHT_TOKENS))
def test_a_token(gateway: Box, text: str) -> None:
    assert identified(gateway, text.encode()) == Identity(fingerprint(TOKEN, KEY, NAME), KEY, NAME, "token")


@pytest.mark.parametrize("text", WRONG.values(), ids=list(WRONG))
def test_what_is_none(gateway: Box, text: str) -> None:
    assert identified(gateway, text.encode()) is None


@given(octets=files() | st.binary(max_size=20).map(lambda tail: LINE.encode() + tail))
def test_shell_and_python_agree(gateway: Box, octets: bytes) -> None:
    assert identified(gateway, octets) == python_says(octets)


@pytest.mark.parametrize(
    "octets",
    [
        b'{"' * 2048,
        b'"' * 4096,
        b"{" + b" " * 4095,
        b'{"a"' + b": " * 2046,
        b'{"a":"' + b"\\" * 4090,
        b'{"a":"' + b"\\u00" * 1022,
        b'{"a":' + b"1" * 4091,
        b"{" + b'"":"",' * 682,
        b"{" + b"\n" * 4095,
    ],
    ids=range(9),
)
def test_what_is_hard_to_read_is_none_and_no_error(gateway: Box, octets: bytes) -> None:
    assert identified(gateway, octets) is None
