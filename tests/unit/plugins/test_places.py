# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the detection of hosts of an inventory that are one machine, and of their files that are one."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_remote import FleetRemote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._inventory_names import named_machine
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._places import (
    Places,
    Target,
    named_files,
    shared_places,
    whose_working_file,
)

JSON = Any
BOOT, OTHER_BOOT = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
PATH = "/etc/aliyun-iot/device.json"


def target(transport: str, address: str = "gw-0001", **options: JSON) -> Target:
    """Return the target of a connection that has these options and no others."""

    def get_option(name: str) -> JSON:
        if name not in options:
            raise KeyError(name) if transport == "ssh" else AnsibleError(name)
        return options[name]

    action: JSON = SimpleNamespace(
        variables={},
        _connection=SimpleNamespace(transport=transport, get_option=get_option),
        _play_context=SimpleNamespace(executable=None, remote_addr=address, port=options.pop("keyword_port", None)),
    )
    return FleetRemote(action, threading.Lock()).target()


def test_targets_that_are_one_machine() -> None:
    """Neither the user nor an explicit default port makes a difference."""
    usual = target("ssh", host="192.0.2.1", port=None)
    assert usual == target("ssh", host="192.0.2.1", port=22)
    assert usual == target("ssh", host="192.0.2.1", port="22", remote_user="agent")
    assert usual == target("ssh", "192.0.2.1", keyword_port=22)
    assert target("local", "gw-0001") == target("local", "gw-0002", remote_addr="gw-0002")
    assert target("podman", remote_addr="gw-1") == target("podman", remote_addr="gw-1")


def test_targets_that_are_several_machines() -> None:
    targets = [
        target("ssh", host="192.0.2.1"),
        target("ssh", host="192.0.2.2"),
        target("ssh", host="192.0.2.1", port=2222),
        target("local"),
        target("podman", remote_addr="gw-1"),
        target("podman", remote_addr="gw-2"),
        target("docker", remote_addr="gw-1"),
        target("kubectl", "gw-1"),
        target("kubectl", "gw-2"),
    ]
    assert len(set(targets)) == len(targets)
    places = {str(number): Places(each, BOOT, (("path", PATH),)) for number, each in enumerate(targets)}
    assert shared_places(places) == {}


def ssh(address: str = "192.0.2.1", boot: str = BOOT, **options: str) -> Places:
    return Places(Target("ssh", address, "22"), boot, tuple((option, path) for option, path in options.items()))


def test_one_machine_with_a_file_for_each_host() -> None:
    assert shared_places({f"gw-{number}": ssh(path=f"{PATH}.{number}") for number in range(100)}) == {}


def test_one_address_in_two_networks() -> None:
    """Two machines behind different jump hosts may have one address, but differ in their boot ID."""
    assert shared_places({"a": ssh(path=PATH), "b": ssh(boot=OTHER_BOOT, path=PATH)}) == {}


def test_a_file_that_hosts_share() -> None:
    found = shared_places(
        {"a": ssh(path=PATH), "b": ssh(path="/b", export=PATH), "c": ssh(path="/c", export="/b"), "d": ssh(path="/d")}
    )
    assert set(found) == {"a", "b", "c"}
    assert found["a"] == found["b"]
    assert (
        f"2 hosts have the file {PATH} on one machine, 192.0.2.1:22 (ssh): a (gateway_path), b (gateway_export)."
        in found["a"]
    )
    assert "b (gateway_path), c (gateway_export)" in found["c"]
    local = Places(Target("local"), BOOT, (("path", PATH),))
    assert "on one machine, the controller: " in shared_places({"a": local, "b": local})["a"]


def unseen(*route: str) -> Places:
    return Places(Target("ssh", "192.0.2.1", "22", route), None, (("path", PATH),))


def test_a_host_without_a_look_may_be_on_any_machine_of_its_target_and_route() -> None:
    behind = Places(Target("ssh", "192.0.2.1", "22", ("-J other",)), OTHER_BOOT, (("path", PATH),))
    seen = {"a": ssh(path=PATH), "b": behind, "c": ssh("192.0.2.2", path=PATH), "d": ssh(path="/d")}
    assert set(shared_places({**seen, "e": unseen()})) == {"a", "e"}
    assert set(shared_places({**seen, "e": unseen("-J other")})) == {"b", "e"}
    assert shared_places({**seen, "e": unseen("-J third"), "f": unseen("-J fourth")}) == {}
    assert set(shared_places({"e": unseen(), "f": unseen()})) == {"e", "f"}


def test_a_host_whose_route_cannot_be_read_may_be_on_any_machine_of_its_target() -> None:
    """Its connection cannot be made, so that only the inventory names its machine."""
    hosts = {
        "a": {},
        "b": {"ansible_connection": "ansible.builtin.ssh", "ansible_ssh_host": "192.0.2.1", "ansible_port": 22},
        "c": {"ansible_connection": "local"},
        "d": {"ansible_connection": "community.docker.docker", "ansible_docker_host": "gw-4"},
        "e": {"ansible_host": "192.0.2.1"},
    }
    machines = {host: named_machine(host, variables) for host, variables in hosts.items()}
    targets = {host: machine.target() for host, machine in machines.items() if machine}
    assert targets == {
        "a": Target("ssh", "a", "22"),
        **dict.fromkeys("be", Target("ssh", "192.0.2.1", "22")),
        "c": Target("local"),
        "d": Target("community.docker.docker", "gw-4"),
    }
    unknown = {host: Places(target, None, (("path", PATH),)) for host, target in targets.items()}
    behind = Places(Target("ssh", "192.0.2.1", "22", ("-J other",)), OTHER_BOOT, (("path", PATH),))
    assert set(shared_places(unknown)) == {"b", "e"}
    assert set(shared_places({"b": unknown["b"], "f": ssh(path=PATH), "g": behind})) == {"b", "f", "g"}
    assert set(shared_places({"b": unknown["b"], "f": unseen("-J third")})) == {"b", "f"}


def test_files_that_options_name() -> None:
    exports = [{"dest": "/x/agent.env"}, {"dest": 7}, {}, "text", {"dest": "//y//b"}]
    assert named_files("/x/a.json", exports) == (
        *(("path", "/x/a.json"), ("exports[0].dest", "/x/agent.env")),
        ("exports[4].dest", "/y/b"),
    )
    for value in (None, "", "a", 7, {}):
        assert named_files(value, value) == ()


@pytest.mark.parametrize("number", [6, 10_000])
def test_many_hosts_share_a_file_and_few_are_named(number: int) -> None:
    found = shared_places({f"gw-{each}": ssh(path=PATH) for each in range(number)})
    assert len(found) == number
    [message] = set(found.values())
    assert message.startswith(f"{number} hosts ")
    assert len(message) < 500


@pytest.mark.parametrize("word", ["new", "journal", "lock", "due", "check.new"])
def test_a_file_that_is_named_like_a_working_file_of_another_host(word: str) -> None:
    """Otherwise the pass of each host would undo the changes of the other's."""
    found = shared_places({"a": ssh(path="/x/a.json"), "b": ssh(path="/x/b.json", export=f"/x/.a.json.{word}")})
    assert set(found) == {"a", "b"}
    assert f"/x/.a.json.{word}, which is named like a working file of /x/a.json, on one machine" in found["a"]
    assert "b (gateway_export), a (gateway_path)" in found["a"]


def test_names_of_working_files() -> None:
    places = ["/x/a", "/x/a.json"]
    assert whose_working_file("/x/.a.json.new", places) == "/x/a"
    assert whose_working_file("/x/.a.json.new", places[1:]) == "/x/a.json"
    for other in ("/x/.a", "/x/.a.json", "/x/a.json.new", "/y/.a.json.new", "/x/.b.new"):
        assert whose_working_file(other, places[1:]) is None
