# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role and the playbooks: their names, and the values of those that are no option of a module. PRIVATE to the
collection.
"""

from __future__ import annotations

import os
import re
import typing as t
from functools import cache

from ansible.module_utils.common.validation import check_type_bool

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import (
    gateway_credential_spec,
    gateway_recovery_spec,
    openapi_spec,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import (
    check_numbers,
    check_texts,
    number_options,
    text_options,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._playbook_variables import check_for_playbook
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_file import checked_destination, checked_page

Check = t.Callable[[str, t.Any], t.Any]

# A template that only refers to a variable.
_REFERENCE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
# Variables after the options that they set.
_IN_PARENTHESES = re.compile(r" \((gateway_\w+(?:, gateway_\w+)*)\)")
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)\s*%?")


def percentage(name: str, value: t.Any) -> float:
    """Return a number from 0 to 100 that may have a percent sign.

    :raises InvalidOption: it is not valid
    """
    found = None if isinstance(value, bool) else _PERCENTAGE.fullmatch(str(value).strip())
    if not found or float(found[1]) > 100:
        raise InvalidOption(name, value, "is not a percentage", "Use a number from 0 to 100, such as 10 or 10%")
    return float(found[1])


def batches(name: str, value: t.Any) -> list[str]:
    """Return sizes of batches, numbers or percentages, for the keyword ``serial``.

    :raises InvalidOption: one is neither, or is 0
    """
    sizes = value if isinstance(value, list) else [value]
    shown = [str(size) for size in sizes]
    for size in shown:
        if not re.fullmatch("[1-9][0-9]{0,8}%?", size) or (size.endswith("%") and int(size[:-1]) > 100):
            raise InvalidOption(
                name,
                value,
                "is not a size of batches",
                "Use a number from 1 to 999999999, a percentage such as 10%, or a list of them",
            )
    if not shown:
        raise InvalidOption(name, value, "is empty", "Leave it out for all gateways at once")
    return shown


def number(name: str, value: t.Any) -> int:
    """Return a whole number from 0 to 999999999.

    :raises InvalidOption: it is not valid
    """
    found = None if isinstance(value, bool) else re.fullmatch(" *([0-9]{1,9}) *", str(value))
    if not found:
        raise InvalidOption(name, value, "is not a number", "Use a whole number from 0 to 999999999")
    return int(found[1])


def truth(name: str, value: t.Any) -> bool:
    """Return a boolean.

    :raises InvalidOption: it is not valid
    """
    try:
        return bool(check_type_bool(value))
    except TypeError:
        raise InvalidOption(name, value, "is neither true nor false", "Use true or false") from None


def one_of(*choices: str) -> Check:
    """Return the check that a value is one of these."""

    def check(name: str, value: t.Any) -> str:
        if value not in choices:
            raise InvalidOption(name, value, "is not a valid value", "Use %s" % " or ".join(choices))
        return str(value)

    return check


def text(name: str, value: t.Any) -> str:
    """Return a string.

    :raises InvalidOption: it is not valid
    """
    if not isinstance(value, str):
        raise InvalidOption(name, value, "is not a string", "Use a string")
    return value


def page(name: str, value: t.Any) -> str:
    """Return the path of a report's page, if it can be written, with the files beside it.

    :raises InvalidOption: it cannot; without this check the run would fail only at its end
    """
    checked_page(_expanded(text(name, value)), name)
    return str(value)


def findings(name: str, value: t.Any) -> str:
    """Return the path of the file for the findings of an audit, if it can be written.

    :raises InvalidOption: it cannot; without this check the run would fail only after the audit
    """
    checked_destination(_expanded(text(name, value)), name)
    return str(value)


def _expanded(path: str) -> str:
    """Return a path as an option of type path has it."""
    return os.path.expanduser(os.path.expandvars(path))


def from_account(name: str, value: t.Any) -> str:
    """Return ``from_account``, the only value of the variable.

    :raises InvalidOption: it is another value, which is not shown, since it may be the ProductSecret itself
    """
    if value != "from_account":
        raise InvalidOption(
            name,
            None,
            "must be from_account, or not set",
            "Put ProductSecret itself into gateway_product_secret, in a vault",
        )
    return str(value)


def texts(name: str, value: t.Any) -> list[str]:
    """Return a string, or a list of them, as a list.

    :raises InvalidOption: it is neither
    """
    return [text(name, each) for each in (value if isinstance(value, list) else [value])]


# The account's options whose variables are not platform_ and the name of the option.
ELSEWHERE = {"region": "gateway_region", "timeout": "gateway_timeout", "retry_time": "gateway_retry_time"}
# Options, each with its variable.
OF_ACCOUNT = {name: ELSEWHERE.get(name, "platform_" + name) for name in openapi_spec()}
OF_CREDENTIAL = {name: "gateway_" + name for name in gateway_credential_spec()}
# With those of an account that is asked for ProductSecret, for messages.
OF_REGISTRATION = {**OF_ACCOUNT, **OF_CREDENTIAL}
# With the options of a device, for messages about the devices of hosts.
OF_DEVICE = {**OF_ACCOUNT, **{name: OF_CREDENTIAL[name] for name in ("product_key", "device_name")}}
OF_RECOVERY = {
    **{name: "gateway_" + name for name in gateway_recovery_spec()},
    **OF_ACCOUNT,
    "force": "gateway_recovery_force",
}
_SPECS = (
    (openapi_spec(), OF_ACCOUNT),
    (gateway_credential_spec(), OF_CREDENTIAL),
    (gateway_recovery_spec(), OF_RECOVERY),
)
# Variables whose options are text or contain it, as a specification.
TEXTS = {names[option]: about for spec, names in _SPECS for option, about in text_options(spec).items()}
# Variables whose values are not shown.
SECRETS = frozenset(names[option] for spec, names in _SPECS for option, about in spec.items() if about.get("no_log"))
# Variables whose options are numbers.
NUMBERS = frozenset(names[option] for spec, names in _SPECS for option in number_options(spec))
# Variables that are no option of a module for one gateway.
OF_HOST: dict[str, Check] = {
    "gateway_service": text,
    "gateway_verify": one_of("none", "login"),
    "gateway_follow_up": truth,
    "gateway_reset_topology": truth,
    "platform_product_secret": from_account,
}
OF_RUN: dict[str, Check] = {
    "audit_fail": truth,
    "audit_report": findings,
    "decommission_platform": one_of("disable", "delete", "keep"),
    "gateway_allow_empty": truth,
    "gateway_lease_time": number,
    "gateway_max_fail_percentage": percentage,
    "gateway_recovery_force": truth,
    "gateway_report": one_of("changed", "all"),
    "gateway_report_from": texts,
    "gateway_report_to": page,
    "gateway_serial": batches,
    "gateway_throttle": number,
    "platform_product_name": text,
    "platform_product_secret": one_of("from_account"),
}
NAMES = frozenset(
    {
        *OF_ACCOUNT.values(),
        *OF_CREDENTIAL.values(),
        *OF_RECOVERY.values(),
        *OF_HOST,
        *OF_RUN,
    }
)
# Variables that the role and the playbooks register.
REGISTERED = frozenset(
    {"gateway_devices", "gateway_fleet", "gateway_looks", "gateway_names", "gateway_proven"}
    | {"gateway_reset", "gateway_resettable", "gateway_result", "platform_devices", "platform_product"}
    | {"claimed_devices", "decommissioned_devices"}
)


def check_run(variables: t.Mapping[str, t.Any]) -> None:
    """Check the variables that were given for a run.

    :raises InvalidOption: one is misspelt or invalid, is no name, or would replace what the playbooks themselves set
    """
    for name in variables:
        if not str(name).isidentifier():  # such as one with the backslashes of quoted output: the run would ignore it
            hint = "Correct it; type JSON without the backslashes that the output of a task has before its quotes"
            raise InvalidOption("--extra-vars", str(name), "is not the name of a variable", hint)
    check_names(variables, ("target",))
    for name in variables:
        if name in REGISTERED or str(name).startswith("fleetops_"):
            raise InvalidOption(name, None, "is set by the playbooks themselves", "Remove it from --extra-vars")
    given = {}
    for name, check in {**OF_RUN, **OF_HOST}.items():
        value = variables.get(name)
        # A template may refer to variables of hosts, so its value is checked for each host.
        if value not in (None, "") and not (isinstance(value, str) and "{{" in value):
            given[name] = check(name, value)
    if "audit_report" in given and "gateway_report_to" in given:
        _check_apart(given["audit_report"], given["gateway_report_to"])


def _check_apart(found: str, report: str) -> None:
    """Check that the findings of an audit are in none of the three files of its report, which would replace them.

    :raises InvalidOption: they are
    """
    if checked_destination(_expanded(found)) in checked_page(_expanded(report)):
        raise InvalidOption(
            "audit_report", found, "is a file of the report that gateway_report_to names", "Choose another name"
        )


def check_host(variables: t.Mapping[str, t.Any], template: t.Callable[[str], t.Any]) -> None:
    """Check the variables of a host that no module has as an option.

    :param template: returns the evaluated value of a variable
    :raises InvalidOption: as check_run()
    """
    check_names(variables)
    check_for_playbook(variables, template)
    check_texts(TEXTS, {name: _referred(variables, name) for name in TEXTS if name in variables})
    check_numbers(NUMBERS, {name: _referred(variables, name) for name in NUMBERS if name in variables})
    for name, check in OF_HOST.items():
        if variables.get(name) not in (None, ""):
            value = template(name)
            if value not in (None, ""):
                check(name, value)


def _referred(variables: t.Mapping[str, t.Any], name: str) -> t.Any:
    """Return the value of the variable that a variable refers to, before Ansible makes text of it (ansible-core before 2.19)."""
    value, seen = variables[name], {name}
    while isinstance(value, str):
        found = _REFERENCE.fullmatch(value.strip())
        if not found or found[1] in seen or found[1] not in variables:
            break
        seen.add(found[1])
        value = variables[found[1]]
    return value


def check_evaluated(name: str, value: t.Any) -> None:
    """Check the value that the template of a variable gave.

    :raises InvalidOption: the variable is text, and the value is not; or a number, and the value is a boolean
    """
    if name in NUMBERS:
        check_numbers([name], {name: value})
    if name in TEXTS:
        check_texts({name: TEXTS[name]}, {name: value})


def check_names(names: t.Iterable[str], more: t.Sequence[str] = ()) -> None:
    """Check that no name is a misspelt variable of the collection; other names are the users' own.

    :param more: further variables of the collection
    :raises InvalidOption: one is
    """
    for name in map(str, names):
        meant = next((ours for ours in more if _is_near(name, ours)), None) or _meant(name)
        if meant:
            raise InvalidOption(name, None, "is not a variable of this collection", "Did you mean %s?" % meant)


@cache
def _meant(name: str) -> str | None:
    """Return the variable of the collection that a name is probably meant for; None if it is one, or the users' own."""
    if name.startswith("ansible_") or name in NAMES or name in REGISTERED:
        return None
    near = [(distance(name, ours), ours) for ours in NAMES if _is_near(name, ours)]
    return min(near)[1] if near else None


def _is_near(name: str, ours: str) -> bool:
    """Return whether a name differs from a variable by one or two letters; by one letter, if the variable is short."""
    allowed = 2 if len(ours.partition("_")[2]) > 6 else 1
    if name == ours or abs(len(name) - len(ours)) > allowed:
        return False
    # A changed letter takes one away from the letters that occur, and adds another. This is quicker than the distance.
    return len(set(name) ^ set(ours)) <= 2 * allowed and distance(name, ours) <= allowed


def distance(one: str, other: str) -> int:
    """Return the edit distance of two words: letters changed, added, removed, or swapped with their neighbours."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, wanted in enumerate(other, 1):
            now.append(min(last[column] + 1, now[-1] + 1, last[column - 1] + (letter != wanted)))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == wanted:
                now[-1] = min(now[-1], before[column - 2] + 1)
        before, last = last, now
    return last[-1]


def naming_variables(text: str, variables: t.Mapping[str, str]) -> str:
    """Return a message with the variables in place of the options.

    :param variables: by option
    """
    if not variables:
        return text
    options = _options_in(tuple(variables))
    # Messages for modules have the variables in parentheses, which would repeat those that replace options.
    replaced = {variables[option] for option in options.findall(text)}
    text = _IN_PARENTHESES.sub(lambda found: "" if replaced.issuperset(found[1].split(", ")) else found[0], text)
    return options.sub(lambda found: variables[found[0]], text)


def error_with_variables(error: FleetopsError, variables: t.Mapping[str, str]) -> FleetopsError:
    """Change an error so that it names variables in place of options, and return it.

    :param variables: by option
    """
    error.msg, error.hint = (naming_variables(text, variables) for text in (error.msg, error.hint))
    return error


def failure_with_variables(result: t.Mapping[str, t.Any], variables: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return a failed result whose message names variables in place of options.

    :param variables: by option
    """
    named: dict[str, t.Any] = {"msg": naming_variables(str(result["msg"]), variables)} if "msg" in result else {}
    if "error" in result:
        words = {
            name: naming_variables(str(result["error"][name]), variables)
            for name in ("message", "hint")
            if name in result["error"]
        }
        named["error"] = {**result["error"], **words}
    return {**result, **named}


@cache
def _options_in(options: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern that matches an option in a message: a word with an underscore, or a plain word where only an option can be."""
    distinct = "|".join(sorted((name for name in options if "_" in name), key=len, reverse=True)) or "(?!)"
    plain = "|".join(sorted((name for name in options if "_" not in name), key=len, reverse=True)) or "(?!)"
    return re.compile(
        r"(?<![\w./:-])(?:(?:%s)(?![\w/])|(?:%s)(?=: |\[\d+\]\.)"
        r"|(?:(?<=Check )|(?<=[Cc]orrect )|(?<=argument ')|(?<=option ')|(?<=field ')"
        r"|(?<=value of )|(?<=arguments: )|(?<=found in ))(?:%s)\b"
        r"|(?:(?<=and )|(?<=and that )|(?<=product_key, ))(?:endpoint|region)\b)" % (distinct, plain, plain)
    )
