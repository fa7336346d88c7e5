# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the gate: the parts of an answer that it accepts, and that it raises nothing but an error for operators."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from any_text import CHARACTERS
from hypothesis import given
from hypothesis import strategies as st
from strangers import documents, texts

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _gate as gate
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    DEVICE_NAME,
    PRODUCT_KEY,
)

ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202eevil\u2066\x9b31m"
PATTERNS = {name: value for name, value in vars(gate).items() if isinstance(value, re.Pattern)}
PATTERNS.update(DEVICE_NAME=DEVICE_NAME, PRODUCT_KEY=PRODUCT_KEY)
# For each alphabet a valid value, and an invalid one that a weaker check would accept.
EXAMPLES = {
    "FINGERPRINT": ("0123456789abcdef", "0123456789abcdeF"),
    "DIGEST": ("0" * 64, "0" * 63),
    "ACCOUNT": ("AD\\gw-user$", "-rf"),
    "PATH": ("/etc/iot conf/x", "/etc/a\tb"),
    "BOOT_ID": ("4a5c9e9e-8c8f-4f7e-9d5c-0c2b6a0f0a11", "4A"),
    "HARDWARE_NAME": ("To be filled by O.E.M.", "\u00e9"),
    "TOOL": ("sha256sum", "sh a"),
    "DUE": ("0123456789abcdef", "0123456789abcde"),
    "DEVICE_NAME": ("gw:1@x.y", "gw;id"),
    "PRODUCT_KEY": ("a1IoKTestP1", "a1.evil.example"),
}


def refused(call: Callable[[], object]) -> StorageError:
    """Return the error of a call that must be refused, with a message that can be shown on a terminal."""
    with pytest.raises(StorageError) as raised:
        call()
    error = raised.value
    assert error.kind == "bad_answer"
    assert str(error).isprintable()
    assert len(error.msg) < 400
    assert error.hint
    return error


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_each_alphabet(name: str) -> None:
    good, bad = EXAMPLES[name]
    assert gate.text("x", good, PATTERNS[name]) == good
    for value in (bad, f"{good}\n", f"\n{good}", "", f"{good}\x00", good + "\u00b2", None, 1, True, [good], {good: 1}):
        if value or name != "HARDWARE_NAME":
            refused(lambda value=value: gate.text("x", value, PATTERNS[name]))


def test_a_message_names_the_part_and_shows_little_of_it() -> None:
    error = refused(lambda: gate.text("fingerprint", ESCAPES + "a" * 5000, gate.FINGERPRINT))
    assert "fingerprint: " in error.msg
    assert "aaaaaaaa" in error.msg
    assert len(error.msg) < 200
    assert "of type list" in refused(lambda: gate.text("fingerprint", ["secret"], gate.FINGERPRINT)).msg


@pytest.mark.parametrize("value", [0, 7, "0", "7", "007", 99, "99"])
def test_numbers(value: int | str) -> None:
    assert gate.number("x", value, 99) == int(value)


@pytest.mark.parametrize(
    "value",
    [
        *(100, -1, "100", "-1", "+1", "1_0", " 1", "1\n", "", "\u0661", "\u00b2", "0x1", "1e1", "9" * 5000, 10**5000),
        *(True, False, 1.0, None, [1], "a"),
    ],
    ids=lambda value: str(value)[:10] if not isinstance(value, int) or value < 10**9 else "huge",
)
def test_what_is_no_number(value: object) -> None:
    refused(lambda: gate.number("x", value, 99))


def test_booleans() -> None:
    assert (gate.flag("x", True), gate.flag("x", False)) == (True, False)
    for value in (0, 1, "true", None, []):
        refused(lambda value=value: gate.flag("x", value))


def test_one_of_a_set() -> None:
    assert gate.one_of("outcome", "stale", {"stale", "lost"}) == "stale"
    assert '"st" is not one of lost, stale' in refused(lambda: gate.one_of("outcome", "st", {"stale", "lost"})).msg
    for value in ("", None, ["stale"], {}):
        refused(lambda value=value: gate.one_of("outcome", value, {"stale", "lost"}))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("no space left on device", "no space left on device"),
        ("\n one \r\n\n two\u2028three\n", "one / two / three"),
        ("a\tb\x00c\x1b[31md\u202ee\u200bf\ud800g\x9bh", "a b?c?[31md?e?f?g?h"),
        ("Ger\u00e4t \u8bbe\u5907", "Ger\u00e4t \u8bbe\u5907"),
        ("", ""),
    ],
)
def test_messages(value: str, shown: str) -> None:
    assert gate.message(value) == shown


def test_a_long_message_is_cut() -> None:
    assert gate.message("a" * 400) == "a" * 400
    assert gate.message("a" * 401) == "a" * 397 + "..."
    assert len(gate.message("\n" * 10**6 + "a")) <= 400
    refused(lambda: gate.message(None))


@pytest.mark.parametrize(
    "value",
    ["a", {"a": 1}, None, 5, [1], [None], [["a"]], ["a\nb"], ["\ud800"], ["a" * 8193], ["a"] * 2001],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_list_of_lines(value: object) -> None:
    refused(lambda: gate.lines("lines", value))


def test_a_list_of_lines() -> None:
    assert gate.lines("lines", ["a", "\x1b[31mWelcome", ""]) == ("a", "\x1b[31mWelcome", "")
    refused(lambda: gate.lines("lines", ["a", "b"], max_lines=1))
    refused(lambda: gate.lines("lines", ["ab"], limit=1))


def test_exact_keys() -> None:
    assert gate.only("result", {"a": 1, "b": 2}, ("a", "b")) == {"a": 1, "b": 2}
    assert (
        '"add_host" is not an expected key'
        in refused(lambda: gate.only("result", {"a": 1, "add_host": {}}, ("a",))).msg
    )
    assert "a is missing" in refused(lambda: gate.only("result", {}, ("a",))).msg
    for value in (None, [], "a", 1, [["a", 1]]):
        refused(lambda value=value: gate.only("result", value, ("a",)))


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "{",
            "[]]",
            "nul",
            "'a'",
            "NaN",
            "[Infinity]",
            "-Infinity",
            "[1e999]",
            "-1e999",
            '{"a":1,"a":1}',
            '[{"b":{"a":1,"a":2}}]',
        ),
        *(
            "[" * 60_000,
            '{"a":' * 60_000,
            "[" * 60_000 + "]" * 60_000,
            "1" * 5000,
            '"' + "a" * 2**20 + '"',
            None,
            b"{}",
        ),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_document(value: object) -> None:
    refused(lambda: gate.document("result", value))


def test_lines_end_where_a_script_ends_them() -> None:
    """A Unicode line break, as in a directory's name, does not end a line."""
    assert gate.split("output", "a\r\nb\n\nc\x0bd\x0ce\x1cf\x85g\u2028h\ri\n") == [
        *("a", "b", ""),
        "c\x0bd\x0ce\x1cf\x85g\u2028h\ri",
    ]
    assert gate.split("output", "") == []
    assert gate.split("output", "a") == ["a"]
    refused(lambda: gate.split("output", "a" * (gate.OUTPUT + 1)))


def passes(call: Callable[[], Any]) -> Any:
    """Return the result of a call, None if it was refused as required."""
    found = []
    with suppress(StorageError):
        found.append(call())
    if not found:
        refused(call)
    return found[0] if found else None


values = documents | texts
names = st.sampled_from("abcdef")


@given(values, st.sampled_from(sorted(PATTERNS)))
def test_text_that_passes_matches(value: object, name: str) -> None:
    found = passes(lambda: gate.text("x", value, PATTERNS[name], 100))
    if found is not None:
        assert found == value
        assert len(found) <= 100
        assert PATTERNS[name].fullmatch(found)
        assert found.isascii()
        assert found.isprintable()


@pytest.mark.parametrize("name", sorted(PATTERNS))
@given(st.data())
def test_every_word_of_an_alphabet_passes(name: str, data: st.DataObject) -> None:
    value = data.draw(st.from_regex(PATTERNS[name], alphabet=CHARACTERS, fullmatch=True))
    assert gate.text("x", value, PATTERNS[name]) == value


@given(values, st.integers(0, 2**64))
def test_a_number_that_passes_is_in_range(value: object, most: int) -> None:
    found = passes(lambda: gate.number("x", value, most))
    assert found is None or (isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= most)


@given(st.integers(0, 2**53))
def test_every_number_passes(value: int) -> None:
    assert gate.number("x", value, 2**53) == gate.number("x", str(value), 2**53) == value


@given(values)
def test_a_flag_that_passes_is_a_boolean(value: object) -> None:
    found = passes(lambda: gate.flag("x", value))
    assert isinstance(found, bool) if isinstance(value, bool) else found is None


@given(values | names, st.sets(names))
def test_one_of_a_set_that_passes_is_in_it(value: object, allowed: set[str]) -> None:
    found = passes(lambda: gate.one_of("x", value, {*allowed, "stale"}))
    assert found is None or found in {*allowed, "stale"}


@given(values, st.integers(10, 500))
def test_a_message_that_passes_is_one_printable_line(value: object, longest: int) -> None:
    found = passes(lambda: gate.message(value, longest))
    assert (found is not None) is isinstance(value, str)
    if found is not None:
        assert found.isprintable()
        assert len(found) <= longest
        assert gate.message(found, longest) == found


@given(values | st.lists(texts))
def test_lines_that_pass_can_be_printed_one_by_one(value: object) -> None:
    found = passes(lambda: gate.lines("x", value, 10, 100))
    if found is not None:
        assert list(found) == list(value)  # type: ignore[call-overload]
        assert len(found) <= 10
        assert all(isinstance(line, str) and len(line) <= 100 and "\n" not in line for line in found)
        "".join(found).encode()


@given(values | st.dictionaries(names, documents), st.sets(names))
def test_an_object_that_passes_has_those_keys(value: object, required: set[str]) -> None:
    found = passes(lambda: gate.only("x", value, required))
    if found is not None:
        assert found == value
        assert set(found) == required


@given(documents)
def test_every_document_passes_as_it_was(value: object) -> None:
    assert gate.document("x", json.dumps(value)) == value


@given(texts | documents.map(json.dumps) | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_a_document_that_passes_is_json(value: str) -> None:
    found = passes(lambda: gate.document("x", value, 1000))
    if found is not None:
        assert len(value) <= 1000
        assert json.loads(json.dumps(found, allow_nan=True)) == found


@given(values)
def test_lines_of_an_output_have_no_line_feed(value: object) -> None:
    found = passes(lambda: gate.split("x", value, 200))
    assert (found is None) is (not isinstance(value, str) or len(value) > 200)
    assert not any("\n" in line for line in found or [])
