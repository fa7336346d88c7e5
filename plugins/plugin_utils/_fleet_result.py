# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compose the result of a pass, without secrets, from its own and from earlier results. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    GUIDE,
    FleetopsError,
    InvalidOption,
    Kind,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import first_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._claims import advice_for
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import CHANGES, with_change
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet import Member
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._result import failed
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import (
    OF_RECOVERY,
    OF_REGISTRATION,
    failure_with_variables,
    percentage,
)

Result = dict[str, t.Any]
Options = t.Mapping[str, t.Any]

_OF_A_LEASE = ("lease", "lease_ends", "diff")
# The most names of hosts in a message.
HOSTS_SHOWN = 50
OUTCOMES = ("ok", "changed", "failed", "unreachable", "left")
# The keys of every result, each with the type of its value.
_KEYS = {
    **{"check_mode": bool, "counts": dict, "hosts": list, "gateways": dict},
    **{"right": dict, "left": dict, "ended": bool, "asked": dict},
}


def is_pass(value: t.Any, host: str | None = None) -> bool:
    """Return whether a value is a result of fleet_credentials.

    :param host: the only one whose own result is looked at; None for all
    """
    if not isinstance(value, dict) or not all(isinstance(value.get(key), kind) for key, kind in _KEYS.items()):
        return False
    if not all(isinstance(value["counts"].get(outcome), int) for outcome in OUTCOMES):
        return False
    parts = value["gateways"], value["right"]
    if host is not None:
        return all(_is_of_host(part[host]) for part in parts if host in part)
    return all(_is_of_host(result) for part in parts for result in part.values())


def registered_pass(variable: str, variables: t.Mapping[str, t.Any], host: str | None = None) -> Result:
    """Return the result of fleet_credentials that a variable has. It is not evaluated as a template: there may be thousands of hosts.

    :param host: as for :func:`is_pass`
    :raises InvalidOption: the variable has no such result
    """
    value = variables.get(variable)
    if not is_pass(value, host):
        hint = "Register the result of fleet_credentials in this play"
        raise InvalidOption("variable", variable, "is not a result of fleet_credentials", hint)
    return t.cast(Result, value)


def refused_device(variable: str, variables: t.Mapping[str, t.Any], host: str) -> FleetopsError | None:
    """Return the error for which fleet_devices refused the device of a host; None if the variable has no such result or error.

    :param variable: as for :func:`registered_pass`
    """
    value = variables.get(variable)
    errors, messages = (value.get("errors"), value.get("refused")) if isinstance(value, dict) else (None, None)
    if not isinstance(errors, dict) or not isinstance(messages, dict):
        return None
    error, message = errors.get(host), messages.get(host)
    if not isinstance(error, dict) or error.get("kind") not in t.get_args(Kind) or not message:
        return None
    return FleetopsError(str(message), kind=error["kind"], code=error.get("code"))


def by_host(option: str, results: t.Mapping[t.Any, t.Any]) -> dict[str, Result]:
    """Return the results of hosts that an option has.

    :raises InvalidOption: one is no result of a host
    """
    for host, result in results.items():
        if not _is_of_host(result):
            raise InvalidOption(option, None, "has no result for %s" % host, "Use gateways of fleet_credentials")
    return {str(host): result for host, result in results.items()}


def _is_of_host(result: t.Any) -> bool:
    if not isinstance(result, dict) or result.get("device_change") not in (None, *CHANGES):
        return False
    error = result.get("error")
    if error is None:
        return not result.get("failed")
    return isinstance(error, dict) and {"kind", "code"} <= set(error)


def asked_for(options: Options) -> tuple[Result, dict[str, Result]]:
    """Return the options that take precedence over the variables of all hosts, and those for single hosts."""
    given = {name: options[name] for name in ("state", "register", "lease_time") if options[name] is not None}
    each: dict[str, Result] = {}
    for host, result in options["looked"].items():
        if result.get("device_name"):
            each[host] = {"reported_name": result["device_name"]}
    for host, result in options["continues"].items():
        state = "reset_withdrawn" if host in options["withdraw"] else "present"
        each[host] = {"reported_name": result.get("device_name"), "lease": result.get("lease"), "state": state}
    return given, each


def to_withdraw(options: Options) -> set[str]:
    """Return the hosts whose leases are to be released: those to withdraw, if an earlier pass took a lease for them."""
    return {host for host in options["withdraw"] if options["continues"].get(host, {}).get("lease")}


def earlier(options: Options, batch: t.Sequence[str], check_mode: bool) -> dict[str, Result]:
    """Return the results of hosts that must not be changed: they failed before, or are refused now.

    In check mode, the pass that this one continues has changed nothing, so its results are returned again.
    """
    known: dict[str, Result] = {}
    for host in batch:
        before, looked = options["continues"].get(host, {}), options["looked"].get(host, {})
        if advice_for((looked.get("error") or {}).get("kind")):  # which a refusal in options only repeats
            known[host] = dict(looked)
        elif host in options["refused"]:
            kept = {name: before[name] for name in before if name not in _OF_A_LEASE}
            known[host] = failed(kept, _refusal(host, options["refused"][host]))
        elif before and (check_mode or before.get("failed") or before.get("unreachable")):
            known[host] = dict(before)
        elif looked.get("failed") or looked.get("unreachable"):
            known[host] = dict(looked)
    return known


def not_compared(known: t.Iterable[str], options: Options) -> list[str]:
    """Return the hosts of :func:`earlier` that no earlier pass has looked at, and so compared with the others."""
    return [host for host in known if host not in options["looked"] and host not in options["continues"]]


def with_sharing(known: t.Mapping[str, Result], sharing: t.Mapping[str, FleetopsError]) -> dict[str, Result]:
    """Return the results of :func:`earlier`, with the error of each host that has the device or a file of another one."""
    members = [Member(host, result=result) for host, result in known.items()]
    for member in members:
        if member.host in sharing:
            member.refuse(sharing[member.host])
    return {member.host: member.result or {} for member in members}


def _refusal(host: str, error: t.Any) -> FleetopsError:
    """Return the error with which an earlier step has refused a host.

    :param error: as that step returned it, or only its message
    :raises InvalidOption: it is neither
    """
    if isinstance(error, str) and error:
        return FleetopsError(error, kind="left_out")
    texts = [error.get(name) for name in ("message", "hint")] if isinstance(error, dict) else [None]
    if not all(isinstance(text, str) for text in texts) or error.get("kind") not in t.get_args(Kind):
        raise InvalidOption("refused", None, "has no error for %s" % host, "Use errors of fleet_devices, or messages")
    hint = error["hint"].partition(GUIDE)[0].rstrip()
    return FleetopsError(error["message"], hint=hint, code=error.get("code"), kind=error["kind"])


def too_many_failures(options: Options, variables: t.Mapping[str, t.Any]) -> str:
    """Return a message if too many hosts have failed in earlier batches or in an earlier look; empty if not.

    The keyword max_fail_percentage would end the run before its handlers. Services would then not get their new credential, and the next
    run would find it up to date.

    :raises InvalidOption: ``most_failed`` is no percentage
    """
    most = percentage("most_failed", options["most_failed"])
    everyone = variables["ansible_play_hosts_all"]
    failed_before = {host for host, look in options["looked"].items() if look.get("failed") or look.get("unreachable")}
    failures = len({*everyone}.difference(variables["ansible_play_hosts"]) | failed_before)
    hosts = options["fleet_size"] or len(everyone)
    if 100 * failures <= most * hosts:
        return ""
    batch = list(map(str, variables["ansible_play_batch"]))
    rest = [host for host in (*batch, *later_hosts(batch, variables)) if host not in failed_before]
    return (
        "%d of %d gateways failed or were unreachable, more than %g %% (most_failed). The run ends before this batch. "
        "%sWhat went wrong is above" % (failures, hosts, most, not_reached(rest) + ". " if rest else "")
    )


def end_of_run(fleet: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> str:
    """Return why Ansible ends the run with this batch, and which hosts it does not reach; empty if it continues.

    :param fleet: the result of the last pass over the batch
    """
    gateways, counts = fleet["gateways"], fleet["counts"]
    left = list(fleet.get("left", {}))
    rest = _not_told({*gateways, *left}, variables)
    if not rest or counts["failed"] + counts["unreachable"] + counts["left"] < sum(counts.values()):
        return ""
    silent = [host for host, result in gateways.items() if result.get("unreachable")]
    told = ["%d failed" % counts["failed"]] if counts["failed"] else []
    if silent:
        told.insert(0, "%d did not answer (%s)" % (len(silent), shown(silent)))
    if left:
        told.append("%d left to a task" % len(left))
    return (
        "%s ends with this batch, for Ansible does not go on when a whole batch is lost: of its %d gateway%s %s. %s%s"
        % (
            "If the tasks of %s fail, the run" % shown(left) if left else "The run",
            sum(counts.values()),
            "" if sum(counts.values()) == 1 else "s",
            " and ".join(told),
            "Then " if left else "",
            rest,
        )
    )


def end_with_handler(host: str, variables: t.Mapping[str, t.Any]) -> str:
    """Return a warning if the failed handler of a host ends the run, or can end it with those of the others; else empty.

    The other handlers run at the same time, so that their results are not known. It is the same text for all hosts of a batch, which
    Ansible shows once.
    """
    batch = [str(each) for each in variables.get("ansible_play_batch", ())]
    if "gateway_fleet" not in variables or host not in batch:
        return ""
    fleet = variables["gateway_fleet"]
    if fleet.get("skipped"):  # the first pass has changed the gateways of the only batch
        fleet = variables.get("gateway_looks") or {}
    gateways, left = fleet.get("gateways", {}), fleet.get("left", {})
    # A host without a change has no handler that can fail.
    if any(each != host and each not in left and not gateways.get(each, {}).get("changed") for each in batch):
        return ""
    rest = _not_told({host, *fleet.get("hosts", ())}, variables)
    if not rest:
        return ""
    if batch == [host]:
        return "The run ends with this batch, for Ansible does not go on when a whole batch is lost. %s" % rest
    return (
        "If the handlers of all %d gateways of this batch fail, the run ends with it, for Ansible does not go on when a whole batch is "
        "lost. Then %s" % (len(batch), rest)
    )


def _not_told(batch: t.Collection[str], variables: t.Mapping[str, t.Any]) -> str:
    """Return sentences that name the hosts whose results are lost if the run ends with a batch, and what to do; empty if there is none."""
    later = later_hosts(batch, variables)
    looks = (variables.get("gateway_looks") or {}).get("gateways", {})
    unreported = [
        host for host, look in looks.items() if host not in batch and (look.get("failed") or look.get("unreachable"))
    ]
    rest = [not_reached(later)] if later else []
    if unreported:
        rest.append(
            "%d had failed before or not answered, and will not be reported: %s" % (len(unreported), shown(unreported))
        )
    if not rest:
        return ""
    advice = "Look at the connection and at what is reported of each, and run again; to go on without them, use --limit"
    return "%s. %s" % (". ".join(rest), advice)


def later_hosts(batch: t.Container[str], variables: t.Mapping[str, t.Any]) -> list[str]:
    """Return the hosts of the play that come after a batch."""
    every = [str(host) for host in variables["ansible_play_hosts_all"]]
    last = max((number for number, host in enumerate(every) if host in batch), default=len(every))
    active = set(map(str, variables["ansible_play_hosts"]))
    return [host for host in every[last + 1 :] if host in active]


def not_reached(hosts: t.Sequence[str]) -> str:
    """Return a sentence that names hosts."""
    return "%d gateway%s not reached: %s" % (len(hosts), " was" if len(hosts) == 1 else "s were", shown(hosts))


def shown(hosts: t.Sequence[str]) -> str:
    """Return the names of hosts; if there are many, only the first ones."""
    return first_of(hosts, HOSTS_SHOWN)


def _identified(result: Result, look: t.Mapping[str, t.Any], changed: bool) -> Result:
    """Return a result with the ProductKey, DeviceName and path of an earlier look, if it has none of its own.

    :param look: the result of the host in that look
    :param changed: whether the device was changed on the platform. If the inventory does not name it, it is that of the credential
    """
    sources = [look, (look.get("credential") or {}) if changed else {}]
    missing = [name for name in ("product_key", "device_name", "path") if not result.get(name)]
    found = {name: next((source[name] for source in sources if source.get(name)), None) for name in missing}
    return {**result, **{name: value for name, value in found.items() if value}}


def fleet_result(
    batch: t.Sequence[str],
    known: t.Mapping[str, Result],
    members: t.Sequence[Member],
    options: Options,
    given: t.Mapping[str, t.Any],
    check_mode: bool = False,
    ended: bool = False,
    device_changes: t.Mapping[str, str] | None = None,
) -> Result:
    """Return the result of a pass.

    :param known: results of hosts that were not processed, from :func:`earlier`
    :param given: options that take precedence over the variables, for the tasks of the hosts that are left
    :param check_mode: whether the pass ran in check mode
    :param device_changes: by host, as fleet_devices returns them
    """
    by_host = {member.host: member for member in members}
    counts: Counter[str] = Counter()
    gateways: dict[str, Result] = {}
    right: dict[str, Result] = {}
    left: dict[str, str] = {}
    for host in batch:
        member = by_host.get(host) or Member(host, result=known[host])
        if member.result:
            change = (device_changes or {}).get(host)
            member.result = with_change(
                _identified(member.result, options["looked"].get(host) or {}, bool(change)), change
            )
        outcome = member.outcome()
        counts[outcome] += 1
        if outcome == "left":
            left[host] = member.left
        elif member.result and (
            outcome != "ok"
            or options["report"] == "all"
            or (options["look_only"] and member.result.get("proven") is False)  # whose login is still to be repeated
        ):
            gateways[host] = member.result
            if outcome == "failed":
                gateways[host] = failure_with_variables(
                    member.result, OF_RECOVERY if options["recover"] else OF_REGISTRATION
                )
        elif member.result and options["keep_right"]:
            right[host] = member.result
    return {
        "changed": bool(counts["changed"]),
        "check_mode": check_mode,
        "counts": {word: counts[word] for word in OUTCOMES},
        "hosts": list(batch),
        "gateways": gateways,
        "right": right,
        "left": left,
        "ended": ended,
        "asked": dict(given, recover=options["recover"]),
    }
