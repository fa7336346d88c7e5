# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the choice of a playbook's hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible import context
from ansible.errors import AnsibleError
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader

from ansible_collections.fleetops.aliyun_iot.plugins.lookup import fleet_target
from ansible_collections.fleetops.aliyun_iot.plugins.lookup.fleet_target import LookupModule


def chosen(target: Any, monkeypatch: pytest.MonkeyPatch, **command_line: bool) -> list[str]:
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(command_line))
    variables = {"groups": {"gateways": ["gw-1", "5", "0"]}, "target": target}
    return LookupModule(DataLoader()).run(["gateways"], variables)


@pytest.mark.parametrize("command_line", [{}, {"listhosts": True}], ids=str)
@pytest.mark.parametrize(
    ("target", "patterns"),
    [
        *((target, ["gateways"]) for target in (None, "", [])),
        *(("gw-1", ["gw-1"]), ("5", ["5"]), ("0", ["0"]), (["gw-1", "5"], ["gw-1", "5"])),
    ],
    ids=str,
)
def test_the_hosts_that_are_named(
    monkeypatch: pytest.MonkeyPatch, command_line: dict[str, bool], target: Any, patterns: list[str]
) -> None:
    assert chosen(target, monkeypatch, **command_line) == patterns


@pytest.mark.parametrize("target", [0, 5, False, 1.5, ["gw-1", 5], {"gw-1": None}], ids=str)
def test_a_target_is_text(monkeypatch: pytest.MonkeyPatch, target: Any) -> None:
    """A later play of the same playbook would treat 0 as no target, and so process all gateways."""
    with pytest.raises(AnsibleError, match="is no text"):
        chosen(target, monkeypatch)


@pytest.mark.parametrize("command_line", [{}, {"listhosts": True}], ids=str)
@pytest.mark.parametrize(
    "target", [",", ":", " ", "\n", [","], ["", ""], ", ,", "!", "!gw-1", "&gateways", ["!gw-1", "&5"]], ids=repr
)
def test_a_target_that_names_nothing_is_not_all_hosts(
    monkeypatch: pytest.MonkeyPatch, command_line: dict[str, bool], target: Any
) -> None:
    """Empty shell variables cause such a target: ``-e target="$ONE,$TWO"``."""
    with pytest.raises(AnsibleError, match="names no host and no group"):
        chosen(target, monkeypatch, **command_line)


def test_a_group_without_some_of_its_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen("gateways:!gw-1", monkeypatch) == ["gateways:!gw-1"]


@pytest.mark.parametrize(("target", "shown"), [("none", "none"), ("7", "7"), (["a", "7"], "a, 7")], ids=str)
def test_a_target_without_a_host_is_named(monkeypatch: pytest.MonkeyPatch, target: Any, shown: str) -> None:
    with pytest.raises(AnsibleError, match=f"No host matches {shown}; correct"):
        chosen(target, monkeypatch)


@pytest.mark.parametrize("playbook", ["fleetops.aliyun_iot.provision", "mine.yml"])
def test_a_playbook_is_not_started_at_one_of_its_tasks(monkeypatch: pytest.MonkeyPatch, playbook: str) -> None:
    """The run would do nothing and succeed; a playbook of the user that imports this one may be started at a task."""
    loader = DataLoader()
    loader.set_basedir(str(Path(fleet_target.__file__).parents[2] / "playbooks"))
    given = {"args": (playbook,), "start_at_task": "Provision the gateways of this batch"}
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(given))
    lookup, variables = LookupModule(loader), {"groups": {"gateways": ["gw-1"]}}
    if playbook == "mine.yml":
        assert lookup.run(["gateways"], variables) == ["gateways"]
        return
    with pytest.raises(AnsibleError, match="cannot be started with --start-at-task"):
        lookup.run(["gateways"], variables)
