# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the merging of slices' reports, and the checks of a report that an attacker has changed."""

from __future__ import annotations

import copy
import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from any_text import CHARACTERS
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.aliyun_iot.plugins.action import report_merge
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption, StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _report_gate
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import command, rebuilt
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_gate import parse_report, read_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_merge import merge_reports, report_names
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import (
    FIELDS,
    as_json,
    compose_report,
    rows_of_pass,
)

JSON = Any

RUN = {
    **{"id": "41/1", "playbook": "provision", "mode": "", "begun": "2026-01-01 00:00:00 UTC"},
    **{"ended": "2026-01-01 00:01:00 UTC", "user": "awx", "controller": "one", "ansible_core": "2.19.14"},
}
OTHER = {**RUN, "controller": "two", "begun": "2026-01-01 00:00:30 UTC", "ended": "2026-01-01 00:02:00 UTC"}


def row(gateway: str | None, outcome: str = "ok", **fields: JSON) -> JSON:
    return {**dict.fromkeys(FIELDS), "gateway": gateway, "outcome": outcome, **fields}


def written(path: Path, run: JSON, *rows: JSON) -> str:
    path.write_text(as_json(compose_report(run, rows)))
    return str(path)


def kept(row: JSON, _playbook: str) -> str | None:
    return row["command"]


# Merging


def test_slices_make_one_run(tmp_path: Path) -> None:
    names = [
        written(tmp_path / "a.json", RUN, row("gw-1"), row("gw-2", "failed")),
        written(tmp_path / "b.json", OTHER, row("gw-3", "changed")),
    ]
    run, rows = merge_reports(names, kept)
    assert {each["gateway"]: each["outcome"] for each in rows} == {"gw-1": "ok", "gw-2": "failed", "gw-3": "changed"}
    assert run.pop("id")
    assert run == {
        **{"playbook": "provision", "mode": "", "begun": RUN["begun"], "ended": OTHER["ended"], "slices": "2"},
        **{"user": "awx", "controller": "one, two", "ansible_core": "2.19.14"},
    }


def test_of_a_gateway_in_two_reports_the_later_counts(tmp_path: Path) -> None:
    names = [
        written(tmp_path / "a.json", OTHER, row("gw-1", "changed")),
        written(tmp_path / "b.json", RUN, row("gw-1", "failed")),
    ]
    for order in (names, names[::-1]):
        assert [each["outcome"] for each in merge_reports(order, kept)[1]] == ["changed"]


def test_a_host_that_shares_its_device_has_no_command(tmp_path: Path) -> None:
    """Alone it would not be refused. Hosts of different slices were not compared before."""
    device = {"product_key": "a1", "device_name": "gw-3", "command": "type me"}
    slices = [
        [row("gw-1", "failed", error="shared_name", command="type me"), row("gw-2", "failed", **device)],
        [row("gw-3", "unreachable", **device), row("gw-4", "failed", **{**device, "device_name": "gw-4"})],
    ]
    names = [written(tmp_path / f"{number}.json", RUN, *rows) for number, rows in enumerate(slices)]
    merged = merge_reports(names, kept)[1]
    assert [each["gateway"] for each in merged if each["command"]] == ["gw-4"]
    assert all((each["hint"] or "").startswith("Correct the inventory") for each in merged if not each["command"])


def test_the_same_slices_are_the_same_run(tmp_path: Path) -> None:
    a = written(tmp_path / "a.json", RUN, row("gw-1"))
    b = written(tmp_path / "b.json", OTHER, row("gw-2"))
    assert merge_reports([a, b], kept)[0] == merge_reports([b, a], kept)[0]
    assert merge_reports([a, b], kept)[0]["id"] != merge_reports([a], kept)[0]["id"]


@pytest.mark.parametrize("field", [{"playbook": "audit"}, {"mode": "check mode, nothing was changed"}])
def test_reports_of_several_runs_are_refused(tmp_path: Path, field: JSON) -> None:
    names = [written(tmp_path / "a.json", RUN, row("a")), written(tmp_path / "b.json", {**OTHER, **field}, row("b"))]
    with pytest.raises(InvalidOption, match="of several runs"):
        merge_reports(names, kept)


def test_many_controllers_are_named_in_part(tmp_path: Path) -> None:
    names = [written(tmp_path / f"{n}.json", {**RUN, "controller": f"c{n}"}, row(f"gw-{n}")) for n in range(7)]
    assert merge_reports(names, kept)[0]["controller"] == "c0, c1, c2, c3, c4 and 2 more"


# The choice of the files


def test_patterns_are_filled_in_once_and_without_the_merged_report(tmp_path: Path) -> None:
    for name in ("a.json", "b.json", "c.csv"):
        (tmp_path / name).touch()
    written(tmp_path / "fleet.json", {**RUN, "slices": "2"}, row("gw-1"))
    found = report_names([f"{tmp_path}/*.json", f"{tmp_path}/a.json"], tmp_path / "fleet.json")
    assert found == [f"{tmp_path}/a.json", f"{tmp_path}/b.json"]


def test_the_report_of_a_slice_is_not_replaced(tmp_path: Path) -> None:
    names = [written(tmp_path / f"{name}.json", RUN, row(f"gw-{name}")) for name in "ab"]
    with pytest.raises(InvalidOption, match=r"^dest: '.*/a.html' is the report of a slice"):
        report_names([f"{tmp_path}/*.json"], tmp_path / "a.json")
    assert all(Path(name).exists() for name in names)


def test_the_merged_report_alone_is_no_slice(tmp_path: Path) -> None:
    merged = written(tmp_path / "fleet.json", {**RUN, "slices": "2"}, row("gw-1"))
    with pytest.raises(InvalidOption, match=r"^reports: name no report of a slice"):
        report_names([merged], Path(merged))


@pytest.mark.parametrize("pattern", ["none-*.json", "none.json"])
def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(InvalidOption, match=r"no file matches it"):
        report_names([str(tmp_path / pattern)], tmp_path / "fleet.json")


def test_more_files_or_gateways_than_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_merge.MOST_FILES", 1)
    monkeypatch.setattr("ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_merge.MOST_GATEWAYS", 1)
    names = [written(tmp_path / f"{n}.json", RUN, row(f"gw-{n}")) for n in range(2)]
    with pytest.raises(InvalidOption, match="there are 2, more than 1"):
        report_names([f"{tmp_path}/*.json"], tmp_path / "fleet.json")
    with pytest.raises(InvalidOption, match="more than 1 gateways"):
        merge_reports(names, kept)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("pipe.json", "nowhere.json", "."):
        with pytest.raises(InvalidOption):
            read_report(str(tmp_path / name))


def test_what_is_too_long_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = written(tmp_path / "a.json", RUN, row("gw-1"))
    assert read_report(name)
    monkeypatch.setattr(_report_gate, "LONGEST_FILE", 100)
    with pytest.raises(InvalidOption, match="longer than 100"):
        read_report(name)


@pytest.mark.parametrize(
    ("spoil", "changed"),
    [
        (lambda _path: None, False),
        (lambda path: path.write_bytes(path.read_bytes() + b"\xff"), True),
        (Path.unlink, True),
    ],
    ids=["same", "no text", "none"],
)
def test_whether_a_merged_report_changes(tmp_path: Path, spoil: Callable[[Path], None], changed: bool) -> None:
    for number in range(2):
        written(tmp_path / f"{number}.json", {**RUN, "id": str(number)}, row(f"gw-{number}"))
    task = SimpleNamespace(check_mode=False, async_val=0, diff=False, args={})
    action = report_merge.ActionModule(task, SimpleNamespace(), SimpleNamespace(), None, None, None)
    action._variables = {"groups": {}}
    options = {"reports": [f"{tmp_path}/[01].json"], "dest": f"{tmp_path}/all.html"}
    assert action._perform(options)["changed"] is True
    merged = (tmp_path / "all.json").read_bytes()
    spoil(tmp_path / "all.json")
    assert action._perform(options)["changed"] is changed
    assert (tmp_path / "all.json").read_bytes() == merged


def test_what_cannot_be_read_is_no_merged_report(tmp_path: Path) -> None:
    assert report_merge._content(tmp_path) is None


# Changed reports

GOOD = json.loads(
    as_json(
        compose_report(
            RUN,
            [
                row("gw-1", "failed", reason="missing", product_key="a1IoKTestP1", device_name="gw-1", error="tls"),
                row(None, "drift", reason="no_gateway", product_key="a1IoKTestP1", device_name="gw-9", status="ONLINE"),
            ],
        )
    )
)
TEXTS = ("product_key", "device_name", "path", "status", "code", "message", "hint", "command")
PLACES = [
    *[("run", name) for name in ("begun", "ended")],
    *[("gateways", 0, name) for name in FIELDS if name not in TEXTS],
    *[("format",), ("run",), ("gateways", 0), ("gateways", 1, "gateway")],
]


def changed(place: tuple[JSON, ...], value: JSON) -> str:
    report = copy.deepcopy(GOOD)
    part = report
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    return json.dumps(report)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
@pytest.mark.parametrize("value", [3, True, [], {}, "x" * 5000, "a\nb", "\x1b[2J", "\u202e"], ids=range(8))
def test_a_field_of_another_kind_is_refused(place: tuple[JSON, ...], value: JSON) -> None:
    with pytest.raises(StorageError):
        parse_report(changed(place, value))


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_a_printable_line(name: str) -> None:
    for value in (3, True, [], {}):
        with pytest.raises(StorageError):
            parse_report(changed(("gateways", 0, name), value))
    texts = [
        parse_report(changed(("gateways", 0, name), value))["gateways"][0][name]
        for value in ("a\nb", "\x1b[2J", "\u202ex")
    ]
    assert texts == ["a / b", "?[2J", "?x"]
    [longest] = {len(parse_report(changed(("gateways", 0, name), "x" * 99_999))["gateways"][0][name])}
    assert longest in (255, 2000, 8192)


@given(
    st.dictionaries(
        st.sampled_from(["msg", "product_key", "device_name", "path", "status"]), st.text(CHARACTERS, max_size=300)
    )
)
def test_what_a_run_writes_is_what_the_next_batch_reads(result: dict[str, str]) -> None:
    hosts = ["gw-1", "gw-2"]
    left = {"gw-2": "its connection is not known"}
    fleet = {"gateways": {"gw-1": {**result, "failed": True}}, "left": left, "hosts": hosts}
    report = compose_report(RUN, rows_of_pass(fleet, hosts, "ansible-playbook -i x", "provision"))
    assert [row["gateway"] for row in parse_report(as_json(report))["gateways"]] == ["gw-1", "gw-2"]


SCALARS = st.none() | st.booleans() | st.integers() | st.text(CHARACTERS)
ANY_JSON = (
    SCALARS
    | st.lists(SCALARS, max_size=3)
    | st.dictionaries(
        st.sampled_from(FIELDS) | st.text(CHARACTERS), SCALARS | st.lists(SCALARS, max_size=2), max_size=3
    )
)


@given(
    st.sampled_from([*PLACES, *(("gateways", 0, name) for name in TEXTS), ("run", "user"), ("before",), ("more",)]),
    ANY_JSON,
)
def test_a_changed_report_is_refused_or_has_known_fields_alone(place: tuple[JSON, ...], value: JSON) -> None:
    try:
        report = parse_report(changed(place, value))
    except StorageError:
        return
    assert set(report) == {"format", "run", "gateways", "before"}
    for each in report["gateways"]:
        assert set(each) == set(FIELDS)
        for text in filter(None, each.values()):
            assert isinstance(text, str)
            # The name of a host may have any kind of space.
            assert all(character.isprintable() or unicodedata.category(character) == "Zs" for character in text)
            assert len(text) <= 8192
    assert all(isinstance(text, str) and text.isprintable() and len(text) < 256 for text in report["run"].values())


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "[]", '{"format": 1, "format": 1}', "\0"])
def test_what_is_no_report(text: str) -> None:
    with pytest.raises(StorageError):
        parse_report(text)


def test_a_message_says_which_file_and_field(tmp_path: Path) -> None:
    file = tmp_path / "slice.json"
    file.write_text(changed(("gateways", 0, "outcome"), "fine"))
    with pytest.raises(InvalidOption) as caught:
        read_report(str(file))
    assert f"reports: '{file}' is no report of this collection: gateways[0].outcome" in str(caught.value)
    assert "gateway's answer" not in str(caught.value)


def test_a_date_is_of_digits_of_ascii() -> None:
    with pytest.raises(StorageError, match=r"run\.begun"):
        parse_report(changed(("run", "begun"), "٢٠٢٦-01-01 00:00:00 UTC"))


# Commands


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"inventory": ("fleet.yml",), "extra_vars": ("@account.yml", "gateway_report_to=fleet.html")}
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(given))


OPTIONS = "-i fleet.yml -e @account.yml"
OF_RUNS = ["provision", "reprovision", "recover", "decommission"]
FORCED = "recover -e gateway_recovery_force=true"


REPAIRS = ["enable", "provision", "register", "recover", "recover_force"]
GROUPS = {"all": ["gw-1", "gw-2", "gw-3", "gw-4", "gw 1;id"], "ungrouped": ["gw 1;id"], "gateways": ["gw-1", "gw-2"]}


def again(given: str, gateway: str | None = "gw-1", playbook: str = "provision", **fields: JSON) -> str | None:
    """Return the command that a merged report has in place of the one in the report of a playbook."""
    failed = {"outcome": "failed", "error": "network", **fields}
    return rebuilt(row(gateway, command=given, **failed), playbook, GROUPS)


@pytest.mark.usefixtures("command_line")
@pytest.mark.parametrize("playbook", OF_RUNS)
def test_a_command_of_a_run_is_written_anew(playbook: str) -> None:
    given = f"ansible-playbook -i /slices/7 -e '@/tmp/x y' fleetops.aliyun_iot.{playbook} --limit gw-1"
    expected = f"ansible-playbook {OPTIONS} fleetops.aliyun_iot.{playbook} --limit gw-1"
    assert again(given, playbook=playbook) == again(given, playbook=playbook, outcome="unreachable") == expected
    for other in {*OF_RUNS, "audit", "site"} - {playbook}:
        assert again(given, playbook=other) is None
    for outcome in ("ok", "changed", "left", "drift"):
        assert again(given, playbook=playbook, outcome=outcome) is None


@pytest.mark.usefixtures("command_line")
@pytest.mark.parametrize(
    ("playbook", "fields", "repair"),
    [
        ("reprovision", {"error": "registration_needed"}, "provision"),
        ("provision", {"error": "not_accepted"}, "recover"),
        ("site", {"error": "refused", "code": "6289"}, "recover"),
        ("provision", {"error": "refused", "code": "6289", "reason": "identity_changed"}, FORCED),
        ("provision", {"error": "refused", "code": "4"}, "recover"),
        ("provision", {"error": "refused", "code": "4", "device_change": "added"}, "provision"),
        ("reprovision", {"error": "refused", "code": "5", "device_change": "reset"}, "provision"),
        ("reprovision", {"error": "not_proven", "device_change": "reset"}, "provision"),
        ("reprovision", {"error": "throttled", "code": "503", "device_change": "reset"}, "provision"),
    ],
)
def test_a_repair_of_a_run_is_the_one_of_its_error(playbook: str, fields: JSON, repair: str) -> None:
    begin = f"ansible-playbook {OPTIONS} fleetops.aliyun_iot."
    for name in (*OF_RUNS, FORCED):
        given = f"{begin}{name} --limit gw-1"
        assert again(given, playbook=playbook, **fields) == (given if name == repair else None)


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.usefixtures("command_line")
def test_what_a_run_wrote_stays_in_a_merged_report(check_mode: bool) -> None:
    results = {
        "gw-1": {"failed": True, "error": {"kind": "not_proven", "code": None}, "device_change": "reset"},
        "gw-2": {"failed": True, "error": {"kind": "refused", "code": 6289}},
        "gw-4": {"failed": True, "error": {"kind": "refused", "code": 6289}, "reason": "identity_changed"},
        "gw 1;id": {"unreachable": True},
        "gw-3": {"failed": True, "error": {"kind": "refused", "code": 6204}},
    }
    fleet = {"gateways": results, "left": {}, "hosts": [*results], "check_mode": check_mode}
    rows = rows_of_pass(fleet, results, f"ansible-playbook {OPTIONS}", "fleetops.aliyun_iot.reprovision")
    assert all(each["command"] for each in rows)
    assert [rebuilt(each, "reprovision", GROUPS) for each in rows] == [each["command"] for each in rows]


@pytest.mark.usefixtures("command_line")
@pytest.mark.parametrize("how", REPAIRS)
def test_a_command_of_an_audit_is_written_anew(how: str) -> None:
    expected = command(how, ["gw-1"], "gw-0001")
    assert OPTIONS in expected
    drift = {"outcome": "drift", "device_name": "gw-0001"}
    given = expected.replace(OPTIONS, "-i /slices/7")
    assert again(given, playbook="audit", **drift) == expected
    for playbook in OF_RUNS:
        assert again(given, playbook=playbook, **drift) is None


@pytest.mark.usefixtures("command_line")
@pytest.mark.parametrize("how", ["recover_named", "enable_named"])
def test_a_report_does_not_choose_the_device_of_a_command(tmp_path: Path, how: str) -> None:
    """Whoever types such a command confirms its device, and somebody may have changed the one of the report."""
    given = command(how, ["gw-1"], "gw-9999")
    assert given.endswith("-e gateway_device_name=gw-9999")
    found = row("gw-1", "drift", reason="disabled", device_name="gw-9999", command=given)
    assert rebuilt(found, "audit", GROUPS, may_name=True) == given, "in the report of the audit itself"
    name = written(tmp_path / "a.json", {**RUN, "playbook": "audit"}, found)
    [merged] = merge_reports([name], lambda row, playbook: rebuilt(row, playbook, GROUPS))[1]
    assert merged["command"] is None
    assert merged["hint"].startswith("Run the playbook again for this gateway")


@pytest.mark.usefixtures("command_line")
def test_a_device_without_a_gateway_in_one_slice_is_a_gateways_in_another(tmp_path: Path) -> None:
    devices = {host: {"product_key": "a1", "device_name": host} for host in ("gw-1", "gw-2")}
    slices = [("gw-1", "gw-2"), ("gw-2", "gw-1")]
    names = [
        written(
            tmp_path / f"{host}.json",
            {**RUN, "playbook": "audit"},
            row(host, "drift", command=command("recover", [host], None), **devices[host]),
            row(None, "drift", reason="no_gateway", **devices[other]),
        )
        for host, other in slices
    ]
    merged = merge_reports(names, lambda row, playbook: rebuilt(row, playbook, GROUPS))[1]
    assert {each["gateway"]: bool(each["command"]) for each in merged} == {"gw-1": True, "gw-2": True, None: False}


@pytest.mark.usefixtures("command_line")
@pytest.mark.parametrize("name", ["all", "ungrouped", "gateways", "gw-9", "localhost"])
def test_a_command_for_more_than_a_gateway_of_the_inventory_is_left_out(name: str) -> None:
    """The name of a group would take the command to every gateway in it."""
    for playbook in OF_RUNS:
        assert again(f"ansible-playbook fleetops.aliyun_iot.{playbook} --limit {name}", name, playbook) is None
    for how in REPAIRS:
        assert again(command(how, [name], "gw-0001"), name, "audit", outcome="drift", device_name="gw-0001") is None


@pytest.mark.usefixtures("command_line")
@pytest.mark.parametrize(
    ("name", "kept"), [("gw-9", True), ("all", False), ("ungrouped", False), ("localhost", False), ("::1", False)]
)
def test_without_an_inventory_any_name_but_a_common_one_is_a_gateways(name: str, kept: bool) -> None:
    given = command("provision", [name], None)
    found = row(name, "drift", command=given)
    assert rebuilt(found, "audit", {"all": [], "ungrouped": []}) == (given if kept else None)


@pytest.mark.usefixtures("command_line")
@pytest.mark.parametrize(
    "given",
    [
        "rm -rf /",
        "ansible-playbook /tmp/evil.yml --limit gw-1",
        "ansible-playbook fleetops.aliyun_iot.provision --limit gw-2",
        "ansible-playbook fleetops.aliyun_iot.provision --limit gw-1; rm -rf /",
        "rm -rf / #ansible-playbook fleetops.aliyun_iot.provision --limit gw-1",
        "ansible gw-1 -m command -a 'rm -rf /'",
        "ansible-playbook fleetops.aliyun_iot.recover -e target=gw-1 -e gateway_device_name=$(id)",
    ],
)
def test_a_changed_command_is_left_out(given: str) -> None:
    for playbook in (*OF_RUNS, "audit"):
        assert again(given, "gw-1", playbook, device_name="$(id)") is None
        assert again(given, None, playbook, device_name="gw-0001") is None


@pytest.mark.usefixtures("command_line")
def test_what_is_hidden_between_the_ends_of_a_command_is_not_taken_over() -> None:
    given = "ansible-playbook -i x; rm -rf / ; fleetops.aliyun_iot.provision --limit gw-1"
    assert again(given) == f"ansible-playbook {OPTIONS} fleetops.aliyun_iot.provision --limit gw-1"


@pytest.mark.usefixtures("command_line")
def test_a_host_whose_name_is_for_a_shell_stays_quoted() -> None:
    given = "ansible-playbook fleetops.aliyun_iot.provision --limit 'gw 1;id,'"
    assert (again(given, "gw 1;id") or "").endswith(" --limit 'gw 1;id,'")


def test_a_command_with_variables_of_several_lines_stays_as_it_is_in_the_next_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = '{\n  "gateway_path": "/a",\n  "gateway_service": "my\tagent"\n}'
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict({"extra_vars": (variables,)}))
    printed = command("provision", ["gw-*"], None)
    assert parse_report(changed(("gateways", 0, "command"), printed))["gateways"][0]["command"] == printed
