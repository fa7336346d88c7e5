# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""End a task as briefly as ansible-core allows: a short failure, and no handler that nobody wrote. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

# The topic of the role for handlers of the users' own.
TOPIC = "Gateway credential changed"


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


def drop_unheard_topic(task: t.Any) -> None:
    """Leave the topic of the role out of what a task notifies if no handler listens to it, which ansible-core would call an error."""
    if TOPIC not in (task.notify or ()):
        return
    handlers = [handler for block in task.get_play().handlers for handler in block.block]
    if not any(TOPIC in (*_listed(handler.listen), handler.name) for handler in handlers):
        task.notify = [name for name in task.notify if name != TOPIC]


def _listed(value: t.Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
