# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""End a task as briefly as ansible-core allows: a short failure, and no handler that nobody wrote. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import is_of_device_alone

# The topic of the role for handlers of the users' own.
TOPIC = "Gateway credential changed"
RESTART = "Restart the service that uses the credential"
# The last handler of the role, which notes on the gateway that those before it have run.
NOTE = "Note that the handlers have run"


class _ShortFailure(AnsibleActionFail):
    """A failed result that is shown alone.

    Since ansible-core 2.19 a failed result is made an error, which is shown above the result with the same message and with lines of the
    playbook's source.
    """

    omit_exception_key = True


class _ShortUnreachable(AnsibleConnectionFailure):
    """The same for a host that did not answer."""

    omit_exception_key = True


def check_failure(task: t.Any, result: t.Mapping[str, t.Any]) -> None:
    """Raise the short failure for a result that failed, if ansible-core has one and no keyword of the task depends on the result.

    :raises AnsibleActionFail: the result failed
    """
    if not result.get("failed") or not hasattr(AnsibleActionFail, "omit_exception_key"):
        return
    if task.failed_when or task.until or task.retries or (task.changed_when and result.get("changed")):
        return
    raise _ShortFailure(str(result.get("msg")), result=dict(result))


def unreachable(error: AnsibleConnectionFailure) -> AnsibleConnectionFailure:
    """Return the short form of the error of a connection."""
    return _ShortUnreachable(str(error))


def drop_idle_handlers(task: t.Any, result: t.Mapping[str, t.Any], service: t.Callable[[], t.Any]) -> None:
    """Leave out of what a task of the role notifies the handlers that have nothing to do.

    Each that is skipped costs a gateway nearly as much as one that runs, and a topic that no handler listens to is an error of
    ansible-core. The keyword names all of them: a template in it would be compiled anew for every gateway.

    :param service: returns the service that is restarted, if there is one
    """
    busy = {TOPIC: lambda: is_heard(task), RESTART: lambda: bool(service()), NOTE: lambda: bool(result.get("due"))}
    if result.get("changed") and task.notify:
        idle = is_of_device_alone(result)  # the credential is as it was
        task.notify = [name for name in task.notify if name not in busy or (not idle and busy[name]())]


def is_heard(task: t.Any) -> bool:
    """Return whether a handler of the play listens to the topic of the role."""
    handlers = [handler for block in task.get_play().handlers for handler in block.block]
    return any(TOPIC in (*_listed(handler.listen), handler.name) for handler in handlers)


def has_followers(task: t.Any, service: t.Any) -> bool:
    """Return whether a task of the role has handlers that have something to do.

    :param service: the option, whose service is restarted
    """
    return NOTE in (task.notify or ()) and (bool(service) or is_heard(task))


def _listed(value: t.Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
