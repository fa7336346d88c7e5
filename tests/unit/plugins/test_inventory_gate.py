# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that every name and value from the platform or a cache file is one host's name or plain data."""

from __future__ import annotations

import socket
import string
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from any_text import CHARACTERS
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._inventory_gate import (
    check_host_name,
    check_host_names,
    check_joined_groups,
    check_variable,
    checked_devices,
)

DEVICE = {
    "iot_product_key": "a1IoKTestP1",
    "iot_product_name": "Ovens",
    "iot_device_name": "oven-0001",
    "iot_status": "ONLINE",
    "iot_activated": True,
    "iot_nickname": "烤箱 1",
    "iot_id": "Q7uOhVRdZRRlDnTLv00100",
    "iot_created": "2018-08-06T10:47:50.000Z",
    "iot_fingerprint": "2fd4e1c67a2d28fc",
}
ALPHABET = set(string.ascii_letters + string.digits + "_.:@-")
OTHERS = ("victim", "web", "other")
PIECES = (*OTHERS, "all", "ungrouped", "localhost", "127.0.0.1", "::1", "127.1", "gw-0001", "52", "a", "-o", "x" * 100)
JOINTS = ("", ":", ",", "!", "&", "~", "*", "[0]", "@", "-", ".", " ", "\n", "\x1b[2J", "/", "%")
NAMES = st.one_of(
    st.text(CHARACTERS, max_size=20),
    st.text(alphabet=sorted(ALPHABET), max_size=300),
    st.lists(st.sampled_from((*PIECES, *JOINTS)), min_size=1, max_size=6).map("".join),
    st.lists(st.sampled_from(PIECES), min_size=2, max_size=4).map(":".join),
    st.from_regex(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", alphabet=CHARACTERS, fullmatch=True),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module", autouse=True)
def _the_name_of_the_controller() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "Control-1.example.com")
        yield


def outcome(check: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the check returns, or the error that it raises."""
    try:
        return check(*arguments)
    except FleetopsError as error:
        return error


@given(NAMES)
def test_a_host_name_is_the_name_of_that_host_alone(name: str) -> None:
    """Ansible itself resolves the name as a pattern."""
    checked = outcome(check_host_name, name, DEVICE)
    if isinstance(checked, FleetopsError):
        assert "oven-0001" in checked.msg
        assert "Set hostname" in checked.hint
        assert str(checked).isprintable()
        return
    assert checked == name
    assert set(name) <= ALPHABET
    assert 1 <= len(name) <= 253
    assert name[0] not in "-@:."
    manager = InventoryManager(DataLoader(), sources=None)
    for host in {*OTHERS, name}:
        manager._inventory.add_host(host, "all")
    assert {host.name for host in manager.list_hosts(name)} <= {name}
    assert name not in manager.groups
    assert manager._inventory.localhost is None


@pytest.mark.parametrize(
    "name",
    [
        "oven-0001",
        "52:54:00:12:34:56",
        "0012345",
        "a1IoKTestP1-oven-0001",
        "user@site_1",
        "fe80::1",
        "gw:0001",
        "control-10",
        "control-1.example.org",
        "x" * 253,
    ],
)
def test_a_usual_name_is_one(name: str) -> None:
    assert check_host_name(name, DEVICE) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "x" * 254,
            "a b",
            "a\n",
            "a,b",
            "gw[0:9]",
            "~gw.*",
            "gw*",
            "!gw-0001",
            "&gw-0001",
            "@hosts",
            "-Fconfig",
        ),
        *("-oProxyCommand=x", "a/b", "烤箱", "gw\x1b[2J", "gw-0001:all", "a:b:c", ":gw", "AA:BB:CC:DD:EE:FF:all"),
        *(
            "localhost",
            "LocalHost",
            "localhost.",
            "localhost.localdomain",
            "x.localhost",
            "ip6-localhost",
            "ip6-localhost.",
            "ip6-loopback.",
            "localhost4",
            "localhost6.localdomain6",
            "root@localhost",
            "root@127.0.0.1",
            "control-1",
            "CONTROL-1.example.com.",
            "root@control-1",
            "all",
            "ungrouped",
        ),
        *("127.0.0.1", "127.255.0.9", "127.1", "2130706433", "0.0.0.0", "0", "::1", "::", "::ffff:127.0.0.1"),
        *(None, 7, ["oven-0001"]),
    ],
    ids=repr,
)
def test_what_is_no_host_name(name: object) -> None:
    with pytest.raises(FleetopsError, match=r"hostname: .*device oven-0001 of product a1IoKTestP1.*Set hostname"):
        check_host_name(name, DEVICE)


@pytest.mark.parametrize(
    ("name", "hosts", "groups", "problem"),
    [
        ("gw-0001", ["gw-0001"], [], "is a host of another"),
        ("gw-0001", [], ["gw-0001"], "is the name of a group"),
        ("00:00:00:00:00:db", ["db"], [], "is also a pattern, of which db is"),
        ("00:00:00:00:00:db", [], ["00"], "is also a pattern, of which 00 is"),
    ],
)
def test_a_name_that_is_taken(name: str, hosts: list[str], groups: list[str], problem: str) -> None:
    check_host_names({"gw-0002": DEVICE, "52:54:00:12:34:56": DEVICE}, hosts, ["web"])
    with pytest.raises(FleetopsError, match=f"hostname: '{name}' {problem}"):
        check_host_names({name: DEVICE}, hosts, groups)


@pytest.mark.parametrize(
    ("group", "refused"),
    [
        *(("site_hz", False), ("gateways", False), ("web_1", True), ("new", False)),
        *(("product_x", False), ("webservers", True), ("all", True), ("ungrouped", True), ("db-server", True)),
        *(("localhost", True), ("Localhost", True), ("localhost4", True), ("control-1", True)),
    ],
)
def test_groups_of_others_are_joined_only_by_name_or_prefix(group: str, refused: bool) -> None:
    foreign = {"site_hz", "gateways", "web_1", "product_x", "webservers"}
    arguments = ({group: "gw-0001"}, foreign, {"db-server"}, ["gateways", "web", "localhost"], ["product_", "site_"])
    if not refused:
        check_joined_groups(*arguments)
        return
    with pytest.raises(FleetopsError, match=r"keyed_groups: .* gw-0001.*prefix"):
        check_joined_groups(*arguments)


@pytest.mark.parametrize("value", ["-oProxyCommand=id", "a b", "", None, "a\n", "$(id)", ["a"]], ids=repr)
def test_an_address_is_no_option(value: object) -> None:
    check_variable("ansible_host", "gw-1.example.com", "gw-1")
    check_variable("ansible_host", "fe80::1%eth0", "gw-1")
    check_variable("site", value, "gw-1")
    for name in ("ansible_host", "ansible_ssh_host"):
        with pytest.raises(FleetopsError, match=r"compose: .*is not an address"):
            check_variable(name, value, "gw-1")


@pytest.mark.parametrize("name", ["ansible_host", "ansible_ssh_host", "ansible_paramiko_host"])
@pytest.mark.parametrize(
    "value", ["localhost", "LOCALHOST.", "127.0.0.1", "127.1", "0", "0x7f.1", "::1", "::1%lo", "::", "control-1"]
)
def test_no_connection_leads_to_the_controller(name: str, value: str) -> None:
    with pytest.raises(
        FleetopsError, match=r"compose: .* leads to the controller, and would be ansible_.* of host gw-1"
    ):
        check_variable(name, value, "gw-1")


def test_a_name_in_any_domain_may_be_a_controller_that_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "ctl")
    for name in ("ctl", "ctl.example.com", "CTL.localdomain"):
        with pytest.raises(FleetopsError, match="a name of the controller"):
            check_host_name(name, DEVICE)
        with pytest.raises(FleetopsError, match="leads to the controller"):
            check_variable("ansible_host", name, "gw-1")
    assert check_host_name("ctl-2.example.com", DEVICE)


def test_an_address_of_the_controller_is_the_controller() -> None:
    own = "127.0.0.1"  # of a machine without a network
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route, suppress(OSError):
        route.connect(("198.51.100.1", 9))
        own = route.getsockname()[0]
    for value in (own, f"::ffff:{own}"):
        with pytest.raises(FleetopsError, match="leads to the controller"):
            check_variable("ansible_host", value, "gw-1")
    check_variable("ansible_host", "198.51.100.1", "gw-1")


def test_what_the_platform_says_of_a_device_goes_through() -> None:
    devices = [DEVICE, {**DEVICE, "iot_activated": None}, {**DEVICE, "iot_fingerprint": ""}]
    assert checked_devices(devices, ["a1IoKTestP1"], "it") == devices


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"iot_status": "online"},
            {"iot_status": ["ONLINE"]},
            {"iot_status": None},
            {"iot_activated": "yes"},
            {"iot_activated": 1},
        ),
        *({"iot_product_key": "a1IoKTestP2"}, {"iot_product_key": ["a1IoKTestP1"]}, {"iot_device_name": "x"}),
        *(
            {"iot_device_name": "a{{ 7 }}"},
            {"iot_fingerprint": "2fd4"},
            {"iot_id": "x" * 257},
            {"iot_nickname": {"a": "b"}},
        ),
        {"ansible_connection": "local"},
    ],
    ids=repr,
)
def test_what_is_no_device(change: dict[str, Any]) -> None:
    with pytest.raises(FleetopsError, match=r"the cache has a device .*--flush-cache"):
        checked_devices([DEVICE, {**DEVICE, **change}], ["a1IoKTestP1"], "the cache")


@given(
    JSON | st.lists(st.fixed_dictionaries({name: JSON | st.just(value) for name, value in DEVICE.items()}), max_size=2)
)
def test_content_of_any_kind_is_devices_or_an_error(content: Any) -> None:
    devices = outcome(checked_devices, content, ["a1IoKTestP1"], "the cache")
    if isinstance(devices, FleetopsError):
        assert str(devices).isprintable()
        return
    for device in devices:
        assert device.keys() == DEVICE.keys()
        assert all(isinstance(value, str) for name, value in device.items() if name != "iot_activated")
        assert device["iot_activated"] in (True, False, None)
        assert all(
            value.isprintable() for name, value in device.items() if name not in ("iot_activated", "iot_nickname")
        )
    assert checked_devices(devices, ["a1IoKTestP1"], "it") == devices


@given(st.text(CHARACTERS, max_size=100))
def test_no_text_reaches_a_terminal_with_controls(text: str) -> None:
    [device] = checked_devices([{**DEVICE, "iot_nickname": text}], ["a1IoKTestP1"], "it")
    assert len(device["iot_nickname"]) == len(text)
    assert device["iot_nickname"].isprintable()
