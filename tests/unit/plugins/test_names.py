# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the proof of names, hosts that share a name, and the device that is taken out of service with a gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from counted_name import CountedName
from jinja2 import UndefinedError
from jinja2.defaults import DEFAULT_NAMESPACE
from looks import KEY, NAME, NEW, OURS

from ansible_collections.fleetops.aliyun_iot.plugins.filter.decommission_devices import (
    FilterModule as DecommissionFilter,
)
from ansible_collections.fleetops.aliyun_iot.plugins.filter.decommission_devices import decommission_devices
from ansible_collections.fleetops.aliyun_iot.plugins.filter.device_names import FilterModule as NamesFilter
from ansible_collections.fleetops.aliyun_iot.plugins.filter.device_names import device_names
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    FleetopsError,
    InvalidOption,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import UNUSABLE
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Identity
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import (
    check_expected_names,
    check_facts,
    check_holder,
    check_unchanged,
    hardware_name,
    is_proven,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import NAMES, REGISTERED

JSON = Any

ROOT = Path(__file__).parents[3]
# A call of a function, in contrast to that of a method or a filter.
CALLS = re.compile(r"(?<![|.\w])(?<!\| )(\w+)\(")
FUNCTIONS = {*DEFAULT_NAMESPACE, "lookup", "query", "q", "now", "undef"}
OTHER_PRODUCT = "a1IoKTestP2"
RIGHT, WRONG = "1111111111111111", "2222222222222222"


# Facts


def playbook_variables(found: JSON) -> Iterator[str]:
    """Return the variables that a playbook or its tasks set or register."""
    if isinstance(found, dict):
        yield from found.get("vars", {})
        yield from found.get("ansible.builtin.set_fact", {})
        yield from [found["register"]] if "name" in found and "register" in found else []
    for each in found.values() if isinstance(found, dict) else found if isinstance(found, list) else []:
        yield from playbook_variables(each)


TASKS = [*(ROOT / "playbooks").rglob("*.yml"), *(ROOT / "roles/gateway").glob("[th]*/*.yml")]
SET = {name for path in TASKS for name in playbook_variables(yaml.safe_load(path.read_text()))}


@pytest.mark.parametrize("name", sorted({*NAMES, *REGISTERED, *SET, "target"} - {"ansible_become"}))
def test_facts_contain_no_variable_of_the_role_or_the_playbooks(name: str) -> None:
    with pytest.raises(StorageError, match=f"the gateway's facts contain {name}, which only the inventory may set"):
        check_facts({"ansible_facts": {"distribution": "OpenWrt", name: "x"}})


def test_other_facts_are_the_gateways_own() -> None:
    check_facts({})
    check_facts({"ansible_facts": {"distribution": "OpenWrt", "default_ipv4": {}, "my_gateway": 1, "targets": []}})


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.name)
def test_no_task_calls_a_function_that_a_fact_could_replace(path: Path) -> None:
    """Facts replace the functions of a template, unlike its filters. Hosts of a play are read without the facts of any host."""
    plain = re.sub(r"^  hosts: (>-\n)?.*|#.*", "", path.read_text(), flags=re.MULTILINE)
    called = {name for template in re.findall(r"\{\{.*?\}\}", plain, re.DOTALL) for name in CALLS.findall(template)}
    assert not called & FUNCTIONS


# A name that the hardware reports


@pytest.mark.parametrize(
    ("source", "expected", "proven"),
    [
        ("device_name", [], True),
        ("inventory_hostname", ["gw-0001", "gw-0002"], True),
        *(
            (source, expected, len(expected) == 1)
            for source in ("mac", "serial")
            for expected in ([], ["a"], ["a", "b"])
        ),
    ],
)
def test_what_proves_a_name(source: str, expected: list[str], proven: bool) -> None:
    assert is_proven(source, expected) is proven


@pytest.mark.parametrize("names", [["gw-0001", "gw-0002", "gw-0001"], ["gw1"], ["gw-0001", ""], ["gw 0001"]])
def test_lists_that_are_refused(names: list[str]) -> None:
    check_expected_names(["gw-0001", "gw-0002"])
    with pytest.raises(InvalidOption, match="expected_names"):
        check_expected_names(names)


def test_a_long_list_is_not_compared_with_itself() -> None:
    names = [CountedName(f"gw-{number:04}") for number in range(1000)]
    CountedName.comparisons = 0
    check_expected_names(names)
    assert CountedName.comparisons < 1000


@pytest.mark.parametrize(
    ("source", "reported"),
    [
        *(("mac", address) for address in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01")),
        *(("serial", serial) for serial in ("None", "0000000000", "0123456789", "System-Serial-Number", "123456789")),
        *(
            ("serial", serial)
            for serial in ("Default string", "To be filled by O.E.M.", "Not Specified", "XXXXXXXX", "----")
        ),
    ],
)
def test_what_many_gateways_report_is_no_name(source: str, reported: str) -> None:
    with pytest.raises(InvalidOption, match="many gateways") as refused:
        hardware_name(reported, source, [], None)
    assert "device_name" in refused.value.hint


@pytest.mark.parametrize(
    ("source", "reported"),
    [
        ("mac", "52:54:00:12:34:56"),
        ("mac", "02:00:00:00:00:01"),
        ("serial", "00000000deadbeef"),
        ("serial", "DMI-0001"),
        *(("serial", number) for number in ("3456", "1111")),
    ],
)
def test_what_one_gateway_reports_is_a_name(source: str, reported: str) -> None:
    assert hardware_name(reported, source, [], None) == reported


@pytest.mark.parametrize(
    ("reported", "expected", "earlier", "kind"),
    [
        ("gw-0001", [], None, ""),
        ("gw-0001", ["gw-0001"], "gw-0001", ""),
        ("gw-0001", ["gw-0002", "gw-0001"], "", ""),
        ("gw-0001", ["gw-0002"], None, "unexpected_name"),
        ("GW-0001", ["gw-0001", "gw-0002"], None, "unexpected_name"),
        ("gw-0001", ["gw-0001", "gw-0002"], "gw-0002", "unexpected_name"),
        ("gw-0001", [], "gw-0002", "unexpected_name"),
        ("", [], None, "invalid_option"),
        ("", ["gw-0001"], None, "invalid_option"),
        ("To be filled by O.E.M.", [], None, "invalid_option"),
    ],
)
def test_names_from_the_hardware(reported: str, expected: list[str], earlier: str | None, kind: str) -> None:
    if not kind:
        assert hardware_name(reported, "mac", expected, earlier) == reported
        return
    with pytest.raises(FleetopsError) as refused:
        hardware_name(reported, "mac", expected, earlier)
    assert refused.value.kind == kind
    assert reported in str(refused.value)
    assert "mac" in str(refused.value)
    if expected and reported:
        assert "expected_names" in str(refused.value) or str(earlier) in str(refused.value)


def test_a_value_that_can_be_no_name_is_named_with_the_way_out() -> None:
    with pytest.raises(InvalidOption, match="longer than 64 characters, or has others than printable ASCII") as refused:
        hardware_name(UNUSABLE, "serial", [], None)
    assert "device_name" in refused.value.hint


@pytest.mark.parametrize("reported", ["", "To be filled by O.E.M."])
def test_the_advice_about_a_serial_number_names_no_interface(reported: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        hardware_name(reported, "serial", [], None)
    assert "interface" not in caught.value.hint
    with pytest.raises(InvalidOption, match="device_name_interface"):
        hardware_name("", "mac", [], None)


def test_a_gateway_does_not_become_another_device_of_the_product() -> None:
    check_unchanged(KEY, NAME, (None, OURS, NEW))
    check_unchanged(OTHER_PRODUCT, "gw-0002", (OURS,))
    for kind in ("secret", "token"):
        for held in ((Identity(RIGHT, KEY, "gw-0002", kind), None), (OURS, Identity(RIGHT, KEY, "gw-0002", kind))):
            with pytest.raises(FleetopsError, match=f"gw-0002.*{NAME}") as refused:
                check_unchanged(KEY, NAME, held)
            assert refused.value.kind == "name_changed"


@pytest.mark.parametrize(
    "held",
    [
        None,
        Identity(RIGHT, KEY, "gw-0002"),
        Identity(RIGHT, OTHER_PRODUCT, NAME),
        Identity(RIGHT, KEY, NAME, "token"),
    ],
)
def test_who_is_to_be_reset_holds_the_devices_secret(held: Identity | None) -> None:
    check_holder(KEY, NAME, OURS)
    with pytest.raises(FleetopsError, match=NAME) as refused:
        check_holder(KEY, NAME, held)
    assert refused.value.kind == "unproven_name"


# The names of many hosts


def host(**variables: JSON) -> JSON:
    return {"gateway_product_key": KEY, **{f"gateway_{name}": value for name, value in variables.items()}}


class UndefinedFate(dict[str, JSON]):
    """The variables of a host of which only decommission_platform cannot be evaluated."""

    def get(self, name: str, default: JSON = None) -> JSON:
        if name == "decommission_platform":
            raise UndefinedError("'nope' is undefined")
        return super().get(name, default)


class Undefined(dict[str, JSON]):
    """The variables of a host as Ansible passes them: reading one with a template that cannot be rendered is an error."""

    def get(self, name: str, default: JSON = None) -> JSON:
        raise UndefinedError("'nothing' is undefined")


def looks(hostvars: JSON) -> JSON:
    """Return the results of the looks at the hosts."""
    return {name: variables["gateway_result"] for name, variables in hostvars.items() if "gateway_result" in variables}


def test_the_devices_of_hosts() -> None:
    hostvars = {
        "gw-0001": host(),
        "gw-0002": host(device_name="", device_name_from="inventory_hostname"),
        "three": host(device_name="gw-0003", device_name_from="mac"),
        "four": host(device_name_from="mac", expected_names=["gw-0004"]),
        "five": host(device_name_from="serial", expected_names="gw-0005"),
        "six": host(device_name_from="serial", expected_names=["gw-0006", "gw-0007"]),
        "seven": host(device_name_from="mac", result={"device_name": "gw-0007"}),
        "eight": host(device_name_from="mac", result={"unreachable": True}),
        "nine": host(device_name="20261"),
        # The inventory's name takes precedence over the name in the look.
        "ten": host(device_name="gw-0010", result={"device_name": "gw-0001"}),
        "gw-0011": {},
        # Wrong variables, which the task of that host reports.
        "gw1": host(),
        "bad": host(device_name="{{ undefined }}", result={"device_name": "gw-0001"}),
        "key": {"gateway_product_key": "{{ undefined }}", "gateway_device_name": "gw-0012"},
        "number": host(device_name=20261),
        "listed": host(device_name=["gw-0013"]),
        "raises": Undefined(),
    }
    found = device_names(hostvars, hostvars, looks(hostvars))
    assert {name: each["device_name"] for name, each in found.items()} == {
        **{"gw-0001": "gw-0001", "gw-0002": "gw-0002", "three": "gw-0003", "four": "gw-0004", "five": "gw-0005"},
        **{"six": None, "seven": "gw-0007", "eight": None, "nine": "20261", "ten": "gw-0010", "gw-0011": "gw-0011"},
        **{**dict.fromkeys(["gw1", "bad", "number", "listed", "raises"]), "key": "gw-0012"},
    }
    keys = {name: each["product_key"] for name, each in found.items() if each["device_name"]}
    assert keys == {**dict.fromkeys(keys, KEY), "gw-0011": "", "key": ""}
    assert [each["error"] for each in found.values()] == [None] * len(hostvars)
    wrong = {name for name, each in found.items() if each["problem"]}
    assert wrong == {"gw1", "bad", "key", "number", "listed", "raises"}
    assert NamesFilter().filters() == {"device_names": device_names}


class Partly(dict[str, JSON]):
    """The variables of a host of which one cannot be evaluated."""

    wrong: str

    def get(self, name: str, default: JSON = None) -> JSON:
        if name == self.wrong:
            raise UndefinedError("'nope' is undefined")
        return super().get(name, default)


def partly(wrong: str, **variables: JSON) -> Partly:
    found = Partly(host(**variables))
    found.wrong = "gateway_" + wrong
    return found


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (host(device_name="dev-x", device_name_from="sreial"), "dev-x"),
        (host(device_name_from="sreial"), None),
        (partly("expected_names", device_name="dev-x"), "dev-x"),
        (partly("device_name_from", device_name="dev-x"), "dev-x"),
        (partly("expected_names", device_name_from="mac"), None),
        (partly("device_name", expected_names=["dev-x"]), None),
        (host(device_name="dev-x", expected_names=5), "dev-x"),
        (host(device_name="dev-x", expected_names=[5]), "dev-x"),
        (host(device_name_from="mac", expected_names=["dev-x"]) | {"gateway_product_key": "bad key"}, "dev-x"),
        (partly("product_key", device_name="dev-x"), "dev-x"),
        (host(device_name="dev-x") | {"ansible_facts": {"gateway_site": "a"}}, "dev-x"),
        # The gateway would keep another one from its device.
        (host(device_name="dev-x") | {"ansible_facts": {"gateway_device_name": "dev-x"}}, None),
    ],
    ids=str,
)
def test_what_can_be_read_of_a_device_is_compared(wrong: JSON, name: str | None) -> None:
    hostvars = {"wrong": wrong, "b": host(device_name="dev-x"), "c": host(device_name="gw-0003")}
    found = device_names(hostvars, hostvars)
    assert found["wrong"]["device_name"] == name
    assert found["wrong"]["problem"]
    assert bool(found["wrong"]["error"]) == bool(name)
    assert found["c"]["error"] is None
    assert (found["b"]["error"] or "").startswith("2 hosts have the device dev-x of the product " + KEY) == bool(name)
    every = decommission_devices(["b"], hostvars, {}, [], "disable", found)
    assert bool(every["b"]["error"]) == bool(name)


@pytest.mark.parametrize("hosts", [["b"], ["a", "b"]], ids=str)
def test_a_name_of_the_hardware_counts_in_every_batch(hosts: list[str]) -> None:
    hostvars = {"a": host(device_name_from="serial"), "b": host(device_name="gw-0001")}
    names = {name: {"product_key": KEY, "device_name": "gw-0001"} for name in hostvars}
    every = decommission_devices(hosts, hostvars, {}, [], "disable", names)
    assert (every["b"]["error"] or "").startswith("2 hosts have the device gw-0001 of the product " + KEY)


def test_a_device_of_an_unknown_product_may_be_that_of_any() -> None:
    hostvars = {
        "a": host(device_name="gw-0001"),
        "b": host(device_name="gw-0001") | {"gateway_product_key": OTHER_PRODUCT},
        "c": host(device_name="gw-0001") | {"gateway_product_key": ""},
    }
    errors = {name: each["error"] for name, each in device_names(hostvars, hostvars).items()}
    assert f"2 hosts have the device gw-0001 of the product {KEY}: a, c." in errors["a"]
    assert f"2 hosts have the device gw-0001 of the product {OTHER_PRODUCT}: b, c." in errors["b"]
    assert "3 hosts have the device gw-0001 of the product" in errors["c"]


def test_hosts_that_share_a_device() -> None:
    hostvars = {
        "gw-0001": host(),
        "copy": host(device_name_from="mac", result={"device_name": "gw-0001"}),
        "elsewhere": {**host(device_name="gw-0001"), "gateway_product_key": OTHER_PRODUCT},
        "unread": host(device_name_from="mac"),
        "unread-too": host(device_name_from="mac"),
        **{f"many-{number}": host(device_name="gw-0002") for number in range(10_000)},
    }
    found = device_names(hostvars, hostvars, looks(hostvars))
    refused = {name: each["error"] for name, each in found.items() if each["error"]}
    assert refused.keys() == hostvars.keys() - {"elsewhere", "unread", "unread-too"}
    for name in ("gw-0001", "copy"):
        assert "gw-0001, copy" in refused[name]
    assert "10000 hosts" in refused["many-17"]
    assert len(refused["many-17"]) < 400


def test_hosts_whose_files_may_be_one() -> None:
    """Hosts that may be one machine need a look even if their paths differ, because only a look follows symbolic links."""

    def at(address: str, file: str = "a", **variables: JSON) -> JSON:
        return {**host(), "ansible_host": address, "gateway_path": f"/etc/{file}.json", **variables}

    together = {
        "local-a": {**host(), "ansible_connection": "local"},
        "local-b": {**host(), "ansible_connection": "ansible.builtin.local", "ansible_host": "b", "gateway_path": "/b"},
        "link-a": at("192.0.2.1", "s/d"),
        "link-b": at("192.0.2.1", "slink/d"),
        "usual-a": at("192.0.2.2"),
        "usual-b": at("192.0.2.2", "b", ansible_port=22),
        # Only the connection knows the port of the first host.
        "named-a": at("192.0.2.3"),
        "named-b": at("192.0.2.3", "b", ansible_port=2222),
        "named-c": at("192.0.2.3", "b", ansible_port=2223),
        "one-port-a": at("192.0.2.4", "a", ansible_port=2222),
        "one-port-b": at("192.0.2.4", "b", ansible_port="2222"),
        "plugin-a": at("192.0.2.5"),
        "plugin-b": at("192.0.2.99", ansible_connection="ssh", ansible_ssh_host="192.0.2.5", ansible_ssh_port=22),
        "wrong": at("192.0.2.6", gateway_exports=[{}]),
        "raises": at("192.0.2.6", gateway_exports=3),
    }
    alone = {
        "port-a": at("192.0.2.7", ansible_port=2222),
        "port-b": at("192.0.2.7", ansible_port=2223),
        "one-port-c": at("192.0.2.4", ansible_port=2223),
        "undefined": Undefined(),
        "gw-0001": host(),
        "gw-0002": host(),
        **{f"many-{number}": at(f"many-{number}.example") for number in range(10_000)},
    }
    found = device_names([*together, *alone], {**together, **alone})
    assert [name for name, each in found.items() if each["place_in_doubt"]] == [*together]


# Decommission

NAMED = {
    "device_name": {"device_name": "gw-0001", "device_name_from": "mac"},
    "inventory_hostname": {},
    "one expected name": {"device_name_from": "serial", "expected_names": ["gw-0001"]},
}
UNNAMED = {
    "hardware": {"device_name_from": "mac"},
    "several expected names": {"device_name_from": "serial", "expected_names": ["gw-0001", "gw-0002"]},
}
HELD = {
    "ours": {"product_key": KEY, "device_name": "gw-0001", "kind": "secret"},
    "listed": {"product_key": KEY, "device_name": "gw-0002", "kind": "secret"},
    "another": {"product_key": KEY, "device_name": "gw-0003", "kind": "secret"},
    "token": {"product_key": KEY, "device_name": "gw-0001", "kind": "token"},
    "of another product": {"product_key": OTHER_PRODUCT, "device_name": "gw-0001", "kind": "secret"},
    "none": None,
}
LOOKS = {
    held: {"credential": identity, "fingerprint": RIGHT, "path": "/etc/device.json"} for held, identity in HELD.items()
}
LOOKS |= {"failed": {"failed": True, "msg": "?"}, "unreachable": {"unreachable": True, "msg": "?"}, "no look": None}
PLATFORMS = {
    "right": RIGHT,
    "wrong": WRONG,
    "without a secret": "",
    "unknown": None,
    "not asked": None,
}


def decided(variables: JSON, look: JSON, platform: str) -> JSON:
    """Return the decision on one host, named like the device gw-0001; the platform's devices have this fingerprint."""
    fingerprint = PLATFORMS[platform]
    devices = [{"device_name": name, "fingerprint": fingerprint} for name in ("gw-0001", "gw-0002", "gw-0003")]
    answer: JSON = [{"product_key": KEY, "devices": devices if fingerprint is not None else []}]
    hostvars = {"gw-0001": host(**variables, result=look)}
    return decommission_devices(hostvars, hostvars, looks(hostvars), None if platform == "not asked" else answer)[
        "gw-0001"
    ]


@pytest.mark.parametrize(("source", "look", "platform"), list(product(NAMED, LOOKS, PLATFORMS)))
def test_the_inventory_names_the_device(source: str, look: str, platform: str) -> None:
    """Only the credential of another device contradicts the inventory; no fingerprint proves or contradicts it."""
    device = decided(NAMED[source], LOOKS[look], platform)
    if look in ("listed", "another", "of another product"):
        assert (device["device_name"], device["proven_by"]) == (None, None)
        held = HELD[look] or {}
        for text in (held["device_name"], held["product_key"], "gw-0001", KEY, "/etc/device.json"):
            assert text in device["error"]
    else:
        assert device == {
            "product_key": KEY,
            "device_name": "gw-0001",
            "proven_by": "inventory",
            "error": None,
            "refusal": None,
        }


def test_one_host_does_not_say_what_becomes_of_the_devices_of_others() -> None:
    """A task that runs once has the variables of the first host, so a host with another value is refused."""
    fates = {"gw-0001": "delete", "gw-0002": "", "gw-0003": "delete", "gw-0004": "disable"}
    hostvars = {name: host(device_name=name) | {"decommission_platform": fate} for name, fate in fates.items()}
    hostvars["gw-0005"] = UndefinedFate(host(device_name="gw-0005"))
    every = decommission_devices(hostvars, hostvars, {}, [], "delete")
    assert every.pop("gw-0005")["error"] == "'nope' is undefined"
    assert [name for name, device in every.items() if device["error"]] == ["gw-0002", "gw-0004"]
    for name in ("gw-0002", "gw-0004"):
        assert "decommission_platform is disable for this host, and delete for the run" in every[name]["error"]
    with pytest.raises(AnsibleFilterError, match="decommission_platform: 'Delete' is not a valid value"):
        decommission_devices(hostvars, hostvars, {}, [], "Delete")


@pytest.mark.parametrize("refused", [{"decommission_platform": "keep"}, {"result": LOOKS["another"]}], ids=str)
def test_a_device_of_a_host_that_is_refused_is_not_taken_out_of_service_for_another(refused: JSON) -> None:
    hostvars = {"a": host(device_name="gw-0001"), "b": host(device_name="gw-0001", result=refused.get("result"))}
    hostvars["b"] |= {name: value for name, value in refused.items() if name != "result"}
    every = decommission_devices(hostvars, hostvars, looks(hostvars), [], "disable")
    assert "2 hosts have the device gw-0001" in every["a"]["error"]
    assert every["b"]["device_name"] is None
    assert "2 hosts" not in every["b"]["error"]


def test_a_device_of_a_host_in_a_later_batch_is_not_taken_out_of_service() -> None:
    hostvars = {
        "typed": host(device_name="gw-0001"),
        "cloned": host(device_name_from="mac", result=LOOKS["another"]),
        "right": host(device_name="gw-0002"),
        "gw-0001": host(),
        "gw-0003": host(),
        "mac": host(device_name_from="mac"),
    }
    answer: JSON = [{"product_key": KEY, "devices": [{"device_name": "gw-0003", "fingerprint": RIGHT}]}]
    every = decommission_devices(
        ["typed", "cloned", "right"], hostvars, looks(hostvars), answer, None, device_names(hostvars, hostvars)
    )
    assert "typed, gw-0001" in every["typed"]["error"]
    assert "cloned, gw-0003" in every["cloned"]["error"]
    assert (every["right"]["device_name"], every["right"]["error"]) == ("gw-0002", None)
    assert len(every) == 3


# With the list, the hardware may report gw-0001 and gw-0002.
PROVEN = {("hardware", held) for held in ("ours", "listed", "another")}
PROVEN |= {("several expected names", held) for held in ("ours", "listed")}
CONTRADICTED = {("hardware", "of another product"), ("several expected names", "of another product")}
CONTRADICTED |= {("several expected names", "another")}


@pytest.mark.parametrize(("source", "look", "platform"), list(product(UNNAMED, LOOKS, PLATFORMS)))
def test_the_inventory_names_no_device(source: str, look: str, platform: str) -> None:
    """Only a credential that matches the platform's proves the device, never the name of the host."""
    device = decided(UNNAMED[source], LOOKS[look], platform)
    held = HELD.get(look) or {}
    if (source, look) in CONTRADICTED:
        assert held["device_name"] in device["error"]
    elif platform == "not asked":
        assert device == {
            **{
                "product_key": KEY,
                "device_name": held.get("device_name"),
                "proven_by": None,
                "error": None,
                "refusal": None,
            },
        }
    elif (source, look) in PROVEN and platform == "right":
        assert device == {
            **{
                "product_key": KEY,
                "device_name": held["device_name"],
                "proven_by": "credential",
                "error": None,
                "refusal": None,
            },
        }
    else:
        assert (device["device_name"], device["proven_by"]) == (None, None)
        assert "gateway_device_name" in device["error"]
        assert device["refusal"]["kind"] == "unproven_name"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"gateway_product_key": ""}, "product_key"),
        ({"gateway_product_key": "{{ undefined }}"}, "product_key"),
        (host(device_name="x"), "device_name"),
        (host(device_name=20261), "gateway_device_name: is a number"),
        (host(device_name_from="mac", expected_names=[20261]), "gateway_expected_names: is a number"),
        ({"gateway_product_key": ["a1IoKTestP1"]}, "gateway_product_key: is a list"),
        (host(device_name_from="MAC"), "gateway_device_name_from: 'MAC' is not a valid value"),
        (
            host(device_name_from="hostname", result={"credential": HELD["ours"]}),
            "gateway_device_name_from: 'hostname'",
        ),
        (Undefined(), "'nothing' is undefined"),
    ],
)
def test_what_can_be_no_device_is_refused_for_its_host(variables: JSON, says: str) -> None:
    hostvars = {"gw-0001": host(), "gw-0002": variables}
    devices = decommission_devices(hostvars, hostvars, looks(hostvars))
    assert says in devices["gw-0002"]["error"]
    assert devices["gw-0002"]["refusal"]["kind"] == "invalid_option"
    assert devices["gw-0001"]["proven_by"] == "inventory"


def test_a_name_that_a_gateway_invents_is_not_asked_for() -> None:
    """An invalid name would make the query to the platform fail for all hosts."""
    held = {"product_key": KEY, "device_name": "x" * 64, "kind": "secret"}
    hostvars = {"gw-0001": host(device_name_from="mac", result={"credential": held, "fingerprint": RIGHT})}
    assert decommission_devices(hostvars, hostvars, looks(hostvars))["gw-0001"]["device_name"] is None
    assert decommission_devices(hostvars, hostvars, looks(hostvars), [])["gw-0001"]["error"]


def test_a_device_goes_with_one_gateway_alone() -> None:
    """A claim without proof does not take the device from the gateway that the inventory names."""
    held = {"product_key": KEY, "device_name": "gw-0001", "kind": "secret"}
    forger = host(device_name_from="mac", result={"credential": held, "fingerprint": WRONG})
    copy = host(device_name_from="mac", result={"credential": held, "fingerprint": RIGHT})
    platform = [{"product_key": KEY, "devices": [{"device_name": "gw-0001", "fingerprint": RIGHT}]}]
    hostvars = {"gw-0001": host(), "forger": forger}
    for answer in (platform, None):
        devices = decommission_devices(hostvars, hostvars, looks(hostvars), answer)
        assert devices["gw-0001"]["proven_by"] == "inventory"
        assert devices["forger"]["proven_by"] is None
    hostvars = {"gw-0001": host(), "copy": copy, "gw-0002": host()}
    devices = decommission_devices(hostvars, hostvars, looks(hostvars), platform)
    for name in ("gw-0001", "copy"):
        assert "gw-0001, copy" in devices[name]["error"]
        assert devices[name]["refusal"]["kind"] == "shared_name"
    assert devices["gw-0002"]["proven_by"] == "inventory"
    assert DecommissionFilter().filters() == {"decommission_devices": decommission_devices}
