# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the scripts of a plan, with their values. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Scripts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Plan, Wanted, stored_identity
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_task import GatewayTask
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Identity, Look
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import ScriptBuilder


@dataclass(frozen=True)
class Steps:
    """Makes the scripts of one plan for one gateway, under the token of the run."""

    builder: ScriptBuilder
    task: GatewayTask
    wanted: Wanted
    token: str

    def remove(self, found: Look) -> str:
        """Return the script remove."""
        return self.builder.script("remove", **self._values(found))

    def repair(self, found: Look, plan: Plan) -> str:
        """Return the script repair. Handlers need not run after a change of owner or mode alone."""
        follows = self._follows() if plan.reason != "attributes" else "no"
        return self.builder.changing("repair", plan.exports, follows=follows, **self._values(found))

    def finish(self, found: Look, plan: Plan, intent: str) -> str:
        """Return the script finish, which takes a lease."""
        lease = {"intent": intent, "ttl": self.task.lease_length()}
        stored = stored_identity(found, self.wanted)
        return self.builder.changing("finish", plan.exports, stored=stored, **lease, **self._values(found))

    def change(self, found: Look, plan: Plan, intent: str, settles: bool) -> Scripts:
        """Return the scripts of a registration, or of the check that one will be possible after a reset."""
        resets = plan.step == "prepare_reset"
        ttl = self.task.lease_length() + (self.task.lease_time if resets else 0)
        values = dict(self._values(found), intent=intent, ttl=ttl, service=self.task.service)
        begin = self.builder.beginning(None, continues="yes" if self.task.lease else "no", **values)
        verifies = "yes" if self.task.verifies else "no"
        store = self.builder.changing(
            "store", plan.exports, follows=self._follows(), verifies=verifies, **self._values()
        )
        return Scripts(begin, "" if resets else store, self.abandon(), settles)

    def proof(self, found: Look, plan: Plan) -> Scripts:
        """Return the scripts that make, in check mode, the checks of a change, and leave nothing behind."""
        whole = plan.step in ("store", "prepare_reset")
        values = dict(self._values(found), proof="yes", intent="", ttl=0, whole="yes" if whole else "no")
        service = self.task.service if whole else None
        begin = self.builder.beginning(None if whole else plan.exports, service=service, **values)
        return Scripts(begin, "", "")

    def settle(self, end: str, stored: Identity | None, exports: tuple[int, ...], follows: bool, reported: bool) -> str:
        """Return the script settle.

        :param stored: the installed credential
        :param follows: whether the change is this run's, so that handlers may have to run
        :param reported: whether the run succeeds, and so reports the change
        """
        values = {"end": end, "stored": stored, "follows": self._follows() if follows else "no"}
        values["reported"] = "yes" if reported else "no"
        return self.builder.changing("settle", exports, **values, **self._values())

    def abandon(self) -> str:
        """Return the script abandon."""
        return self.builder.script("abandon", **self._values())

    def followed(self, due: str) -> str:
        """Return the script followed, which removes the note with the token ``due``."""
        values = self._values()
        values["token"] = due
        return self.builder.script("followed", **values)

    def _follows(self) -> str:
        return "yes" if self.task.follow_up else "no"

    def _values(self, found: Look | None = None) -> dict[str, t.Any]:
        wanted = self.wanted
        values = {
            "product_key": wanted.product_key,
            "device_name": wanted.device_name,
            "wanted_kind": wanted.kind,
            "owner": wanted.owner,
            "group": wanted.group,
            "mode": "%04o" % wanted.mode,
            "token": self.token,
        }
        return dict(values, expected=found.expected) if found else values
