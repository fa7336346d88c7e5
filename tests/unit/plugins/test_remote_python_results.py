# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that any output of a gateway's Python becomes named fields or an error of the gateway."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strangers import altered, documents, texts

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote_python import ENTRIES, REPORTS, result_of

IDENTITY = {"product_key": "a1IoKTestP1", "device_name": "gw-0001", "fingerprint": "0123456789abcdef"}
INSTALLED = {"outcome": "installed", "lines": ["uid 0", "path /etc/x"]}
ERROR = {"kind": "network", "code": None, "message": "no answer", "hint": "Check the way"}
FAILED = {"error": ERROR, "may_have_registered": True, "registered": False}
CRASHED = {"crash": "KeyError at module_utils/_device/mqtt.py:7"}
LACKING = {"lacks": "ssl"}
RIGHT = {"_device.login_program": IDENTITY, "_device.registration_program": INSTALLED}


def printed(*results: Any) -> str:
    return "".join(f"\nfleetops-result {json.dumps(result)}\n" for result in results)


def refused(entry: str, output: str, rc: int = 0) -> StorageError:
    with pytest.raises(StorageError) as raised:
        result_of(entry, output, rc, "another way")
    assert str(raised.value).isprintable()
    assert raised.value.hint
    return raised.value


def test_every_program_has_a_right_result_here() -> None:
    assert set(RIGHT) == set(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_is_right(entry: str) -> None:
    found = result_of(entry, f"Welcome\n{printed(RIGHT[entry])}\nlogout\n", 0, "x")
    assert json.loads(json.dumps(found)) == RIGHT[entry]


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    "output",
    [
        *(printed({}), printed([]), printed(None), printed("a"), printed([["outcome", "installed"]]), printed(1)),
        *("fleetops-result ", "fleetops-result {", "fleetops-result " + "[" * 60_000, 'fleetops-result {"a":' * 60_000),
        *(
            "fleetops-result NaN",
            "fleetops-result \udcff",
            'fleetops-result "\\ud800"',
            "fleetops-result " + "9" * 5000,
        ),
    ],
    ids=lambda output: output.strip()[:24].encode("ascii", "replace").decode(),
)
def test_what_is_no_result(entry: str, output: str) -> None:
    assert refused(entry, output).kind == "bad_answer"


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_stands_there_twice(entry: str) -> None:
    right = json.dumps(RIGHT[entry])
    assert refused(entry, printed(RIGHT[entry], RIGHT[entry])).kind == "bad_answer"
    first = next(iter(RIGHT[entry]))
    assert refused(entry, f'fleetops-result {{"{first}": "x", {right[1:]}').kind == "bad_answer"


@pytest.mark.parametrize("entry", ENTRIES)
def test_endless_output(entry: str) -> None:
    assert "longer" in refused(entry, printed(RIGHT[entry]) + "a" * 100_000_000).msg


def test_a_program_that_was_killed_while_it_printed() -> None:
    error = refused("_device.login_program", printed(IDENTITY)[:-20], 137)
    assert (error.kind, "exit code 137" in error.msg) == ("ended_early", True)


@pytest.mark.parametrize(
    ("entry", "changes"),
    [
        *(
            ("_device.login_program", {name: value})
            for name in IDENTITY
            for value in (None, "", 5, ["a"], "a\n", "\x1b[31m", "{{ a }}")
        ),
        *(("_device.login_program", {"product_key": value}) for value in ("a1.evil.example", "a" * 33)),
        *(("_device.login_program", {"device_name": value}) for value in ("abc", "a" * 33, "a b c d")),
        *(("_device.login_program", {"fingerprint": value}) for value in ("0123456789abcde", "0123456789ABCDEF")),
        *(("_device.registration_program", {"outcome": value}) for value in ("lost", "", None, ["installed"], True)),
        *(("_device.registration_program", {"lines": value}) for value in ("uid 0", None, [1], {"a": "b"}, ["a\nb"])),
        *((entry, {"add_host": {"host_name": "x"}}) for entry in ENTRIES),
        *((entry, {"ansible_facts": {}}) for entry in ENTRIES),
    ],
)
def test_a_field_that_is_wrong(entry: str, changes: dict[str, Any]) -> None:
    assert refused(entry, printed({**RIGHT[entry], **changes})).kind == "bad_answer"


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    "changes",
    [
        *({"error": value} for value in (None, "no", [], {}, {**ERROR, "exception": "x"}, {**ERROR, "message": None})),
        *({"error": {**ERROR, "code": value}} for value in (True, 1.5, -1, 10**30, "a b", [], "\x1b")),
        *({"error": {**ERROR, "kind": value}} for value in (None, 5, [], "", "a b", "unheard_of")),
        *({"error": {**ERROR, "kind": value}} for value in ("registration_needed", "not_found", "ended_early")),
        *({name: value} for name in ("may_have_registered", "registered") for value in (None, 1, "yes")),
        *({"warnings": []}, {"crash": "x"}),
    ],
    ids=str,
)
def test_an_error_that_is_wrong(entry: str, changes: dict[str, Any]) -> None:
    assert refused(entry, printed({**FAILED, **changes})).kind == "bad_answer"


@pytest.mark.parametrize(
    "result",
    [
        *({"crash": value} for value in (None, 5, "", "x", "KeyError at x.py:7\x1b[31m", "KeyError at x.py:7\n")),
        *({"lacks": value} for value in (None, "", "ssl; rm", "\x1b", ["ssl"])),
        *({"python": value} for value in (None, 3.6, "3", "3.6.1", "3.6\x1b[31m")),
        *({**CRASHED, "add_host": {}}, {**CRASHED, **LACKING}, {**LACKING, "a": 1}, {"python": "3.6", "warnings": []}),
    ],
    ids=str,
)
def test_a_crash_that_is_wrong(result: dict[str, Any]) -> None:
    assert refused("_device.login_program", printed(result)).kind == "bad_answer"


def test_free_text_of_an_error_is_made_printable() -> None:
    described = {**ERROR, "message": "a\x1b]0;t\x07b\nc", "hint": "d\u202ee" + "f" * 5000}
    with pytest.raises(FleetopsError) as raised:
        result_of("_device.login_program", printed({**FAILED, "error": described}), 0, "x")
    assert raised.value.msg == "a?]0;t?b / c"
    assert raised.value.hint.startswith("d?eff")
    assert len(raised.value.hint) == 1000


@pytest.mark.parametrize(
    ("entry", "kind"),
    [("_device.registration_program", "unreadable"), ("_device.login_program", "unsafe_path")],
)
def test_a_kind_of_another_program(entry: str, kind: str) -> None:
    assert refused(entry, printed({**FAILED, "error": {**ERROR, "kind": kind}})).kind == "bad_answer"


def check(entry: str, output: str, rc: int) -> None:
    """Check that the output becomes the documented fields or an error for operators."""
    with suppress(FleetopsError):
        try:
            found = result_of(entry, output, rc, "another way")
        except FleetopsError as error:
            shown = error.as_result()
            described = (
                shown["kind"] in {*REPORTS[entry], "ended_early", "internal", "no_python"},
                str(error).isprintable(),
                len(str(error)) < 2100,
            )
            raise error if described == (True, True, True) else AssertionError(shown) from error
        assert set(found) == set(RIGHT[entry])
        if entry == "_device.login_program":
            assert re.fullmatch(r"[0-9a-f]{16}", found["fingerprint"])
            assert re.fullmatch(r"[A-Za-z0-9]{1,32}", found["product_key"])
            assert re.fullmatch(r"[A-Za-z0-9_.:@-]{4,32}", found["device_name"])
        else:
            assert found["outcome"] in ("begun", "installed", "stale")
            "\n".join(found["lines"]).encode()


codes = st.sampled_from([0, 1, 126, 127, 137])
results = st.one_of(
    documents, *(altered(result) for result in (IDENTITY, INSTALLED, FAILED, CRASHED, LACKING, {"python": "3.6"}))
)


@given(st.sampled_from(sorted(ENTRIES)), results, codes)
def test_any_json(entry: str, result: Any, rc: int) -> None:
    check(entry, printed(result), rc)


@given(st.sampled_from(sorted(ENTRIES)), st.lists(results, max_size=3), texts, codes)
def test_any_output(entry: str, printed_results: list[Any], noise: str, rc: int) -> None:
    check(entry, noise + printed(*printed_results) + noise, rc)
    check(entry, noise + printed(*printed_results)[:-5], rc)


@given(st.sampled_from(sorted(ENTRIES)), st.binary(), codes)
def test_any_bytes(entry: str, data: bytes, rc: int) -> None:
    check(entry, "fleetops-result " + data.decode("utf-8", "surrogateescape"), rc)
    check(entry, data.decode("utf-8", "surrogateescape"), rc)
