# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the commands to type next: they have the run's options without secrets, and omitted options are named."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _commands
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import (
    command,
    lacks_of_plays,
    left_out,
    limited,
    listed,
    note_report,
    note_written,
    rebuilt,
    same_tasks,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._limit_file import limit_of

SECRET = "IKhJ3sDeLT9tVgqN"


def given(monkeypatch: pytest.MonkeyPatch, *extra_vars: str, **options: Any) -> None:
    """Set the command line of this run."""
    options = {
        "inventory": ("fleet.yml",),
        "args": ("fleetops.aliyun_iot.provision",),
        "extra_vars": extra_vars,
        **options,
    }
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(options))


def typed(text: str) -> list[str]:
    """Return the values of -e of a command, as a shell reads them."""
    words = shlex.split(text)
    return [value for option, value in pairwise(words) if option == "-e"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("@fleet vars.yml", ["@fleet vars.yml"]),
        ("gateway_path=/etc/iot/device.json", ["gateway_path=/etc/iot/device.json"]),
        ("gateway_service='my agent' gateway_mode=0640", ["gateway_service='my agent' gateway_mode=0640"]),
        ('{"gateway_recovery_force": true}', ['{"gateway_recovery_force": true}']),
        (
            '{"gateway_exports": [{"dest": "/a", "format": "env"}]}',
            ['{"gateway_exports": [{"dest": "/a", "format": "env"}]}'],
        ),
        ("decommission_platform=delete", ["decommission_platform=delete"]),
        ("target=gw-0001:&site_a", ["target=gw-0001:&site_a"]),
        ("{gateway_serial: [1, 10%]}", ["{gateway_serial: [1, 10%]}"]),
        ('{\n  "gateway_path": "/a",\n  "gateway_serial": [1]\n}', ['{"gateway_path": "/a", "gateway_serial": [1]}']),
        ("gateway_path=/a\ngateway_mode=0640", ["gateway_path=/a gateway_mode=0640"]),
        (
            '{"gateway_path": "/a",\n"gateway_service": "my agent"}',
            ['{"gateway_path": "/a", "gateway_service": "my agent"}'],
        ),
    ],
)
def test_variables_of_the_collection_are_kept(monkeypatch: pytest.MonkeyPatch, text: str, kept: list[str]) -> None:
    given(monkeypatch, text)
    assert typed(limited("gw-1", None)) == kept
    assert left_out() == []


@pytest.mark.parametrize(
    ("text", "kept", "names"),
    [
        (f"gateway_product_secret={SECRET}", [], ["gateway_product_secret"]),
        (
            f"gateway_path=/a platform_access_key_secret={SECRET}",
            ["gateway_path=/a"],
            ["platform_access_key_secret"],
        ),
        (
            f'{{"ansible_password": "{SECRET}", "gateway_service": "agent"}}',
            ["gateway_service=agent"],
            ["ansible_password"],
        ),
        (f"gateway_proxy=http://me:{SECRET}@proxy:3128", [], ["gateway_proxy"]),
        ("site=berlin", [], ["site"]),
        ("gateway_report_to=fleet.html audit_report=a.json audit_fail=true", [], []),
    ],
)
def test_what_may_be_a_secret_is_named_and_left_out(
    monkeypatch: pytest.MonkeyPatch, text: str, kept: list[str], names: list[str]
) -> None:
    given(monkeypatch, text)
    for each in (
        limited("gw-1", None),
        limited("gw-1", "fleetops.aliyun_iot.recover"),
        command("recover", ["gw-1"], None),
    ):
        assert SECRET not in each
        assert [value for value in typed(each) if not value.startswith("target=")] == kept
    assert left_out() == [f"-e {name}" for name in names]


def test_the_name_of_a_variable_is_fit_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, '{"a\\u001b[2Jb": 1}')
    [name] = left_out()
    assert name.isprintable()


def test_switches_and_values_of_the_run_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    given(
        monkeypatch,
        diff=True,
        check=True,
        become=True,
        become_user="iot",
        forks=50,
        connection="ssh",
        timeout=C.DEFAULT_TIMEOUT,
    )
    words = shlex.split(limited("gw-1", None))
    assert {"--diff", "--check", "--become"} <= set(words)
    assert words[words.index("--forks") + 1] == "50"
    assert words[words.index("--become-user") + 1] == "iot"
    assert not {"--connection", "--timeout"} & set(words), "what is so anyway"


def test_the_same_playbook_again_runs_no_other_tasks_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"tags": ["iot", "a gent"], "skip_tags": ("reboot",), "start_at_task": "Stop the agent"}
    given(monkeypatch, args=("my site.yml",), **chosen)
    tasks = ["my site.yml", "--tags", "a gent,iot", "--skip-tags", "reboot"]
    assert shlex.split(limited("gw-1", None)) == ["ansible-playbook", "-i", "fleet.yml", *tasks, "--limit", "gw-1"]
    assert shlex.split(same_tasks(["my site.yml"])) == tasks
    assert left_out() == ["--start-at-task"]
    for repair in (limited("gw-1", "fleetops.aliyun_iot.recover"), command("recover", ["gw-1"], None)):
        assert "tags" not in repair, "the collection's playbooks have none"
    given(monkeypatch, tags=["all"], skip_tags=(), start_at_task=None)
    assert (same_tasks(["x.yml"]), left_out()) == ("x.yml", [])


def test_options_of_a_connection_are_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, ssh_common_args=f"-o ProxyCommand='sshpass -p {SECRET} ssh jump'", ssh_extra_args="-v")
    assert SECRET not in limited("gw-1", None)
    assert left_out() == ["--ssh-common-args", "--ssh-extra-args"]
    given(monkeypatch, sftp_extra_args=f"-o ProxyCommand='sshpass -p {SECRET} ssh jump'", scp_extra_args="-l 9")
    assert SECRET not in limited("gw-1", None)
    assert left_out() == ["--scp-extra-args", "--sftp-extra-args"]


def test_a_path_of_modules_is_kept_and_handlers_that_always_run_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, module_path=["/srv/my modules", "/srv/more"], force_handlers=True)
    words = shlex.split(limited("gw-1", None))
    assert words[words.index("--module-path") + 1] == "/srv/my modules:/srv/more"
    assert left_out() == ["--force-handlers"]
    monkeypatch.setattr(C, "DEFAULT_FORCE_HANDLERS", True)
    assert left_out() == [], "what is so anyway"


@pytest.mark.parametrize(
    ("typed_in", "emptied"),
    [
        (("@fleet.yml",), ["audit_report=", "gateway_report_to="]),
        (("@fleet.yml", "gateway_report_to=fleet.html"), ["audit_report="]),
        (('{"gateway_report_to": "fleet.html", "audit_report": "a.json"}',), []),
    ],
)
def test_a_command_does_not_write_over_the_report_of_all(
    monkeypatch: pytest.MonkeyPatch, typed_in: tuple[str, ...], emptied: list[str]
) -> None:
    """A file or the inventory names the report, and the command has both."""
    monkeypatch.setattr(_commands, "_written", set())
    given(monkeypatch, *typed_in)
    note_written("audit_report")
    note_report({"gateway_report_to": ""})
    assert [value for value in typed(limited("gw-1")) if value == "gateway_report_to="] == []
    note_report({"gateway_report_to": "{{ somewhere }}"})
    for each in (limited("gw-1"), limited("gw-1", "fleetops.aliyun_iot.recover"), command("recover", ["gw-1"], None)):
        assert [value for value in typed(each) if value.endswith("=")] == emptied


def test_an_emptied_report_stays_empty_in_the_next_command(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, "@fleet.yml", "gateway_report_to=")
    assert (typed(limited("gw-1")), left_out()) == (["@fleet.yml", "gateway_report_to="], [])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("gateway_register=never", []),
        ("gateway_register=never gateway_mode=0640", ["gateway_mode=0640"]),
        ('{"gateway_register": "never"}', []),
    ],
)
def test_a_repair_may_register(monkeypatch: pytest.MonkeyPatch, text: str, kept: list[str]) -> None:
    """A repair omits gateway_register=never, which forbids registrations; a repetition of the run keeps this variable."""
    given(monkeypatch, text)
    assert typed(limited("one", "fleetops.aliyun_iot.provision")) == kept
    assert typed(command("provision", ["one"], None))[:-1] == kept
    assert typed(limited("one")) == [text]


OURS = Path(_commands.__file__).parents[2] / "playbooks"


@pytest.mark.parametrize(
    ("playbooks", "lacks"),
    [
        (("fleetops.aliyun_iot.provision",), False),
        ((str(OURS / "provision.yml"), "fleetops.aliyun_iot.audit"), False),
        (("site.yml",), True),
        (("fleetops.aliyun_iot.provision", "site.yml"), True),
        ((), False),
    ],
)
def test_a_repair_does_not_have_the_variables_of_other_plays(
    monkeypatch: pytest.MonkeyPatch, playbooks: tuple[str, ...], lacks: bool
) -> None:
    given(monkeypatch, args=playbooks)
    assert bool(lacks_of_plays()) == lacks
    given(monkeypatch, args=("gateways",), module_name="ping")
    assert lacks_of_plays() == ""


def test_only_a_run_without_gateways_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, args=("fleetops.aliyun_iot.report_merge",), inventory=())
    assert limited("localhost", None) == "ansible-playbook fleetops.aliyun_iot.report_merge"
    given(monkeypatch, "gateway_report_to=fleet.html", args=("fleetops.aliyun_iot.report_merge",))
    assert left_out() == ["-e gateway_report_to"], "it is for the report alone"
    given(monkeypatch, "target=gateways", args=("fleetops.aliyun_iot.decommission",))
    assert limited("localhost", None).endswith(" fleetops.aliyun_iot.decommission --limit localhost")


@pytest.mark.parametrize(
    "hosts", [["AA:BB:CC:DD:EE:01"], ["gw 1"], ["gw-1"], ["fe80::1"], ["AA:BB:CC:DD:EE:01", "gw-1"], ["gw-1", "gw 1"]]
)
def test_ansible_finds_the_hosts_of_a_command(monkeypatch: pytest.MonkeyPatch, hosts: list[str]) -> None:
    inventory = InventoryManager(DataLoader(), parse=False)
    inventory.add_group("gateways")
    for host in ("AA:BB:CC:DD:EE:01", "AA", "01", "gw", "gw-1", "gw 1", "1", "fe80::1"):
        inventory.add_host(host, "gateways")
    assert [str(host) for host in inventory.get_hosts(listed(hosts))] == hosts
    given(monkeypatch)
    for repaired_by in ("enable", "provision"):
        assert any(listed(hosts) in word for word in shlex.split(command(repaired_by, hosts, None)))
    if len(hosts) == 1:
        printed = command("provision", hosts, None)
        assert rebuilt({"gateway": hosts[0], "device_name": None, "command": printed}, "audit", {}) == printed


# Names that Ansible misreads in at least one place, each with the hosts or groups that it would match.
ODD = {
    "site 3": ["site"],
    "gw-*": ["gw-1"],
    "gw-?": ["gw-1"],
    "gw-[1]": ["gw-1"],
    "gw-[1:2]": ["gw-1"],
    "~gw": ["gw-1"],
    "!gw-1": ["gw-2"],
    "&gw-1": ["gw-1"],
    "@gw-1": [],
    "gw-1,gw-2": ["gw-1", "gw-2"],
    "gw-1:gw-2": ["gw-1", "gw-2"],
    " gw-1": ["gw-1"],
    "gw-1\n": ["gw-1"],
    "gw'1": [],
    'gw"1': [],
    "gw\\x2d1": ["gw-1"],
    "gw=1 site=2": [],
    "{{ 'gw-' ~ 1 }}": ["gw-1"],
    "{# #}gw-1": ["gw-1"],
    "--become": [],
    "gw+é": [],
}


def found_by(pattern: str | list[str], hosts: list[str], limit: str | None = None) -> list[str]:
    """Return the names of the hosts that Ansible finds."""
    inventory = InventoryManager(DataLoader(), parse=False)
    inventory.add_group("site")
    for host in hosts:
        inventory.add_host(host, "site")
    inventory.subset(limit)
    return [str(host) for host in inventory.get_hosts(pattern)]


def chosen_by(words: list[str], hosts: list[str]) -> list[str]:
    """Return the hosts that a command chooses: it sets the target, or limits that of its playbook."""
    if "--limit" in words:
        assert "-e" not in words
        with suppress(AnsibleError):  # of ansible: the limit is no valid regular expression
            return found_by("site", hosts, words[words.index("--limit") + 1])
        return []
    variables = parse_kv(words[words.index("-e") + 1])
    assert list(variables) == ["target"]
    assert "{" not in variables["target"], "the value is evaluated as a template"
    return found_by(variables["target"], hosts)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_command_is_for_the_host_of_that_name_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, is_there: bool
) -> None:
    """If the user's inventory does not contain the host, the command matches no host."""
    others = [*{"gw-1", "gw-2", "gw", "3", *ODD[name]} - {"site"}]
    hosts, expected = [*others, *([name] if is_there else [])], [name] if is_there else []
    given(monkeypatch)
    printed = command("provision", [name], None)
    assert rebuilt({"gateway": name, "device_name": None, "command": printed}, "audit", {"all": [name]}) == printed
    assert chosen_by(shlex.split(printed), hosts) == expected
    with suppress(ValueError):  # no command: a quote is missing
        shown = shlex.split(json.dumps(printed, ensure_ascii=False)[1:-1])
        assert chosen_by(shown, hosts) in (expected, []), "what the output of a task shows"
    pattern = shlex.split(command("enable", [name], None))[1]
    assert not pattern.startswith("-")
    assert found_by(pattern, hosts) == expected
    monkeypatch.setitem(limit_of.__globals__, "NAMES", 0)
    for limit in (shlex.split(limited(listed([name])))[-1], limit_of([name], str(tmp_path), "provision")):
        assert not limit.startswith("-")
        assert found_by("site", hosts, limit) == expected


@pytest.mark.parametrize(
    ("hosts", "target"),
    [
        (["gw-1"], "-e target=gw-1"),
        (["gw-1", "gw-2.example"], "-e target=gw-1,gw-2.example"),
        (["AA:BB:CC:DD:EE:01"], "-e target=AA:BB:CC:DD:EE:01,"),
        (["iot@gw-1"], "-e target=iot@gw-1"),
        (["gw 1"], "--limit 'gw 1,'"),
        (["gw-1", "gw-*"], "--limit 'gw-1,~gw-\\U0000002a$'"),
    ],
)
def test_a_plain_name_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch, hosts: list[str], target: str) -> None:
    given(monkeypatch)
    assert command("provision", hosts, None).endswith(".provision -i fleet.yml " + target)


def test_a_limit_is_of_the_target_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, "target=site")
    assert typed(command("register", ["gw 1"], None)) == ["target=site", "gateway_register=always"]
    assert typed(command("register", ["gw-1"], None)) == ["target=gw-1", "gateway_register=always"]


@pytest.mark.parametrize(
    ("sources", "default", "printed"),
    [
        (["/hosts.json"], ["/hosts.json"], []),
        (["/hosts.json", "/extra.json"], ["/hosts.json"], ["/hosts.json", "/extra.json"]),
        (["/hosts.json"], ["/hosts.json", "/extra.json"], ["/hosts.json"]),
        (["/extra.json", "/hosts.json"], ["/hosts.json", "/extra.json"], ["/extra.json", "/hosts.json"]),
        (("/hosts.json", "/extra.json"), ["/hosts.json", "/extra.json"], []),
    ],
)
def test_the_sources_are_left_out_only_if_all_are_the_default_ones(
    monkeypatch: pytest.MonkeyPatch, sources: list[str], default: list[str], printed: list[str]
) -> None:
    """With any ``-i``, Ansible reads none of the default sources."""
    given(monkeypatch, inventory=sources)
    monkeypatch.setattr(C, "DEFAULT_HOST_LIST", default)
    words = shlex.split(limited("gw-1"))
    assert [value for option, value in pairwise(words) if option == "-i"] == printed


@pytest.mark.parametrize("folder", ["limits", "a b", "a:b", "a [1] b", "a,b", " a"])
def test_ansible_finds_the_file_of_hosts(tmp_path: Path, folder: str) -> None:
    hosts = [f"gw-{number}" for number in range(9)]
    limit = limit_of(hosts, str(tmp_path / folder), "provision")
    assert found_by("site", [*hosts, "gw-9"], limit) == hosts
    assert limit.startswith("@") == ("," not in folder)
    assert limit.endswith(",") == (folder in {"a b", "a:b", "a [1] b", " a"})
