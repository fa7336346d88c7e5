# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the message of a run that ends with a batch: the reason, and the gateways that were not reached."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible.vars.manager import VariableManager

from ansible_collections.fleetops.aliyun_iot.plugins.action import fleet_credentials, fleet_report, run_report
from ansible_collections.fleetops.aliyun_iot.plugins.lookup import fleet_hosts
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption, NotFound
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import (
    HOSTS_SHOWN,
    asked_for,
    by_host,
    earlier,
    end_of_run,
    end_with_handler,
    fleet_result,
    is_pass,
    later_hosts,
    to_withdraw,
    too_many_failures,
)

JSON = Any
EVERY = ("gw-1", "gw-2", "gw-3", "gw-4", "gw-5")


def play(every: tuple[str, ...] = EVERY, failed: tuple[str, ...] = (), batch: tuple[str, ...] = ()) -> JSON:
    """Return the variables of a play in which these hosts have failed."""
    active = [host for host in every if host not in failed]
    return {"ansible_play_hosts_all": list(every), "ansible_play_hosts": active, "ansible_play_batch": list(batch)}


def fleet(**outcomes: str) -> JSON:
    """Return the result of a pass over hosts (with _ for -), each with its outcome."""
    words = ("ok", "changed", "failed", "unreachable", "left")
    gateways = {
        host.replace("_", "-"): {outcome: True} for host, outcome in outcomes.items() if outcome not in ("ok", "left")
    }
    left = {host.replace("_", "-"): "why" for host, outcome in outcomes.items() if outcome == "left"}
    counts = {word: list(outcomes.values()).count(word) for word in words}
    return {
        "gateways": gateways,
        "left": left,
        "counts": counts,
        "hosts": [host.replace("_", "-") for host in outcomes],
    }


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (fleet(gw_1="unreachable"), ("1 did not answer (gw-1)", "4 gateways were not reached: gw-2, gw-3, gw-4, gw-5")),
        (fleet(gw_2="unreachable", gw_3="unreachable"), ("2 did not answer (gw-2, gw-3)", "reached: gw-4, gw-5.")),
        (
            fleet(gw_3="unreachable", gw_4="failed"),
            ("1 did not answer (gw-3) and 1 failed", "1 gateway was not reached: gw-5"),
        ),
        (fleet(gw_1="failed"), ("of its 1 gateway 1 failed",)),
        # The task of the host that is left has not run yet, and may fail too.
        (
            fleet(gw_1="failed", gw_2="left"),
            (
                "If the tasks of gw-2 fail, the run ends",
                "1 failed and 1 left to a task. Then 3 gateways were not reached: gw-3,",
            ),
        ),
        # One host has not failed, so that Ansible continues.
        (fleet(gw_1="unreachable", gw_2="ok"), ()),
        (fleet(gw_1="left", gw_2="ok"), ()),
        (fleet(gw_1="failed", gw_2="changed"), ()),
        # It is the last batch.
        (fleet(gw_4="failed", gw_5="unreachable"), ()),
    ],
)
def test_why_a_run_ends_with_a_batch(result: JSON, says: tuple[str, ...]) -> None:
    message = end_of_run(result, play())
    assert bool(message) is bool(says)
    for words in says:
        assert words in message


def test_hosts_that_have_failed_before_are_not_among_those_that_come_later() -> None:
    assert later_hosts(["gw-1", "gw-2"], play(failed=("gw-2", "gw-4"))) == ["gw-3", "gw-5"]
    assert later_hosts(["gw-5"], play()) == []
    assert later_hosts(["elsewhere"], play()) == []


def test_of_thousands_some_are_named() -> None:
    every = ["canary", *(f"gw-{number}" for number in range(10_000))]
    message = end_of_run(fleet(canary="failed"), play(every))
    assert "10000 gateways were not reached: gw-0, " in message
    assert f"and {10_000 - HOSTS_SHOWN} more" in message
    assert len(message) < 2000


def test_a_limit_of_failures_names_the_batch_that_is_not_begun_and_what_comes_after_it() -> None:
    options = {"most_failed": "19", "looked": {}, "fleet_size": 0}
    variables = play(failed=("gw-2",), batch=("gw-3", "gw-4"))
    assert "3 gateways were not reached: gw-3, gw-4, gw-5." in too_many_failures(options, variables)
    assert too_many_failures({**options, "most_failed": "20"}, variables) == ""
    assert "more than 19 % (most_failed)" in too_many_failures(options, variables)
    silent = {**options, "looked": {"gw-3": {"unreachable": True}}}
    assert "2 gateways were not reached: gw-4, gw-5." in too_many_failures(silent, variables)
    nobody = {**options, "looked": {host: {"unreachable": True} for host in EVERY}}
    assert "ends before this batch. What went wrong is above" in too_many_failures(nobody, variables)
    with pytest.raises(InvalidOption, match=r"^most_failed: 'x' is not a percentage"):
        too_many_failures({**options, "most_failed": "x"}, variables)


def test_what_an_earlier_look_has_found_is_not_forgotten() -> None:
    """Gateways whose look failed are reported after the last batch, which this run does not reach."""
    looks = {"gw-8": {"unreachable": True}, "gw-9": {"failed": True}, "gw-5": {"changed": True}}
    variables = {**play(), "gateway_looks": {"gateways": looks}}
    assert "2 had failed before or not answered, and will not be reported: gw-8, gw-9" in end_of_run(
        fleet(gw_5="failed"), variables
    )


def test_what_is_just_being_reported_is_not_called_unreported() -> None:
    """A look at the whole fleet is also a batch, of which every gateway may have failed."""
    result = fleet(gw_1="failed", gw_2="unreachable")
    variables = play(every=("gw-1", "gw-2"), batch=("gw-1", "gw-2"))
    assert end_of_run(result, {**variables, "gateway_looks": result}) == ""


def test_a_handler_that_fails_for_the_last_gateway_of_a_batch() -> None:
    """If the canary registers, but its service does not start, the run ends."""
    passed = {"gateway_fleet": fleet(gw_1="changed"), "gateway_looks": {"gateways": {"gw-9": {"failed": True}}}}
    message = end_with_handler("gw-1", {**play(batch=("gw-1",)), **passed})
    assert "4 gateways were not reached: gw-2, gw-3, gw-4, gw-5. 1 had failed before or not answered" in message
    assert "will not be reported: gw-9." in message
    both = {**passed, "gateway_fleet": fleet(gw_1="changed", gw_2="changed")}
    perhaps = end_with_handler("gw-1", {**play(batch=("gw-1", "gw-2")), **both})
    assert perhaps.startswith("If the handlers of all 2 gateways of this batch fail, the run ends with it")
    assert "Then 3 gateways were not reached: gw-3, gw-4, gw-5." in perhaps
    assert end_with_handler("gw-2", {**play(batch=("gw-1", "gw-2")), **both}) == perhaps  # which Ansible shows once
    mixed = {**passed, "gateway_fleet": fleet(gw_1="changed", gw_2="ok")}  # gw-2 has no handlers to run
    assert end_with_handler("gw-1", {**play(batch=("gw-1", "gw-2")), **mixed}) == ""
    assert "reached: gw-3, gw-4, gw-5." in end_with_handler("gw-1", {**play(batch=("gw-1",), failed=("gw-2",)), **both})
    assert end_with_handler("gw-1", play(batch=("gw-1",))) == ""  # in a play of the user


def test_a_handler_that_fails_in_the_only_batch_calls_no_host_unreported_whose_failure_was_shown() -> None:
    looks = fleet(gw_1="changed", gw_2="failed")
    only = play(every=("gw-1", "gw-2"), batch=("gw-1",), failed=("gw-2",))
    skipped = {"gateway_fleet": {"skipped": True}, "gateway_looks": looks}
    assert (
        end_with_handler("gw-1", {**only, **skipped})
        == end_with_handler("gw-1", {**only, "gateway_fleet": looks})
        == ""
    )


def test_a_refusal_has_the_cause_of_the_step_that_refused() -> None:
    """decommission refuses a host that shares its device after the inspection has, or if the other host is in another batch."""
    shared = {"failed": True, "msg": "2 hosts", "error": {**ERROR, "kind": "shared_name"}}
    error = NotFound("no device", hint="Check the DeviceName", code="iot.device.NotExistedDevice")
    refused = {"gw-1": "no", "gw-2": "no", "gw-3": error.as_result()}
    known = earlier({**OPTIONS, "looked": {"gw-1": shared}, "refused": refused}, [*refused], check_mode=False)
    kinds = {host: result["error"]["kind"] for host, result in known.items()}
    assert kinds == {"gw-1": "shared_name", "gw-2": "left_out", "gw-3": "not_found"}
    assert (known["gw-3"]["error"], known["gw-3"]["msg"]) == (error.as_result(), str(error))


@pytest.mark.parametrize(
    "error", [None, 5, "", {}, {"kind": "refused"}, {"kind": "5", "message": "no", "hint": ""}], ids=str
)
def test_a_refusal_without_an_error(error: JSON) -> None:
    with pytest.raises(InvalidOption, match=r"^refused: has no error for gw-1"):
        earlier({**OPTIONS, "refused": {"gw-1": error}}, ["gw-1"], check_mode=False)


def test_a_batch_that_skipped_the_task_hides_no_other() -> None:
    """Only some hosts have the variable that the task depends on."""
    results: JSON = {"gw-1": {"failed": True, "error": ERROR}, "gw-2": {"skipped": True}, "gw-3": {"failed": True}}
    registered = {host: {"it": result} for host, result in results.items()}
    assert fleet_hosts._hosts("it", [*results], registered, {"failed"}) == ["gw-1", "gw-3"]


# Results that are passed back as options and variables

OPTIONS: JSON = {
    **{"state": None, "register": None, "lease_time": None, "recover": False},
    **{"looked": {}, "continues": {}, "refused": {}, "withdraw": [], "device_changes": {}, "report": "all"},
    **{"at_once": 0, "connections": 1, "fleet_size": 0, "keep_right": False, "look_only": False},
}
ERROR = {"kind": "refused", "code": None, "message": "no", "hint": ""}
PASS: JSON = fleet_result(["gw-1"], {"gw-1": {"failed": True, "msg": "no", "error": ERROR}}, [], OPTIONS, {})


def test_only_the_lease_of_an_earlier_pass_is_withdrawn() -> None:
    """Without state reset_withdrawn, a refused host would be processed as any other, and would register."""
    continues = {"gw-1": {"lease": "0123456789abcdef"}, "gw-2": {"changed": True}}
    options = {**OPTIONS, "continues": continues, "withdraw": ["gw-1", "gw-2", "gw-3"]}
    assert to_withdraw(options) == {"gw-1"}
    assert asked_for(options)[1]["gw-1"]["state"] == "reset_withdrawn"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"withdraw": ["gw-1"]}, "withdraw: 'gw-1' is not in refused"),
        ({"withdraw": ["gw-1"], "refused": {"gw-2": "no"}}, "withdraw: 'gw-1' is not in refused"),
        *(({"recover": True, name: 0}, f"{name}: cannot be combined with recover") for name in ("state", "lease_time")),
        ({"recover": True, "register": "never"}, "register: cannot be combined with recover"),
        ({"recover": True, "continues": {"gw-1": {}}}, "continues: cannot be combined with recover"),
        ({"looked": {"gw-1": {"failed": True, "error": 5}}}, "looked: has no result for gw-1"),
        ({"continues": {"gw-1": None}}, "continues: has no result for gw-1"),
    ],
    ids=str,
)
def test_options_that_contradict_each_other(given: JSON, says: str) -> None:
    with pytest.raises(InvalidOption, match=f"^{says}"):
        fleet_credentials._checked({**OPTIONS, **given})


def test_a_host_whose_name_yaml_read_as_a_number_is_refused_all_the_same() -> None:
    given = {"refused": {1001: "no"}, "withdraw": ["1001"], "looked": {1001: {"changed": False}}, "recover": False}
    checked = fleet_credentials._checked({**OPTIONS, **given})
    assert (checked["refused"], checked["looked"]) == ({"1001": "no"}, {"1001": {"changed": False}})


@pytest.mark.parametrize(
    "result",
    [
        *(
            None,
            "x",
            5,
            [1],
            {"error": 5},
            {"failed": True},
            {"failed": True, "error": {}},
            {"failed": True, "error": "x"},
        ),
        *({"unreachable": True, "error": []}, {"device_change": 5}, {"device_change": "burnt"}),
    ],
    ids=str,
)
def test_what_is_no_result_of_a_host(result: JSON) -> None:
    with pytest.raises(InvalidOption, match=r"^gateways: has no result for gw-1\. Use gateways of fleet_credentials"):
        by_host("gateways", {"gw-1": result})
    for part in ("gateways", "right"):
        value = {**PASS, part: {"gw-1": result}}
        assert not is_pass(value)
        assert not is_pass(value, "gw-1")
        assert is_pass(value, "gw-2")


WRONG: JSON = [
    *(None, "x", 5, True, [1], {}, {"skipped": True}),
    *({name: value for name, value in PASS.items() if name != missing} for missing in PASS if missing != "changed"),
    *({**PASS, name: value} for name in PASS if name != "changed" for value in (None, "x", 5)),
    *({**PASS, name: []} for name in ("counts", "gateways", "right", "left", "asked")),
    *({**PASS, name: {}} for name in ("counts", "hosts")),
    *({**PASS, "gateways": {"gw-1": result}} for result in ("x", {"failed": True})),
]


@pytest.mark.parametrize("value", WRONG, ids=str)
def test_what_is_no_result_of_a_pass(value: JSON) -> None:
    """Everything that reads the result of a pass uses the same check."""
    assert is_pass(PASS)
    assert not is_pass(value)
    task = SimpleNamespace(check_mode=False, async_val=0, diff=False, args={})
    for module, options in (
        (fleet_report, {"variable": "it", "if_skipped": None}),
        (run_report, {"variable": "it", "findings": None, "looked_only": False}),
    ):
        action = module.ActionModule(task, SimpleNamespace(), SimpleNamespace(), None, None, None)
        action._vars = action._variables = {"inventory_hostname": "gw-1", "ansible_play_batch": ["gw-1"], "it": value}
        with pytest.raises(InvalidOption, match=r"^variable: 'it' is not a result of fleet_credentials"):
            action._perform(options, None) if module is fleet_report else action._rows(options, [])
    assert fleet_hosts._hosts("it", ["gw-1"], {"gw-1": {"it": value}}, {"left"}) == []


@pytest.mark.parametrize(
    ("registered", "is_earlier"),
    [({"skipped": True}, True), ({"skipped": False}, False), ({}, False), (None, False), ("skipped", False)],
    ids=str,
)
def test_the_earlier_result_is_for_a_pass_that_was_skipped(registered: JSON, is_earlier: bool) -> None:
    task = SimpleNamespace(check_mode=False, async_val=0, diff=False, args={})
    action = fleet_report.ActionModule(task, SimpleNamespace(), SimpleNamespace(), None, None, None)
    hosts = {f"ansible_play_{name}": ["gw-1"] for name in ("hosts_all", "hosts", "batch")}
    action._vars = {"inventory_hostname": "gw-1", "it": registered, "earlier": PASS, **hosts}
    options = {"variable": "it", "if_skipped": "earlier"}
    if is_earlier:
        assert action._perform(options, None)["msg"] == "no"  # type: ignore[arg-type]
    else:
        with pytest.raises(InvalidOption, match=r"^variable: 'it' is not a result of fleet_credentials"):
            action._perform(options, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("fact", [{**PASS, "gateways": {}}, {"failed": True}, {"skipped": True}], ids=str)
def test_facts_of_a_gateway_are_no_result(fact: JSON) -> None:
    """A host that failed before the pass has no result, but can have a fact of this name."""
    manager = VariableManager()
    manager.set_host_facts("thief", {"it": fact})
    manager.set_nonpersistent_facts("gw-1", {"it": PASS})
    hosts = [SimpleNamespace(name="thief"), SimpleNamespace(name="gw-1")]
    inventory = SimpleNamespace(get_hosts=lambda _target: hosts)
    hostvars = SimpleNamespace(_variable_manager=manager, _inventory=inventory)
    lookup = fleet_hosts.LookupModule()
    options = {"outcomes": ["failed"], "target": "all", "left": "any"}
    lookup.set_options, lookup.get_option = lambda **_options: None, options.__getitem__
    assert lookup.run(["it"], {"hostvars": hostvars}) == ["gw-1"]


@pytest.mark.parametrize(
    ("terms", "outcomes", "says"),
    [
        (["it"], ["ok", "faild"], "outcomes: 'faild' is not an outcome. Use ok, changed, failed, unreachable or left"),
        (["it"], [5], "outcomes: 5 is not an outcome. "),
        (["it"], [["failed"]], r"outcomes: \['failed'\] is not an outcome. "),
        ([], ["failed"], "_terms: is missing. Name the variable "),
    ],
)
def test_hosts_that_nobody_can_mean(terms: JSON, outcomes: JSON, says: str) -> None:
    """A play whose hosts are given with a typing error would have no hosts, and be skipped silently."""
    with pytest.raises(AnsibleLookupError, match=f"^fleet_hosts: {says}"):
        fleet_hosts._check(terms, outcomes)


@pytest.mark.parametrize(("left", "hosts"), [(None, ["gw-1"]), (True, []), (False, ["gw-1"])])
def test_hosts_of_a_pass_that_left_a_host_or_none(left: bool | None, hosts: list[str]) -> None:
    def found(**changes: JSON) -> list[str]:
        return fleet_hosts._hosts(
            "it", ["gw-1", "gw-2"], {"gw-1": {"it": {**PASS, **changes}}}, {"failed", "left"}, left
        )

    assert found() == hosts
    assert found(left={"gw-2": "why"}) == (["gw-1", "gw-2"] if left in (None, True) else [])


@pytest.mark.parametrize("outcomes", [[], ["left"], ["ok", "changed", "failed", "unreachable", "left"]])
def test_hosts_by_their_outcomes(outcomes: list[str]) -> None:
    fleet_hosts._check(["it", "that"], outcomes)
