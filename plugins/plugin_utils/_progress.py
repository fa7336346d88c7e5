# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of a pass, and the channel by which the callback fleet_progress of the same run receives it. PRIVATE to the collection.

The callback opens the channel before Ansible forks, so that the process of a pass has the other end. A snapshot is one datagram and
complete in itself: if the channel is full it is dropped, and the next one replaces it. The result of the pass does not depend on them.
"""

from __future__ import annotations

import json
import socket
import typing as t
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import CHANGES, is_of_device_alone

# Outcomes if only the device was changed on the platform.
_OF_DEVICES = {change: "device " + change for change in CHANGES}
# Outcomes of a gateway, in the order in which they are shown; the last ones are the worst.
FINE = (
    "registered",
    "recovered",
    "repaired",
    "handlers run",
    "removed",
    "prepared",
    *_OF_DEVICES.values(),
    "up to date",
)
UNFINISHED = ("needs a change", "left to a task", "not reached")
BROKEN = ("failed", "not answering")
WORDS = (*FINE, *UNFINISHED, *BROKEN)
# The number of failures that are shown during a pass, and the characters of each.
FAILURES = 4
LENGTH = 300
# Bytes of a datagram, at the most.
_LARGEST = 65536
_OF_REASONS = {
    **{"exists": "removed", "reset_intended": "prepared"},
    **dict.fromkeys(("missing", "unreadable", "identity_changed", "forced"), "recovered"),  # without a registration
}


def word_of(result: t.Mapping[str, t.Any], check_mode: bool = False) -> str:
    """Return one of the words above for a result of gateway_credential, as it is or as a pass has it.

    :param check_mode: whether the result is of check mode
    """
    if result.get("unreachable"):
        return "not answering"
    if result.get("failed"):
        # A look that may not register says so by an error.
        kind = (result.get("error") or {}).get("kind")
        return "needs a change" if check_mode and kind == "registration_needed" else "failed"
    if not result.get("changed"):
        return "up to date" if result.get("reason") else "not reached"  # only its name was read
    if check_mode:
        return "needs a change"
    if is_of_device_alone(result):
        return _OF_DEVICES[result["device_change"]]
    if result.get("reason") == "unfinished":  # what follows an earlier change; with a diff, files were put right too
        return "repaired" if result.get("diff") else "handlers run"
    return "registered" if result.get("registered") else _OF_REASONS.get(str(result.get("reason")), "repaired")


@dataclass(frozen=True)
class Failure:
    """A gateway that failed or did not answer, on one line each."""

    host: str
    message: str
    hint: str = ""


def failure_of(host: str, result: t.Mapping[str, t.Any], length: int = LENGTH) -> Failure:
    """Return message and hint of a failed or unreachable result, safe for a terminal."""
    error = result.get("error")
    details: t.Mapping[str, t.Any] = error if isinstance(error, dict) else {}
    message = details.get("message") or result.get("msg") or ""
    return Failure(clean(host, length), clean(str(message), length), clean(str(details.get("hint") or ""), length))


@dataclass(frozen=True)
class Progress:
    """The progress of a pass: ``total`` gateways are to be worked on, ``finished`` are done, ``running`` under way.

    ``counts`` are of all gateways of the pass, by word; ``seconds`` since this part of it began.
    """

    verb: str
    total: int
    finished: int
    running: int
    seconds: float
    counts: dict[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()

    @property
    def rate(self) -> float:
        """Return the number of gateways a second."""
        return self.finished / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> int | None:
        """Return the seconds left at this rate; None if it is unknown, or nothing is left."""
        left = self.total - self.finished
        return round(left / self.rate) if left and self.rate else None

    def line(self) -> str:
        """Return it on one line."""
        parts = ["%d of %d gateways %s" % (self.finished, self.total, self.verb), "%d under way" % self.running]
        parts += ["%d %s" % (self.counts[word], word) for word in WORDS if self.counts.get(word)]
        parts.append("%.1f a second" % self.rate)
        return ", ".join(parts + ([] if self.left is None else ["about %d s left" % self.left]))


_ENDS: list[socket.socket] = []


def open_channel() -> socket.socket:
    """Open the channel of this process and of those that it forks; return the end that receives."""
    close_channel()
    _ENDS.extend(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
    return _ENDS[0]


def close_channel() -> None:
    """Close the channel, if there is one."""
    while _ENDS:
        _ENDS.pop().close()


def sender(task: str) -> t.Callable[[Progress], None] | None:
    """Return a function that sends snapshots of a task; None if nobody receives them.

    :param task: the ID of the task
    """
    if not _ENDS:
        return None
    end = _ENDS[1]

    def send(progress: Progress) -> None:
        with suppress(OSError):
            end.send(json.dumps({"task": task, **asdict(progress)}).encode(), socket.MSG_DONTWAIT)

    return send


def wake() -> None:
    """Wake the receiver without a snapshot."""
    if _ENDS:
        with suppress(OSError):
            _ENDS[1].send(b"null", socket.MSG_DONTWAIT)


def received(end: socket.socket) -> tuple[str, Progress] | None:
    """Return the next snapshot and its task, None if there is none within the time-out of the socket.

    :raises OSError: the channel is closed
    """
    try:
        snapshot = json.loads(end.recv(_LARGEST))
    except TimeoutError:
        return None
    if not snapshot:
        return None
    task = snapshot.pop("task")
    failures = tuple(Failure(**failure) for failure in snapshot.pop("failures"))
    return task, Progress(**snapshot, failures=failures)
