# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""fleet_credentials: the credentials of all gateways of a batch, in one process. The options are documented in the module."""

from __future__ import annotations

import contextlib
import gc
import signal
import typing as t
from functools import partial

from ansible import context

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import fleet_credentials_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption, internal
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._accounts import Accounts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import Convergence, Result
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import check_changes
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet import Fleet, Member
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_options import (
    account_options,
    check_run_templates,
    credential_options,
    has_account,
    product_secret_reader,
    recovery_options,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_remote import (
    Hosts,
    check_run_once,
    end_children,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import (
    asked_for,
    by_host,
    earlier,
    end_of_run,
    fleet_result,
    not_compared,
    shown,
    to_withdraw,
    too_many_failures,
    with_sharing,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_action import renderer
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_work import credential_work, recovery_work
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import NAME_IT
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._progress import sender
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._result import without_diff
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._task_end import is_heard
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import (
    OF_DEVICE,
    error_with_variables,
    naming_variables,
)


class ActionModule(ControllerAction):
    """One pass over the gateways of the batch."""

    BYPASS_HOST_LOOP = True  # ansible-core itself refuses strategies that would run it once for each host
    _spec = staticmethod(fleet_credentials_spec)
    _of_playbooks: t.ClassVar[t.Mapping[str, str]] = {
        "at_once": "gateway_throttle",
        "most_failed": "gateway_max_fail_percentage",
    }

    def _perform(self, options: t.Mapping[str, t.Any]) -> Result:
        check_run_once(self._task)
        if self._option_variables():
            check_run_templates(self._variables, self._templar.template)
        options = _checked(options)
        self._accounts = Accounts()
        gc.freeze()  # A collection would visit, and so copy, the memory that this process shares with the one that it was forked from.
        with _ending_children():
            return self._pass(options, self._variables)

    def _pass(self, options: t.Mapping[str, t.Any], variables: dict[str, t.Any]) -> Result:
        batch = [str(host) for host in variables["ansible_play_batch"]]
        check_changes(options["device_changes"])
        self._changes: dict[str, str] = dict(options["device_changes"])
        self._given, self._leases = asked_for(options)
        if why := too_many_failures(options, variables):
            self._display.warning(naming_variables(why, self._option_variables()))
            return fleet_result([], {}, [], options, self._given, ended=True)
        check_mode = bool(self._task.check_mode)
        known = earlier(options, batch, check_mode)
        hosts = Hosts(self, variables)
        self._hosts = hosts
        self._recovers, self._names_alone = options["recover"], options["hardware_names"]
        self._only_looks = options["look_only"]
        fleet = Fleet(
            lambda host: self._open(hosts, host),
            self._display,
            at_once=options["at_once"] or int(context.CLIARGS.get("forks") or 5),
            at_most=options["connections"],
            prepare=self._add_devices if options["add_devices"] else None,
            end=end_children,
            watch=sender(self._task._uuid),
            check_mode=check_mode,
            device_changes=self._changes,
            claims=hosts,
        )
        withdrawn = to_withdraw(options)
        others = [*hosts.failed_before, *not_compared(known, options)]
        try:
            members = fleet.run([host for host in batch if host not in known or host in withdrawn], others)
        except Exception as error:  # a bug of ours, not an error of a gateway
            members = fleet.abandon(internal(error))
        # Hosts whose leases were released have failed before; keep those results.
        members = [member for member in members if member.host not in known]
        if not self._task.diff:
            for member in members:
                member.result = member.result and without_diff(member.result)
        known = with_sharing(known, fleet.sharing)
        left: dict[str, list[str]] = {}
        for member in members:
            if member.left and (refused := _not_left(member, hosts, options["fallback"])):
                member.fail(refused)
            elif member.left:
                left.setdefault(member.left, []).append(member.host)
        for cause, names in left.items():
            each = "" if len(names) == 1 else "each is "
            self._display.warning(
                "%s: %sleft to a task of its own, which takes longer: %s" % (shown(names), each, cause)
            )
        result = fleet_result(batch, known, members, options, self._given, check_mode, device_changes=self._changes)
        result["sharing"] = {host: fleet.sharing[host].kind for host in hosts.failed_before if host in fleet.sharing}
        # A task that cannot make its connection fails before it could say this itself.
        if result["left"] and not options["look_only"] and (why := end_of_run(result, variables)):
            self._display.warning(why)
        return result

    def _open(self, hosts: Hosts, host: str) -> Convergence | Result:
        """Return the convergence of a host, or its result if that is known without a look."""
        action = hosts.action(host)
        variables = action.variables
        given = {**self._given, **self._leases.get(host, {})}
        read = recovery_options if self._recovers else credential_options
        options = read(variables, lambda value: hosts.template(action, value), given)
        if options["follow_up"] is None:
            options["follow_up"] = bool(options["service"]) or is_heard(self._task)
        remote = hosts.remote(action)
        render = hosts.alone(renderer(action, variables))
        if self._recovers:
            work = recovery_work(options, host, remote, partial(self._accounts.read_secrets, options))
        else:
            key = options["product_key"]
            ask = product_secret_reader(variables, lambda value: hosts.template(action, value), self._accounts, key)
            work = credential_work(options, host, remote, ask)
        task, check_mode = work.task, bool(self._task.check_mode)
        if self._names_alone and task.device_name:
            return {"changed": False, "product_key": task.product_key, "device_name": task.device_name}
        checks = not (self._names_alone or self._only_looks)
        return Convergence(task, remote, work.issuer, work.login, render, self._display, check_mode, checks)

    def _add_devices(self, members: t.Sequence[Member]) -> t.Mapping[str, FleetopsError]:
        """Add devices that do not exist, for the hosts whose variables name an account."""
        # Imported lazily: a run without an account, or over gateways that are right, never loads the code of the OpenAPI.
        from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_devices import HostDevice, ensure_all

        devices: list[HostDevice] = []
        refused: dict[str, FleetopsError] = {}
        for member in members:
            variables = self._hosts.variables(member.host)
            try:
                if has_account(variables.raw, variables.template):
                    account = account_options(variables.raw, variables.template)
                    devices.append(HostDevice(member.host, account, *member.device))
            except FleetopsError as error:
                refused[member.host] = error
        done = ensure_all(devices, self._accounts, {"state": "present"}, bool(self._task.check_mode))
        self._changes.update(done.changes)
        refused.update(done.refused)
        return {host: error_with_variables(error, OF_DEVICE) for host, error in refused.items()}


def _not_left(member: Member, hosts: Hosts, fallback: bool) -> FleetopsError | None:
    """Return the error of a gateway that the pass cannot process, and that is not left to a task; None if it is left."""
    problem = "a pass cannot process this gateway: %s" % member.left
    if not fallback:
        hint = "Use the module gateway_credential for this host"
        return FleetopsError(problem, hint=hint, kind="connection")
    try:
        named = hosts.device(member.host)[1]
    except Exception:  # of ours; it must not end the pass
        named = ""
    if named:
        return None
    # The task would register whatever name the hardware reports then, which nobody has compared.
    return FleetopsError(
        "%s. It is not left to a task, because only its hardware reports its DeviceName" % problem,
        hint=NAME_IT,
        kind="unproven_name",
    )


def _checked(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options, with names of hosts as text.

    :raises InvalidOption: a number is out of range, a result is none, or options contradict each other
    """
    for name, least in (("at_once", 0), ("connections", 1), ("fleet_size", 0)):
        if options[name] < least:
            raise InvalidOption(name, options[name], "is out of range", "Use %d or more" % least)
    if options["recover"]:
        for name in ("state", "register", "lease_time", "continues"):
            if options[name] not in (None, {}):
                raise InvalidOption(name, None, "cannot be combined with recover", "Remove one of them")
    results = {name: by_host(name, options[name]) for name in ("looked", "continues")}
    texts = {name: {str(host): text for host, text in options[name].items()} for name in ("refused", "device_changes")}
    for host in options["withdraw"]:
        if host not in texts["refused"]:
            raise InvalidOption("withdraw", host, "is not in refused", "Name only hosts that are in refused too")
    return {**options, **results, **texts}


@contextlib.contextmanager
def _ending_children() -> t.Iterator[None]:
    """Turn SIGTERM into an exception, so that the pass ends its connections when Ansible ends it."""

    def ended(number: int, _frame: t.Any) -> t.NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
