# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings of an audit as lines of text."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: audit_table
short_description: Lays the findings of an audit out as a table
version_added: 1.0.0
description:
  - Returns the findings of P(fleetops.aliyun_iot.audit_findings#filter) as lines with aligned columns. Findings that are
    C(ok) are only counted.
  - The commands that repair the findings follow, each for all gateways that it repairs. If these are more than 100, their names are in a
    file, in the directory that the environment variable E(FLEET_PROGRESS_LIMIT_PATH) names, by default C(~/.ansible/fleet_progress).
options:
  _input:
    description: The findings.
    type: list
    elements: dict
    required: true
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Show what an audit found
  ansible.builtin.debug:
    msg: "{{ findings | fleetops.aliyun_iot.audit_table }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import NAMED, command, with_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._filter_inputs import checked_list
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._limit_file import limit_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import kind_of

COLUMNS = ("gateway", "device_name", "status", "fingerprint", "finding", "detail")
# The most gateways in a command itself. An argument of the command line may have 128 KiB.
MOST = 100
# Where the callback fleet_progress puts such files, too.
_FOLDER = "~/.ansible/fleet_progress"
Finding = t.Mapping[str, t.Any]


def audit_table(findings: t.Sequence[Finding]) -> list[str]:
    """Return aligned lines with a heading, then the commands that repair the findings, and last how many gateways are right."""
    findings = checked_list("audit_table: the input is not a list of findings", findings)
    try:
        wrong = [finding for finding in findings if kind_of(finding) != "ok"]
    except FleetopsError as error:
        raise AnsibleFilterError("audit_table: %s" % error) from error
    rows = [COLUMNS] + [tuple(str(finding.get(name) or "-") for name in COLUMNS) for finding in wrong]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = (
        ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        if wrong
        else []
    )
    return [*lines, *_commands(wrong), "%d of %d as they should be" % (len(findings) - len(wrong), len(findings))]


def _commands(wrong: t.Sequence[Finding]) -> list[str]:
    """Return each command once, for all gateways that it repairs; one that names a device is for a gateway of its own."""
    alike: dict[tuple[str, str | None], list[str]] = {}
    for finding in wrong:
        if finding.get("repaired_by") and finding.get("gateway"):
            device = finding.get("device_name") if finding["repaired_by"] in NAMED else None
            alike.setdefault((finding["repaired_by"], device), []).append(finding["gateway"])
    kinds: dict[str, str] = {finding["gateway"]: kind_of(finding) for finding in wrong if finding.get("gateway")}
    return [
        "%s: %s" % (", ".join(sorted({kinds[host] for host in hosts})), command(how, hosts, device, _limit(hosts)))
        for (how, device), hosts in alike.items()
    ]


def _limit(hosts: t.Sequence[str]) -> str:
    """Return the value of ``--limit`` that names the file of many hosts; empty for others, or if the file cannot be written."""
    if len(hosts) <= MOST:
        return ""
    limit = limit_of(hosts, os.environ.get("FLEET_PROGRESS_LIMIT_PATH") or _FOLDER, "audit", MOST)
    return limit if limit.startswith("@") else ""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"audit_table": with_report(audit_table)}
