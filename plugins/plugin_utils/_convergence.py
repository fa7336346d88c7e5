# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One gateway's credential: look, decide, change. PRIVATE to the collection.

This code does not use Ansible, and works with any connection. The page "How a credential is changed" describes the protocol.
"""

from __future__ import annotations

import secrets
import typing as t
from contextlib import suppress
from dataclasses import replace
from time import sleep

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import clock
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import ScriptAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    Refused,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _names
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import (
    UNFINISHED,
    Plan,
    Wanted,
    check_allowed,
    decide,
    is_done,
    is_interrupted,
    is_unproven,
    is_unreported,
    keeps_token,
    lease_left,
    next_intent,
    owes_report,
    was_refused_before,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._ending import Ending
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import Render
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_task import GatewayTask
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._issuers import Issuer
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._login import Login
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Identity, Look, read_look, read_state
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Display, Remote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._result import diff, result
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import ScriptBuilder
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._steps import Steps

Result = dict[str, t.Any]

# The longest time, in seconds, that a run waits until the lease of another run ends; twice the length of its own lease if that is longer.
PATIENCE = 300
# Maximum number of answers `stale` (the files have changed since the last look). Another run causes only a few of them.
STALE = 20
IN_MEMORY = "%s: %s is on a file system in memory (%s), so a restart loses the credential. Choose another path"


class Convergence:
    """The work of one task on one gateway, over ``remote``. If it fails, ``known`` has the fields of the result that are known already.

    In check mode, if ``checks`` is true, this class runs the checks that come before a change.
    """

    def __init__(
        self,
        task: GatewayTask,
        remote: Remote,
        issuer: Issuer,
        login: Login,
        render: Render,
        display: Display,
        check_mode: bool = False,
        checks: bool = True,
    ) -> None:
        self.known: Result = {}
        self.seen: Look | None = None  # the last look, also if it led to an error
        self.task = self._task = task
        self.remote = remote
        self._issuer = issuer
        self._login = login
        self._ending = Ending(task, remote, login, display)
        self._render = render
        self._display = display
        self._check_mode = check_mode
        # If no registration is allowed, check mode only looks.
        self._checks = checks and task.register != "never"
        self._reported_name = task.reported_name  # which does not change within a run
        self._looked, self._waiting, self._owed, self._rounds = False, False, False, 0
        # The token of the lease, from an earlier task or new. Only the run whose token is in the journal may continue the change.
        self._token = task.lease or secrets.token_hex(8)
        self._own = [self._token]
        # The plan and the credential at the first answer stale. Its cause can be a script of this run that the connection sent twice.
        self._tried: tuple[Plan, Identity | None] | None = None
        self._placeholder = secrets.token_hex(12)
        if task.state == "reset_intended" or (task.state == "present" and task.register != "never"):
            # A request that cannot be signed fails before the gateway is looked at, and in check mode too.
            issuer.check(task.device_name)
        self._asked = self._wanted = task.wanted(self._placeholder, render)
        name_from = task.name_source, task.interface
        self._builder = ScriptBuilder(task.path, self._asked.exports, self._placeholder, *name_from)
        self._found: Look
        self._plan: Plan

    def run(self) -> Result:
        """Look, and carry out the plan.

        :returns: the result of the task, without secrets
        :raises FleetopsError: the task failed; ``registered`` of the error is true if the platform had already issued a new secret
        """
        if self._task.state == "followed_up":
            return self._followed_up()
        if not self.is_looking():
            return self._withdraw()
        if not self._looked:
            self.look()
        return self.finish()

    # look and decide

    def is_looking(self) -> bool:
        """Return whether the task begins with a look."""
        return self._task.state not in ("reset_withdrawn", "followed_up")

    def look(self) -> None:
        """Look at the gateway and decide on a plan.

        :raises FleetopsError: the look failed, or the plan is not allowed
        """
        look = self._builder.script("look", **self._task.look_values(self._check_mode))
        found = self.seen = read_look(self.remote.answer(look, "looked", "lacking"), len(self._wanted.exports))
        wanted = self._with_hardware_name(found)
        plan = decide(found, wanted, self._task.lease)
        if self._tried and is_done(plan, found, wanted, self._tried[1], self._own):
            plan = replace(plan, step="nothing")
        if (self._checks or not self._check_mode) and is_unreported(plan, found, wanted):
            plan = replace(plan, reason="interrupted")  # the earlier run failed, so its handlers have not run
        self._owed = self._owed or owes_report(plan, found)
        self.known = result(wanted, found, plan)
        check_allowed(plan)
        if plan.step == "store" and found.fleeting:
            self._display.warning(IN_MEMORY % (self._task.host, found.path, found.fleeting))
        if plan.step == "store" and not self._issuer.registers and not wanted.device_name_proven:
            raise _names.unproven_name("recover", wanted.device_name)
        if plan.step in ("store", "prepare_reset"):
            self._issuer.check(wanted.device_name, needed=True)
        self._found, self._wanted, self._plan, self._looked = found, wanted, plan, True

    def device(self) -> tuple[str, str]:
        """Return ProductKey and DeviceName; the name is empty if only the hardware reports it, and it was not read yet."""
        [listed] = self._task.expected_names if len(self._task.expected_names) == 1 else [""]
        return self._wanted.product_key, self._wanted.device_name or listed

    def has_to_act(self) -> bool:
        """Return whether something is to be changed, or checked, after the look."""
        if not self._looked or self._check_mode:
            return self._looked and self._has_to_check()
        return self._plan.step != "nothing" or is_unproven(self._found, self._wanted)

    def _has_to_check(self) -> bool:
        """Return whether check mode has something to check. While another run holds the lease there is nothing: a change would wait."""
        return self._checks and self._plan.step not in ("nothing", "remove") and not lease_left(self._found, self._own)

    def will_register(self) -> bool:
        """Return whether the run will register a device in the way that requires that it was added to the product before."""
        registers = self._issuer.registers and self._task.kind == "secret"
        return self.has_to_act() and self._plan.step == "store" and registers

    def patience(self) -> float:
        """Return the longest time, in seconds, that the run waits until the lease of another run ends."""
        return max(PATIENCE, 2 * self._task.lease_length())

    def finish(self) -> Result:
        """Carry out the plan; look again as often as a script answers stale.

        :returns: the result of the task
        :raises FleetopsError: the task failed
        """
        patience = clock() + self.patience()
        while True:
            plan, found, wanted = self._plan, self._found, self._wanted
            if plan.step != "nothing":
                self._task.check_held(found.journal.token if found.journal else None)
            if self._check_mode:
                if not self._has_to_check() or self._check_change().outcome != "stale":
                    return self._foreseen()
                self._look_once_more()
                continue
            if plan.step == "nothing":
                return self._nothing_to_do()
            if left := lease_left(found, self._own):
                self._wait(left, patience)
                self.look()
                continue
            try:
                answer = self._change()
            except Refused as error:
                return self._settle_refusal(error)
            if answer.outcome == "stale":
                # Look again instead of using the returned state: only a look reports the clock that leases are measured with.
                self._tried = self._tried or (plan, found.credential)
                self._new_token()
                self._look_once_more()
                continue
            if plan.step == "prepare_reset":
                return dict(self._finished_result(found), lease=self._token, lease_ends=self._lease_ends)
            completed = self._completed(read_state(answer, found, len(wanted.exports)))
            if not (plan.step == "finish" and self._goes_on()):
                return completed
            self._new_token()
            self._look_once_more()  # at a finished change; now do what the task asks for

    def _new_token(self) -> None:
        """Take a new token, so that a script that was sent twice and still runs cannot store anything."""
        if not self._task.lease:
            self._token = secrets.token_hex(8)
            self._own.append(self._token)

    def _goes_on(self) -> bool:
        """Return whether the task asks for more than finishing an interrupted change."""
        task = self._task
        return task.state == "reset_intended" or (task.register == "always" and not task.lease)

    def _look_once_more(self) -> None:
        """Look again at a gateway whose files are no longer as in the last look, or whose interrupted change is finished.

        :raises BusyError: this happened too often
        """
        if self._rounds >= STALE:
            raise BusyError("the gateway's files keep changing", hint="Check whether another run works on this gateway")
        self._rounds += 1
        self.look()

    def _wait(self, left: int, patience: float) -> None:
        """Wait for the end of another run's lease, but not beyond ``patience``, a value of clock()."""
        if clock() + left > patience + 1:
            raise BusyError(
                "another run is changing this gateway's device",
                hint="Run again when it has finished; its lease ends in %d seconds at the latest" % left,
            )
        if not self._waiting:
            self._waiting = True
            self._display.display(
                "%s: another run holds the lease on this gateway; waiting for up to %d seconds"
                % (self._task.host, left)
            )
        sleep(min(left, 2))

    # the name

    def _with_hardware_name(self, found: Look) -> Wanted:
        """Return the wanted state, with the DeviceName read from the hardware once it is checked."""
        task, named = self._task, self._asked
        if not task.device_name and task.state != "absent":
            name = _names.hardware_name(found.hardware_name, task.name_source, task.expected_names, self._reported_name)
            self._reported_name = name
            named = task.wanted(self._placeholder, self._render, name)
            if not named.device_name_proven:
                self._check_reported(found, named)
        if not self._issuer.registers and keeps_token(found, named):
            named = task.of_a_token().wanted(self._placeholder, self._render, named.device_name)
        self._builder.set_exports(named.exports)
        return named

    def _check_reported(self, found: Look, named: Wanted) -> None:
        """Check a name that only the gateway's hardware reports."""
        if not self._task.expected_names:
            # The text does not name the host: a warning with the same text is shown only once in a run.
            self._display.warning(_names.UNLIMITED)
        try:
            _names.check_unchanged(named.product_key, named.device_name, (found.credential, found.staged))
        except FleetopsError:
            self.known = result(named, found, Plan("identity_changed", "refuse"))
            raise
        if named.state == "reset_intended":
            _names.check_holder(named.product_key, named.device_name, found.credential)

    # the change

    def _steps(self) -> Steps:
        return Steps(self._builder, self._task, self._wanted, self._token)

    def _change(self) -> ScriptAnswer:
        plan, found, steps = self._plan, self._found, self._steps()
        if plan.step == "remove":
            return self.remote.answer(steps.remove(found), "removed", "stale")
        if plan.step == "repair":
            return self.remote.answer(steps.repair(found, plan), "installed", "stale")
        # If the secret is recovered, the stored one may be invalid, in the same way as after a reset.
        intent = next_intent(found, plan) if self._issuer.registers else "renew"
        if plan.step == "finish":
            return self.remote.answer(steps.finish(found, plan, intent), "installed", "stale")
        lease = self._task.lease_length()
        if plan.step == "prepare_reset":
            self._lease_ends = clock() + lease + self._task.lease_time
        scripts = steps.change(found, plan, intent, self._settles())
        return self._issuer.change(scripts, self._wanted.device_name, lease)

    def _check_change(self) -> ScriptAnswer:
        """Make the checks that the change would make before it begins."""
        scripts = self._steps().proof(self._found, self._plan)
        if self._plan.step in ("store", "prepare_reset"):
            return self._issuer.change(scripts, self._wanted.device_name, self._task.lease_length())
        return self.remote.answer(scripts.begin, "begun", "stale")

    def _settles(self) -> bool:
        """Return whether a refused registration can end the interrupted change: only if a credential of the device is stored."""
        return self._plan.reason in UNFINISHED and is_interrupted(self._found, self._wanted)

    # the end of a change

    def _foreseen(self) -> Result:
        """Return the result of check mode."""
        changes = {} if self._plan.step == "nothing" else {"diff": diff(self._found, self._wanted, self._plan, None)}
        return {**self.known, "changed": self._plan.reason != "up_to_date", **changes}

    def _withdraw(self) -> Result:
        """Release the lease for a reset that was not sent."""
        if not self._check_mode:
            self.remote.answer(self._steps().abandon(), "abandoned", "lost")
        return {"changed": False, "reason": "withdrawn", "path": self._task.path}

    def _followed_up(self) -> Result:
        """Remove the note which records that handlers still have to run."""
        if not self._check_mode:
            self.remote.answer(self._steps().followed(self._task.due), "followed")
        return {"changed": False, "reason": "followed_up", "path": self._task.path}

    def _nothing_to_do(self) -> Result:
        if is_unproven(self._found, self._wanted) and self._found.journal:
            self._token = self._found.journal.token
            # If another run ends this change first, that run reports the outcome of the login.
            with suppress(BusyError):
                # If the run that stored the credential has failed, its handlers have not run.
                proven, after = self._ending.verify(self._steps(), self._found, self._plan.reason == "interrupted")
                self.known.update(proven=proven, due=after.due)
        if self._tried and not self._waiting:
            # The change was made since the first look: by this run, whose script was sent twice, or by another run.
            tried = self._tried[0]
            registered = self._issuer.registers and tried.step == "store" and self._found.due in self._own
            return dict(self.known, reason=tried.reason, registered=registered, changed=True)
        return dict(self.known, changed=self._plan.reason != "up_to_date")

    def _completed(self, after: Look) -> Result:
        """Verify a credential that is in doubt, and return the result."""
        if self._plan.step == "remove" and (after.entry or after.staged or after.journal or after.entries):
            raise StorageError(
                "the credential or one of its exports is on the gateway again after it was removed",
                hint="Stop the program that writes it, such as the agent, and run again",
            )
        registered = self._issuer.registers and self._plan.step == "store"
        proven = None
        unproven = is_unproven(after, self._wanted)
        if after.journal and (unproven or self._plan.step in ("store", "finish")):
            self._token = after.journal.token if unproven else self._token
            try:
                proven, after = self._ending.verify(self._steps(), after, follows=not unproven)
            except FleetopsError as error:
                error.registered, self.known["proven"] = registered, False
                raise
        return self._finished_result(after, registered, proven)

    def _settle_refusal(self, error: Refused) -> Result:
        """After a refusal, keep the stored credential if it is valid: then the interrupted registration had issued no new secret.

        :raises Refused: the credential is not valid, or no change was interrupted
        """
        if self._settles() and self._issuer.says_activated(error):
            login, _problem = self._login.attempt()
            # With the lease of an earlier task, the device was reset. Then a refusal does not show whether the credential is valid.
            knows = self._issuer.says_why() and not self._task.lease
            inferred = knows and was_refused_before(self._found, error.may_have_registered)
            if login == "accepted" or (login != "refused" and inferred):
                end = "unproven" if login == "failed" else "closed"
                after = self._ending.settle(self._steps(), end, self._found, self._plan.exports)
                self._display.warning(
                    "%s: the stored credential was kept: the platform refused to register the device because it is already "
                    "activated, so the interrupted registration had issued no new secret" % self._task.host
                )
                return self._finished_result(after, registered=False, proven=login == "accepted")
        if self._settles() and not error.may_have_registered:
            with suppress(FleetopsError):
                self.remote.answer(self._steps().abandon(), "abandoned", "lost")
        raise error

    def _finished_result(self, after: Look, registered: bool = False, proven: bool | None = None) -> Result:
        before, wanted, plan = self._found, self._wanted, self._plan
        changed = plan.reason != "up_to_date"
        if plan.reason == "forced" and not self._issuer.registers:
            changed = before.files() != after.files() or before.due is not None or self._owed
            if after.due and not changed:
                self.remote.answer(self._steps().followed(after.due), "followed")
                after = replace(after, due=None)
        reset = plan.step == "prepare_reset"
        changes = diff(before, wanted, plan, None if reset else after)
        done = dict(self.known) if reset else dict(result(wanted, after, plan), proven=proven)
        return dict(done, changed=changed, registered=registered, diff=changes)
