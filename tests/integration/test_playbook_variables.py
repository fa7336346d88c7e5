# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of runs and of hosts that are misspelt or have impossible values, as an operator types them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import account, called, credential_file, in_service, role_variables
from playbook import PRODUCT_KEY, Run, inventory, names, run_playbook

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

PLAYBOOKS = ("provision", "recover", "reprovision", "audit", "decommission")


def run_of(playbook: str, hosts: JSON, tmp_path: Path, *arguments: str, **said: JSON) -> Run:
    return run_playbook(f"fleetops.aliyun_iot.{playbook}", hosts, tmp_path, "-e", json.dumps(said), *arguments)


def run_role(hosts: JSON, tmp_path: Path) -> Run:
    role = {"name": "fleetops.aliyun_iot.gateway", "rolespec_validate": False}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": role}]}
    return run_playbook(play, hosts, tmp_path)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_misspelt_variable_of_a_run(platform: Emulator, tmp_path: Path, playbook: str) -> None:
    """A misspelt variable of a run ends the run before anything is changed, and no host fails."""
    hosts = inventory(2, tmp_path, **role_variables(platform))
    run = run_of(playbook, hosts, tmp_path, target="gateways", gateway_servise="agent")
    assert (run.rc != 0, run.stats, platform.admin.requests()) == (True, {}, []), run
    assert "gateway_servise" in run.stderr
    assert "gateway_service" in run.stderr


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"gateway_serial": "ten"}, "gateway_serial: 'ten'"),
        ({"gateway_serial": [1, "some"]}, "gateway_serial"),
        ({"gateway_max_fail_percentage": "half"}, "gateway_max_fail_percentage: 'half'"),
        ({"gateway_throttle": "many"}, "gateway_throttle: 'many'"),
        ({"gateway_report": "al"}, "changed or all"),
        ({"gateway_verify": "logn"}, "none or login"),
        ({"gateway_report_to": "report"}, "gateway_report_to: 'report' does not end in .html"),
        ({"gateway_report_to": "nowhere/report.html"}, "in a directory that does not exist"),
        ({"gateway_report_to": "a\0.html"}, "contains a NUL"),
        ({"gateway_serial": 10**30}, "is not a size of batches"),
        # Checked at the start, and not only when the audit writes the file.
        (
            {"audit_report": "nowhere/audit.json"},
            "audit_report: 'nowhere/audit.json' is in a directory that does not exist",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_run_that_cannot_be(platform: Emulator, tmp_path: Path, said: JSON, what: str) -> None:
    hosts = inventory(2, tmp_path, **role_variables(platform))
    run = run_of("provision", hosts, tmp_path, **said)
    assert (run.rc != 0, run.stats, called(platform, "register")) == (True, {}, []), run
    assert what in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("playbook", "said", "named", "unnamed"),
    [
        (
            "audit",
            {"platform_access_key_id": "", "gateway_region": "cn-shanghai"},
            "Set platform_access_key_id",
            "Set access_key_id",
        ),
        ("audit", {"audit_report": "nowhere/audit.json"}, "audit_report: 'nowhere", "dest:"),
        (
            "add_devices",
            {"gateway_product_key": "a1NotThere1"},
            "Check gateway_product_key, and that gateway_region",
            "that region",
        ),
        ("add_devices", {"platform_ca_path": ["x"]}, "platform_ca_path: is a list", "gateway_ca_path"),
        ("provision", {"platform_ca_path": "/nowhere/ca.pem"}, "platform_ca_path: ", "gateway_ca_path: "),
        ("report_merge", {"gateway_report_from": "no*.json"}, "gateway_report_from: 'no*.json'", " reports:"),
    ],
    ids=str,
)
def test_messages_name_what_was_typed(
    platform: Emulator, tmp_path: Path, playbook: str, said: JSON, named: str, unnamed: str
) -> None:
    """Messages name the variable that was typed, not the option of a module that the playbook sets with it."""
    platform.admin.delete_device(PRODUCT_KEY, "gw-0001")
    hosts = inventory(1, tmp_path, **role_variables(platform))
    known = {} if said.get("platform_access_key_id") == "" else account(platform)
    run = run_of(playbook, hosts, tmp_path, **{**known, "gateway_report_to": str(tmp_path / "run.html"), **said})
    told = run.stdout + run.stderr
    assert run.rc != 0, run
    assert named in told, told
    assert unnamed not in told, told


@pytest.mark.parametrize("by", ["playbook", "role"])
def test_variables_of_hosts(platform: Emulator, tmp_path: Path, by: str) -> None:
    """One host's mistake fails no other host, and a name that resembles none of the collection's is the users' own."""
    wrong: dict[str, tuple[JSON, str]] = {
        "gw-0001": ({"gateway_servise": "agent"}, "gateway_service"),
        "gw-0002": ({"gateway_moode": "0640"}, "gateway_mode"),
        "gw-0003": ({"gateway_verify": "{{ how }}", "how": "logn"}, "none or login"),
        "gw-0004": ({"gateway_register_form": "controller"}, "gateway_register_from"),
    }
    own = {host: variables for host, (variables, _said) in wrong.items()}
    own["gw-0005"] = {"gateway_site": "north", "gateway_vendor": "acme", "gateway_service": "", "mode": "x"}
    own["gw-0005"] |= {"gateway_follow_up": "", "gateway_owner": "", "gateway_proxy": ""}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    run = run_of("provision", hosts, tmp_path) if by == "playbook" else run_role(hosts, tmp_path)
    assert run.rc == 2, run
    assert called(platform, "register") == ["gw-0005"]
    assert [host for host in own if credential_file(tmp_path, host).exists()] == ["gw-0005"]
    for host, (_variables, said) in wrong.items():
        assert said in str(run.result(host)["msg"]), host
        assert run.result(host)["error"]["kind"] == "invalid_option"


EMPTY = {
    "provision": (
        *("gateway_serial", "gateway_max_fail_percentage", "gateway_throttle", "gateway_report", "gateway_report_to"),
        *("gateway_allow_empty", "gateway_follow_up", "target", "platform_product_name", "platform_product_secret"),
        *("platform_profile", "platform_credentials", "platform_security_token", "platform_instance_id"),
    ),
    "recover": (
        *("gateway_serial", "gateway_max_fail_percentage", "gateway_throttle", "gateway_report", "target"),
        *("gateway_recovery_force", "gateway_follow_up"),
    ),
    "reprovision": (
        *("gateway_serial", "gateway_max_fail_percentage", "gateway_throttle", "gateway_lease_time", "target"),
        *("gateway_reset_topology", "gateway_report_to"),
    ),
    "audit": ("audit_report", "audit_fail", "gateway_throttle", "target", "gateway_report_to"),
    "decommission": ("decommission_platform", "gateway_serial", "gateway_max_fail_percentage", "gateway_report_to"),
}


@pytest.mark.parametrize("empty", ["", None], ids=["text", "null"])
@pytest.mark.parametrize("playbook", EMPTY)
def test_an_empty_variable_counts_as_not_set(
    platform: Emulator, tmp_path: Path, playbook: str, empty: str | None
) -> None:
    """An empty variable counts as not set: surveys and templates of pipelines omit none."""
    hosts = inventory(2, tmp_path, **role_variables(platform), gateway_verify="none")
    for host in names(2):
        in_service(platform, tmp_path, host)
    if playbook == "provision":
        credential_file(tmp_path, "gw-0002").unlink()
        platform.admin.reset(PRODUCT_KEY, "gw-0002")
    elsewhere = {} if "target" in EMPTY[playbook] else {"target": "gateways"}
    said = {**account(platform), **dict.fromkeys(EMPTY[playbook], empty), **elsewhere}
    run = run_of(playbook, hosts, tmp_path, **said)
    assert run.rc == 0, run
    changed = {"provision": ["gw-0002"], "reprovision": names(2), "decommission": names(2)}.get(playbook, [])
    assert [host for host, stats in run.stats.items() if stats["changed"]] == changed, run


def test_an_omitted_variable_counts_as_not_set(platform: Emulator, tmp_path: Path) -> None:
    optional = (
        *("device_name", "device_name_from", "expected_names", "exports", "follow_up", "group", "instance_id"),
        *("mqtt_endpoint", "owner", "proxy", "region", "register", "service", "state", "throttle", "timeout"),
    )
    omitted = {f"gateway_{name}": "{{ nothing | default(omit) }}" for name in optional}
    omitted |= {f"platform_{name}": "{{ nothing | default(omit) }}" for name in ("product_secret", "profile")}
    hosts = inventory(1, tmp_path, **role_variables(platform), **omitted)
    for playbook, changed in (("provision", 1), ("provision", 0), ("audit", 0), ("reprovision", 2), ("recover", 0)):
        said = {**account(platform), "gateway_verify": "none"} if playbook != "provision" else {}
        run = run_of(playbook, hosts, tmp_path, **said)
        assert (run.rc, run.changed) == (0, changed), (playbook, run)
    run = run_of("decommission", hosts, tmp_path, **account(platform), target="gateways")
    assert run.rc == 0, run
    assert not credential_file(tmp_path, "gw-0001").exists()


@pytest.mark.parametrize("empty", ["", None], ids=["text", "null"])
def test_an_empty_limit_of_failures_is_the_default_one(platform: Emulator, tmp_path: Path, empty: str | None) -> None:
    """An empty limit is the default one, which in reprovision is 0 and not 100 percent."""
    own: dict[str, JSON] = {host: {} for host in names(4)}
    own["gw-0002"] = {"gateway_mode": "rw"}
    hosts = inventory(own, tmp_path, **role_variables(platform), gateway_verify="none")
    for host in own:
        in_service(platform, tmp_path, host)
    said = {**account(platform), "gateway_serial": 2, "gateway_max_fail_percentage": empty}
    run = run_of("reprovision", hosts, tmp_path, **said)
    assert run.rc != 0, run
    assert called(platform, "ResetThing") == [], run
    assert "more than 0 %" in " ".join((run.stdout + run.stderr).split()), run


@pytest.mark.parametrize("name", ["gateway_throttle", "gateway_report", "gateway_report_to", "platform_product_name"])
@pytest.mark.parametrize("playbook", ["provision", "audit"])
def test_a_broken_template_of_a_run_does_not_count_as_not_set(
    platform: Emulator, tmp_path: Path, playbook: str, name: str
) -> None:
    hosts = inventory(2, tmp_path, **role_variables(platform), **account(platform), **{name: "{{ nowhere }}"})
    run = run_of(playbook, hosts, tmp_path)
    assert run.rc == 2, run
    assert f"the variable {name} of this host cannot be evaluated: " in run.stdout, run
    assert platform.admin.requests(action="register") == [], run


@pytest.mark.parametrize("name", ["gateway_serial", "gateway_max_fail_percentage"])
@pytest.mark.parametrize("playbook", ["provision", "reprovision", "recover", "decommission"])
def test_a_broken_template_of_the_batches_does_not_count_as_not_set(
    platform: Emulator, tmp_path: Path, playbook: str, name: str
) -> None:
    """The default of provision is one batch with all gateways, and that of the percentage does not end the run."""
    hosts = inventory(2, tmp_path, **role_variables(platform), **account(platform), gateway_verify="none")
    for host in names(2):
        in_service(platform, tmp_path, host)
    before = [credential_file(tmp_path, host).read_text() for host in names(2)]
    run = run_of(playbook, hosts, tmp_path, target="gateways", **{name: "{{ nowhere }}"})
    assert run.rc == 2, run
    assert f"the variable {name} of this host cannot be evaluated: " in run.stdout, run
    assert called(platform, "ResetThing") == called(platform, "DisableThing") == [], run
    assert [credential_file(tmp_path, host).read_text() for host in names(2)] == before


@pytest.mark.parametrize("name", ["product_key", "device_name", "device_name_from", "expected_names"])
def test_a_broken_template_of_a_name_is_named(platform: Emulator, tmp_path: Path, name: str) -> None:
    hosts = inventory({"gw-0001": {f"gateway_{name}": "{{ nowhere }}"}}, tmp_path, **role_variables(platform))
    run = run_of("add_devices", hosts, tmp_path, **account(platform))
    assert run.rc == 2, run
    message = run.result("gw-0001")["msg"]
    assert message.startswith(f"the variable gateway_{name} of this host cannot be evaluated: "), message
    assert ".." not in message


@pytest.mark.parametrize("playbook", ["reprovision", "decommission"])
def test_a_broken_template_of_one_host_fails_no_other(platform: Emulator, tmp_path: Path, playbook: str) -> None:
    broken = ("product_key", "device_name", "device_name_from", "expected_names", "path", "exports", "state")
    own: dict[str, JSON] = {
        f"gw-{number:04}": {f"gateway_{name}": "{{ nowhere }}"} for number, name in enumerate(broken, 2)
    }
    hosts = inventory({"gw-0001": {}, **own}, tmp_path, **role_variables(platform), gateway_verify="none")
    in_service(platform, tmp_path, "gw-0001")
    said = {"target": "gateways", "gateway_serial": "100%", "gateway_max_fail_percentage": 100}
    run = run_of(playbook, hosts, tmp_path, **account(platform), **said)
    assert {host for host, stats in run.stats.items() if stats["failures"]} == set(own), run
    assert run.stats["gw-0001"]["changed"], run
    for host, variables in own.items():
        assert f"the variable {next(iter(variables))} of this host cannot be evaluated" in run.result(host)["msg"]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_variables_of_the_users_own_are_theirs(platform: Emulator, tmp_path: Path, playbook: str) -> None:
    """Users' variables may have any name: a variable of a play would override the inventory's, and -e would override both."""
    words = (
        *("account", "product", "created", "given", "keys", "batches", "several_batches", "outcomes", "all_gateways"),
        *("named", "other_gateways", "findings", "drift", "fate", "looks", "devices", "errors", "refused", "claimed"),
        *("right", "reported", "looked_only"),
    )
    own = {word: f"the {word}" for word in words}
    mode = f"{{{{ '0640' if [{', '.join(words)}] == expected else 'wrong' }}}}"
    variables = {**role_variables(platform), **own, "expected": [*own.values()], "gateway_mode": mode}
    hosts = inventory(1, tmp_path, **variables, gateway_verify="none")
    in_service(platform, tmp_path, "gw-0001")
    credential_file(tmp_path, "gw-0001").chmod(0o640)
    said = {"target": "gateways", "gateway_report_to": str(tmp_path / "run.html")}
    others = {word: text for word, text in own.items() if word < "g"}
    run = run_of(playbook, hosts, tmp_path, **account(platform), **said, **others)
    assert run.stats["gw-0001"]["failures"] == 0, run
    rows = {row["gateway"]: row for row in json.loads((tmp_path / "run.json").read_text())["gateways"]}
    assert rows["gw-0001"]["outcome"] == ("changed" if playbook in ("reprovision", "decommission") else "ok")


@pytest.mark.parametrize("by", ["playbook", "role"])
def test_messages_name_types_as_python_does(platform: Emulator, tmp_path: Path, by: str) -> None:
    own: dict[str, JSON] = {"gw-0001": {"gateway_exports": 5}, "gw-0002": {"gateway_exports": [["x"]]}}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    run = run_of("provision", hosts, tmp_path) if by == "playbook" else run_role(hosts, tmp_path)
    for host in own:
        told = str(run.result(host)["msg"])
        assert "gateway_exports" in told, told
        assert "Ansible" not in told, told


@pytest.mark.parametrize("by", ["playbook", "role"])
def test_text_that_a_template_gives(platform: Emulator, tmp_path: Path, by: str) -> None:
    """Other types from a template are refused as from YAML: no other device is registered, and no wrong secret is sent."""
    own: dict[str, JSON] = {
        "gw-0001": {"gateway_device_name": "{{ number }}", "number": 5349},
        "gw-0002": {"gateway_product_secret": "{{ vault_product_secret }}", "vault_product_secret": 12345678},
        "gw-0003": {"gateway_device_name": "{{ ['gw-0003'] }}"},
        "gw-0004": {"gateway_device_name": "{{ number }}", "number": 0},
        "gw-0005": {"gateway_product_secret": "{{ {'secret': 'IKhJ3sDeLT9tVgqN'} }}"},
        "gw-0006": {"gateway_device_name": "{{ name }}", "name": "gw-0020"},
    }
    platform.admin.put_device(PRODUCT_KEY, "5349")
    hosts = inventory(own, tmp_path, **role_variables(platform))
    run = run_of("provision", hosts, tmp_path) if by == "playbook" else run_role(hosts, tmp_path)
    assert run.rc == 2, run
    assert called(platform, "register") == ["gw-0020"]
    for host, variables in list(own.items())[:5]:
        [name] = [name for name in variables if name.startswith("gateway_")]
        told = str(run.result(host)["msg"])
        assert re.search(f"{name}: is a .* and not text", told), told
        assert not re.search("12345678|IKhJ3sDeLT9tVgqN", told), told
        assert run.result(host)["error"]["kind"] == "invalid_option"


@pytest.mark.parametrize(("most", "ended"), [("17%", False), (16, True), ("16.6%", True)])
def test_a_limit_of_failures(platform: Emulator, tmp_path: Path, most: JSON, ended: bool) -> None:
    """The run ends if the failure of one gateway of six, in the first batch, exceeds the limit."""
    own: dict[str, JSON] = {host: {} for host in names(6)}
    own["gw-0002"] = {"gateway_device_name": "gw-0099"}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    run = run_of("provision", hosts, tmp_path, gateway_serial=[3, "100%"], gateway_max_fail_percentage=most)
    assert run.rc == 2, run
    assert [host for host, stats in run.stats.items() if stats["failures"]] == ["gw-0002"]
    done = [host for host in own if credential_file(tmp_path, host).exists()]
    assert done == (["gw-0001", "gw-0003"] if ended else [host for host in names(6) if host != "gw-0002"])
    told = " ".join((run.stdout + run.stderr).split())
    assert ("1 of 6 gateways failed or were unreachable" in told) == ended


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_slice_without_gateways(platform: Emulator, tmp_path: Path, playbook: str) -> None:
    """A slice without gateways succeeds with gateway_allow_empty, and is an error otherwise."""
    hosts = inventory(2, tmp_path, **role_variables(platform))
    hosts["others"] = {"hosts": {"elsewhere": {}}}
    for allowed, succeeds in ((True, True), (None, False)):
        said = {} if allowed is None else {"gateway_allow_empty": allowed}
        run = run_of(playbook, hosts, tmp_path, "--limit", "elsewhere", target="gateways", **said)
        assert (run.rc == 0, run.stats, platform.admin.requests()) == (succeeds, {}, []), run
        assert ("gateway_allow_empty=true" in run.stderr) is not succeeds, run
    sliced = run_of(playbook, {"others": hosts["others"]}, tmp_path, target="gateways", gateway_allow_empty=True)
    assert (sliced.rc, sliced.stats) == (0, {}), sliced


def test_values_of_gateway_allow_empty(platform: Emulator, tmp_path: Path) -> None:
    """One playbook is enough: each passes the variable to the same lookup."""
    hosts = inventory(2, tmp_path, **role_variables(platform))
    hosts["others"] = {"hosts": {"elsewhere": {}}}
    for limit, allowed, problem in (
        ("elsewhere", "false", "gateway_allow_empty=true"),
        ("elsewhere", "maybe", "is neither true nor false"),
        # ansible-core refuses it itself, as the documentation says.
        ("nobody", True, "leaves us with no hosts to target"),
    ):
        run = run_of("provision", hosts, tmp_path, "--limit", limit, gateway_allow_empty=allowed)
        assert (run.rc != 0, run.stats) == (True, {}), run
        assert problem in run.stderr, run


@pytest.mark.parametrize("name", ["gateway_serial", "gateway_max_fail_percentage"])
@pytest.mark.parametrize("playbook", ["provision", "recover", "reprovision", "decommission"])
def test_a_variable_of_the_run_is_not_one_of_hosts(
    platform: Emulator, tmp_path: Path, playbook: str, name: str
) -> None:
    """A variable of the run is refused for a host: Ansible would use it for some tasks, but not for the size of batches."""
    hosts = inventory(2, tmp_path, **role_variables(platform), **{name: 1})
    run = run_of(playbook, hosts, tmp_path, target="gateways", **account(platform))
    assert run.rc == 2, run
    assert f"{name}: 1 is set for this host, but is for the whole run. Set it with -e" in run.stdout, run
    assert called(platform, "register") == called(platform, "ResetThing") == called(platform, "DisableThing") == []


@pytest.mark.parametrize("playbook", ["recover", "reprovision"])
def test_a_gateway_that_is_to_have_no_credential_gets_none(platform: Emulator, tmp_path: Path, playbook: str) -> None:
    for host in names(2):
        in_service(platform, tmp_path, host)
        if playbook == "recover":
            credential_file(tmp_path, host).unlink()
    hosts = inventory({"gw-0001": {}, "gw-0002": {"gateway_state": "absent"}}, tmp_path, **role_variables(platform))
    said = {"gateway_verify": "none", "gateway_serial": "100%", "gateway_max_fail_percentage": 100}
    run = run_of(playbook, hosts, tmp_path, **account(platform), **said)
    assert {host: stats["failures"] for host, stats in run.stats.items()} == {"gw-0001": 0, "gw-0002": 1}, run
    assert "gateway_state: 'absent' is not for this playbook. Set it to present" in run.result("gw-0002")["msg"]
    assert called(platform, "ResetThing") == (["gw-0001"] if playbook == "reprovision" else [])
    assert credential_file(tmp_path, "gw-0002").exists() == (playbook == "reprovision")


@pytest.mark.parametrize("state", ["reset_intended", "reset_withdrawn", "followed_up"])
def test_a_provision_leaves_no_lease(platform: Emulator, tmp_path: Path, state: str) -> None:
    in_service(platform, tmp_path, "gw-0001")
    hosts = inventory(1, tmp_path, **role_variables(platform))
    run = run_of("provision", hosts, tmp_path, gateway_state=state)
    assert run.rc == 2, run
    assert f"gateway_state: '{state}' is not for this playbook. Set it to present or absent" in run.stdout, run
    assert [path.name for path in (tmp_path / "gw-0001").iterdir()] == ["device.json"]
