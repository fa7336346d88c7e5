# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings of an audit as lines of text."""

from __future__ import annotations

import typing as t

DOCUMENTATION = r"""
name: audit_table
short_description: Lays the findings of an audit out as a table
version_added: 1.0.0
description:
  - Makes a list of lines with aligned columns of what P(fleetops.aliyun_iot.audit_findings#filter) found. What is right is only counted.
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

COLUMNS = ("gateway", "device_name", "status", "fingerprint", "finding", "detail")


def audit_table(findings: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Aligned lines, a head first, and last how many are right."""
    wrong = [finding for finding in findings if finding["finding"] != "ok"]
    rows = [COLUMNS] + [tuple(str(finding[name] or "-") for name in COLUMNS) for finding in wrong]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = (
        ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        if wrong
        else []
    )
    return [*lines, "%d of %d as they should be" % (len(findings) - len(wrong), len(findings))]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"audit_table": audit_table}
