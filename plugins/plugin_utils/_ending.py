# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""End a change: verify the new credential by a login, and settle the change. PRIVATE to the collection."""

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

    def verify(self, steps: Steps, found: Look, follows: bool) -> tuple[bool, Look]:
        """Log in with the stored credential, and settle the change by the outcome.

        :param follows: whether handlers may have to run after the change; the task decides
        :returns: whether the login was accepted, and the state afterwards
        :raises FleetopsError: of kind not_accepted: the credential is not valid; of kind not_proven: the task asks for a login, and
            there was none
        """
        login, problem = self.login.attempt()
        unknown = "unproven" if self.task.verifies else "closed"
        end = {"accepted": "closed", "impossible": unknown, "failed": "unproven", "refused": "dead"}[login]
        reported = login == "accepted" or not self.task.verifies
        after = self.settle(steps, end, found, follows=follows, reported=reported)
        if login == "refused":
            raise FleetopsError(
                "the new credential is stored, but the platform does not accept it: %s" % problem,
                hint="An earlier request has replaced it, which the platform processed late. Run again, which registers again",
                kind="not_accepted",
            )
        if login != "accepted" and self.task.verifies:
            raise FleetopsError(
                "the new credential is stored, but was not verified by a login: %s" % problem,
                # With the lease of an earlier task, the device was reset: reprovision would do so again.
                hint="Run %s, which only retries the login" % ("provision" if self.task.lease else "again"),
                kind="not_proven",
            )
        if login != "accepted":
            self.display.warning(
                "%s: the new credential is stored, but was not verified by a login: %s. Run an audit, which compares it with the "
                "platform's" % (self.task.host, problem)
            )
        return login == "accepted", after

    def settle(
        self,
        steps: Steps,
        end: str,
        found: Look,
        exports: tuple[int, ...] = (),
        follows: bool = True,
        reported: bool = True,
    ) -> Look:
        """Settle the change, and return the state afterwards.

        :param exports: numbers of those that are written, counted from 1
        :param reported: whether the run succeeds, and so reports the change
        :raises BusyError: another run has taken over
        """
        script = steps.settle(end, found.credential, exports, follows, reported)
        answer = self.remote.answer(script, "settled", "lost")
        if answer.outcome == "lost":
            raise lost()
        return read_state(answer, found, len(found.places))
