# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log in with the stored credential to verify it. PRIVATE to the collection.

The gateway logs in, or the controller does with what the gateway signed. The action plugin device_login sends this file to a Python on
the gateway.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import check_seconds, wait_for_date
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.certificate import LONGEST, Certificate, parse
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import (
    ConnectFields,
    address,
    login,
    token_login,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import log_in
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import mqtt_context

Options = t.Mapping[str, t.Any]


def perform(options: Options) -> dict[str, str]:
    """Log in with the credential that is stored on this host; return its identity, without the secret.

    :raises FleetopsError: it was not accepted, or there is nothing to log in with
    """
    check_options(options)
    stored = _stored(options["path"])
    if stored.kind == "token":
        connect = token_login(stored.product_key, stored.device_name, stored.values["clientId"], stored.secret)
    else:
        connect = login(stored.product_key, stored.device_name, stored.secret, options["sign_method"])
    wait_for_date(options.get("wait_for_clock", 0))
    return verify(options, stored.product_key, stored.device_name, stored.fingerprint, connect)


def verify(
    options: Options,
    product_key: str,
    device_name: str,
    fingerprint: str,
    connect: ConnectFields,
) -> dict[str, str]:
    """Log in; return the identity of the accepted credential.

    :param fingerprint: that of the credential
    :raises FleetopsError: it was not accepted
    """
    log_in(login_address(options, product_key), connect, mqtt_context(options), options["timeout"])
    return {"product_key": product_key, "device_name": device_name, "fingerprint": fingerprint}


def check_options(options: Options) -> None:
    """Check the options, before the credential is read.

    :raises InvalidOption: one is missing or invalid
    """
    check_seconds(options, "timeout")
    login_address(options, "")


def login_address(options: Options, product_key: str) -> tuple[str, int]:
    """Return host and port of a login.

    :raises InvalidOption: the options do not name them
    """
    address_options = (options["region"], options["instance_id"], options["mqtt_endpoint"], options.get("mqtt_port"))
    return address(product_key, *address_options)


def no_credential(path: str, problem: str) -> StorageError:
    """Return the error for a path without a credential to log in with."""
    return StorageError(
        "path: %s %s" % (path, problem), hint="Provision the gateway, or correct path", kind="unreadable"
    )


def _stored(path: str) -> Certificate:
    if os.path.exists(path) and not os.path.isfile(path):
        raise no_credential(path, "is not a regular file")  # reading a pipe would never end
    try:
        with open(path, "rb") as file:
            content = file.read(LONGEST + 1)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", "no file can have this name")
        raise no_credential(path, "cannot be read: %s" % problem) from None
    certificate = parse(content)
    if certificate is None:
        raise no_credential(path, "does not contain a valid credential")
    return certificate
