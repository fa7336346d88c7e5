# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gateway_credential on the controller: looks, decides, signs, and lets the gateway or itself register.

The options are documented in the module of the same name. ProductSecret stays in this process.
"""

from __future__ import annotations

import importlib
import os
import secrets
import time
import typing as t
from contextlib import suppress
from dataclasses import asdict

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.release import __version__

with suppress(ImportError):  # _http tells whoever needs it
    # Here, where ansible imports it once for all gateways: in _http it would be once for each.
    importlib.import_module("requests")
with suppress(ImportError):
    importlib.import_module("paho.mqtt.client")

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_credential_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._credential import (
    Answer,
    Issued,
    Scripts,
    change,
    read_answer,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    InvalidOption,
    Refused,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import requests_post
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._mqtt_registration import REFUSED
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._registration import ALREADY_ACTIVE
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._signing import (
    check_device_name,
    check_product_key,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._transport import (
    issue,
    signed,
    to_fields,
    transport,
    unsigned,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _paho
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import (
    Plan,
    Wanted,
    decide,
    lease_left,
    next_intent,
    was_refused_before,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import credential_parts, render_exports
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._found import Found, read_look, read_state
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._holder import alive, holder, started
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import (
    check_interface,
    check_mode,
    check_owner,
    check_path,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._program import command, program, result_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report import difference, report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import Gateway

# Since ansible-core 2.19 a template is text whatever it looks like, and saying so is deprecated.
AS_TEXT = {} if tuple(map(int, __version__.split(".")[:2])) >= (2, 19) else {"convert_data": False}
# What a lease lasts beyond the last request: the answers of a slow gateway.
LEASE_MARGIN = 30


class ActionModule(ActionBase):
    """One gateway's credential: look, decide, change."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True
    _spec = staticmethod(gateway_credential_spec)
    _issues = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        self._report: dict[str, t.Any] = {}
        try:
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
        found = self._look()
        patience = time.monotonic() + 2 * self._lease()
        while True:
            named = self._named(found, wanted, placeholder)
            plan = decide(found, named)
            self._report = report(named, found, plan)
            if plan.step == "refuse":
                raise FleetopsError(
                    "a registration is needed (%s), and register is never" % plan.reason,
                    hint="Allow it with register: if_needed",
                    kind="registration_needed",
                )
            if plan.step == "nothing":
                return dict(self._report, changed=False)
            if self._task.check_mode:
                changed = plan.reason != "up_to_date"
                return dict(self._report, changed=changed, diff=difference(found, named, plan, None))
            left = lease_left(found, holder(), alive) if plan.step in ("store", "finish", "announce") else 0
            if left:
                self._wait(left, patience, found)
                found = self._look()
                continue
            try:
                answer = self._change(plan, found, named)
            except Refused as error:
                return self._kept(error, plan, found, named)
            if answer.outcome != "stale":
                after = read_state(answer, found)
                return self._changed(plan, found, named, after, registered=self._issues and plan.step == "store")
            if time.monotonic() > patience:
                raise BusyError("the gateway's files keep changing", hint="Look for another run over the same gateway")
            # Not the state that came with the answer: only a look tells whether the holder of a new lease is alive.
            found = self._look()

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
        check_product_key(args["product_key"])
        check_interface(args["device_name_interface"])
        check_path("path", args["path"])
        name = args["device_name"]
        if not name and args["device_name_from"] == "inventory_hostname":
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
        )

    def _named(self, found: Found, wanted: Wanted, placeholder: str) -> Wanted:
        """What is wanted once the gateway has said its name."""
        if wanted.device_name or wanted.state == "absent":
            return wanted
        source = self._args["device_name_from"]
        if not found.hardware_name:
            raise InvalidOption(
                "device_name_from",
                source,
                "gave nothing on this gateway",
                "Name the interface with device_name_interface, become root to read a serial number, or set device_name",
            )
        try:
            name = check_device_name(found.hardware_name)
        except InvalidOption as error:
            error.hint = "It is the gateway's %s. %s" % (source, error.hint)
            raise
        named = self._wanted(placeholder, name)
        self._gateway.set_exports(named.exports)
        return named

    def _render(self, template: str, variables: dict[str, str]) -> str:
        lookup = self._shared_loader_obj.lookup_loader.get(
            "ansible.builtin.template", loader=self._loader, templar=self._templar
        )
        [text] = lookup.run([template], self._vars, template_vars=variables, **AS_TEXT)
        return str(text)

    # what runs on the gateway

    def _look(self) -> Found:
        return read_look(self._script(self._gateway.script("look")))

    def _script(self, script: str) -> Answer:
        return read_answer(self._run_script(script))

    def _run_script(self, script: str) -> str:
        shell = self._play_context.executable or "/bin/sh"
        outcome = self._low_level_execute_command(shell, in_data=script.encode("utf-8"))
        # Only the answer: what a shell says of a line that failed may hold the line.
        return outcome["stdout"]

    def _run_program(self, entry: str, todo: dict[str, t.Any], instead: str) -> dict[str, t.Any]:
        """Run Python on the gateway, in the task's environment: the one that the inventory names, if it does."""
        variables = self._vars
        if self._task.delegate_to:
            variables = variables.get("ansible_delegated_vars", {}).get(self._task.delegate_to, variables)
        setting = C.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        named = str(self._templar.template(setting) or "auto")
        python = command(None if named.startswith("auto") else named, self._compute_environment_string())
        outcome = self._low_level_execute_command(python, in_data=program(entry, todo).encode("utf-8"))
        return result_of(outcome["stdout"], outcome["rc"], instead)

    def _wait(self, left: int, patience: float, found: Found) -> None:
        if time.monotonic() > patience:
            journal = found.journal.fields if found.journal else {}
            raise BusyError(
                "another run (process %s of controller %s) is registering this device"
                % (journal.get("pid"), journal.get("holder")),
                hint="Run again when it has finished; its lease ends in %d seconds at the latest" % left,
            )
        time.sleep(min(left, 2))

    # the change

    def _lease(self) -> int:
        return self._args["retry_time"] + 2 * self._args["timeout"] + LEASE_MARGIN

    def _values(self, wanted: Wanted) -> dict[str, object]:
        return {
            "product_key": wanted.product_key,
            "device_name": wanted.device_name,
            "owner": wanted.owner,
            "group": wanted.group,
            "mode": "%04o" % wanted.mode,
        }

    def _change(self, plan: Plan, found: Found, wanted: Wanted) -> Answer:
        common = dict(self._values(wanted), expected=found.expected)
        gateway = self._gateway
        if plan.step == "remove":
            return self._script(gateway.script("remove", **common))
        if plan.step in ("mend", "finish"):
            staged = ""
            if found.staged and found.journal and found.staged.fingerprint == found.journal.stored:
                staged = str(found.staged)
            return self._script(gateway.install(plan.step, plan.exports, staged_identity=staged, **common))
        token = secrets.token_hex(8)
        announce = plan.step == "announce"
        scripts = Scripts(
            begin=gateway.begin(
                token=token,
                holder="gateway" if self._from_gateway() else holder(),
                pid=os.getpid(),
                start=started(os.getpid()),
                ttl=self._lease(),
                # What is recovered replaces a secret that may be invalid, as after a reset.
                intent=next_intent(found, plan) if self._issues else "renew",
                **common,
            ),
            install=gateway.script("abandon", token=token, keep="yes")
            if announce
            else gateway.install("store", plan.exports, token=token, **common),
            abandon=gateway.script("abandon", token=token, keep="yes" if found.journal else "no"),
        )
        return self._issue(scripts, wanted, announce)

    def _from_gateway(self) -> bool:
        return bool(self._args["register_from"] == "gateway")

    def _issue(self, scripts: Scripts, wanted: Wanted, announce: bool) -> Answer:
        """Have the platform issue a secret and store it; to announce a reset, prove that it could be had."""
        request = signed(self._args, wanted.device_name)
        if announce:
            request = unsigned(request)
        if self._from_gateway():
            return self._issue_from_gateway(scripts, to_fields(request))

        def issued(left: float) -> Issued:
            return issue(request, self._args, min(left, self._args["retry_time"]), requests_post, _paho.exchange)

        return self._store(scripts, issued)

    def _store(self, scripts: Scripts, issued: t.Callable[[float], Issued]) -> Answer:
        return change(self._run_script, scripts, issued, self._lease() - self._args["timeout"])

    def _issue_from_gateway(self, scripts: Scripts, request: dict[str, t.Any]) -> Answer:
        todo = {
            "shell": self._play_context.executable or "/bin/sh",
            "scripts": asdict(scripts),
            "request": request,
            "options": {name: self._args[name] for name in ("ca_path", "validate_certs", "timeout", "retry_time")},
            "window": self._lease() - self._args["timeout"],
        }
        instead = "register_from: controller (gateway_register_from in the role)"
        result = self._run_program("_gateway_registration", todo, instead)
        return Answer(result["outcome"], tuple(result["lines"]))

    def _kept(self, error: Refused, plan: Plan, found: Found, wanted: Wanted) -> dict[str, t.Any]:
        """The end of an interrupted change of a device that is active: the platform had changed nothing."""
        if not was_refused_before(found, wanted, plan, error.may_have_registered) or not self._is_active(error):
            raise error
        self._display.warning(
            "%s: an interrupted registration was settled: the device is activated, so the platform had refused that one "
            "too; the stored credential was kept" % self._vars.get("inventory_hostname")
        )
        values = dict(self._values(wanted), expected=self._look().expected, staged_identity="")
        after = read_state(self._script(self._gateway.install("finish", plan.exports, **values)), found)
        return self._changed(plan, found, wanted, after, registered=False)

    def _is_active(self, error: Refused) -> bool:
        """Whether the platform refused because the device is activated. Over MQTT it does not say why, but lets it log in."""
        if error.code != REFUSED or not self._issues or transport(self._args) == "https":
            return error.code == ALREADY_ACTIVE
        names = (
            "path",
            "region",
            "instance_id",
            "mqtt_endpoint",
            "ca_path",
            "validate_certs",
            "timeout",
            "sign_method",
        )
        task = self._task.copy()
        task.args = {name: self._args[name] for name in names if self._args[name] is not None}
        # A device token stays on the gateway.
        task.args["login_from"] = "gateway" if self._args["auth_type"] == "regnwl" else self._args["register_from"]
        action = self._shared_loader_obj.action_loader.get(
            "fleetops.aliyun_iot.device_login",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return bool(action.run(task_vars=self._vars).get("accepted"))

    def _changed(self, plan: Plan, before: Found, wanted: Wanted, after: Found, registered: bool) -> dict[str, t.Any]:
        done = report(wanted, after, plan)
        changed = plan.reason != "up_to_date"
        return dict(done, changed=changed, registered=registered, diff=difference(before, wanted, plan, after))


def _nothing(_template: str, _variables: dict[str, str]) -> str:
    """What an export holds that is only to be removed."""
    return ""
