# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateway's half of a registration: send what the controller signed, store the answer. PRIVATE to the collection.

The action plugin gateway_credential sends this file, and those that it imports, to a Python on the gateway.
"""

from __future__ import annotations

import shlex
import subprocess
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import wait_for_date
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued, Scripts, change
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https import http_client_post
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.registrar import from_fields
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.sender import reach_broker, send


def perform(todo: dict[str, t.Any]) -> dict[str, t.Any]:
    """Take the lease, register, store; before a reset, check that all of it is possible.

    :param todo: the work, from JSON: ``shell`` and its ``scripts`` (from Scripts.split(), with the ``shared`` text), the signed
        ``request``, the ``options`` for sending it, how long the ``lease`` lasts, in seconds, and the ``broker``, host and port, if a
        login has to be possible
    :returns: ``outcome`` and ``lines`` as in ScriptAnswer
    :raises FleetopsError: as change()
    """
    request, options = from_fields(todo["request"]), todo["options"]
    # Before the lease is taken, which is too short for it.
    wait_for_date(options.get("wait_for_clock", 0))

    def run(script: str) -> str:
        command = shlex.split(todo["shell"])  # such as /bin/bash -l
        shell = subprocess.run(
            command, input=script.encode("utf-8"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
        return shell.stdout.decode("utf-8", "replace")

    scripts = Scripts.joined(todo["scripts"], todo["shared"])

    def request_secret(not_after: float) -> Issued | None:
        if todo["broker"]:
            reach_broker(todo["broker"], options, _exchange)
        secret = send(request, options, http_client_post, _exchange, not_after)
        return secret if scripts.store else None

    answer = change(run, scripts, request_secret, todo["lease"], options["timeout"])
    return {"outcome": answer.outcome, "lines": list(answer.lines)}


def _exchange(*arguments: t.Any) -> tuple[int, bytes]:
    """Call exchange() of mqtt_client, which only registrations over MQTT and logins load."""
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import exchange

    return exchange(*arguments)
