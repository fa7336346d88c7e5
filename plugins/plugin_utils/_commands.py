# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that repair the findings of a run or an audit, ready to be typed. PRIVATE to the collection."""

from __future__ import annotations

import json
import os
import re
import shlex
import typing as t
from functools import cache, wraps
from pathlib import Path

from ansible import constants as C
from ansible import context
from ansible.inventory.manager import split_host_pattern
from ansible.parsing.splitter import parse_kv
from ansible.parsing.utils.yaml import from_yaml
from jinja2 import pass_context

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import DEVICE_NAME
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._repairs import ENABLE, FORCE, repair_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import NAMES, SECRETS

# For each repair of a finding, the playbook and the variables to set. {name} is the DeviceName.
_PLAYBOOKS = {
    "provision": ("provision", ""),
    "register": ("provision", "gateway_register=always"),
    "recover": ("recover", ""),
    "recover_force": ("recover", FORCE),
    "recover_named": ("recover", FORCE + " gateway_device_name={name}"),
}
# Repairs without a playbook: a module, and the variables to set.
_MODULES = {
    ENABLE: ("fleet_devices -a state=enabled", ""),
    "enable_named": ("fleet_devices -a state=enabled", "gateway_device_name={name}"),
}
# Repairs of a gateway whose hardware alone reports its name: the command names the device, and whoever types it confirms the device.
NAMED = ("enable_named", "recover_named")
# The playbook whose reports have these repairs.
AUDIT = "audit"
# The playbooks whose reports have commands for failed gateways: the same playbook again, or another.
_OF_RUNS = ("provision", "reprovision", "recover", "decommission")
_COLLECTION = "fleetops.aliyun_iot."
# The playbook that runs on the controller alone.
_WITHOUT_GATEWAYS = "report_merge"
_SWITCHES = {
    "diff": "--diff",
    "become": "--become",
    "become_ask_pass": "--ask-become-pass",
    "ask_pass": "--ask-pass",
    "ask_vault_pass": "--ask-vault-pass",
}
_VALUES = {
    "become_password_file": "--become-password-file",
    "become_user": "--become-user",
    "connection_password_file": "--connection-password-file",
    "private_key_file": "--private-key",
    "remote_user": "--user",
}
# Options that may contain a password, such as one for a jump host, or are of this run alone.
_NOT_SHOWN = {
    "scp_extra_args": "--scp-extra-args",
    "sftp_extra_args": "--sftp-extra-args",
    "ssh_common_args": "--ssh-common-args",
    "ssh_extra_args": "--ssh-extra-args",
    "start_at_task": "--start-at-task",
}
# Options that choose the tasks of a playbook, each with what Ansible fills in.
_CHOICES = {"tags": ("--tags", ["all"]), "skip_tags": ("--skip-tags", [])}
# Values that Ansible fills in where the command line has none, each with the setting that it takes.
_FILLED_IN = {
    "become_method": ("--become-method", "DEFAULT_BECOME_METHOD"),
    "connection": ("--connection", "DEFAULT_TRANSPORT"),
    "forks": ("--forks", "DEFAULT_FORKS"),
    "task_timeout": ("--task-timeout", "TASK_TIMEOUT"),
    "timeout": ("--timeout", "DEFAULT_TIMEOUT"),
}
# Of the run alone, not of its gateways: a command for some of them must not write over the report of all.
_OF_THIS_RUN = {"audit_fail", "audit_report", "gateway_report_from", "gateway_report_to"}
# Those of them that name files, and those whose files this run writes.
_REPORT = "gateway_report_to"
_FILES = ("audit_report", _REPORT)
_written: set[str] = set()
# A run that forbids registrations, as an audit does, is repaired by one that allows them.
_NOT_FOR_REPAIRS = frozenset({"gateway_register"})
# Characters of a name.
_NAME = 60
_KEPT = NAMES - SECRETS - _OF_THIS_RUN
# The names of hosts that are patterns of others, options, files, templates, or several lines.
_MORE_THAN_A_NAME = re.compile(r"[~@!&-]|.*[*?\[\],{\x00-\x1f\x7f-\xa0\u2028\u2029]", re.DOTALL)
# A value of key=value that Ansible reads as it is, and that needs no quotes.
_WORD = re.compile(r"[\w@%+=:,./-]*")


def note_written(variable: str) -> None:
    """Record that this run writes the file that a variable names.

    A command leaves out such a variable of the command line. It sets one of a file or of the inventory, which it has too, to nothing.
    """
    _written.add(variable)


def note_report(variables: t.Mapping[str, t.Any]) -> None:
    """Record that this run writes a report, if its variables name one."""
    if _REPORT in variables and variables[_REPORT] not in (None, ""):
        note_written(_REPORT)


def with_report(function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """Return a filter that builds commands as Ansible calls it: with the variables of the run, which may name a report."""

    @pass_context
    @wraps(function)
    def filtered(variables: t.Mapping[str, t.Any], *arguments: t.Any, **keywords: t.Any) -> t.Any:
        note_report(variables)
        return function(*arguments, **keywords)

    return filtered


def command(repaired_by: str, hosts: t.Sequence[str], device_name: str | None, limit: str = "") -> str:
    """Return the command for hosts that are repaired alike.

    It has the inventory, the files of variables and the switches of the command line that runs now, but no secret that stands there.

    :param repaired_by: a key of the tables above
    :param limit: a value of ``--limit`` for these hosts, if they are too many for the command itself
    """
    begin, end = _ends(repaired_by, listed(hosts), device_name, limit)
    of_run = ("target",) if end.startswith("--limit ") else ()
    return " ".join([begin, *common_options(of_run, _NOT_FOR_REPAIRS), end])


def listed(hosts: t.Sequence[str]) -> str:
    """Return hosts as a pattern for the command line, which matches no others."""
    return in_one_piece(",".join(map(pattern_of, hosts)))


def in_one_piece(text: str) -> str:
    """Return a host pattern that Ansible does not split at colons, as in MAC addresses, or at blanks: a comma in it prevents that."""
    split = t.cast(t.Any, split_host_pattern)
    return text + "," if "," not in text and split(text) != [text] else text


def pattern_of(host: str) -> str:
    """Return the pattern that matches the host of this name alone: the name, or a regular expression without characters for Ansible."""
    # Bytes that are no UTF-8 are surrogates here, and printed as they are.
    is_shown = all(each.isprintable() or "\ud800" <= each <= "\udfff" for each in host)
    if host == host.strip() and is_shown and not _MORE_THAN_A_NAME.match(host):
        return host
    return "~%s$" % re.sub(r"[^A-Za-z0-9_-]", lambda found: "\\U%08x" % ord(found[0]), host)


def rebuilt(
    row: t.Mapping[str, t.Any], playbook: str, groups: t.Mapping[str, t.Collection[str]], may_name: bool = False
) -> str | None:
    """Return the command of a row of a report anew, with the options of the command line that runs now.

    Somebody may have changed the report, and people type what stands there: nothing of the command itself is taken over. It has to be
    the command that a run of the playbook writes into such a row, and for one gateway.

    :param playbook: the name of the one that wrote the report, or names with commas; the reports of audits alone have repairs of findings
    :param groups: the hosts of the inventory, by group
    :param may_name: whether the command may name the device of the row. Whoever types such a command confirms the device, and would
        confirm a changed one: the row must be of this run, not of a report
    :returns: None if the row has no such command
    """
    given, host = row["command"], row["gateway"]
    if not given or not host or not _is_one_host(host, groups):
        return None
    if AUDIT in playbook.split(", ") and (
        found := _rebuilt_repair(given, host, row["device_name"] if may_name else None)
    ):
        return found
    repair = repair_of(row["error"], row["code"], row["device_change"], row["reason"]).name
    again = _COLLECTION + playbook if playbook in _OF_RUNS else None
    if row["outcome"] not in ("failed", "unreachable") or not (repair or again):
        return None
    begin, end = _limited_ends(str(repair or again), listed([host]))
    if not given.startswith(begin + " ") or not given.endswith(" " + end):
        return None
    return " ".join([begin, *common_options(without=_NOT_FOR_REPAIRS if repair else ()), end])


def _rebuilt_repair(given: str, host: str, device_name: str | None) -> str | None:
    """Return the command of a finding anew; None if it is no repair of an audit."""
    for repaired_by in (*_MODULES, *_PLAYBOOKS):
        if repaired_by in NAMED and not DEVICE_NAME.fullmatch(device_name or ""):
            continue
        begin, end = _ends(repaired_by, listed([host]), device_name)
        if given.startswith(begin + " ") and given.endswith(" " + end):
            return command(repaired_by, [host], device_name)
    return None


def _is_one_host(name: str, groups: t.Mapping[str, t.Collection[str]]) -> bool:
    """Return whether a pattern of this name can match one gateway at most.

    The name of a group would match all its hosts, and so would C(all). Without an inventory, any other name can be that of a gateway,
    except those of the controller itself.
    """
    if name in ("all", "ungrouped", *groups):
        return False
    config: t.Any = C
    hosts = groups.get("all", ())
    return name in hosts if hosts else name not in config.LOCALHOST


def _ends(repaired_by: str, target: str, device_name: str | None, limit: str = "") -> tuple[str, str]:
    """Return the parts of a command before and after the common options."""
    what, variables = _MODULES.get(repaired_by) or _PLAYBOOKS[repaired_by]
    more = ["-e " + shlex.quote(each.format(name=device_name)) for each in variables.split()]
    if repaired_by in _MODULES:
        chosen = [_option("--limit", limit)] if limit else []
        pattern = "all" if limit else shlex.quote(target)
        return "ansible " + pattern, " ".join(["-m %s%s" % (_COLLECTION, what), *more, *chosen])
    # Ansible splits the text of key=value at blanks, and reads quotes and escapes in it. JSON would not survive being printed: in the
    # output of a task, its quotes have backslashes, and whoever types them gets another variable.
    is_plain = not limit and _WORD.fullmatch(target)
    for_these = "-e target=" + target if is_plain else _option("--limit", limit or target)
    return "ansible-playbook " + _COLLECTION + what, " ".join([for_these, *more])


def _limited_ends(repair: str, hosts: str) -> tuple[str, str]:
    """Return the parts of a command for some of the hosts, before and after the common options.

    :param repair: a playbook with the variables to set, or ENABLE
    :param hosts: what ``--limit`` takes
    """
    limit = _option("--limit", hosts)
    if repair == ENABLE:
        return "ansible all", "-m %s%s %s" % (_COLLECTION, _MODULES[ENABLE][0], limit)
    return "ansible-playbook", "%s %s" % (repair, limit)


def common_options(more: t.Container[str] = (), without: t.Container[str] = ()) -> list[str]:
    """Return the options of the command line that another command needs too, quoted.

    :param more: variables that it needs beside those that all need
    :param without: variables that it must not have
    """
    given = context.CLIARGS
    config: t.Any = C
    sources = list(given.get("inventory") or ())
    # With one -i, Ansible reads none of the default sources.
    options = [_option("-i", source) for source in sources if sources != list(config.DEFAULT_HOST_LIST)]
    kept = (_kept(text, more, without) for text in _extra_variables())
    options += [_option("-e", text) for text in kept if text]
    typed = {name for text in _extra_variables() for name in _variables_in(text)}
    options += [_option("-e", name + "=") for name in sorted(_written - typed)]
    options += [switch for name, switch in _SWITCHES.items() if given.get(name)]
    if given.get("module_path"):
        options.append(_option("--module-path", os.pathsep.join(given["module_path"])))
    options += [_option("--vault-id", vault) for vault in given.get("vault_ids") or ()]
    options += [_option("--vault-password-file", file) for file in given.get("vault_password_files") or ()]
    options += [_option(option, given[name]) for name, option in _VALUES.items() if given.get(name)]
    filled_in = [(option, given.get(name), getattr(config, setting)) for name, (option, setting) in _FILLED_IN.items()]
    return options + [_option(option, value) for option, value, default in filled_in if value not in (None, default)]


def left_out() -> list[str]:
    """Return the options of the command line that no command here has, and that it may need: they may contain secrets.

    A variable is ``-e`` and its name. One of this run alone is not among them, since the command would write over the report of all.
    """
    of_run = _OF_THIS_RUN if _has_gateways(context.CLIARGS.get("args") or ()) else set()
    names = {
        name for text in _extra_variables() for name, value in _variables_in(text).items() if not _is_kept(name, value)
    }
    given, config = context.CLIARGS, t.cast(t.Any, C)
    variables = ["-e " + clean(name, _NAME) for name in sorted(names - {"target", "_raw_params"} - of_run)]
    # The command ansible does not have this option.
    handlers = ["--force-handlers"] if given.get("force_handlers") and not config.DEFAULT_FORCE_HANDLERS else []
    return variables + [option for name, option in _NOT_SHOWN.items() if given.get(name)] + handlers


def playbook_command(as_now: bool = True, without: t.Container[str] = ()) -> str:
    """Return the command that runs a playbook over the same inventory and target, without the playbook's name.

    :param as_now: whether it is in check mode if this run is
    :param without: variables that it must not have
    """
    options = common_options(("target",), without)
    return " ".join(["ansible-playbook", *options, *_check_mode(as_now)])


def _check_mode(as_now: bool) -> list[str]:
    return ["--check"] if as_now and context.CLIARGS.get("check") else []


def limited(hosts: str, repair: str | None = None, as_now: bool = True) -> str:
    """Return the command that runs a playbook over some of the hosts.

    :param hosts: what ``--limit`` takes
    :param repair: in place of the playbook that runs now: another one with the variables to set, or ENABLE
    """
    if repair == ENABLE:
        begin, end = _limited_ends(repair, hosts)
        return " ".join([begin, *common_options(without=_NOT_FOR_REPAIRS), *_check_mode(as_now), end])
    names = [repair] if repair else context.CLIARGS.get("args") or ()
    what = repair or same_tasks(names)
    begin = playbook_command(as_now, _NOT_FOR_REPAIRS if repair else ())
    return " ".join([begin, what, *([_option("--limit", hosts)] if _has_gateways(names) else [])])


def lacks_of_plays() -> str:
    """Return what a command with another playbook lacks if a playbook of the user's own runs now, else empty."""
    given = context.CLIARGS
    playbooks = () if given.get("module_name") else given.get("args") or ()
    if all(name.startswith(_COLLECTION) or _is_ours(name) for name in playbooks):
        return ""
    return "The playbooks of the collection do not have the variables that your own plays set. Put them into the inventory, or add -e"


def _is_ours(playbook: str) -> bool:
    return Path(playbook).resolve().parent == Path(__file__).resolve().parents[2] / "playbooks"


def _has_gateways(playbooks: t.Iterable[str]) -> bool:
    return not all(name.removesuffix(".yml").endswith(_WITHOUT_GATEWAYS) for name in playbooks)


def same_tasks(playbooks: t.Iterable[str]) -> str:
    """Return playbooks of this run as its command line names them, with the options that choose their tasks."""
    given = context.CLIARGS
    chosen = [
        _option(option, ",".join(sorted(given[name])))
        for name, (option, filled_in) in _CHOICES.items()
        if list(given.get(name) or filled_in) != filled_in
    ]
    return " ".join([*map(shlex.quote, playbooks), *chosen])


def _option(name: str, value: t.Any) -> str:
    return "%s %s" % (name, shlex.quote(str(value)))


def _extra_variables() -> tuple[str, ...]:
    return tuple(context.CLIARGS.get("extra_vars") or ())


def _kept(text: str, more: t.Container[str], without: t.Container[str]) -> str:
    """Return the part of an option ``-e`` that a command may have: a file, or variables of the collection that are no secret.

    It is one line of printable characters, as a report needs it.
    """
    if text.startswith("@"):
        return text
    variables = _variables_in(text)
    kept = {
        name: value
        for name, value in variables.items()
        if name not in without and (name in more or _is_kept(name, value))
    }
    if kept == variables and text.isprintable():
        return text
    if all(isinstance(value, str) and _WORD.fullmatch(value) for value in kept.values()):
        return " ".join("%s=%s" % each for each in kept.items())
    return json.dumps(kept)


def _is_kept(name: str, value: t.Any) -> bool:
    try:
        json.dumps(value)  # which an encrypted text is not fit for
    except TypeError:
        return False
    return name in _KEPT or (name in _FILES and value == "")  # an earlier command has set it to nothing


@cache
def _variables_in(text: str) -> dict[str, t.Any]:
    """Return the variables of an option ``-e``, as Ansible reads them; nothing of a file, which is named and not read."""
    if text.startswith("@"):
        return {}
    found: t.Any = from_yaml(text) if text.startswith(("{", "[")) else t.cast("t.Any", parse_kv)(text)
    return dict(found) if isinstance(found, dict) else {}
