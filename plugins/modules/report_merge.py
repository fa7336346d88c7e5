#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: report_merge
short_description: Merges the reports of the slices of a run
version_added: 1.0.0
description:
  - Merges the JSON that M(fleetops.aliyun_iot.run_report) wrote in each slice of a run, such as the job slices of AWX or runs with
    C(--limit), into one page, with the same report as JSON and CSV beside it. Only the user who runs Ansible can read the files.
  - The reports that it reads may have been altered. It accepts only known fields, each of a fixed type, length and alphabet, and refuses a
    file with any other value in them. It writes the commands of the report anew, with the inventory, the files of variables and the
    switches of its own command line, and leaves out all other commands, those for playbooks of your own included.
  - A gateway gets only the command that the playbook of the run writes for its error, or, in the report of an audit, a repair of a finding.
    It gets none if its name is that of a group, or if there is an inventory that does not contain it.
  - If several reports contain the same gateway, the row is taken from the report that ended last.
  - The merged report is compared with the previous one, which it replaces, as in M(fleetops.aliyun_iot.run_report).
options:
  reports:
    description:
      - The JSON files, as paths or patterns such as C(slices/*.json); at most 1,000 files with 100,000 gateways. A pattern that matches
        nothing is an error. All of them must be of the same playbook, and all or none in check mode. The JSON file beside O(dest) is
        ignored.
    type: list
    elements: path
    required: true
  dest:
    description: The page; see O(fleetops.aliyun_iot.run_report#module:dest).
    type: path
    required: true
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
  - fleetops.aliyun_iot.attributes.controller
attributes:
  check_mode:
    support: full
    details: Reads and checks the reports, and writes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    support: none
    details: Has none of the options that a group sets defaults for.
    version_added: 1.0.0
seealso:
  - module: fleetops.aliyun_iot.run_report
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Merge the reports of all slices
  fleetops.aliyun_iot.report_merge:
    reports: slices/*.json
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
slices:
  description: How many reports were merged.
  returned: success
  type: int
  sample: 4
counts:
  description:
    - The number of gateways by outcome, in all slices. The outcomes are C(failed), C(unreachable), C(drift), C(left), C(changed) and
      C(ok).
    - C(drift) means that an audit found the gateway to differ from what it should be. C(left) means that the run did not reach the
      gateway's batch, or that M(fleetops.aliyun_iot.fleet_report) processed the gateway after the report.
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
