# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change a gateway's credential: begin, register, store. PRIVATE to the collection.

The same steps run on the gateway and on the controller. Only shell scripts, which the controller builds, change files; this module runs
them in order, within the lease. The protocol is the docs' "How a credential is changed".
"""

from __future__ import annotations

import shlex
import typing as t
from contextlib import suppress

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import clock
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    Kind,
    Refused,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import message, one_of, split

RunScript = t.Callable[[str], str]

# The beginning of every script. A start-up file may have set aliases, and options that export all variables or print each line; the answer
# begins on a new line.
PREAMBLE = "unalias -a 2>/dev/null || :\nset +axv\necho\n"

_END = "fleetops-end "
BECOME = "Become root: add --become, or set ansible_become: true for the host"
# Kinds of failures that a script reports, and what to do about them.
_HINTS: dict[Kind, str] = {
    "no_service": "Correct service, or install the service first",
    "missing_tool": "Set ansible_shell_executable to a shell that has it, such as dash or BusyBox's ash",
    "permission": BECOME,
    "storage": "Correct the cause and run again; the run resumes where this one stopped",
    "unsafe_path": "Choose a directory that belongs to root and that only root can write to (mode 0755 or less), such as /etc/aliyun-iot, "
    "and let the agent read the file by its owner, group and mode; or correct the owner and mode of the directory, if nothing else writes "
    "to it. Nothing was changed",
}


class ScriptAnswer(t.NamedTuple):
    """The answer of a script: its outcome (looked, begun, stale, installed, ...) and the lines before it."""

    outcome: str
    lines: tuple[str, ...]

    def all_of(self, word: str) -> list[str]:
        """Return the rest of each line that starts with ``word``."""
        start = word + " "
        return [line[len(start) :] for line in self.lines if line == word or line.startswith(start)]


class Scripts(t.NamedTuple):
    """The scripts of a change, complete except for the secret.

    ``store`` is empty if the change is only to be checked. With ``settles``, the lease is kept after a refusal, for an interrupted change
    that the caller settles. ``abandon`` is empty if there is no lease to release.
    """

    begin: str
    store: str
    abandon: str
    settles: bool = False

    def split(self, shared: str) -> dict[str, t.Any]:
        """Return the scripts for JSON, each as the parts before, between and after ``shared``; :meth:`joined` reverses it."""
        parts = {name: text.split(shared) for name, text in self._asdict().items() if name != "settles"}
        return {**parts, "settles": self.settles}

    @classmethod
    def joined(cls, parts: t.Mapping[str, t.Any], shared: str) -> Scripts:
        """Return the scripts of a dictionary from :meth:`split`."""
        texts = {name: shared.join(pieces) for name, pieces in parts.items() if name != "settles"}
        return cls(**texts, settles=parts["settles"])


class Issued(t.NamedTuple):
    """A DeviceSecret, or a device token and the client id that it belongs to.

    ``doubt`` is true if the answer to an earlier request of the same change was lost: the platform may process that request late and
    replace this secret.
    """

    device_secret: str = ""
    device_token: str = ""
    client_id: str = ""
    doubt: bool = False

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return "Issued(doubt=%r)" % self.doubt

    def assignments(self) -> str:
        """Return shell assignments. The variables are unset first, so that none of the environment stays exported with the secret."""
        values = (
            ("device_secret", self.device_secret),
            ("device_token", self.device_token),
            ("client_id", self.client_id),
            ("doubt", "yes" if self.doubt else "no"),
        )
        return "".join("unset %s\n%s=%s\n" % (name, name, shlex.quote(value)) for name, value in values)


def read_answer(output: str) -> ScriptAnswer:
    """Read what a script printed.

    :raises StorageError: the script reported a failure, or its answer has no end
    :raises BusyError: the script could not get the lock
    """
    lines = split("output", output)
    # There may be a login banner before the answer, and messages of the shell after it.
    ends = [number for number, line in enumerate(lines) if line.startswith(_END)]
    if not ends:
        raise StorageError(
            "the gateway's shell did not finish: %s" % (message("\n".join(lines[-3:]), 300) or "no output"),
            hint="Check that the gateway has a POSIX shell and that the connection and become work (ansible -m raw -a id). The become "
            "method must not need a terminal, as doas with a password and sudo with requiretty do: scripts are sent on standard input",
            kind="connection",
        )
    answer = ScriptAnswer(lines[ends[0]][len(_END) :], tuple(lines[: ends[0]]))
    if answer.outcome == "failed":
        reported, _blank, text = (answer.all_of("error") or ["storage unknown"])[-1].partition(" ")
        if reported == "busy":
            raise BusyError(message(text), hint="Run again when the other run has finished")
        kind: Kind = next((known for known in _HINTS if known == reported), "storage")
        raise StorageError(message(text), kind=kind, hint=_HINTS[kind])
    return answer


def change(
    run: RunScript, scripts: Scripts, request_secret: t.Callable[[float], Issued | None], lease: float, timeout: float
) -> ScriptAnswer:
    """Take the lease, register, store.

    :param run: runs a script on the gateway and returns what it printed
    :param request_secret: returns a new secret from the platform, or only checks that it could be issued, and returns None; takes the value
        of clock() after which no request may be sent
    :param lease: how long the lease lasts, in seconds
    :param timeout: how long one request may take, in seconds; the last one is sent so early that it has ended with the lease
    :returns: the answer of the last script; outcome ``installed``, ``begun`` if there is nothing to store, or ``stale`` when the
        gateway is no longer as it was
    :raises FleetopsError: nothing was stored. The journal stays open if the platform may have issued a new secret
    """
    not_after = clock() + lease - timeout
    answer = read_answer(run(scripts.begin))
    outcome = one_of("outcome of begin", answer.outcome, ("begun", "lost", "stale"))
    if outcome == "lost":
        raise lost()
    if outcome == "stale":
        return answer
    try:
        issued = request_secret(not_after)
    except FleetopsError as error:
        if scripts.abandon and not error.may_have_registered and not (scripts.settles and isinstance(error, Refused)):
            # If that fails, the lease ends by itself; report the platform's error.
            with suppress(FleetopsError):
                read_answer(run(scripts.abandon))
        raise
    if issued is None or not scripts.store:
        return answer
    try:
        answer = read_answer(run(PREAMBLE + issued.assignments() + scripts.store))
        one_of("outcome of store", answer.outcome, ("installed", "lost"))
    except FleetopsError as error:
        error.registered = True
        raise
    if answer.outcome == "lost":
        gone = lost()
        gone.registered = True
        raise gone
    return answer


def lost() -> BusyError:
    """Return the error of a run whose lease another run has taken over."""
    return BusyError(
        "the lease ended before the change was finished, and another run has taken over",
        hint="Run again, which finishes what the other run has left unfinished",
    )
