# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task of one gateway: its checked options, and the wanted state. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import check_seconds
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BusyError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_device_name, check_product_key
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _names
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Wanted
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import (
    Render,
    credential_parts,
    render_exports,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import (
    check_connection,
    check_due,
    check_interface,
    check_lease,
    check_mode,
    check_owner,
    check_path,
    check_service,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._roots import Root, needed_root

Options = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class GatewayTask:
    """One gateway's task, without secrets.

    ``device_name`` is None if the name comes from the hardware. Times are in seconds.
    """

    host: str
    product_key: str
    device_name: str | None
    name_source: str
    interface: str | None
    expected_names: tuple[str, ...]
    reported_name: str | None
    path: str
    owner: str | None
    group: str | None
    mode: str
    exports: tuple[dict[str, t.Any], ...]
    state: str
    register: str
    kind: str  # as in Identity
    lease: str
    lease_time: int
    timeout: int
    retry_time: int
    service: str | None = None
    follow_up: bool = False
    verifies: bool = False
    due: str = ""
    root: Root | None = None

    def lease_length(self) -> int:
        """Return the seconds that a lease lasts: those of all attempts, and of three more requests."""
        return self.retry_time + 3 * self.timeout

    def check_held(self, token: str | None) -> None:
        """Check that the gateway has the lease that this task continues, if it continues one.

        :param token: that of the gateway's lease
        :raises BusyError: the gateway has another lease, or none
        """
        if self.lease and self.lease != token:
            raise BusyError(
                "the gateway does not have this lease: it has ended, and another run has taken over, or it was never taken there",
                hint="Run again without it, which finishes what another run has left unfinished",
            )

    def wanted(self, placeholder: str, render: Render, device_name: str = "") -> Wanted:
        """Return the state that is wanted.

        :param placeholder: replaces the secret in exports
        :param device_name: the one that the hardware reported
        :raises InvalidOption: an export is invalid
        """
        name = device_name or self.device_name or ""
        exports = render_exports(
            self.exports,
            credential_parts(self.kind, self.product_key, name, placeholder),
            placeholder,
            (self.owner, self.group, self.mode),
            # Do not render on removal: a broken template must not prevent it.
            render if self.state != "absent" else _render_nothing,
        )
        return Wanted(
            product_key=self.product_key,
            device_name=name,
            owner=self.owner,
            group=self.group,
            mode=check_mode("mode", self.mode),
            exports=exports,
            state=self.state,
            register=self.register,
            kind=self.kind,
            device_name_from=self.name_source,
            follow_up=self.follow_up,
            device_name_proven=bool(name) and _names.is_proven(self.name_source, self.expected_names),
            root=self.root,
        )

    def look_values(self, check_mode: bool) -> dict[str, str]:
        """Return further values of the script look, which searches a root certificate only in check mode, since that takes time."""
        root = self.root if check_mode and self.state == "present" else None
        return {"root_line": root.line, "root_path": root.path} if root else {}

    def of_a_token(self) -> GatewayTask:
        """Return the same for a gateway that holds a device token in place of a DeviceSecret."""
        return replace(self, kind="token")


def credential_task(options: Options, host: str) -> GatewayTask:
    """Return what the options of gateway_credential ask for.

    :param host: the name of the gateway in the inventory
    :raises InvalidOption: an option is invalid
    """
    check_lease(options)
    return _task(
        options,
        host,
        state=options["state"],
        register=options["register"],
        kind="token" if options["auth_type"] == "regnwl" else "secret",
        lease=options["lease"] or "",
        lease_time=options["lease_time"],
        verifies=options["verify"] == "login",
        due=check_due(options),
        root=needed_root(options),
    )


def recovery_task(options: Options, host: str) -> GatewayTask:
    """Return what the options of gateway_recovery ask for; reading the secret from the platform takes the place of a registration.

    :raises InvalidOption: an option is invalid
    """
    return _task(options, host, state="present", register="always" if options["force"] else "if_needed")


def _task(
    options: Options,
    host: str,
    *,
    state: str,
    register: str,
    kind: str = "secret",
    lease: str = "",
    lease_time: int = 0,
    verifies: bool = False,
    due: str = "",
    root: Root | None = None,
) -> GatewayTask:
    _names.check_expected_names(options["expected_names"])
    check_seconds(options, "timeout", "retry_time")
    check_connection(options)
    name = options["device_name"]
    service, follow_up = check_service(options["service"]), options["follow_up"]
    source = "device_name" if name else options["device_name_from"]
    if not name and source not in _names.HARDWARE:
        name = host
    task = GatewayTask(
        host=host,
        product_key=check_product_key(options["product_key"]),
        device_name=check_device_name(name) if name is not None else None,
        name_source=source,
        interface=check_interface(options["device_name_interface"]),
        expected_names=tuple(options["expected_names"]),
        reported_name=options["reported_name"],
        path=check_path("path", options["path"]),
        owner=check_owner("owner", options["owner"]),
        group=check_owner("group", options["group"]),
        mode=options["mode"],
        exports=tuple(options["exports"]),
        state=state,
        register=register,
        kind=kind,
        lease=lease,
        lease_time=lease_time,
        timeout=options["timeout"],
        retry_time=options["retry_time"],
        service=service,
        # A service is restarted after a change.
        follow_up=bool(service) if follow_up is None else follow_up,
        verifies=verifies,
        due=due,
        root=root,
    )
    check_mode("mode", task.mode)
    return task


def _render_nothing(_template: str, _variables: dict[str, str]) -> str:
    """Render nothing, for an export that is about to be removed."""
    return ""
