# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a change whose credential a login has to prove. PRIVATE to the collection."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import lost
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_task import GatewayTask
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._login import Login
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Look, read_state
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Display, Remote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._steps import Steps


@dataclass(frozen=True)
class Ending:
    """Ends changes of one gateway."""

    task: GatewayTask
    remote: Remote
    login: Login
    display: Display

    def prove(self, steps: Steps, found: Look, follows: bool) -> tuple[bool, Look]:
        """Log in with the credential that is there, and settle the change by what comes of it.

        :param follows: whether something may follow the change, as far as the task says so
        :returns: whether the login was accepted, and what is there afterwards
        :raises FleetopsError: of kind not_accepted: the credential is not valid; of kind not_proven: the task asks for a login, and
            there was none
        """
        login, problem = self.login.attempt()
        unknown = "unproven" if self.task.verifies else "closed"
        end = {"accepted": "closed", "impossible": unknown, "failed": "unproven", "refused": "dead"}[login]
        after = self.settle(steps, end, found, follows=follows)
        if login == "refused":
            raise FleetopsError(
                "the new credential is stored, but the platform does not accept it: %s" % problem,
                hint="A request that was sent before has replaced it. Run again, which registers once more",
                kind="not_accepted",
            )
        if login != "accepted" and self.task.verifies:
            raise FleetopsError(
                "the new credential is stored, but no login has proved it: %s" % problem,
                hint="Run again, which registers nothing and tries the login again",
                kind="not_proven",
            )
        if login != "accepted":
            self.display.warning(
                "%s: the new credential is stored, but no login has proved it: %s. Run an audit, which compares it with the "
                "platform's" % (self.task.host, problem)
            )
        return login == "accepted", after

    def settle(self, steps: Steps, end: str, found: Look, exports: tuple[int, ...] = (), follows: bool = True) -> Look:
        """Settle the change, and return what is there afterwards.

        :param exports: numbers of those that are written, counted from 1
        :raises BusyError: another run has taken over
        """
        script = steps.settle(end, found.credential, exports, follows)
        answer = self.remote.answer(script, "settled", "lost")
        if answer.outcome == "lost":
            raise lost()
        return read_state(answer, found, len(found.places))
