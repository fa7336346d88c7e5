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
  - The report is complete or not there. Other users of the controller can neither prepare the file nor redirect it, in C(/tmp) either.
options:
  findings:
    description: The findings, as the filter P(fleetops.aliyun_iot.audit_findings#filter) returns them.
    type: list
    elements: dict
    required: true
  dest:
    description:
      - The file. A relative path starts in the directory where C(ansible-playbook) was started; its directory must exist.
      - A file of the same user is replaced. A symbolic link, a file of another user and whatever is not a regular file are refused.
    type: path
    required: true
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
  - fleetops.aliyun_iot.attributes.controller
attributes:
  check_mode:
    support: full
    details: Checks the file's place, and writes nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Every run writes the report.
  action_group:
    support: none
    details: Has no option that a group's default could be for.
    version_added: 1.0.0
seealso:
  - plugin: fleetops.aliyun_iot.audit_findings
    plugin_type: filter
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Keep the findings
  fleetops.aliyun_iot.audit_report:
    findings: "{{ looks | fleetops.aliyun_iot.audit_findings(platform_devices.products) }}"
    dest: ~/audit.json
  run_once: true
"""

RETURN = r"""
path:
  description: The absolute path of the report.
  returned: success
  type: str
  sample: /srv/reports/audit.json
error:
  description: What went wrong.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error, for conditions, one of V(bad_answer), V(internal), V(invalid_option), V(storage).
        - V(internal) is a mistake in this collection; please report it.
      type: str
    code:
      description: Always V(null).
      type: int
    message:
      description: What was attempted and what came back.
      type: str
    hint:
      description: What to do next.
      type: str
"""
