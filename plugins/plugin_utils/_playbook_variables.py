# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuse variables of a host that the playbook which runs cannot obey. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption

# Variables of a run for keywords of a play, such as serial, which Ansible evaluates without the variables of any host.
_OF_PLAYS = ("gateway_serial", "gateway_max_fail_percentage")
# The playbooks set this variable to the values of gateway_state that they are for.
_STATES = "fleetops_states"
_not_of_run: set[str] = set()


def note_run(variables: t.Mapping[str, t.Any]) -> None:
    """Record which variables of a run are not set outside of the inventory, for the processes of its tasks.

    :param variables: those that Ansible has before the first play
    """
    _not_of_run.clear()
    _not_of_run.update(name for name in _OF_PLAYS if variables.get(name) in (None, ""))


def check_for_playbook(variables: t.Mapping[str, t.Any], template: t.Callable[[str], t.Any]) -> None:
    """Check the variables of a host, if a playbook of the collection runs.

    :param template: returns the evaluated value of a variable
    :raises InvalidOption: one is for the whole run, or the playbook is not for hosts in this state
    """
    if _STATES not in variables:
        return
    for name in sorted(_not_of_run):
        if variables.get(name) not in (None, ""):
            raise InvalidOption(
                name, variables[name], "is set for this host, but is for the whole run", "Set it with -e"
            )
    states = variables[_STATES]
    state = template("gateway_state") if variables.get("gateway_state") else None
    if state not in (None, "", *states):
        hint = "Set it to %s, or leave this host out with --limit" % " or ".join(states)
        raise InvalidOption("gateway_state", state, "is not for this playbook", hint)
