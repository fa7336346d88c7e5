# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the findings of an audit, from looks at gateways and the platform's devices."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import context
from ansible.errors import AnsibleFilterError

from ansible_collections.fleetops.aliyun_iot.plugins.action import audit_report
from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_findings import FilterModule as Findings
from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_findings import audit_findings
from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_table import FilterModule as Table
from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_table import audit_table
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption

JSON = Any

KEY, OTHER = "a1IoKTestP1", "a1IoKTestP2"
OURS, THEIRS = "1111111111111111", "2222222222222222"
NEEDED = {"kind": "registration_needed", "message": "a registration is needed", "hint": "", "code": None}


NO_GATEWAY = "no gateway of the inventory has this device; add the gateway, or remove the device with fleetops.aliyun_iot.devices"


def holding(device: str, product_key: str = KEY) -> JSON:
    return {"product_key": product_key, "device_name": device}


def look(device: str = "gw-0001", reason: str = "up_to_date", **changes: JSON) -> JSON:
    """Return a look at a gateway with the right credential."""
    right = {"reason": reason, "fingerprint": OURS, "path": "/etc/device.json", "credential": holding(device)}
    return {**holding(device), **right, **changes}


def device(name: str = "gw-0001", status: str = "OFFLINE", fingerprint: str = OURS) -> JSON:
    return {"device_name": name, "status": status, "fingerprint": fingerprint}


def platform(*devices: JSON, product_key: str = KEY) -> JSON:
    return {"product_key": product_key, "devices": list(devices)}


def found(looks: JSON, *platforms: JSON, **options: JSON) -> dict[str, str]:
    """Return the finding of each gateway, and of each device without a gateway."""
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
        (look(reason="unfinished", due="0123456789abcdef"), device(), "unfinished"),
        (look(reason="unfinished", due="unknown"), device(fingerprint=THEIRS), "fingerprint_differs"),
        # A due follow-up of a service that is no longer in the inventory: provision would do nothing either.
        (look(due="0123456789abcdef"), device(), "ok"),
        (look(reason="attributes", due="unknown"), device(), "attributes"),
        # With gateway_state: absent, the platform's device does not matter.
        *(
            (look(reason="exists", **rest), there, "exists")
            for rest in ({}, {"credential": None, "fingerprint": None})
            for there in (device(), device(status="DISABLE"), None)
        ),
        *(
            (look(credential=None, fingerprint=None), there, "ok")
            for there in (device(), device(status="DISABLE"), device(fingerprint=THEIRS), None)
        ),
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
        # The more serious finding takes precedence.
        (look(reason="attributes"), device(fingerprint=THEIRS), "fingerprint_differs"),
        (look(reason="export"), device(status="DISABLE"), "disabled"),
        (look(), device(status="DISABLE", fingerprint=THEIRS), "disabled"),
        (look(reason="missing", error=NEEDED, credential=None), None, "not_on_platform"),
        (look(reason="missing", error=NEEDED, credential=None), device(status="DISABLE"), "disabled"),
        (look(reason="interrupted", error=NEEDED), None, "not_on_platform"),
        (look(reason="identity_changed", error=NEEDED, credential=holding("gw-0009")), None, "not_on_platform"),
    ],
)
def test_findings(seen: JSON, there: JSON, finding: str) -> None:
    assert found({"one": seen}, platform(*([there] if there else []))) == {"one": finding}


@pytest.mark.parametrize(
    "devices",
    [
        {"failed": True, "msg": "no answer"},
        {"skipped": True},
        {"product_key": OTHER, "devices": [], "failed": True, "msg": "no answer"},
        {"product_key": OTHER, "devices": [], "error": {"message": "no answer"}},
        {"product_key": OTHER},
        {"devices": []},
        "devices",
        None,
    ],
    ids=str,
)
def test_devices_that_were_not_read_are_no_missing_devices(devices: JSON) -> None:
    """No command must register a gateway again because the query of its device failed or was skipped."""
    with pytest.raises(
        AnsibleFilterError, match=r"^audit_findings: devices\[1\] is not a result of devices_info"
    ) as caught:
        audit_findings({"one": look()}, [platform(device()), devices])
    assert ("no answer" in str(caught.value)) is ("no answer" in str(devices))


@pytest.mark.parametrize("devices", [None, 5, {"product_key": KEY, "devices": []}], ids=str)
def test_devices_that_are_no_list(devices: JSON) -> None:
    with pytest.raises(AnsibleFilterError, match=r"^audit_findings: devices is not a list of results of devices_info"):
        audit_findings({"one": look()}, devices)


def test_a_product_that_is_not_among_the_devices_is_not_compared() -> None:
    [row] = audit_findings({"one": look()}, [platform(product_key=OTHER)])
    assert (row["finding"], row["repaired_by"], row["command"]) == ("failed", "", None)
    assert row["detail"] == f"not compared: the devices of product {KEY} are not among those that were read"
    looks = {"one": look(reason="exists"), "two": {"unreachable": True, "msg": "no route"}}
    assert found(looks, platform(product_key=OTHER)) == {"one": "exists", "two": "unreachable"}


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
        "repaired_by": "",
        "command": None,
    }
    assert lost == {
        **holding("gw-0002"),
        "gateway": None,
        "path": None,
        "fingerprint": None,
        "status": "ONLINE",
        "finding": "no_gateway",
        "detail": NO_GATEWAY,
        "repaired_by": "",
        "command": None,
    }


def test_a_copied_credential() -> None:
    """Of two gateways with one credential only the copy is a duplicate; if it belongs to neither, both are."""
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


@pytest.mark.parametrize("other", [{"failed": True, "msg": "a wrong variable"}, {"unreachable": True}, None], ids=str)
def test_a_device_that_another_host_of_the_inventory_has_is_repaired_by_no_command(other: JSON) -> None:
    """A command would register it, and invalidate the credential of the other host, which could not be inspected."""
    looks = {"one": look(reason="missing", error=NEEDED, credential=None), **({"two": other} if other else {})}
    finding = audit_findings(looks, [platform(device())], {"two": holding("gw-0001")})[0]
    assert (finding["finding"], finding["command"], finding["repaired_by"]) == ("duplicate", None, "")
    assert finding["detail"].startswith("two has the same device")


def test_devices_of_one_name_in_two_products_are_two() -> None:
    looks = {"one": look(), "two": look(**holding("gw-0001", OTHER), credential=holding("gw-0001", OTHER))}
    assert found(looks, platform(device()), platform(device(), product_key=OTHER)) == {"one": "ok", "two": "ok"}
    assert found(looks, platform(device()), platform(product_key=OTHER)) == {"one": "ok", "two": "not_on_platform"}


def test_devices_without_a_gateway() -> None:
    """A gateway accounts for the device that it should be, and for the device whose credential it has."""
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
    inventory = {
        name: {"product_key": key, "device_name": None, "error": None}
        for name, key in (("gw-0001", KEY), ("two", OTHER))
    }
    looks = {name: {"unreachable": True} for name in inventory}
    findings = audit_findings(looks, [platform(device())], inventory)
    assert findings.pop(1)["finding"] == "unreachable"
    assert (
        findings[-1]["detail"] == "no gateway that was inspected has this device, but one of these may have it: gw-0001"
    )
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
        "a-long-name  gw-0002      OFFLINE  1111111111111111  attributes  owner, group or mode",
        "-            gw-0003      OFFLINE  -                 no_gateway  " + NO_GATEWAY,
        "attributes: ansible-playbook fleetops.aliyun_iot.provision -e target=a-long-name",
        "1 of 3 as they should be",
    ]


def test_gateways_that_are_repaired_alike_share_a_command() -> None:
    lost: JSON = {"reason": "missing", "failed": True, "error": NEEDED, "credential": None, "fingerprint": None}
    looks = {f"h{number}": look(f"gw-000{number}", **lost) for number in range(4)}
    looks["h3"]["device_name_proven"] = looks["h2"]["device_name_proven"] = False
    looks["exported"] = look("gw-0009", "export")
    there = [{**device(f"gw-000{number}"), "activated": number != 1} for number in (0, 1, 2, 3, 9)]
    lines = [line for line in audit_table(audit_findings(looks, [platform(*there)])) if "ansible-playbook" in line]
    playbook = "ansible-playbook fleetops.aliyun_iot."
    named = "recover -e target={} -e gateway_recovery_force=true -e gateway_device_name={}"
    assert lines == [
        f"missing: {playbook}recover -e target=h0",
        f"export, missing: {playbook}provision -e target=h1,exported",
        f"missing: {playbook}{named.format('h2', 'gw-0002')}",
        f"missing: {playbook}{named.format('h3', 'gw-0003')}",
    ]


def test_a_command_for_many_gateways_has_a_file_of_their_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ten thousand names are too long for an argument."""
    monkeypatch.setenv("FLEET_PROGRESS_LIMIT_PATH", str(tmp_path / "limits"))
    lost: JSON = {"reason": "missing", "failed": True, "error": NEEDED, "credential": None, "fingerprint": None}
    hosts = [f"gateway-of-site-{number:06}" for number in range(10_000)]
    looks = {host: look(host, **lost) for host in hosts}
    off = {f"gw-off-{number}": look(f"gw-off-{number}") for number in range(101)}
    there = [
        *({**device(host), "activated": False} for host in hosts),
        *({**device(host), "status": "DISABLE"} for host in off),
    ]
    found = audit_findings({**looks, **off}, [platform(*there)])
    provision, enable = [line.partition(": ")[2] for line in audit_table(found) if ": ansible" in line]
    for line, begin, expected in ((provision, "ansible-playbook", hosts), (enable, "ansible all ", [*off])):
        assert line.startswith(begin)
        assert len(line) < 1000
        [file] = re.findall(rf" --limit @({tmp_path}/limits/audit-\S+)$", line)
        assert Path(file).read_text().split() == expected
    few = [each for each in found if each["gateway"] in hosts[:100]]
    assert "--limit" not in "".join(audit_table(few))


def test_nothing_but_a_count_when_all_is_right() -> None:
    assert audit_table(audit_findings({"one": look()}, [platform(device())])) == ["1 of 1 as they should be"]
    assert audit_table([]) == ["0 of 0 as they should be"]


@pytest.mark.parametrize("finding", [{}, {"gateway": "one"}, "ok"], ids=str)
def test_what_is_no_finding(finding: JSON) -> None:
    with pytest.raises(AnsibleFilterError, match=r"audit_table: findings: .* is no finding of an audit. Use what the"):
        audit_table([finding])


def test_a_finding_may_have_no_more_than_its_name() -> None:
    assert audit_table([{"finding": "missing", "repaired_by": "provision"}])[1:] == [
        "-        -            -       -            missing  -",
        "0 of 1 as they should be",
    ]


@pytest.mark.parametrize(
    "finding", [{"seen": date(2026, 1, 1)}, {2: "x", "a": "y"}, {"x": float("nan")}, {date(2026, 1, 1): 1}], ids=str
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_findings_that_are_no_json(tmp_path: Path, finding: JSON, check_mode: bool) -> None:
    task = SimpleNamespace(check_mode=check_mode, async_val=0, diff=False, args={})
    action = audit_report.ActionModule(task, SimpleNamespace(), SimpleNamespace(), None, None, None)
    with pytest.raises(
        InvalidOption,
        match=r"^findings: hold a value or a key that JSON does not have, such as a date\. Use what the filter",
    ):
        action._perform({"dest": f"{tmp_path}/audit.json", "findings": [finding]})
    assert list(tmp_path.iterdir()) == []


def test_the_filters_have_their_names() -> None:
    filters: JSON = {**Findings().filters(), **Table().filters()}
    assert {name: filters[name].__wrapped__ for name in filters} == {
        **{"audit_findings": audit_findings, "audit_table": audit_table}
    }


@pytest.mark.parametrize(
    ("seen", "there", "words"),
    [
        ("missing", {"activated": False}, "provision"),
        ("missing", {"activated": True}, "recover"),
        ("unreadable", {"activated": True}, "recover"),
        ("identity_changed", {"activated": True}, "recover"),
        ("interrupted", {"activated": True}, "recover"),
        ("interrupted", {"activated": False}, "provision"),
        ("missing", None, "provision"),
        ("up_to_date", None, "provision gateway_register=always"),
        ("up_to_date", {"fingerprint": THEIRS}, "recover gateway_recovery_force=true"),
        ("missing", {"status": "DISABLE"}, "fleet_devices state=enabled"),
        ("up_to_date", {"status": "DISABLE"}, "fleet_devices state=enabled"),
        ("export", {}, "provision"),
        ("up_to_date", {}, ""),
    ],
)
def test_the_command_that_repairs_it(seen: str, there: JSON, words: str) -> None:
    needs = {"failed": True, "error": NEEDED, "credential": None, "fingerprint": None}
    looks = {"gw": look(reason=seen, **({} if seen in ("up_to_date", "export") else needs))}
    [finding] = audit_findings(looks, [platform(*([] if there is None else [{**device(), **there}]))])
    assert all(word in str(finding["command"]) for word in words.split()), finding
    assert ("gateway_" in str(finding["command"])) == ("gateway_" in words)


def test_the_command_has_what_the_command_line_has_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    line = {
        "inventory": ("/srv/my hosts.yml",),
        "extra_vars": (
            "@account.yml",
            "audit_fail=true",
            "platform_access_key_secret=S3CRET",
            "platform_profile=iot",
            '{"a": 1}',
        ),
        "become": True,
        "vault_password_files": ["/srv/vault"],
    }
    monkeypatch.setattr(context, "CLIARGS", line)
    [finding] = audit_findings({"gw-0001": look(reason="export")}, [platform(device())])
    assert finding["command"] == (
        "ansible-playbook fleetops.aliyun_iot.provision -i '/srv/my hosts.yml' -e @account.yml -e platform_profile=iot --become "
        "--vault-password-file /srv/vault -e target=gw-0001"
    )


def test_an_audit_of_a_part_of_the_inventory() -> None:
    """Gateways without a look account for their devices; if only the hardware knows a name, no other device of its product is a finding."""
    looks = {"one": look()}
    there = platform(*(device(f"gw-000{number}") for number in (1, 2, 3)))
    other = {"two": {**holding("gw-0002"), "error": None}}
    assert found(looks, there, inventory=other) == {"one": "ok", "gw-0003": "no_gateway"}
    nameless = {**other, "three": {"product_key": KEY, "device_name": None, "error": None}}
    assert found(looks, there, inventory=nameless) == {"one": "ok"}
    elsewhere = {**other, "three": {"product_key": OTHER, "device_name": None, "error": None}}
    assert found(looks, there, inventory=elsewhere) == {"one": "ok", "gw-0003": "no_gateway"}


def test_a_credential_that_is_not_to_be_there_is_removed_by_provision() -> None:
    [found] = audit_findings({"one": look(reason="exists")}, [platform(device())])
    assert found["repaired_by"] == "provision"


@pytest.mark.parametrize("inspected", [True, False])
def test_a_gateway_without_a_known_product_may_have_any_device(inspected: bool) -> None:
    """Its variables are wrong, and its device is in service: no command may replace the credential, or remove the device."""
    lost = look("gw-0002", "missing", failed=True, error=NEEDED, credential=None, fingerprint=None)
    there = platform(*({**device(f"gw-000{number}"), "activated": True} for number in (1, 2, 3)))
    wrong = {"failed": True, "msg": "a wrong variable", "error": {"kind": "invalid_option"}}
    inventory: JSON = {
        "a": {"product_key": "", "device_name": "gw-0002", "error": None, "problem": "a wrong variable"},
        "b": {"product_key": "", "device_name": None, "error": None, "problem": "a wrong variable"},
        "c": {"product_key": "", "device_name": "gw-0001", "error": None, "problem": "a wrong variable"},
        "controller": {"product_key": "", "device_name": "gw-0003", "error": None},
    }
    looks = {"two": lost, **({"a": wrong, "b": wrong, "c": wrong} if inspected else {})}
    findings = audit_findings(looks, [there], inventory)
    assert (findings[0]["finding"], findings[0]["command"]) == ("duplicate", None)
    [nobodys] = [each for each in findings if not each["gateway"]]
    assert nobodys["device_name"] == "gw-0003"
    assert nobodys["detail"] == "no gateway that was inspected has this device, but one of these may have it: b"
