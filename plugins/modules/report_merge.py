#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: report_merge
short_description: Makes one report of those of the slices of a run
version_added: 1.0.0
description:
  - Merges the JSON that M(fleetops.aliyun_iot.run_report) wrote in each slice of a run, such as the job slices of AWX or runs with
    C(--limit), into one page, and writes the same as JSON and CSV beside it, into files that only the user who runs Ansible can read.
  - What it reads may have been changed on the way. Only named fields of a known type, length and alphabet are taken over, and a file with
    anything else in them is refused. The commands of the report are written anew, with the inventory, the files of variables and the
    switches of this command line. A command that the collection does not write is left out, and so is one for a playbook of your own.
  - Of a gateway that several reports have, the one that ended last is taken.
  - The merged report that is there already is compared with and replaced, as in M(fleetops.aliyun_iot.run_report).
options:
  reports:
    description:
      - The JSON files, as paths or patterns such as C(slices/*.json); 1,000 at the most, with 100,000 gateways. A pattern that matches
        nothing is an error. They have to be of the same playbook, all in check mode or none. The JSON beside O(dest) is left out.
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
    details: Has no option that a group's default could be for.
    version_added: 1.0.0
seealso:
  - module: fleetops.aliyun_iot.run_report
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Hand on what all slices did
  fleetops.aliyun_iot.report_merge:
    reports: slices/*.json
    dest: ~/provision.html
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
    - How many gateways were C(failed), C(unreachable), other than they should be (C(drift), of an audit), C(left), since their run has not
      come to them or leaves them to tasks of their own, C(changed) and C(ok), in all slices.
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
