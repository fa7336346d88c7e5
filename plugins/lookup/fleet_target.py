# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The hosts of a run of a playbook, once the variables of the run are checked."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_target
short_description: Returns the hosts of a run, and refuses a run with wrong variables
version_added: 1.0.0
description:
  - Returns the variable C(target) of a run of one of the collection's playbooks, for the keyword C(hosts) of its first play.
  - Fails before the first task if no host matches, if a variable of the whole run that was set with C(-e) has an invalid value, or if its
    name looks like a misspelt variable of the collection or is none. Variables that are options of each gateway, such as C(gateway_mode),
    are checked for each gateway.
  - If the variable C(gateway_allow_empty) is true, a run in which no host matches does nothing and succeeds. This is for slices of an
    inventory whose group of gateways may be empty. C(ansible-playbook) itself still refuses a C(--limit) that matches no host.
  - Writes the retry files of playbooks that are started by name to the working directory, unless C(retry_files_save_path) is set.
  - Also fails if tags or C(--start-at-task) would skip tasks of the playbook, because such a run would look as if everything were up to
    date. If a playbook of your own imports it, they are allowed.
options:
  _terms:
    description: The pattern of hosts to use if the variable C(target) is not set. Without it, the variable is required.
    type: list
    elements: str
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Inspect the gateways
  hosts: "{{ query('fleetops.aliyun_iot.fleet_target', 'gateways') }}"
  gather_facts: false
"""

RETURN = r"""
_raw:
  description: The pattern, or the list of patterns; a pattern that matches no host if none matches and C(gateway_allow_empty) is true.
  type: list
  elements: str
"""

import os
import re
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager, split_host_pattern
from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.fleetops.aliyun_iot.plugins.lookup.fleet_hosts import NO_HOST
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._playbook_variables import note_run
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import check_run, truth

_ONLY_LISTED = ("syntax", "listhosts", "listtasks", "listtags")


_COLLECTION = "fleetops.aliyun_iot."
_PLAYBOOKS = Path(__file__).parents[2] / "playbooks"


def _leaves_out_untagged() -> bool:
    only, skipped = set(context.CLIARGS.get("tags") or ["all"]), set(context.CLIARGS.get("skip_tags") or ())
    return not only & {"all", "untagged"} or bool(skipped & {"all", "untagged"})


def _given_folders() -> set[Path]:
    """Return where the playbooks of the command line are, in contrast to those that they import."""
    given = context.CLIARGS.get("args") or ()
    return {_PLAYBOOKS.resolve() if name.startswith(_COLLECTION) else Path(name).resolve().parent for name in given}


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        variables, loader = variables or {}, t.cast(t.Any, self._loader)
        target = variables.get("target")
        if target in (None, "", []):  # and not 0, which would be the default for the keyword hosts of a later play
            target = next(iter(terms), None) or []
        patterns = target if isinstance(target, list) else [target]
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise AnsibleError("The variable target is %r, which is no text. Write it in quotes" % (pattern,))
        # For Ansible a list that names nothing, or nothing but exceptions, means all hosts.
        parts = [part for pattern in patterns for part in split_host_pattern(pattern)]
        if patterns and all(part.startswith(("!", "&")) for part in parts):
            raise AnsibleError(
                "The variable target is %r, which names no host and no group. Name the gateways; for all of a group but some, write "
                "gateways:!gw-0001" % ",".join(patterns)
            )
        _keep_retry_file_here()
        if any(context.CLIARGS.get(option) for option in _ONLY_LISTED):
            return patterns or [NO_HOST]
        try:
            check_run(load_extra_vars(loader))
        except FleetopsError as error:
            raise AnsibleError(str(error)) from None
        note_run(variables)
        is_given = Path(loader.get_basedir()).resolve() in _given_folders()
        if context.CLIARGS.get("start_at_task") and is_given:
            raise AnsibleError(
                "This playbook cannot be started with --start-at-task, which would skip the tasks that the others depend on. Run it "
                "without; to select gateways, use --limit or the variable target"
            )
        if _leaves_out_untagged() and is_given:
            raise AnsibleError(
                "This playbook has no tags, so --tags and --skip-tags would skip all of it or nothing. Run it without them; to select "
                "gateways, use --limit or the variable target"
            )
        if not patterns:
            raise AnsibleError("Name the gateways with -e target=..., a host or a pattern; there is no default")
        if self._hosts(patterns, variables["groups"]):
            return patterns
        if truth("gateway_allow_empty", variables.get("gateway_allow_empty") or False):
            return [NO_HOST]
        raise AnsibleError(
            "No host matches %s; correct the inventory, --limit, or the variable target. If a run may have no gateway, such as a slice of "
            "the inventory, set -e gateway_allow_empty=true" % ", ".join(patterns)
        )

    def _hosts(self, patterns: list[str], groups: t.Mapping[str, t.Sequence[str]]) -> list[t.Any]:
        """Return the hosts of the run that match; there are no C(hostvars) before the first play."""
        inventory = InventoryManager(self._loader, parse=False)
        for group, hosts in groups.items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_host(host, group)
        inventory.subset(context.CLIARGS.get("subset"))
        return list(inventory.get_hosts(patterns))


def _keep_retry_file_here() -> None:
    """Let ansible-playbook write its retry file where it was started, if it writes one and was given playbooks of collections alone.

    It would write it beside the playbook, which is in the installed collection then. This runs in its own process, before the first play.
    """
    playbooks = context.CLIARGS.get("args") or ()
    named = [re.fullmatch(r"\w+\.\w+(\.\w+)+", playbook) and not os.path.exists(playbook) for playbook in playbooks]
    config: t.Any = C
    if config.RETRY_FILES_ENABLED and not config.RETRY_FILES_SAVE_PATH and named and all(named):
        config.RETRY_FILES_SAVE_PATH = os.getcwd()
