# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about what was found: pure functions. PRIVATE to the collection."""

from __future__ import annotations

import posixpath
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    InvalidOption,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._found import Entry, Found

Step = t.Literal["nothing", "store", "finish", "mend", "remove", "announce", "refuse"]


@dataclass(frozen=True)
class Export:
    """A file made of the credential; ``content`` holds a placeholder for the secret, ``digest`` is of that content."""

    dest: str
    owner: str | None
    group: str | None
    mode: int
    content: str
    digest: str


@dataclass(frozen=True)
class Wanted:
    """What the task asks for."""

    product_key: str
    device_name: str
    owner: str | None
    group: str | None
    mode: int
    exports: tuple[Export, ...] = ()
    state: str = "present"
    register: str = "if_needed"
    kind: str = "secret"  # as in Identity


@dataclass(frozen=True)
class Plan:
    """The reason, the step that follows from it, and the exports to write (counted from 1)."""

    reason: str
    step: Step
    exports: tuple[int, ...] = ()


def decide(found: Found, wanted: Wanted) -> Plan:
    """Say what has to be done and why.

    Reasons: up_to_date, missing, unreadable, identity_changed, interrupted, forced, attributes, export, and for
    C(state=absent) absent (there is nothing) or present (there is something to remove). C(state=reset_intended) is always to be
    announced, since what the gateway has proved once may not hold any more; reason up_to_date says that it had been before.

    :raises FleetopsError: the place is not safe or not readable
    """
    _check_places(found, wanted)
    if wanted.state == "absent":
        exported = any(place in found.entries for place in found.places.values())
        left = found.entry or found.journal or found.leftover or exported
        return Plan("present", "remove") if left else Plan("absent", "nothing")
    if wanted.state == "reset_intended":
        return Plan("up_to_date" if _intent(found) == "reset" else "reset_intended", "announce")
    every = tuple(range(1, len(wanted.exports) + 1))
    reason = _registration_reason(found, wanted)
    if reason == "interrupted" and _is_stored(found, wanted):
        return Plan(reason, "finish", every)
    if reason and wanted.register == "never":
        return Plan(reason, "refuse")
    if reason:
        return Plan(reason, "store", every)
    if found.leftover:
        return Plan("interrupted", "finish", every)
    entry = found.entry
    exports = _drifted_exports(found, wanted)
    if entry and not entry.has(wanted.owner, wanted.group, wanted.mode):
        # Whoever reads an export has to hear of its new content, whatever else was mended.
        content = any(found.exports.get(number) != wanted.exports[number - 1].digest for number in exports)
        return Plan("export" if content else "attributes", "mend", exports)
    return Plan("export", "mend", exports) if exports else Plan("up_to_date", "nothing")


def lease_left(found: Found, holder: str, alive: t.Callable[[int, str], bool]) -> int:
    """Seconds for which somebody else may still be registering this gateway's device.

    :param holder: this controller
    :param alive: tells whether a process of this controller (number, start) is alive
    """
    journal = found.journal
    if not journal or not journal.number("ttl"):
        return 0
    if journal.fields.get("holder") == "gateway":
        same = journal.fields.get("boot") == found.boot and journal.fields.get("start") == found.process_start
        if not same:
            return 0
    elif journal.fields.get("holder") == holder and not alive(journal.number("pid"), journal.fields.get("start", "")):
        return 0
    # After a restart of the gateway nobody knows how old the lease was: it ends when all of it has passed again.
    since = journal.number("taken") if journal.fields.get("boot") == found.boot else 0
    return max(0, since + journal.number("ttl") - found.uptime)


def next_intent(found: Found, plan: Plan) -> str:
    """What a journal is opened for: register, reset, or renew, which is to register after a reset was announced.

    It stays at renew when another reset is announced, which may never come: the secret may have been replaced already.
    """
    intent = _intent(found)
    if plan.step == "announce":
        return "renew" if intent == "renew" else "reset"
    return "renew" if intent in ("reset", "renew") else "register"


def was_refused_before(found: Found, wanted: Wanted, plan: Plan, answer_lost: bool) -> bool:
    """Whether a refusal now (6289) means that the interrupted change had changed nothing either, so the credential is valid.

    Had an interrupted registration reached the platform, the secret that is stored here would be invalid, and nobody could have
    activated the device with it. That holds unless a reset came before: a platform that issues a secret only once refuses the
    second registration of a device that is not activated.
    """
    intent = _intent(found)
    reset = intent == "renew" or (intent == "reset" and answer_lost)
    return plan.reason == "interrupted" and _is_wanted(found.credential, wanted) and not reset


def _intent(found: Found) -> str | None:
    return found.journal.fields.get("intent") if found.journal else None


def _registration_reason(found: Found, wanted: Wanted) -> str | None:
    if wanted.register == "always":
        return "forced"
    if found.journal:
        return "interrupted"
    if not found.entry:
        return "missing"
    if not found.credential:
        return "unreadable"
    if not _is_wanted(found.credential, wanted):
        return "identity_changed"
    return None


def _is_wanted(identity: t.Any, wanted: Wanted) -> bool:
    asked = (wanted.product_key, wanted.device_name, wanted.kind)
    return bool(identity) and (identity.product_key, identity.device_name, identity.kind) == asked


def _is_stored(found: Found, wanted: Wanted) -> bool:
    """Whether the interrupted run had the new secret safe on the gateway, staged or already in its place."""
    stored = found.journal and found.journal.stored
    return bool(stored) and any(
        identity and identity.fingerprint == stored and _is_wanted(identity, wanted)
        for identity in (found.credential, found.staged)
    )


def _drifted_exports(found: Found, wanted: Wanted) -> tuple[int, ...]:
    def right(number: int, export: Export) -> bool:
        entry = found.entries.get(found.places[number])
        return bool(
            entry and found.exports.get(number) == export.digest and entry.has(export.owner, export.group, export.mode)
        )

    return tuple(n for n, export in enumerate(wanted.exports, 1) if not right(n, export))


def _check_places(found: Found, wanted: Wanted) -> None:
    if found.missing_tools:
        raise StorageError(
            "the gateway lacks %s" % ", ".join(found.missing_tools),
            hint="Install them (coreutils and awk, or BusyBox with these applets), or add them to its PATH",
            kind="missing_tool",
        )
    if found.denied:
        raise StorageError(
            "the remote user may not read %s" % ", ".join(found.denied),
            hint="Run the task with become: true",
            kind="permission",
        )
    taken = [found.path]
    for number, place in sorted(found.places.items()):
        if place in taken:
            raise InvalidOption(
                "exports[%d].dest" % (number - 1),
                place,
                "is the credential itself" if place == found.path else "is the file of another export",
                "Give every export a file of its own",
            )
        taken.append(place)
    for path in taken:
        entry = found.entries.get(path)
        if entry and not entry.is_file:
            raise StorageError(
                "%s is %s" % (path, _kind(entry)),
                hint="Nothing was changed; remove it, or give the path of a regular file",
                kind="unsafe_path",
            )
        _check_directories(found, path)


def _kind(entry: Entry) -> str:
    if entry.is_directory:
        return "a directory"
    return "a symbolic link" if stat.S_ISLNK(entry.mode) else "neither a file nor a directory"


def _check_directories(found: Found, path: str) -> None:
    holder = posixpath.dirname(path)
    directory = holder
    while True:
        entry = found.entries.get(directory)
        if entry:
            problem = _unsafe(entry, found.uid, directory == holder)
            if problem:
                raise StorageError(
                    "%s: the directory %s %s, so its content can be swapped" % (path, directory, problem),
                    hint="Correct the directory's owner and mode (0755 or narrower), or choose another path",
                    kind="unsafe_path",
                )
        if directory == "/":
            return
        directory = posixpath.dirname(directory)


def _unsafe(entry: Entry, uid: int, holds_it: bool) -> str | None:
    if not entry.is_directory:
        return "is a symbolic link" if stat.S_ISLNK(entry.mode) else "is no directory"
    if entry.uid not in (0, uid):
        return "belongs to %s" % entry.user
    if holds_it and entry.mode & 0o022:
        return "can be written by others than its owner (%04o)" % entry.permissions
    if entry.mode & stat.S_IWOTH and not entry.mode & stat.S_ISVTX:
        return "can be written by everyone (%04o)" % entry.permissions
    return None
