# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings of an audit as lines of text."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: audit_table
short_description: Lays the findings of an audit out as a table
version_added: 1.0.0
description:
  - Returns the findings of P(fleetops.aliyun_iot.audit_findings#filter) as lines with aligned columns. Findings that are
    C(ok) are only counted.
  - The commands that repair the findings follow, each for all gateways that it repairs.
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
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import command, with_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._filter_inputs import checked_list
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import kind_of

COLUMNS = ("gateway", "device_name", "status", "fingerprint", "finding", "detail")
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
        if finding.get("mended_by") and finding.get("gateway"):
            device = finding.get("device_name") if finding["mended_by"] == "recover_named" else None
            alike.setdefault((finding["mended_by"], device), []).append(finding["gateway"])
    return [
        "%s: %s"
        % (", ".join(sorted({kind_of(f) for f in wrong if f.get("gateway") in hosts})), command(how, hosts, device))
        for (how, device), hosts in alike.items()
    ]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"audit_table": with_report(audit_table)}
