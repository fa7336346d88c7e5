# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The outcome of a pass over the fleet for one host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_outcome
short_description: Says what a pass over the fleet made of the host
version_added: 1.0.0
description:
  - Reads the result of M(fleetops.aliyun_iot.fleet_credentials) that was registered in this play, without filling in the results of all the
    other hosts, which takes long for thousands of them.
options:
  _terms:
    description: Names of the registered variables, C(gateway_fleet) if there is none.
    type: list
    elements: str
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Go on with the gateways that have changed
  ansible.builtin.meta: end_host
  when: lookup('fleetops.aliyun_iot.fleet_outcome') != 'changed'
"""

RETURN = r"""
_raw:
  description:
    - For each variable, one of V(ok), V(changed), V(failed), V(unreachable), and V(left) for a host that is left to a task of its own.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        variables = variables or {}
        return [_outcome(name, variables) for name in terms or ["gateway_fleet"]]


def _outcome(name: str, variables: dict[str, t.Any]) -> str:
    fleet = variables.get(name)
    if not isinstance(fleet, dict) or not {"gateways", "left"} <= set(fleet):
        raise AnsibleError("%s is no result of fleetops.aliyun_iot.fleet_credentials; register it in this play" % name)
    host = variables["inventory_hostname"]
    if host in fleet["left"]:
        return "left"
    result = fleet["gateways"].get(host, {})
    if result.get("unreachable"):
        return "unreachable"
    return "failed" if result.get("failed") else "changed" if result.get("changed") else "ok"
