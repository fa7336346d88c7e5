# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changing a gateway's credential: begin, register, install. PRIVATE to the collection.

The same steps run on the gateway (the module) and on the controller (the action plugin). What touches files is a shell
script that the controller made; here is only who runs it and in which order.
"""

from __future__ import annotations

import shlex
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass, field

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BusyError, FleetopsError, StorageError

RunScript = t.Callable[[str], str]

_END = "fleetops-end "


@dataclass(frozen=True)
class Answer:
    """What a script said: its outcome (looked, begun, stale, installed, ...) and the lines before it."""

    outcome: str
    lines: tuple[str, ...]

    def all_of(self, word: str) -> list[str]:
        """What stands behind ``word`` in the lines that start with it."""
        return [line[len(word) + 1 :] for line in self.lines if line == word or line.startswith(word + " ")]


@dataclass(frozen=True)
class Scripts:
    """The three scripts of a change, complete but for the secret."""

    begin: str
    install: str
    abandon: str


@dataclass(frozen=True)
class Issued:
    """What the platform gave: a DeviceSecret, or a device token and the client id that it belongs to."""

    device_secret: str = field(default="", repr=False)
    device_token: str = field(default="", repr=False)
    client_id: str = ""

    def assignments(self) -> str:
        """Shell assignments of variables that are not exported, even where the environment has one of the name."""
        values = (
            ("device_secret", self.device_secret),
            ("device_token", self.device_token),
            ("client_id", self.client_id),
        )
        return "".join("unset %s\n%s=%s\n" % (name, name, shlex.quote(value)) for name, value in values)


def read_answer(output: str) -> Answer:
    """Read what a script printed.

    :raises StorageError: the script reported a failure, or its answer has no end
    :raises BusyError: the script could not get the lock
    """
    lines = output.splitlines()
    # A login banner may stand before the answer, and a shell's last words behind it.
    ends = [number for number, line in enumerate(lines) if line.startswith(_END)]
    if not ends:
        raise StorageError(
            "the gateway's shell did not finish: %.300s" % (" / ".join(lines[-3:]) or "no output"),
            hint="Check that the gateway has a POSIX shell and that the connection and become work (ansible -m raw -a id)",
        )
    answer = Answer(lines[ends[0]][len(_END) :], tuple(lines[: ends[0]]))
    if answer.outcome == "failed":
        kind, _blank, text = (answer.all_of("error") or ["storage unknown"])[-1].partition(" ")
        if kind == "busy":
            raise BusyError(text, hint="Run again when the other run has finished")
        raise StorageError(
            text, kind=kind, hint="Mend the cause and run again; the next run takes up where this one ended"
        )
    return answer


def change(run: RunScript, scripts: Scripts, issue: t.Callable[[float], Issued], window: float) -> Answer:
    """Take the lease, register, store.

    :param run: runs a script on the gateway and returns what it printed
    :param issue: has the platform issue a new secret; is told how many seconds from now a request may still be sent
    :param window: that time from before the lease is taken; the lease itself must last longer by one request
    :returns: the answer of the last script; outcome ``installed``, or ``stale`` when the gateway is no longer as it was
    :raises FleetopsError: nothing was stored. The journal stays open if the platform may have issued a new secret.
    """
    opened = time.monotonic()
    answer = read_answer(run(scripts.begin))
    if answer.outcome != "begun":
        return answer
    try:
        left = opened + window - time.monotonic()
        if left <= 0:
            raise BusyError("the gateway took too long to grant the lease", hint="Check the connection and run again")
        issued = issue(left)
    except FleetopsError as error:
        if not error.may_have_registered:
            # Where that fails the lease runs out by itself; what the platform said is what has to be told.
            with suppress(FleetopsError):
                read_answer(run(scripts.abandon))
        raise
    try:
        answer = read_answer(run(issued.assignments() + scripts.install))
    except FleetopsError as error:
        error.registered = issued != Issued()
        raise
    if answer.outcome == "lost":
        raise BusyError(
            "the lease ran out before the new secret was stored, and another run has taken over",
            hint="Run again: the other run's credential is the valid one",
        )
    return answer
