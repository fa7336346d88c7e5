#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: run_report
short_description: Writes a report of a run as an HTML page, JSON and CSV
version_added: 1.0.0
description:
  - Writes an HTML page that needs no network, and the same report as JSON and CSV into the same directory. The files have the mode 0600.
    The playbooks of this collection write a report if C(gateway_report_to) is set.
  - The page counts the outcomes, lists the changes since the previous report, and shows every gateway with its device, what was done to the
    device on the platform (C(device_change), such as V(disabled), or V(would be disabled) after a run in check mode), the fingerprint of
    its credential, its error, and the command to run next. It contains no secret.
  - Each batch of a run adds its results to the same report. The report of a new run is compared with the one that it replaces.
options:
  dest:
    description:
      - The path of the page. Its name must end in C(.html), and its directory must exist. A relative path is relative to the directory in
        which C(ansible-playbook) was started.
      - An existing page is replaced, and so are a JSON file and a CSV file of the same name that are part of a report. The module refuses
        to replace other JSON and CSV files, files of another user, symbolic links and special files.
    type: path
    required: true
  variable:
    description: The name of the variable in which the result of M(fleetops.aliyun_iot.fleet_credentials) was registered.
    type: str
    default: gateway_fleet
  looked_only:
    description: Whether the task that registered O(variable) only inspected the gateways. If V(true), a gateway that needs a change counts
      as C(left), because its batch has not been processed yet.
    type: bool
    default: false
  findings:
    description:
      - The findings of an audit, as the filter P(fleetops.aliyun_iot.audit_findings#filter) returns them, in place of O(variable).
      - The module does not copy the commands of the findings, but generates them again. It leaves out a command that the filter would not
        return.
    type: list
    elements: dict
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
  - fleetops.aliyun_iot.attributes.controller
attributes:
  check_mode:
    support: full
    details: Checks that the files can be written, and writes nothing. The playbooks of this collection set C(check_mode=false) for this
      task, so that a run in check mode has a report too.
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
  - module: fleetops.aliyun_iot.fleet_credentials
  - module: fleetops.aliyun_iot.audit_report
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Write a report of the run
  fleetops.aliyun_iot.run_report:
    dest: ~/provision.html
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The absolute path of the page.
  returned: success
  type: str
  sample: /srv/reports/provision.html
counts:
  description:
    - The number of gateways by outcome, in this run so far. The outcomes are C(failed), C(unreachable), C(drift), C(left), C(changed) and
      C(ok).
    - C(drift) means that an audit has a finding for the gateway. C(left) means that the report has no result of the gateway, because the
      run ended before or during its batch, or because M(fleetops.aliyun_iot.fleet_report) processes it after the report is written.
  returned: success
  type: dict
  sample: {"failed": 1, "unreachable": 3, "drift": 0, "left": 0, "changed": 5, "ok": 9991}
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
