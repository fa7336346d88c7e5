# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gateway_recovery on the controller: gateway_credential with the secret that the platform already holds."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.action.gateway_credential import (
    ActionModule as GatewayCredential,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_recovery_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Answer, Issued, Scripts
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import device_secrets
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Plan, Wanted, decide
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._found import Found
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import unproven_name


class ActionModule(GatewayCredential):
    """Looks, decides and stores as gateway_credential does, but nothing is registered."""

    _spec = staticmethod(gateway_recovery_spec)
    _issues = False

    def _check_options(self) -> None:
        # No registration, so no ProductSecret is needed.
        self._args.update(state="present", register="never")
        super()._check_options()
        self._args["register"] = "always" if self._args["force"] else "if_needed"

    def _from_gateway(self) -> bool:
        return False

    def _named(self, found: Found, wanted: Wanted, placeholder: str) -> Wanted:
        """A device token of this device is right, too, and the platform has none to give back."""
        named = super()._named(found, wanted, placeholder)
        held = found.credential
        if (
            held
            and held.kind == "token"
            and not (found.journal or self._args["force"])
            and (held.product_key, held.device_name) == (named.product_key, named.device_name)
        ):
            self._args["auth_type"] = "regnwl"
            named = self._wanted(placeholder, named.device_name)
            self._gateway.set_exports(named.exports)
        if not named.device_name_proven and decide(found, named).step == "store":
            raise unproven_name("recover", named.device_name)
        return named

    def _changed(
        self, plan: Plan, before: Found, wanted: Wanted, after: Found, registered: bool, proven: bool | None
    ) -> dict[str, t.Any]:
        result = super()._changed(plan, before, wanted, after, registered, proven)
        if plan.reason == "forced" and (before.credential, before.entry) == (after.credential, after.entry):
            result["changed"] = False
        return result

    def _issue(self, scripts: Scripts, wanted: Wanted) -> Answer:
        def read(_not_after: float) -> Issued:
            try:
                found = device_secrets(connect(self._args), wanted.product_key, [wanted.device_name])
            except FleetopsError as error:
                # A lost answer to a question leaves everything as it was.
                error.may_have_registered = False
                raise
            if wanted.device_name not in found:
                raise FleetopsError(
                    "recovery of %s: the platform does not know the device" % wanted.device_name,
                    hint="Check the product and the name; a device that was deleted must be added and registered",
                    kind="not_found",
                )
            return Issued(found[wanted.device_name])

        return self._store(scripts, read)
