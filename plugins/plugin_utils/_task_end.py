# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""End a task with a short failure, and without idle handlers, as far as ansible-core allows it. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import is_of_device_alone

# The topic of the role for handlers of the users' own.
TOPIC = "Gateway credential changed"
RESTART = "Restart the service that uses the credential"
# The last handler of the role, which removes the note on the gateway after the others have run.
NOTE = "Note that the handlers have run"


_QUOTED = re.compile(r"""(['"]).*\1""")


class _ShortFailure(AnsibleActionFail):
    """A failed result without a second message.

    Since ansible-core 2.19 a failed result also becomes an exception, which is shown above the result with the same message and with
    lines of the playbook.
    """

    omit_exception_key = True


class _ShortUnreachable(AnsibleConnectionFailure):
    """The same for an unreachable host."""

    omit_exception_key = True


def check_failure(task: t.Any, result: t.Mapping[str, t.Any]) -> None:
    """Raise the short failure for a failed result, if ansible-core supports it and no keyword of the task depends on the result.

    :raises AnsibleActionFail: the result failed
    """
    if not result.get("failed") or not hasattr(AnsibleActionFail, "omit_exception_key"):
        return
    if task.failed_when or task.until or task.retries or (task.changed_when and result.get("changed")):
        return
    raise _ShortFailure(str(result.get("msg")), result=dict(result))


def warn_despite_no_log(action: ActionBase, host: str, result: t.Mapping[str, t.Any]) -> None:
    """Show the error of a task with no_log, which hides the whole result.

    The message contains no option that is a secret. Values in it are hidden, for a secret may have been put into another option.
    """
    if not action._task.no_log or "error" not in result:
        return
    error = result["error"]
    shown = _QUOTED.sub("(hidden by no_log)", error["message"])
    action._display.warning("%s: %s. %s" % (host, shown, error["hint"]))


def unreachable(error: AnsibleConnectionFailure) -> AnsibleConnectionFailure:
    """Return the short form of the error of a connection."""
    return _ShortUnreachable(str(error))


def drop_idle_handlers(task: t.Any, result: t.Mapping[str, t.Any], service: t.Callable[[], t.Any]) -> None:
    """Remove handlers that have nothing to do from the notifications of a task of the role.

    A handler that is skipped takes nearly as long for each gateway as one that runs, and ansible-core fails if no handler listens to a
    topic. The keyword notify lists all handlers, since a template in it would be compiled for every gateway.

    :param service: returns the service to restart, if there is one
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
