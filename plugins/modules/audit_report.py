#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_report
short_description: Writes the findings of an audit into a file on the controller
version_added: 1.0.0
description:
  - Writes findings as JSON into a file that only the user who runs Ansible can read, as the playbook C(fleetops.aliyun_iot.audit) does.
  - The report is written as a whole or not at all. Other users of the controller cannot redirect it by a file or link that they put in
    its place, even in C(/tmp).
options:
  findings:
    description: The findings, as the filter P(fleetops.aliyun_iot.audit_findings#filter) returns them. Each text is written as one line of
      printable characters.
    type: list
    elements: dict
    required: true
  dest:
    description:
      - The file. A relative path is relative to the directory in which C(ansible-playbook) was started. The file's directory must exist.
      - An existing file of the user who runs Ansible is replaced. A file of another user, a symbolic link, and anything else that is not a
        regular file is refused.
    type: path
    required: true
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
  - fleetops.aliyun_iot.attributes.controller
attributes:
  check_mode:
    support: full
    details: Checks that the file can be written, and writes nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Every run writes the report.
  action_group:
    support: none
    details: Has none of the options that a group sets defaults for.
    version_added: 1.0.0
seealso:
  - plugin: fleetops.aliyun_iot.audit_findings
    plugin_type: filter
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Write the findings into a file
  fleetops.aliyun_iot.audit_report:
    findings: "{{ looks | fleetops.aliyun_iot.audit_findings(platform_devices.products) }}"
    dest: ~/audit.json
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The absolute path of the report.
  returned: success
  type: str
  sample: /srv/reports/audit.json
error:
  description: Describes the failure.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error. Use it in C(when) or C(failed_when). It is one of V(bad_answer), V(internal), V(invalid_option), V(storage).
        - V(internal) is a bug of this collection. Please report it.
      type: str
    code:
      description: Always V(null).
      type: int
    message:
      description: What was attempted, on what, and what failed.
      type: str
    hint:
      description: What to do next.
      type: str
"""
