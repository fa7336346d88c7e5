# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the task, the issuer of the secret, and the login that verifies it, from the options of a gateway. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_task import (
    GatewayTask,
    credential_task,
    recovery_task,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._issuers import (
    ControllerIssuer,
    GatewayIssuer,
    Issuer,
    PlatformIssuer,
    ReadProductSecret,
    ReadSecrets,
    login_from,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._login import Login
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote

Options = t.Mapping[str, t.Any]


class GatewayWork(t.NamedTuple):
    """Parts of a convergence."""

    task: GatewayTask
    issuer: Issuer
    login: Login


def credential_work(
    options: Options, host: str, remote: Remote, read_product_secret: ReadProductSecret | None = None
) -> GatewayWork:
    """Return what the options of gateway_credential ask for.

    :param read_product_secret: reads ProductSecret from an account, in place of the option
    :raises InvalidOption: an option is invalid
    """
    kind = GatewayIssuer if options["register_from"] == "gateway" else ControllerIssuer
    login = Login(options, remote, login_from(options))
    return GatewayWork(credential_task(options, host), kind(options, remote, read_product_secret), login)


def recovery_work(options: Options, host: str, remote: Remote, read_secrets: ReadSecrets) -> GatewayWork:
    """Return what the options of gateway_recovery ask for.

    :param read_secrets: reads DeviceSecrets from the account in the options
    :raises InvalidOption: an option is invalid
    """
    login = Login(options, remote, "controller")
    return GatewayWork(recovery_task(options, host), PlatformIssuer(options, remote, read_secrets), login)
