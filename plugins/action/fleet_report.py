# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""fleet_report: return the result of a pass for this host, or process the host if the pass could not."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import fleet_report_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._accounts import Accounts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import Result
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_options import (
    credential_options,
    product_secret_reader,
    recovery_options,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import (
    end_of_run,
    refused_device,
    registered_pass,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_action import GatewayAction
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_work import credential_work, recovery_work
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote

_DEFAULTS = {name: option.get("default") for name, option in fleet_report_spec().items()}
# The fields of a short failure; the result of the pass has all fields.
_SHOWN = ("changed", "failed", "registered", "reason", "product_key", "device_name", "device_change", "path", "msg")


class ActionModule(GatewayAction):
    """The result of one host."""

    _spec = staticmethod(fleet_report_spec)

    def _check_variables(self) -> None:
        """Do nothing: the pass has checked them, or :meth:`_do` does."""

    def _options(self) -> dict[str, t.Any]:
        args = self._task.args
        if all(name in _DEFAULTS and isinstance(value, str) for name, value in args.items()):
            return {**_DEFAULTS, **{name: str(value) for name, value in args.items()}}
        return super()._options()  # which takes longer than the rest of this task, and finds what is wrong

    def _perform(self, options: dict[str, t.Any], remote: Remote) -> Result:
        variable = options["variable"]
        registered = self._vars.get(variable)
        if options["if_skipped"] and isinstance(registered, dict) and registered.get("skipped"):
            variable = options["if_skipped"]
        if error := refused_device(variable, self._vars, self._host()):
            raise error
        fleet = registered_pass(variable, self._vars, self._host())
        if not fleet["check_mode"] or self._check_mode:
            return self._result(options, fleet, remote)
        # Only the pass ran in check mode: this task changes nothing either, and handlers would run.
        self._check_mode = True
        return {**self._result(options, fleet, remote), "changed": False}

    def _result(self, options: t.Mapping[str, t.Any], fleet: t.Mapping[str, t.Any], remote: Remote) -> Result:
        host = self._host()
        result = fleet["gateways"].get(host)
        if result:
            # Every host of the batch has the same warning, and Ansible shows it once.
            if (result.get("unreachable") or result.get("failed")) and (why := end_of_run(fleet, self._vars)):
                self._display.warning(why)
            if result.get("unreachable"):
                raise AnsibleConnectionFailure(str(result.get("msg")))
            return _short(result) if result.get("failed") else dict(result)
        if host in fleet["left"]:
            return self._do(fleet["asked"], remote)
        if host not in fleet["hosts"]:
            problem, hint = (
                "is the result of a pass that did not process this host",
                "Register the result of its own pass",
            )
            if fleet["ended"]:
                problem += ", because too many gateways had failed"
                hint = "Correct what failed, and run again"
            raise InvalidOption("variable", options["variable"], problem, hint)
        return {"changed": False, "reason": "up_to_date"}

    def _do(self, asked: t.Mapping[str, t.Any], remote: Remote) -> Result:
        """Process the host in this task, since the pass could not."""
        given = {name: value for name, value in asked.items() if name != "recover"}
        template = self._templar.template
        if asked.get("recover"):
            options = self._with_follow_up(recovery_options(self._vars, template, given))
            read_secrets = partial(Accounts().read_secrets, options)
            return self._converge(recovery_work(options, self._host(), remote, read_secrets), remote)
        options = self._with_follow_up(credential_options(self._vars, template, given))
        ask = product_secret_reader(self._vars, template, Accounts(), options["product_key"])
        return self._converge(credential_work(options, self._host(), remote, ask), remote)


def _short(result: t.Mapping[str, t.Any]) -> Result:
    """Return a failed result without repetitions."""
    short = {name: result[name] for name in _SHOWN if result.get(name) is not None}
    return {**short, "error": {name: result["error"][name] for name in ("kind", "code")}}
