# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trying the credential that a gateway holds by one login over MQTT. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import Kind, Refused

# CONNACK codes that say that the credential is not the platform's; what else a login may fail with says nothing of it.
NOT_ACCEPTED = (4, 5)
# Kinds of errors that another time may not have.
_PASSING: tuple[Kind, ...] = (
    "bad_answer",
    "busy",
    "ended_early",
    "internal",
    "network",
    "refused",
    "storage",
    "throttled",
    "tls",
    "unreadable",
)
_OPTIONS = ("path", "region", "instance_id", "mqtt_endpoint", "ca_path", "validate_certs", "timeout", "sign_method")

Login = t.Literal["accepted", "refused", "failed", "impossible"]


def log_in(
    action: ActionBase, options: t.Mapping[str, t.Any], variables: dict[str, t.Any], login_from: str
) -> tuple[Login, str]:
    """Log in once with the credential that is stored.

    :param action: whose connection leads to the gateway
    :param options: the task's, which lead to the platform
    :param login_from: C(gateway) or C(controller)
    :returns: what came of it, and the words for everything but success
    """
    elsewhere = options.get("endpoint") or options.get("openapi_endpoint")
    if not options.get("mqtt_endpoint") and (elsewhere or not (options["region"] or options["instance_id"])):
        return "impossible", "mqtt_endpoint is not set"
    task = action._task.copy()
    task.args = {name: options[name] for name in _OPTIONS if options.get(name) is not None}
    task.args["login_from"] = login_from
    login = action._shared_loader_obj.action_loader.get(
        "fleetops.aliyun_iot.device_login",
        task=task,
        connection=action._connection,
        play_context=action._play_context,
        loader=action._loader,
        templar=action._templar,
        shared_loader_obj=action._shared_loader_obj,
    )
    result = login.run(task_vars=variables)
    if result.get("accepted"):
        return "accepted", ""
    error = result.get("error") or {}
    words = str(error.get("message", ""))
    if error.get("kind") == Refused.kind and error.get("code") in NOT_ACCEPTED:
        return "refused", words
    return ("failed" if error.get("kind") in _PASSING else "impossible"), words
