# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merge the reports of the slices of a run. PRIVATE to the collection."""

from __future__ import annotations

import glob
import hashlib
import os
import typing as t
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import first_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._claims import advice_for, with_twins
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_gate import MOST_GATEWAYS, read_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import Report, Row, key_of

MOST_FILES = 1000
_MOST_SHOWN = 5
# For a command that is not taken over: it names a device, or somebody has changed it, or the inventory does not have the gateway.
_ANEW = "Run the playbook again for this gateway, which prints its command; a merged report cannot confirm it"

# Builds the command of a row anew, for the playbook that wrote the report; None if the row has no known command.
Rebuild = t.Callable[[Row, str], str | None]


def report_names(patterns: t.Sequence[str], merged: Path) -> list[str]:
    """Return the paths of the files that paths and patterns name, without that of the merged report.

    :raises InvalidOption: a pattern matches nothing, there are too many files, or the merged report would replace one of a slice
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern))
        if not matches:
            raise InvalidOption(
                "reports", pattern, "is no file, and no file matches it", "Correct the path or the pattern"
            )
        found.update(dict.fromkeys(map(os.path.abspath, matches)))
    if found.pop(str(merged), "") is None and not read_report(str(merged))["run"]["slices"]:
        raise InvalidOption(
            "dest",
            str(merged.with_suffix(".html")),
            "is the report of a slice, which would be lost",
            "Choose another path",
        )
    if not found:
        raise InvalidOption("reports", None, "name no report of a slice", "Name the JSON of each slice")
    if len(found) > MOST_FILES:
        raise InvalidOption(
            "reports", None, "there are %d, more than %d" % (len(found), MOST_FILES), "Narrow the pattern"
        )
    return list(found)


def merge_reports(names: t.Sequence[str], rebuild: Rebuild) -> tuple[dict[str, str], list[Row]]:
    """Return the run that the reports of slices describe together, and its rows.

    If several reports have the same gateway, the row is taken from the one that ended last.

    :raises InvalidOption: a file is no report, or they are not of one playbook and mode
    """
    reports: list[Report] = []
    for name in names:
        reports.append(read_report(name))
        if sum(len(report["gateways"]) for report in reports) > MOST_GATEWAYS:
            raise InvalidOption("reports", name, "makes more than %d gateways" % MOST_GATEWAYS, "Merge fewer reports")
    for field in ("playbook", "mode"):
        values = _values(reports, field)
        if len(values) > 1:
            shown = " and ".join(repr(value) for value in values[:_MOST_SHOWN])
            raise InvalidOption(
                "reports", None, "are of several runs (%s: %s)" % (field, shown), "Merge those of one run"
            )
    reports.sort(key=lambda report: (report["run"]["ended"], report["run"]["id"]))
    rows = {key_of(row): row for report in reports for row in report["gateways"]}
    # A report of an audit also has the devices without a gateway of its slice, which may be those of gateways of other slices.
    twins = with_twins({key: row for key, row in rows.items() if row["gateway"]})
    for key, row in rows.items():
        advice, given = advice_for(row["error"], key in twins), row["command"]
        row["command"] = None if advice else rebuild(row, reports[0]["run"]["playbook"])
        if given and not row["command"]:
            row["hint"] = row["hint"] or advice or _ANEW
    return _run(reports), list(rows.values())


def _run(reports: t.Sequence[Report]) -> dict[str, str]:
    runs = [report["run"] for report in reports]
    # Merging the same reports again gives the same ID.
    parts = sorted("%s %s %s" % (run["id"], run["controller"], run["begun"]) for run in runs)
    return {
        "id": hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16],
        "playbook": runs[0]["playbook"],
        "mode": runs[0]["mode"],
        "begun": min(run["begun"] for run in runs),
        "ended": max(run["ended"] for run in runs),
        "slices": str(len(runs)),
        **{name: first_of(_values(reports, name), _MOST_SHOWN) for name in ("user", "controller", "ansible_core")},
    }


def _values(reports: t.Sequence[Report], field: str) -> list[str]:
    return sorted({report["run"][field] for report in reports})
