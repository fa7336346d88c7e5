# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that repair what a run or an audit found, as they are typed. PRIVATE to the collection."""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible import constants as C
from ansible import context

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import openapi_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import DEVICE_NAME
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import OF_ACCOUNT

# What is done, and the variables that are added to the command. {name} is the DeviceName.
_PLAYBOOKS = {
    "provision": ("provision", ""),
    "register": ("provision", "gateway_register=always"),
    "recover": ("recover", ""),
    "recover_force": ("recover", "gateway_recovery_force=true"),
    "recover_named": ("recover", "gateway_recovery_force=true gateway_device_name={name}"),
}
# The playbooks whose reports have a command for what failed: the same one again, or another.
_OF_RUNS = ("provision", "reprovision", "recover", "decommission")
_SWITCHES = {
    "become": "--become",
    "become_ask_pass": "--ask-become-pass",
    "ask_pass": "--ask-pass",
    "ask_vault_pass": "--ask-vault-pass",
}
_VALUES = {
    "become_password_file": "--become-password-file",
    "connection_password_file": "--connection-password-file",
    "private_key_file": "--private-key",
    "remote_user": "--user",
}
_TARGET = re.compile(r"target=\S+")
_SECRETS = {OF_ACCOUNT[name] for name, option in openapi_spec().items() if option.get("no_log")}
_PLAIN = {*OF_ACCOUNT.values()} - _SECRETS


def command(mended_by: str, hosts: t.Sequence[str], device_name: str | None) -> str:
    """Return the command for hosts that are repaired alike.

    It has the inventory, the files of variables and the switches of the command line that runs now, but no secret that stands there.

    :param mended_by: ``enable``, or a key of the table above
    """
    begin, end = _ends(mended_by, shlex.quote(",".join(hosts)), device_name)
    return " ".join([begin, *common_options(), end])


def rebuilt(given: str, host: str | None, device_name: str | None) -> str | None:
    """Return a command of a report anew, with the options of the command line that runs now; None for any other text.

    Somebody may have changed the report, and people type what stands there: nothing of the command itself is taken over.

    :param host: the gateway of the row that has the command, and the DeviceName there
    """
    if not host:
        return None
    target = shlex.quote(host)
    for mended_by in ("enable", *_PLAYBOOKS):
        if mended_by == "recover_named" and not DEVICE_NAME.fullmatch(device_name or ""):
            continue
        begin, end = _ends(mended_by, target, device_name)
        if given.startswith(begin + " ") and given.endswith(" " + end):
            return command(mended_by, [host], device_name)
    for playbook in _OF_RUNS:
        end = "fleetops.aliyun_iot.%s --limit %s" % (playbook, target)
        if given.startswith("ansible-playbook ") and given.endswith(" " + end):
            return " ".join(["ansible-playbook", *common_options(), end])
    return None


def _ends(mended_by: str, target: str, device_name: str | None) -> tuple[str, str]:
    """Return what stands before and behind the common options."""
    if mended_by == "enable":
        return "ansible " + target, "-m fleetops.aliyun_iot.fleet_devices -a state=enabled"
    playbook, variables = _PLAYBOOKS[mended_by]
    more = ["-e " + shlex.quote(each.format(name=device_name)) for each in variables.split()]
    return "ansible-playbook fleetops.aliyun_iot." + playbook, " ".join(["-e target=" + target, *more])


def common_options() -> list[str]:
    """Return the options of the command line that another command needs too, quoted."""
    given = context.CLIARGS
    config: t.Any = C
    default = config.DEFAULT_HOST_LIST
    options = [_option("-i", source) for source in given.get("inventory") or () if source not in default]
    options += [_option("-e", text) for text in given.get("extra_vars") or () if _is_needed(text)]
    options += [switch for name, switch in _SWITCHES.items() if given.get(name)]
    options += [_option("--vault-id", vault) for vault in given.get("vault_ids") or ()]
    options += [_option("--vault-password-file", file) for file in given.get("vault_password_files") or ()]
    return options + [_option(option, given[name]) for name, option in _VALUES.items() if given.get(name)]


def playbook_command(as_now: bool = True) -> str:
    """Return what runs a playbook over the same inventory and target, without its name.

    :param as_now: whether it is in check mode if this run is
    """
    given = context.CLIARGS
    options = [*common_options()]
    options += [_option("-e", text) for text in given.get("extra_vars") or () if _TARGET.fullmatch(text)]
    return " ".join(["ansible-playbook", *options, *(["--check"] if as_now and given.get("check") else [])])


def limited(hosts: str, playbook: str | None = None, as_now: bool = True) -> str:
    """Return the command that runs a playbook over some of the hosts.

    :param hosts: what ``--limit`` takes
    :param playbook: in place of the one that runs now
    """
    names = [playbook] if playbook else [shlex.quote(name) for name in context.CLIARGS.get("args") or ()]
    return " ".join([playbook_command(as_now), *names, _option("--limit", hosts)])


def _option(name: str, value: t.Any) -> str:
    return "%s %s" % (name, shlex.quote(str(value)))


def _is_needed(text: str) -> bool:
    """Return whether variables of the command line are a file of them, or one of the account that is no secret."""
    single = re.fullmatch(r"(\w+)=\S*", text)
    return text.startswith("@") or bool(single and single[1] in _PLAIN)
