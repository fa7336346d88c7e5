# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run: the outcome of each gateway, as JSON, CSV and a page. PRIVATE to the collection.

A report is a dictionary for JSON: ``format``, ``run`` (named fields of text), ``gateways`` (a row each, as from :func:`rows_of_pass`),
``counts`` of outcomes, and what was ``before``, with the ``changes`` since then.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
import typing as t
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._claims import advice_for
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import lacks_of_plays, limited, listed
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import shown
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._repairs import repair_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._result import outcome_of

FORMAT = 1
# Outcomes of a gateway, the worst first; the page shows them in this order.
OUTCOMES = ("failed", "unreachable", "drift", "left", "changed", "ok")
FIELDS = (
    *("gateway", "outcome", "reason", "product_key", "device_name", "path", "fingerprint", "status", "device_change"),
    *("error", "code", "message", "hint", "command"),
)
OF_AUDIT = "Use what the filter fleetops.aliyun_iot.audit_findings returns"

Row = dict[str, t.Any]
Report = dict[str, t.Any]


def rows_of_pass(fleet: t.Mapping[str, t.Any], batch: t.Iterable[str], command: str, playbook: str) -> list[Row]:
    """Return a row for each host of a batch, with named fields only, so that no other field of a result gets into a report.

    :param fleet: the result of fleet_credentials; a host of the pass without a result was up to date, and any other has no row
    :param command: the command that runs a playbook over the same inventory, without the playbook's name
    :param playbook: the one that ran, or several, quoted, with the options that choose their tasks
    """
    results, left = {**fleet.get("right", {}), **fleet["gateways"]}, fleet["left"]
    processed = set(fleet["hosts"])
    rows = []
    for host in batch:
        if host not in processed:
            continue
        result = results.get(host) or {}
        row = _row(host, "left" if host in left else outcome_of(result), result)
        if host in left:
            row["message"] = "processed by a task of its own, whose result is not in this report: %s" % left[host]
        row["device_change"] = shown(result.get("device_change"), bool(fleet.get("check_mode")))
        if row["outcome"] in ("failed", "unreachable"):
            if advice := advice_for(row["error"]):
                row["hint"] = row["hint"] or advice
            else:
                repair = repair_of(row["error"], row["code"], row["device_change"], row["reason"])
                target = listed([host])
                again = "%s %s --limit %s" % (command, playbook, shlex.quote(target))
                row["command"] = limited(target, repair.name) if repair.name else again
                before = [repair.first, lacks_of_plays() if repair.name else ""]
                row["hint"] = " ".join([*(text + "." for text in before if text), *filter(None, [row["hint"]])]) or None
        rows.append(row)
    return rows


def rows_of_findings(findings: t.Iterable[t.Mapping[str, t.Any]]) -> list[Row]:
    """Return a row for each finding of an audit; one of a device without a gateway has no gateway.

    :raises InvalidOption: as :func:`kind_of`
    """
    rows = []
    for finding in findings:
        what = kind_of(finding)
        outcome = what if what in ("ok", "unreachable", "failed") else "drift"
        row = {name: _text(finding.get(name)) for name in FIELDS}
        rows.append(dict(row, outcome=outcome, reason=what, message=_text(finding.get("detail")), code=None))
    return rows


def kind_of(finding: t.Mapping[str, t.Any]) -> str:
    """Return what was found.

    :raises InvalidOption: an audit has no such finding
    """
    if not isinstance(finding, t.Mapping) or not finding.get("finding"):
        raise InvalidOption("findings", finding, "is no finding of an audit", OF_AUDIT)
    return str(finding["finding"])


def _row(host: str, outcome: str, result: t.Mapping[str, t.Any]) -> Row:
    error = result.get("error") or {}
    row = {name: _text(result.get(name)) for name in FIELDS}
    row.update(gateway=host, outcome=outcome, error=_text(error.get("kind")), code=_text(error.get("code")))
    row.update(message=_text(error.get("message") or result.get("msg")), hint=_text(error.get("hint")))
    return row


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def compose_report(run: t.Mapping[str, str], rows: t.Sequence[Row], earlier: Report | None = None) -> Report:
    """Return the report of a run.

    :param run: the fields that describe the run; ``id`` identifies it
    :param earlier: the validated report that exists. If it is of the same run, an earlier batch, it is continued; if it is of a previous
        run, it is compared with
    """
    before, known = _before(run, earlier)
    rows = list({**known, **{key_of(row): row for row in rows}}.values())
    order = {outcome: number for number, outcome in enumerate(OUTCOMES)}
    rows.sort(
        key=lambda row: (order[row["outcome"]], row["gateway"] is None, str(row["gateway"]), str(row["device_name"]))
    )
    counts = Counter(row["outcome"] for row in rows)
    return {
        "format": FORMAT,
        "run": dict(run),
        "counts": {outcome: counts[outcome] for outcome in OUTCOMES},
        "gateways": rows,
        "before": before,
        "changes": _changes(rows, before["outcomes"]) if before else None,
    }


def _before(run: t.Mapping[str, str], earlier: Report | None) -> tuple[t.Any, dict[str, Row]]:
    """Return the begin of the previous run with its outcomes by gateway, and the rows of earlier batches of this run."""
    if earlier is None:
        return None, {}
    rows = {key_of(row): row for row in earlier["gateways"]}
    if earlier["run"]["id"] == run["id"]:
        return earlier["before"], rows
    return {"begun": earlier["run"]["begun"], "outcomes": {key: _state(row) for key, row in rows.items()}}, {}


def _changes(rows: t.Sequence[Row], before: t.Mapping[str, str]) -> list[dict[str, str | None]]:
    """Return the gateways whose outcome differs from the previous run; a changed gateway counts as ok."""
    now = {key_of(row): _state(row) for row in rows}
    return [
        {"gateway": key, "before": before.get(key), "now": now.get(key)}
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]


def _state(row: t.Mapping[str, t.Any]) -> str:
    return "ok" if row["outcome"] == "changed" else str(row["outcome"])


def key_of(row: t.Mapping[str, t.Any]) -> str:
    """Return the key of a row: its gateway, or else its device."""
    return str(row["gateway"] or "%s/%s" % (row["product_key"], row["device_name"]))


def as_json(report: Report) -> str:
    return json.dumps(report, indent=1) + "\n"


def as_csv(report: Report) -> str:
    """Return the rows as CSV, with cells quoted that a spreadsheet would take for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(FIELDS)
    for row in report["gateways"]:
        cells = [row[name] or "" for name in FIELDS]
        writer.writerow(["'" + cell if _is_formula(cell) else cell for cell in cells])
    return text.getvalue()


def _is_formula(cell: str) -> bool:
    """Return whether a spreadsheet may take a cell for a formula: some ignore blanks before it, or read full-width signs."""
    return cell[:1] in ("\t", "\r") or unicodedata.normalize("NFKC", cell).lstrip()[:1] in ("=", "+", "-", "@")


def as_page(report: Report) -> str:
    """Return a self-contained HTML page, which is a plain table if scripts do not run."""
    from jinja2 import Environment

    page = _part("page.html.j2")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(page)
    total = len(report["gateways"])
    bars, begin = [], 0.0
    for outcome in OUTCOMES:
        share = 100 * report["counts"][outcome] / (total or 1)
        bars.append({"outcome": outcome, "begin": round(begin, 3), "share": round(share, 3)})
        begin += share
    paths = Counter(row["path"] for row in report["gateways"] if row["path"])
    usual_path = next((path for path, number in paths.items() if 2 * number > paths.total()), None)
    parts = {"style": _part("page.css"), "script": _part("page.js"), "usual_path": usual_path}
    return template.render(report=report, outcomes=OUTCOMES, bars=bars, total=total, **parts)


@cache
def _part(name: str) -> str:
    return (Path(__file__).parent / "page" / name).read_text(encoding="utf-8")
