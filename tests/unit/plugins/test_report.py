# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results and diffs: what they show, and what they foresee."""

from __future__ import annotations

from typing import Any

import pytest
from looks import KEY, NAME, OURS, PATH, export, file, found, journal, provisioned, wanted

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Plan, decide
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._found import Found, Identity
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report import difference, report

ONE = export(1)
EXPORT = {"places": {1: ONE.dest}}


def foreseen(gateway: Found, **task: Any) -> dict[str, Any]:
    asked = wanted(**task)
    return difference(gateway, asked, decide(gateway, asked), None)


def test_a_report_of_a_credential() -> None:
    gateway = provisioned({PATH: file(0o640, 1000, "gw", 1001, "iot")})
    assert report(wanted(), gateway, Plan("attributes", "mend")) == {
        "reason": "attributes",
        "registered": False,
        "path": PATH,
        "product_key": KEY,
        "device_name": NAME,
        "fingerprint": "1111111111111111",
        "carries": {"product_key": KEY, "device_name": NAME, "kind": "secret"},
        "owner": "gw",
        "group": "iot",
        "mode": "0640",
    }


def test_a_report_of_nothing() -> None:
    told = report(wanted(), found(), Plan("missing", "store"))
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
    shown = foreseen(found({PATH: file()}))
    assert [shown["before"][name] for name in ("product_key", "device_name", "fingerprint")] == [None] * 3


def test_a_mode_to_mend() -> None:
    shown = foreseen(provisioned({PATH: file(0o644)}))
    assert (shown["before"].pop("mode"), shown["after"].pop("mode")) == ("0644", "0600")
    assert shown["before"] == shown["after"], "nothing else changes"


def test_an_export_to_mend() -> None:
    gateway = provisioned({ONE.dest: file(0o640)}, exports={1: "other"}, **EXPORT)
    shown = foreseen(gateway, exports=(ONE,))
    assert shown["before"]["exports"] == {ONE.dest: "root:root 0640, other content"}
    assert shown["after"]["exports"] == {ONE.dest: "(new)"}
    assert shown["after"]["fingerprint"] == OURS.fingerprint


def test_a_right_export() -> None:
    gateway = provisioned({PATH: file(0o644), ONE.dest: file(0o640)}, exports={1: ONE.digest}, **EXPORT)
    shown = foreseen(gateway, exports=(ONE,))
    right = {ONE.dest: "root:root 0640, right content"}
    assert shown["before"]["exports"] == shown["after"]["exports"] == right


def test_an_interrupted_change() -> None:
    new = Identity("2222222222222222", KEY, NAME)
    shown = foreseen(provisioned(journal=journal(new.fingerprint), staged=new))
    assert shown["before"]["interrupted"] is True
    assert "interrupted" not in shown["after"]
    assert (shown["before"]["fingerprint"], shown["after"]["fingerprint"]) == ("1111111111111111", "2222222222222222")


def test_a_removal() -> None:
    gateway = provisioned({ONE.dest: file(0o640)}, exports={1: ONE.digest}, **EXPORT)
    shown = foreseen(gateway, state="absent", exports=(ONE,))
    assert shown["before"]["state"] == "present"
    assert shown["after"] == {"state": "absent", "exports": {}}
    assert foreseen(provisioned(), state="absent")["after"] == {"state": "absent"}


@pytest.mark.parametrize("after", [provisioned(), found()])
def test_what_a_run_left_is_shown_as_it_is(after: Found) -> None:
    shown = difference(found(), wanted(), Plan("missing", "store"), after)
    assert shown["before"] == {"state": "absent"}
    assert shown["after"]["state"] == ("present" if after.entry else "absent")
    assert shown["after"].get("fingerprint") == (OURS.fingerprint if after.entry else None)
