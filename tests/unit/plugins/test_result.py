# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test results and diffs, including predicted ones."""

from __future__ import annotations

from typing import Any

import pytest
from looks import KEY, NAME, NEW, OTHER_NAME, OURS, PATH, export, file, found, journal, marked, provisioned, wanted

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Plan, decide
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Identity, Journal, Look
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._result import diff, result, without_diff

ONE = export(1)
EXPORT = {"places": {1: ONE.dest}}


def foreseen(gateway: Look, **task: Any) -> dict[str, Any]:
    asked = wanted(**task)
    return diff(gateway, asked, decide(gateway, asked), None)


def test_a_report_of_a_credential() -> None:
    gateway = provisioned(file(0o640, 1000, "gw", 1001, "iot"))
    assert result(wanted(), gateway, Plan("attributes", "repair")) == {
        "reason": "attributes",
        "registered": False,
        "path": PATH,
        "product_key": KEY,
        "device_name": NAME,
        "device_name_from": "device_name",
        "device_name_proven": True,
        "fingerprint": "1111111111111111",
        "credential": {"product_key": KEY, "device_name": NAME, "kind": "secret"},
        "owner": "gw",
        "group": "iot",
        "mode": "0640",
        "proven": None,
        "due": None,
    }


@pytest.mark.parametrize(
    ("gateway", "proven"),
    [
        (provisioned(), None),
        (provisioned(journal=marked("unproven", OURS)), False),
        (provisioned(journal=marked("unproven", NEW)), None),
        (provisioned(journal=marked("stored", OURS)), None),
    ],
)
def test_a_report_says_what_is_unproven(gateway: Look, proven: bool | None) -> None:
    assert result(wanted(), gateway, Plan("up_to_date", "nothing"))["proven"] is proven


def test_a_report_of_nothing() -> None:
    told = result(wanted(), found(), Plan("missing", "store"))
    assert told["reason"] == "missing"
    assert [told[name] for name in ("fingerprint", "owner", "group", "mode")] == [None] * 4


def test_a_first_registration() -> None:
    shown = foreseen(found(**EXPORT), owner="gw", mode=0o640, exports=(ONE,))
    assert shown["before_header"] == shown["after_header"] == PATH
    assert shown["before"] == {"state": "absent", "exports": {}}
    assert shown["after"] == {
        "state": "present",
        "owner": "gw",
        "group": "(new)",
        "mode": "0640",
        "product_key": KEY,
        "device_name": NAME,
        "fingerprint": "(new)",
        "exports": {ONE.dest: "(new)"},
    }


def test_another_devices_credential() -> None:
    shown = foreseen(provisioned(credential=Identity("3333333333333333", KEY, "gw-0002")))
    assert (shown["before"]["device_name"], shown["after"]["device_name"]) == ("gw-0002", NAME)
    assert (shown["before"]["fingerprint"], shown["after"]["fingerprint"]) == ("3333333333333333", "(new)")


def test_an_unreadable_credential() -> None:
    shown = foreseen(found(file()))
    assert [shown["before"][name] for name in ("product_key", "device_name", "fingerprint")] == [None] * 3


def test_a_mode_to_repair() -> None:
    shown = foreseen(provisioned(file(0o644)))
    assert (shown["before"].pop("mode"), shown["after"].pop("mode")) == ("0644", "0600")
    assert shown["before"] == shown["after"], "nothing else changes"


def test_an_export_to_repair() -> None:
    gateway = provisioned(entries={1: file(0o640)}, exports={1: "other"}, **EXPORT)
    shown = foreseen(gateway, exports=(ONE,))
    assert shown["before"]["exports"] == {ONE.dest: "root:root 0640, other content"}
    assert shown["after"]["exports"] == {ONE.dest: "(new)"}
    assert shown["after"]["fingerprint"] == OURS.fingerprint


def test_a_right_export() -> None:
    gateway = provisioned(file(0o644), entries={1: file(0o640)}, exports={1: ONE.digest}, **EXPORT)
    shown = foreseen(gateway, exports=(ONE,))
    right = {ONE.dest: "root:root 0640, right content"}
    assert shown["before"]["exports"] == shown["after"]["exports"] == right


def test_an_interrupted_change() -> None:
    """After the change the staged credential is installed; if none is staged, the secret is known only after the run."""
    for held in (marked("stored", NEW), journal(), None):
        shown = foreseen(provisioned(journal=held, staged=NEW, leftover=True))
        assert shown["before"]["interrupted"] is True
        assert "interrupted" not in shown["after"]
        assert (shown["before"]["fingerprint"], shown["after"]["fingerprint"]) == (OURS.fingerprint, NEW.fingerprint)
    for held in (journal(), marked("dead", OURS), Journal()):
        shown = foreseen(provisioned(journal=held))
        assert shown["before"]["interrupted"] is True
        assert (shown["before"]["fingerprint"], shown["after"]["fingerprint"]) == (OURS.fingerprint, "(new)")


def test_a_change_that_is_stored_in_its_place() -> None:
    shown = foreseen(provisioned(journal=marked("stored", OURS)))
    assert shown["before"].pop("interrupted") is True
    assert shown["before"] == shown["after"]


def test_what_only_has_to_go() -> None:
    shown = foreseen(provisioned(staged=OTHER_NAME, leftover=True))
    assert shown["before"].pop("interrupted") is True
    assert shown["before"] == shown["after"]


def test_a_change_that_is_only_unproven_is_over() -> None:
    shown = foreseen(provisioned(file(0o644), journal=marked("unproven", OURS)))
    assert "interrupted" not in shown["before"]
    assert (shown["before"].pop("mode"), shown["after"].pop("mode")) == ("0644", "0600")
    assert shown["before"] == shown["after"]


def test_a_reset_to_prepare() -> None:
    shown = foreseen(provisioned(), state="reset_intended")
    assert "reset_intended" not in shown["before"]
    assert shown["after"] == {**shown["before"], "reset_intended": True}


@pytest.mark.parametrize(
    ("held", "word"),
    [
        (journal(intent="reset"), "reset_intended"),
        (journal(intent="renew"), "interrupted"),
        (marked("stored", NEW, intent="reset"), "interrupted"),
        (marked("dead", OURS, intent="reset"), "interrupted"),
    ],
)
def test_a_reset_that_was_prepared(held: Journal, word: str) -> None:
    before = foreseen(provisioned(journal=held))["before"]
    assert {name for name in ("reset_intended", "interrupted") if name in before} == {word}


@pytest.mark.parametrize(
    ("uid", "gid", "task", "shown"),
    [
        # The file will be the remote user's, whose names are known only after the run, unless they are the same as before.
        (0, 0, {}, ("(new)", "(new)")),
        (0, 1000, {}, ("(new)", "gw")),
        (1000, 0, {}, ("gw", "(new)")),
        (0, 0, {"owner": "root"}, ("root", "(new)")),
        (0, 0, {"group": "root"}, ("(new)", "root")),
        (1000, 1000, {"mode": 0o640}, ("gw", "gw")),
    ],
)
@pytest.mark.parametrize("register", ["always", "never"])
def test_whose_the_file_is_going_to_be(
    uid: int, gid: int, task: dict[str, Any], shown: tuple[str, str], register: str
) -> None:
    gateway = provisioned(file(0o600, 1000, "gw", 1000, "gw"), uid=uid, gid=gid)
    after = foreseen(gateway, register=register, **task)["after"]
    assert (after["owner"], after["group"]) == shown


def test_a_removal() -> None:
    gateway = provisioned(entries={1: file(0o640)}, exports={1: ONE.digest}, **EXPORT)
    shown = foreseen(gateway, state="absent", exports=(ONE,))
    assert shown["before"]["state"] == "present"
    assert shown["after"] == {"state": "absent", "exports": {}}
    assert foreseen(provisioned(), state="absent")["after"] == {"state": "absent"}


@pytest.mark.parametrize("after", [provisioned(), found()])
def test_what_a_run_left_is_shown_as_it_is(after: Look) -> None:
    shown = diff(found(), wanted(), Plan("missing", "store"), after)
    assert shown["before"] == {"state": "absent"}
    assert shown["after"]["state"] == ("present" if after.entry else "absent")
    assert shown["after"].get("fingerprint") == (OURS.fingerprint if after.entry else None)


def test_a_run_without_diff_keeps_the_one_that_words_depend_on() -> None:
    done = {"changed": True, "diff": {"before": {}}}
    assert without_diff({**done, "reason": "missing"}) == {"changed": True, "reason": "missing"}
    assert without_diff({**done, "reason": "unfinished"}) == {**done, "reason": "unfinished"}
