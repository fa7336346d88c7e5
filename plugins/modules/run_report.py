#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: run_report
short_description: Writes what a run did to its gateways, as a page, JSON and CSV
version_added: 1.0.0
description:
  - Writes one HTML file that needs no network, and beside it the same as JSON and CSV, into files that only the user who runs Ansible
    can read. The playbooks of this collection do it with C(gateway_report_to).
  - The page counts outcomes, says what is other than in the report before, and lists every gateway with its device, what was done to the
    device on the platform (C(device_change), such as V(disabled), or in check mode V(would be disabled)), the fingerprint of its
    credential, what went wrong, and the command to type next. It holds no secret.
  - Batches of one run go into one report. The report of an earlier run is compared with and replaced.
options:
  dest:
    description:
      - The page; its name ends in C(.html). A relative path starts in the directory where C(ansible-playbook) was started; its directory
        must exist.
      - Files of the same user are replaced. A symbolic link, a file of another user and whatever is not a regular file are refused.
    type: path
    required: true
  variable:
    description: The variable of the play that M(fleetops.aliyun_iot.fleet_credentials) was registered in, for the hosts of the batch.
    type: str
    default: gateway_fleet
  looked_only:
    description: Whether the pass only looked, so that a gateway that needs a change is C(left) until its batch.
    type: bool
    default: false
  findings:
    description:
      - The findings of an audit, as the filter P(fleetops.aliyun_iot.audit_findings#filter) returns them, in place of O(variable).
    type: list
    elements: dict
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
  - fleetops.aliyun_iot.attributes.controller
attributes:
  check_mode:
    support: full
    details: Checks where the files are, and writes nothing.
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
  - module: fleetops.aliyun_iot.fleet_credentials
  - module: fleetops.aliyun_iot.audit_report
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Hand on what was done
  fleetops.aliyun_iot.run_report:
    dest: ~/provision.html
  run_once: true
"""

RETURN = r"""
path:
  description: The absolute path of the page.
  returned: success
  type: str
  sample: /srv/reports/provision.html
counts:
  description:
    - How many gateways were C(failed), C(unreachable), other than they should be (C(drift), of an audit), C(left), since the run has not
      come to them or leaves them to tasks of their own, C(changed) and C(ok), in this run so far.
  returned: success
  type: dict
  sample: {"failed": 1, "unreachable": 3, "drift": 0, "left": 0, "changed": 5, "ok": 9991}
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
