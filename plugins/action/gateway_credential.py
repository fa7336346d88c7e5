# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gateway_credential on the controller: looks, decides, signs, and lets the gateway or itself register.

The options are documented in the module of the same name. ProductSecret stays in this process.
"""

from __future__ import annotations

import importlib
import secrets
import time
import typing as t
from contextlib import suppress
from dataclasses import asdict, replace

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.release import __version__

with suppress(ImportError):  # _http tells whoever needs it
    # Here, where ansible imports it once for all gateways: in _http it would be once for each.
    importlib.import_module("requests")

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_credential_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import clock
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import (
    Answer,
    Issued,
    Scripts,
    change,
    lost,
    read_answer,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import ALREADY_ACTIVE
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import exchange
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.registrar import (
    issue,
    signed,
    to_fields,
    transport,
    unsigned,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    InvalidOption,
    Refused,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import one_of
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    check_device_name,
    check_product_key,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._requests import requests_post
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _names
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import (
    UNFINISHED,
    Plan,
    Wanted,
    decide,
    is_interrupted,
    is_unproven,
    lease_left,
    next_intent,
    stored_identity,
    was_refused_before,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import credential_parts, render_exports
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._found import Found, read_look, read_state
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._login import NOT_ACCEPTED, log_in
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import (
    check_interface,
    check_lease,
    check_mode,
    check_owner,
    check_path,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._program import command, program, result_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report import difference, report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import Gateway

# Since ansible-core 2.19 a template is text whatever it looks like, and saying so is deprecated.
AS_TEXT = {} if tuple(map(int, __version__.split(".")[:2])) >= (2, 19) else {"convert_data": False}
# Seconds for which a run waits for the lease of another one, at least.
PATIENCE = 300
# How often a gateway may change between a look and what follows it; another run does so a few times.
STALE = 20


class ActionModule(ActionBase):
    """One gateway's credential: look, decide, change."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True
    _spec = staticmethod(gateway_credential_spec)
    _issues = True
    _waiting = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        self._report: dict[str, t.Any] = {}
        try:
            _names.check_facts(self._vars)
            result.update(self._converge())
        except FleetopsError as error:
            done = {"changed": error.registered, "registered": error.registered}
            result.update(self._report, **done, failed=True, msg=str(error), error=error.as_result())
            if self._task.no_log:
                # no_log hides the whole result, but none of this is a secret.
                self._display.warning("%s: %s" % (self._vars.get("inventory_hostname"), error))
        return result

    def _converge(self) -> dict[str, t.Any]:
        self._args = self._valid_args()
        self._check_options()
        placeholder = secrets.token_hex(12)
        wanted = self._wanted(placeholder)
        args = self._args
        self._gateway = Gateway(
            args["path"], wanted.exports, placeholder, args["device_name_from"], args["device_name_interface"]
        )
        # The lease of an earlier task, or a new one: whoever has the token in the journal may go on with the change.
        self._token = args.get("lease") or secrets.token_hex(8)
        if args["state"] == "reset_withdrawn":
            return self._withdraw()
        found = self._look()
        patience = clock() + max(PATIENCE, 2 * self._lease())
        rounds = 0
        while True:
            named = self._named(found, wanted, placeholder)
            plan = decide(found, named, args.get("lease") or "")
            self._report = report(named, found, plan)
            if plan.step == "refuse":
                raise FleetopsError(
                    "a registration is needed (%s), and register is never" % plan.reason,
                    hint="Allow it with register: if_needed",
                    kind="registration_needed",
                )
            if self._task.check_mode:
                if plan.step == "nothing":
                    return dict(self._report, changed=False)
                changed = plan.reason != "up_to_date"
                return dict(self._report, changed=changed, diff=difference(found, named, plan, None))
            if plan.step == "nothing":
                return self._nothing_to_do(found, named)
            if args.get("lease") and (not found.journal or found.journal.token != args["lease"]):
                raise lost()
            left = lease_left(found, (self._token,))
            if left:
                self._wait(left, patience)
                found = self._look()
                continue
            try:
                answer = self._change(plan, found, named)
            except Refused as error:
                return self._settle_refusal(error, plan, found, named)
            if answer.outcome == "stale":
                rounds = _one_more(rounds)
                # Not the state that came with the answer: only a look tells the clock that a new lease is measured with.
                found = self._look()
                continue
            if plan.step == "prepare_reset":
                return self._reset_prepared(plan, found, named)
            result = self._completed(plan, found, named, read_state(answer, found))
            forced = args["register"] == "always" and not args.get("lease")
            if plan.step == "finish" and (args["state"] == "reset_intended" or forced):
                # What was staged is safe now, and what was asked for comes after it. With a lease it was what was asked for.
                rounds = _one_more(rounds)
                self._token = secrets.token_hex(8)
                found = self._look()
                continue
            return result

    # options

    def _valid_args(self) -> dict[str, t.Any]:
        try:
            _result, args = self.validate_argument_spec(argument_spec=self._spec())
        except AnsibleError as error:
            raise FleetopsError(
                str(error.message),
                hint="See ansible-doc %s for the options" % self._task.action,
                kind=InvalidOption.kind,
            ) from error
        return dict(args)

    def _check_options(self) -> None:
        args = self._args
        check_lease(args)
        check_product_key(args["product_key"])
        check_interface(args["device_name_interface"])
        check_path("path", args["path"])
        _names.check_expected_names(args["expected_names"])
        name = args["device_name"]
        self._name_source = "device_name" if name else args["device_name_from"]
        if not name and self._name_source not in _names.HARDWARE:
            name = self._vars["inventory_hostname"]
        if name is not None:
            check_device_name(name)
        if args["state"] == "reset_intended" or (args["state"] == "present" and args["register"] != "never"):
            # What cannot be signed fails before the gateway is looked at, and in check mode too.
            signed(args, name or "name")
        args["device_name"] = name

    def _wanted(self, placeholder: str, device_name: str | None = None) -> Wanted:
        args = self._args
        name = device_name or args["device_name"] or ""
        kind = "token" if args.get("auth_type") == "regnwl" else "secret"
        return Wanted(
            product_key=args["product_key"],
            device_name=name,
            owner=check_owner("owner", args["owner"]),
            group=check_owner("group", args["group"]),
            mode=check_mode("mode", args["mode"]),
            exports=render_exports(
                args["exports"],
                credential_parts(kind, args["product_key"], name, placeholder),
                placeholder,
                (args["owner"], args["group"], args["mode"]),
                # Nothing is written, so that nothing about a template may hinder a removal.
                self._render if args["state"] != "absent" else _nothing,
            ),
            state=args["state"],
            register=args["register"],
            kind=kind,
            device_name_from=self._name_source,
            device_name_proven=bool(name) and _names.is_proven(self._name_source, args["expected_names"]),
        )

    def _named(self, found: Found, wanted: Wanted, placeholder: str) -> Wanted:
        """Complete the wanted state with the DeviceName read from the hardware, if nothing speaks against it."""
        if wanted.device_name or wanted.state == "absent":
            return wanted
        args = self._args
        name = _names.hardware_name(
            found.hardware_name, self._name_source, args["expected_names"], args["reported_name"]
        )
        named = self._wanted(placeholder, name)
        self._gateway.set_exports(named.exports)
        if named.device_name_proven:
            return named
        if not args["expected_names"]:
            # Without the host's name, so that Ansible shows it once in a run.
            self._display.warning(_names.UNLIMITED)
        try:
            _names.check_unchanged(named.product_key, name, (found.credential, found.staged))
        except FleetopsError:
            self._report = report(named, found, Plan("identity_changed", "refuse"))
            raise
        if named.state == "reset_intended":
            _names.check_holder(named.product_key, name, found.credential)
        return named

    def _render(self, template: str, variables: dict[str, str]) -> str:
        lookup = self._shared_loader_obj.lookup_loader.get(
            "ansible.builtin.template", loader=self._loader, templar=self._templar
        )
        [text] = lookup.run([template], self._vars, template_vars=variables, **AS_TEXT)
        return str(text)

    # what runs on the gateway

    def _look(self) -> Found:
        return read_look(self._script(self._gateway.script("look"), "looked"))

    def _script(self, script: str, *outcomes: str) -> Answer:
        """Run a script; return its answer, with one of the outcomes that the script has."""
        answer = read_answer(self._run_script(script))
        one_of("outcome", answer.outcome, outcomes)
        return answer

    def _run_script(self, script: str) -> str:
        shell = self._play_context.executable or "/bin/sh"
        outcome = self._low_level_execute_command(shell, in_data=script.encode("utf-8"))
        # Only the answer: what a shell says of a line that failed may hold the line.
        return str(outcome["stdout"])

    def _run_program(self, entry: str, todo: dict[str, t.Any], instead: str) -> dict[str, t.Any]:
        """Run Python on the gateway, in the task's environment: the one that the inventory names, if it does."""
        variables = self._vars
        if self._task.delegate_to:
            variables = variables.get("ansible_delegated_vars", {}).get(self._task.delegate_to, variables)
        setting = C.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        named = str(self._templar.template(setting) or "auto")
        python = command(None if named.startswith("auto") else named, self._compute_environment_string())
        outcome = self._low_level_execute_command(python, in_data=program(entry, todo).encode("utf-8"))
        return result_of(entry, outcome["stdout"], outcome["rc"], instead)

    def _wait(self, left: int, patience: float) -> None:
        """Wait for the end of another run's lease."""
        if clock() + left > patience + 1:
            raise BusyError(
                "another run is changing this gateway's device",
                hint="Run again when it has finished; its lease ends in %d seconds at the latest" % left,
            )
        if not self._waiting:
            self._waiting = True
            self._display.display(
                "%s: another run holds the lease on this gateway; waiting for up to %d seconds"
                % (self._vars.get("inventory_hostname"), left)
            )
        time.sleep(min(left, 2))

    # the change

    def _lease(self) -> int:
        """Return how long a lease lasts: the requests, the one that is under way when they end, and one to spare."""
        return int(self._args["retry_time"] + 3 * self._args["timeout"])

    def _values(self, wanted: Wanted) -> dict[str, t.Any]:
        return {
            "product_key": wanted.product_key,
            "device_name": wanted.device_name,
            "owner": wanted.owner,
            "group": wanted.group,
            "mode": "%04o" % wanted.mode,
            "token": self._token,
        }

    def _change(self, plan: Plan, found: Found, wanted: Wanted) -> Answer:
        values = dict(self._values(wanted), expected=found.expected)
        gateway = self._gateway
        if plan.step == "remove":
            return self._script(gateway.script("remove", **values), "removed", "stale")
        if plan.step == "mend":
            return self._script(gateway.changing("mend", plan.exports, **values), "installed", "stale")
        # What is recovered replaces a secret that may be invalid, as after a reset.
        values.update(intent=next_intent(found, plan) if self._issues else "renew", ttl=self._lease())
        if plan.step == "finish":
            script = gateway.changing("finish", plan.exports, stored=stored_identity(found, wanted), **values)
            return self._script(script, "installed", "stale")
        resets = plan.step == "prepare_reset"
        if resets:
            values["ttl"] = self._lease() + self._args["lease_time"]
            self._lease_ends = clock() + values["ttl"]
        scripts = Scripts(
            begin=gateway.changing("begin", continues="yes" if self._args.get("lease") else "no", **values),
            store="" if resets else gateway.changing("store", plan.exports, **self._values(wanted)),
            abandon=gateway.script("abandon", **self._values(wanted)),
            settles=plan.reason in UNFINISHED and is_interrupted(found, wanted),
        )
        return self._issue(scripts, wanted)

    def _from_gateway(self) -> bool:
        return bool(self._args["register_from"] == "gateway")

    def _issue(self, scripts: Scripts, wanted: Wanted) -> Answer:
        """Have the platform issue a secret and store it; before a reset, prove that it could be had."""
        request = signed(self._args, wanted.device_name)
        if not scripts.store:
            request = unsigned(request)
        if self._from_gateway():
            return self._issue_from_gateway(scripts, to_fields(request))

        def issued(not_after: float) -> Issued | None:
            secret = issue(request, self._args, self._args["retry_time"], requests_post, exchange, not_after)
            return secret if scripts.store else None

        return self._store(scripts, issued)

    def _store(self, scripts: Scripts, issued: t.Callable[[float], Issued | None]) -> Answer:
        return change(self._run_script, scripts, issued, self._lease(), self._args["timeout"])

    def _issue_from_gateway(self, scripts: Scripts, request: dict[str, t.Any]) -> Answer:
        todo = {
            "shell": self._play_context.executable or "/bin/sh",
            "scripts": asdict(scripts),
            "request": request,
            "options": {name: self._args[name] for name in ("ca_path", "validate_certs", "timeout", "retry_time")},
            "lease": self._lease(),
        }
        instead = "register_from: controller (gateway_register_from in the role)"
        result = self._run_program("_device.registration_program", todo, instead)
        return Answer(result["outcome"], tuple(result["lines"]))

    # the end of a change

    def _reset_prepared(self, plan: Plan, found: Found, wanted: Wanted) -> dict[str, t.Any]:
        """Return the lease, which is kept for the reset and the registration in later tasks."""
        done = dict(self._report, lease=self._token, lease_ends=self._lease_ends)
        return dict(done, changed=plan.reason != "up_to_date", diff=difference(found, wanted, plan, None))

    def _withdraw(self) -> dict[str, t.Any]:
        """Give the lease of a reset back that was not sent."""
        if not self._task.check_mode:
            self._script(self._gateway.script("abandon", **self._values(self._wanted(""))), "abandoned", "lost")
        return {"changed": False, "reason": "withdrawn", "path": self._args["path"]}

    def _nothing_to_do(self, found: Found, wanted: Wanted) -> dict[str, t.Any]:
        if is_unproven(found, wanted) and found.journal:
            self._token = found.journal.token
            # Another run that settles it first has said what there is to say.
            with suppress(BusyError):
                self._report["proven"] = self._prove(found, wanted)
        return dict(self._report, changed=False)

    def _completed(self, plan: Plan, before: Found, wanted: Wanted, after: Found) -> dict[str, t.Any]:
        """Prove a credential that is in doubt, and return the result."""
        registered = self._issues and plan.step == "store"
        proven = None
        left_to_prove = is_unproven(after, wanted)
        if after.journal and (plan.step in ("store", "finish") or left_to_prove):
            if left_to_prove:
                self._token = after.journal.token
            try:
                proven = self._prove(after, wanted)
            except FleetopsError as error:
                error.registered = registered
                raise
            after = replace(after, journal=None)
        return self._changed(plan, before, wanted, after, registered, proven)

    def _prove(self, found: Found, wanted: Wanted) -> bool:
        """Log in with the credential that is there, and settle the change by what comes of it.

        :returns: whether the login was accepted
        :raises FleetopsError: of kind not_accepted: the credential is not valid
        """
        login, problem = log_in(self, self._args, self._vars, self._login_from())
        end = {"accepted": "closed", "impossible": "closed", "failed": "unproven", "refused": "dead"}[login]
        self._settle(end, found, wanted)
        host = self._vars.get("inventory_hostname")
        if login == "refused":
            raise FleetopsError(
                "the new credential is stored, but the platform does not accept it: %s" % problem,
                hint="A request that was sent before has replaced it. Run again, which registers once more",
                kind="not_accepted",
            )
        if login != "accepted":
            self._display.warning(
                "%s: the new credential is stored, but no login has proved it: %s. Run an audit, which compares it with the "
                "platform's" % (host, problem)
            )
        return login == "accepted"

    def _settle(self, end: str, found: Found, wanted: Wanted, exports: tuple[int, ...] = ()) -> Answer:
        script = self._gateway.changing("settle", exports, end=end, stored=found.credential, **self._values(wanted))
        answer = self._script(script, "settled", "lost")
        if answer.outcome == "lost":
            raise lost()
        return answer

    def _settle_refusal(self, error: Refused, plan: Plan, found: Found, wanted: Wanted) -> dict[str, t.Any]:
        """End an interrupted change of a device that is active: if the stored credential is valid, nothing had been changed.

        :raises Refused: it is not, or nothing was interrupted
        """
        interrupted = plan.reason in UNFINISHED and is_interrupted(found, wanted)
        over_mqtt = self._issues and transport(self._args) == "mqtt"
        if interrupted and (error.code in NOT_ACCEPTED if over_mqtt else error.code == ALREADY_ACTIVE):
            login, _problem = log_in(self, self._args, self._vars, self._login_from())
            # The reset that this run's own lease was taken for has happened.
            inferred = not (over_mqtt or self._args.get("lease")) and was_refused_before(
                found, error.may_have_registered
            )
            if login == "accepted" or (login != "refused" and inferred):
                end = "unproven" if login == "failed" else "closed"
                after = read_state(self._settle(end, found, wanted, plan.exports), found)
                self._display.warning(
                    "%s: an interrupted registration was settled: the device is activated, so the platform had refused that "
                    "one too; the stored credential was kept" % self._vars.get("inventory_hostname")
                )
                return self._changed(plan, found, wanted, after, registered=False, proven=login == "accepted")
        if interrupted and not error.may_have_registered:
            with suppress(FleetopsError):
                self._script(self._gateway.script("abandon", **self._values(wanted)), "abandoned", "lost")
        raise error

    def _login_from(self) -> str:
        # A device token stays on the gateway.
        from_gateway = self._args.get("auth_type") == "regnwl" or self._from_gateway()
        return "gateway" if from_gateway else "controller"

    def _changed(
        self, plan: Plan, before: Found, wanted: Wanted, after: Found, registered: bool, proven: bool | None
    ) -> dict[str, t.Any]:
        done = dict(report(wanted, after, plan), proven=proven)
        changed = plan.reason != "up_to_date"
        return dict(done, changed=changed, registered=registered, diff=difference(before, wanted, plan, after))


def _one_more(rounds: int) -> int:
    """Count one more round over a gateway that was found changed, or with something to finish.

    :raises BusyError: there were too many
    """
    if rounds >= STALE:
        raise BusyError("the gateway's files keep changing", hint="Look for another run over the same gateway")
    return rounds + 1


def _nothing(_template: str, _variables: dict[str, str]) -> str:
    """Return no content, for an export that is only to be removed."""
    return ""
