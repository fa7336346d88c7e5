# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an audit makes of looks at gateways and of the platform's devices."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_findings import FilterModule as Findings
from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_findings import audit_findings
from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_table import FilterModule as Table
from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_table import audit_table

JSON = Any

KEY, OTHER = "a1IoKTestP1", "a1IoKTestP2"
OURS, THEIRS = "1111111111111111", "2222222222222222"
NEEDED = {"kind": "registration_needed", "message": "a registration is needed", "hint": "", "code": None}


def holding(device: str, product_key: str = KEY) -> JSON:
    return {"product_key": product_key, "device_name": device}


def look(device: str = "gw-0001", reason: str = "up_to_date", **changes: JSON) -> JSON:
    """A look at a gateway that holds what it should."""
    right = {"reason": reason, "fingerprint": OURS, "path": "/etc/device.json", "credential": holding(device)}
    return {**holding(device), **right, **changes}


def device(name: str = "gw-0001", status: str = "OFFLINE", fingerprint: str = OURS) -> JSON:
    return {"device_name": name, "status": status, "fingerprint": fingerprint}


def platform(*devices: JSON, product_key: str = KEY) -> JSON:
    return {"product_key": product_key, "devices": list(devices)}


def found(looks: JSON, *platforms: JSON, **options: JSON) -> dict[str, str]:
    """The finding of each gateway, or device without one."""
    return {
        each["gateway"] or each["device_name"]: each["finding"] for each in audit_findings(looks, platforms, **options)
    }


@pytest.mark.parametrize(
    ("seen", "there", "finding"),
    [
        (look(), device(), "ok"),
        (look(), device(status="UNACTIVE"), "ok"),
        (look(), device(status="ONLINE"), "ok"),
        (look(), None, "not_on_platform"),
        (look(), device(status="DISABLE"), "disabled"),
        (look(), device(fingerprint=THEIRS), "fingerprint_differs"),
        (look(reason="attributes"), device(), "attributes"),
        (look(reason="export"), device(), "export"),
        (look(due="0123456789abcdef"), device(), "unfinished"),
        (look(reason="attributes", due="unknown"), device(), "unfinished"),
        (look(due="unknown"), device(fingerprint=THEIRS), "fingerprint_differs"),
        (look(reason="missing", failed=True, error=NEEDED, credential=None, fingerprint=None), device(), "missing"),
        (
            look(reason="unreadable", failed=True, error=NEEDED, credential=None, fingerprint=None),
            device(),
            "unreadable",
        ),
        (look(reason="interrupted", failed=True, error=NEEDED), device(), "interrupted"),
        (look(reason="interrupted"), device(), "interrupted"),
        (look(reason="identity_changed", error=NEEDED, credential=holding("gw-0009")), device(), "identity_changed"),
        (
            look(reason="identity_changed", error=NEEDED, credential=holding("gw-0001", OTHER)),
            device(),
            "identity_changed",
        ),
        ({"unreachable": True, "msg": "No route to host"}, None, "unreachable"),
        ({"failed": True, "msg": "no such file"}, None, "failed"),
        (look(error={"kind": "storage"}, failed=True), device(), "failed"),
        ({}, None, "failed"),
        # What weighs more goes first.
        (look(reason="attributes"), device(fingerprint=THEIRS), "fingerprint_differs"),
        (look(reason="export"), device(status="DISABLE"), "disabled"),
        (look(), device(status="DISABLE", fingerprint=THEIRS), "disabled"),
        (look(reason="missing", error=NEEDED, credential=None), None, "missing"),
    ],
)
def test_findings(seen: JSON, there: JSON, finding: str) -> None:
    assert found({"one": seen}, platform(*([there] if there else []))) == {"one": finding}


def test_what_a_finding_tells() -> None:
    [right, lost] = audit_findings({"one": look()}, [platform(device(), device("gw-0002", "ONLINE"))])
    assert right == {
        **holding("gw-0001"),
        "gateway": "one",
        "path": "/etc/device.json",
        "fingerprint": OURS,
        "status": "OFFLINE",
        "finding": "ok",
        "detail": "",
    }
    assert lost == {
        **holding("gw-0002"),
        "gateway": None,
        "path": None,
        "fingerprint": None,
        "status": "ONLINE",
        "finding": "no_gateway",
        "detail": "no gateway of the inventory stands for this device",
    }


def test_a_copied_credential() -> None:
    """Of two that carry one, only the copy is wrong; where it belongs to neither, both are."""
    copy = look("gw-0002", "identity_changed", error=NEEDED, credential=holding("gw-0001"))
    assert found({"one": look(), "two": copy}, platform(device(), device("gw-0002"))) == {
        "one": "ok",
        "two": "duplicate",
    }
    stranger = {**copy, "credential": holding("gw-0009")}
    assert found(
        {"one": {**stranger, **holding("gw-0001")}, "two": stranger}, platform(device(), device("gw-0002"))
    ) == {"one": "duplicate", "two": "duplicate"}


def test_two_hosts_that_stand_for_one_device() -> None:
    assert set(found({"one": look(), "two": look()}, platform(device())).values()) == {"duplicate"}


def test_devices_of_one_name_in_two_products_are_two() -> None:
    looks = {"one": look(), "two": look(**holding("gw-0001", OTHER), credential=holding("gw-0001", OTHER))}
    assert found(looks, platform(device()), platform(device(), product_key=OTHER)) == {"one": "ok", "two": "ok"}
    assert found(looks, platform(device())) == {"one": "ok", "two": "not_on_platform"}


def test_devices_without_a_gateway() -> None:
    """A gateway stands for the device that it should be, and for the one whose credential it holds."""
    looks = {"one": look(reason="identity_changed", error=NEEDED, credential=holding("gw-0002"))}
    devices = [device(name) for name in ("gw-0004", "gw-0001", "gw-0002", "gw-0003")]
    assert list(found(looks, platform(*devices))) == ["one", "gw-0003", "gw-0004"]


def test_a_gateway_that_nobody_reaches_stands_for_its_device() -> None:
    looks = {
        "gw-0001": {"unreachable": True, "msg": "No route"},
        "two": {"failed": True, "msg": "?"},
        "three": look("x"),
    }
    inventory = {"gw-0001": holding("gw-0001"), "two": holding("gw-0002"), "three": holding("gw-0003", OTHER)}
    there = platform(device(), device("gw-0002"), device("x"))
    expected = {"gw-0001": "unreachable", "two": "failed", "three": "ok"}
    assert found(looks, there, inventory=inventory) == expected
    [first, *_others] = audit_findings(looks, [there], inventory)
    assert (first["device_name"], first["status"]) == ("gw-0001", "OFFLINE")
    assert found({"gw-0001": {"unreachable": True}}, there, inventory={})["x"] == "no_gateway"


def test_a_gateway_that_nobody_reaches_is_not_the_device_that_is_named_like_it() -> None:
    inventory = {"gw-0001": {"product_key": KEY, "device_name": None, "error": None}}
    findings = audit_findings({"gw-0001": {"unreachable": True}}, [platform(device())], inventory)
    assert [(each["gateway"], each["device_name"], each["status"], each["finding"]) for each in findings] == [
        ("gw-0001", None, None, "unreachable"),
        (None, "gw-0001", "OFFLINE", "no_gateway"),
    ]


def test_a_name_that_is_refused_is_a_finding() -> None:
    changed = {"kind": "name_changed", "message": "", "hint": "", "code": None}
    unexpected = {**changed, "kind": "unexpected_name"}
    looks = {
        "one": look(reason="identity_changed", failed=True, error=changed, credential=holding("gw-0002"), msg="both"),
        "two": {"failed": True, "error": unexpected, "msg": "not listed"},
    }
    findings = audit_findings(looks, [platform(device(), device("gw-0002"))])
    assert [(each["finding"], each["detail"]) for each in findings] == [
        ("name_changed", "both"),
        ("unexpected_name", "not listed"),
    ]


# As a table


def test_the_table() -> None:
    looks = {"one": look(), "a-long-name": look("gw-0002", "attributes")}
    assert audit_table(audit_findings(looks, [platform(device(), device("gw-0002"), device("gw-0003"))])) == [
        "gateway      device_name  status   fingerprint       finding     detail",
        "a-long-name  gw-0002      OFFLINE  1111111111111111  attributes  the next provision mends it",
        "-            gw-0003      OFFLINE  -                 no_gateway  no gateway of the inventory stands for this device",
        "1 of 3 as they should be",
    ]


def test_nothing_but_a_count_when_all_is_right() -> None:
    assert audit_table(audit_findings({"one": look()}, [platform(device())])) == ["1 of 1 as they should be"]
    assert audit_table([]) == ["0 of 0 as they should be"]


def test_the_filters_have_their_names() -> None:
    assert Findings().filters() == {"audit_findings": audit_findings}
    assert Table().filters() == {"audit_table": audit_table}


@pytest.mark.parametrize(
    ("reason", "activated", "advice"),
    [
        ("missing", False, "next provision"),
        ("missing", True, "recover"),
        ("unreadable", True, "recover"),
        ("identity_changed", True, "recover"),
        ("interrupted", True, "next provision"),
    ],
)
def test_advice_that_can_be_followed(reason: str, activated: bool, advice: str) -> None:
    seen = look(reason=reason, failed=True, error=NEEDED, credential=None, fingerprint=None)
    [finding] = audit_findings({"gw": seen}, [platform({**device(), "activated": activated})])
    assert (finding["finding"], advice in finding["detail"]) == (reason, True), finding
