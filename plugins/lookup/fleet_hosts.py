# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The hosts of a pass over the fleet, by outcome."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_hosts
short_description: Lists the hosts of a pass over the fleet by their outcome
version_added: 1.0.0
description:
  - Reads the result of M(fleetops.aliyun_iot.fleet_credentials) that an earlier play registered, for the keyword C(hosts) of a play.
    Hosts that are not in the list take no time and print nothing, unlike hosts that skip a task.
  - If the variable has the result of another task, lists the hosts whose own result has one of the outcomes.
  - Ignores facts of this name, because a gateway chooses its own facts.
options:
  _terms:
    description: The name of the registered variable.
    type: list
    elements: str
    required: true
  target:
    description: The hosts of the pass, as a pattern or a list of patterns.
    type: raw
    required: true
  outcomes:
    description:
      - The outcomes to list, of V(ok) if the pass has the results of all hosts (C(report=all)), V(changed), V(failed), V(unreachable), and
        V(left) for a host that is left to a task of its own. Another word is refused.
    type: list
    elements: str
    required: true
  left:
    description:
      - With V(some), lists hosts only if the pass has left a host to a task of its own, with V(none) only if it has left no host. It has no
        effect on the result of another task.
    type: str
    choices: [any, some, none]
    default: any
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Show the gateways that did not answer
  hosts: "{{ query('fleetops.aliyun_iot.fleet_hosts', 'gateway_fleet', target='gateways', outcomes=['unreachable']) }}"
  gather_facts: false
  tasks:
    - name: Show the gateway
      fleetops.aliyun_iot.fleet_report:
"""

RETURN = r"""
_raw:
  description:
    - The names of the hosts, in the order of the inventory; if there is none, a pattern that matches no host.
    - Some names, such as MAC addresses with colons, are other patterns for Ansible. The last element is a regular expression that matches
      these names.
  type: list
  elements: str
"""

import re
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.lookup import LookupBase

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import OUTCOMES, is_pass
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._result import outcome_of

NO_HOST = "all:!all"  # an empty list of patterns means all hosts


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        _check(terms, self.get_option("outcomes"))
        wanted, hostvars = set(self.get_option("outcomes")), (variables or {}).get("hostvars")
        left = {"some": True, "none": False}.get(self.get_option("left"))
        if hostvars is None:  # such as with --syntax-check
            return [NO_HOST]
        names = [host.name for host in hostvars._inventory.get_hosts(self.get_option("target"))]
        # Only what tasks registered or set: a gateway chooses its own facts, which hostvars contains too. This also takes no time per host.
        registered = hostvars._variable_manager._nonpersistent_fact_cache
        found = [name for term in terms for name in _hosts(term, names, registered, wanted, left)]
        return _patterns(found) or [NO_HOST]


def _check(terms: t.Sequence[str], outcomes: t.Sequence[t.Any]) -> None:
    """Check that a variable and outcomes are named; with a typing error no host would have the outcome.

    :raises AnsibleLookupError: they are not
    """
    if not terms:
        raise AnsibleLookupError("fleet_hosts: _terms: is missing. Name the variable that the result was registered as")
    for each in outcomes:
        if each not in OUTCOMES:
            choices = "%s or %s" % (", ".join(OUTCOMES[:-1]), OUTCOMES[-1])
            raise AnsibleLookupError("fleet_hosts: outcomes: %r is not an outcome. Use %s" % (each, choices))


def _hosts(
    variable: str,
    names: list[str],
    registered: t.Mapping[str, t.Mapping[str, t.Any]],
    wanted: set[str],
    left: bool | None = None,
) -> list[str]:
    """Return the hosts whose result of a variable has one of the wanted outcomes.

    :param left: whether the pass has to have left a host to a task, or no host; None for either
    """
    others: dict[str, t.Any] = {}
    # All hosts of the play have the result, except those that failed before it; usually the first host has it.
    for name in names:
        found = registered.get(name, {}).get(variable)
        if not isinstance(found, dict):
            continue
        if is_pass(found):
            if left not in (None, bool(found["left"])):
                return []
            return [host for host in names if _outcome(host, found) in wanted]
        if not found.get("skipped"):  # another batch may not have skipped the task
            others[name] = found
    return [host for host, result in others.items() if outcome_of(result) in wanted]


def _patterns(names: list[str]) -> list[str]:
    """Return patterns that match these hosts alone. Ansible splits names at colons, commas and spaces, and excludes with ``!``."""
    plain = {name for name in names if split_host_pattern(name) == [name] and name[0] not in "!&"}
    # One expression for all others, since Ansible compares each with every host of the inventory.
    others = [
        re.sub(r"[^A-Za-z0-9_]", lambda found: "\\U%08x" % ord(found[0]), name) for name in names if name not in plain
    ]
    return [name for name in names if name in plain] + (["~(%s)$" % "|".join(others)] if others else [])


def _outcome(host: str, fleet: t.Mapping[str, t.Any]) -> str:
    if host in fleet["left"]:
        return "left"
    result = fleet["gateways"].get(host)
    return "unreported" if result is None else outcome_of(result)
