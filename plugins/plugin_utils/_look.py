# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A look: the state of a gateway, read from the answer of a script. PRIVATE to the collection."""

from __future__ import annotations

import posixpath
import re
import stat
from dataclasses import dataclass, field, replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import RANGES
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import ScriptAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import (
    ACCOUNT,
    BOOT_ID,
    DIGEST,
    DUE,
    FINGERPRINT,
    HARDWARE_NAME,
    LARGEST_ID,
    LARGEST_TIME,
    PATH,
    bad_answer,
    lines,
    number,
    one_of,
    text,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import DEVICE_NAME, PRODUCT_KEY
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._tools import lacks, missing_tools

_STATE = "fleetops-state"
# The words of the lines after the state: they change by themselves.
_CLOCK, _FLEETING, _ABANDONED = "clock", "fleeting", "abandoned_lock"
_IN_MEMORY = ("tmpfs", "ramfs", "rootfs")
_PERMISSIONS = re.compile(r"[-dlpscbD][r-][w-][xsS-][r-][w-][xsS-][r-][w-][xtT-][.+@]?")
_WORD = re.compile(r"[A-Za-z0-9_.:@=/-]{1,128}")
_INTENTS = ("register", "reset", "renew")
_MARKS = ("stored", "unproven", "dead")
_UNREPORTED = "unreported"
# The longest lease that retry_time, timeout and lease_time allow, in seconds.
LONGEST_LEASE = sum(RANGES[name][1] * times for name, times in (("retry_time", 1), ("timeout", 3), ("lease_time", 1)))


@dataclass(frozen=True)
class Entry:
    """A file as ls shows it; ``user`` and ``group`` are numbers if ls prints no plain name, ``acl`` is true for an access control list."""

    mode: int
    uid: int
    gid: int
    user: str
    group: str
    acl: bool = False

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def permissions(self) -> int:
        return stat.S_IMODE(self.mode)

    def has(self, owner: str | None, group: str | None, mode: int, uid: int, gid: int) -> bool:
        """Return whether owner, group (names or numbers) and mode are these, and no access control list adds others.

        :param uid: the remote user, who is the owner where ``owner`` is None
        :param gid: the remote user's group, likewise
        """
        return (
            (self.uid == uid if owner is None else owner in (self.user, str(self.uid)))
            and (self.gid == gid if group is None else group in (self.group, str(self.gid)))
            and self.permissions == mode
            and not self.acl
        )


@dataclass(frozen=True)
class Identity:
    """A credential without its secret; ``kind`` is ``secret`` or ``token``, for a device token in place of a DeviceSecret."""

    fingerprint: str
    product_key: str
    device_name: str
    kind: str = "secret"

    def __str__(self) -> str:
        """Return the identity in the scripts' output format."""
        words = (self.fingerprint, self.product_key, self.device_name, self.kind if self.kind != "secret" else "")
        return " ".join(words).strip()


@dataclass(frozen=True)
class Journal:
    """An open change.

    ``mark`` is its progress: None, or ``stored``, ``unproven`` or ``dead`` with the ``fingerprint`` of the new credential. The lease
    lasts ``ttl`` seconds from ``taken``, both of the gateway's uptime since ``boot``. A journal that cannot be read
    counts as the worst case: a reset may have happened (intent ``renew``). It has no lease. ``unreported`` is true if the run that stored
    the credential has failed, so that no handlers have run.
    """

    token: str = ""
    intent: str = "renew"
    boot: str = ""
    taken: int = 0
    ttl: int = 0
    mark: str | None = None
    fingerprint: str | None = None
    unreported: bool = False


@dataclass(frozen=True)
class Look:
    """One look. ``expected`` is its text, which the gateway compares before it changes anything."""

    expected: str
    uid: int
    gid: int
    path: str
    entry: Entry | None
    credential: Identity | None
    staged: Identity | None
    journal: Journal | None
    places: dict[int, str] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)  # of exports
    exports: dict[int, str] = field(default_factory=dict)
    hardware_name: str = ""
    denied: tuple[str, ...] = ()
    fleeting: str = ""  # the type of the file system, if a new credential would be in memory
    boot: str = "-"
    uptime: int = 0
    due: str | None = None  # the token of a run whose handlers have not run, or "unknown"
    leftover: bool = False  # an interrupted run left a staged file, or the lock of a process that has ended
    has_root: bool | None = None  # whether it has the root certificate of the login; None if unknown

    def files(self) -> tuple[object, ...]:
        """Return content, owner and mode of the credential and its exports, for a comparison."""
        return self.credential, self.entry, self.exports, self.entries


def read_look(answer: ScriptAnswer, exports: int | None = None) -> Look:
    """Read the answer of a look.

    :param exports: how many exports it must describe
    :raises StorageError: it is not the answer of a look, or the gateway lacks tools
    """
    tools, installer = missing_tools(answer)
    if tools:
        raise lacks(tools, installer)
    start = _position(answer)
    before = ScriptAnswer(answer.outcome, answer.lines[:start])
    after = answer.lines[start + 1 :]
    changing = (_FLEETING, _CLOCK, _ABANDONED)
    fleeting, clocks, abandoned = (ScriptAnswer(answer.outcome, after).all_of(word) for word in changing)
    clock = _words(_CLOCK, (clocks or ["- 0"])[-1], 2)
    state = tuple(line for line in after if line.partition(" ")[0] not in changing)
    found = read_state(ScriptAnswer(answer.outcome, state), exports=exports)
    return replace(
        found,
        fleeting=one_of(_FLEETING, fleeting[-1], _IN_MEMORY) if fleeting else "",
        boot=text("boot", clock[0], BOOT_ID),
        uptime=number("uptime", clock[1], LARGEST_TIME),
        leftover=found.leftover or bool(abandoned),
        has_root=_has_root(before.all_of("root")),
    )


def read_state(answer: ScriptAnswer, before: Look | None = None, exports: int | None = None) -> Look:
    """Read the state that a script printed; the clock is that of the look ``before``.

    :param exports: how many exports it must describe
    :raises StorageError: it is not the answer of a look
    """
    state = ScriptAnswer(answer.outcome, lines("state", answer.lines))
    # A start-up file of the shell may have printed something before the answer.
    begin = max((at for at, line in enumerate(state.lines) if line.startswith("uid ")), default=0)
    state = ScriptAnswer(state.outcome, state.lines[begin:])
    denied = tuple(name for name in ("credential", "staged") if _one(state, name) == "denied")
    entries = dict(_entry(line) for line in state.all_of("entry"))
    places = dict(_place(line) for line in state.all_of("place"))
    digests = dict(_export(line) for line in state.all_of("export"))
    if not (entries.keys() | digests.keys()) <= {0, *places}:
        raise bad_answer("state", "it describes an export without its path")
    if exports is not None and places.keys() != set(range(1, exports + 1)):
        raise bad_answer("state", "it describes other exports than those of the task")
    found = Look(
        expected="\n".join(state.lines),
        uid=number("uid", _one(state, "uid"), LARGEST_ID),
        gid=number("gid", _one(state, "gid"), LARGEST_ID),
        path=_canonical("path", _one(state, "path")),
        entry=entries.pop(0, None),
        credential=_identity("credential", _one(state, "credential")),
        staged=_identity("staged", _one(state, "staged")),
        journal=_journal(state.all_of("journal")),
        places=places,
        entries=entries,
        exports=digests,
        hardware_name=text("hardware_name", (state.all_of("hardware_name") or [""])[0].strip(), HARDWARE_NAME),
        denied=denied,
        due=_due(state.all_of("due")),
        leftover=bool(state.all_of("leftover")),
    )
    if before:
        return replace(found, boot=before.boot, uptime=before.uptime)
    return found


def _has_root(found: list[str]) -> bool | None:
    word = one_of("root", (found or ["unknown"])[-1], frozenset({"yes", "no", "unknown"}))
    return None if word == "unknown" else word == "yes"


def _due(found: list[str]) -> str | None:
    return text("due", found[-1], DUE) if found else None


def _position(answer: ScriptAnswer) -> int:
    if _STATE not in answer.lines:
        raise bad_answer("state", "it is missing")
    return len(answer.lines) - 1 - answer.lines[::-1].index(_STATE)


def _one(state: ScriptAnswer, word: str) -> str:
    found = state.all_of(word)
    if len(found) != 1:
        raise bad_answer(word, "it is there %d times, not once" % len(found))
    return found[0]


def _words(name: str, line: str, *counts: int) -> list[str]:
    words = line.split(" ")
    if len(words) not in counts:
        raise bad_answer(name, "it has %d words" % len(words))
    return words


def _canonical(name: str, path: str) -> str:
    if text(name, path, PATH) != "/" + posixpath.normpath(path).lstrip("/"):
        raise bad_answer(name, "it is not an absolute path without . and ..")
    return path


def _number_of(name: str, word: str) -> int:
    return number(name, word, 1000)


def _place(line: str) -> tuple[int, str]:
    word, _blank, place = line.partition(" ")
    return _number_of("place", word), _canonical("place", place)


def _export(line: str) -> tuple[int, str]:
    # sha256sum prints a "-" for standard input.
    word, digest, *_rest = _words("export", line, 2, 3, 4)
    return _number_of("export", word), text("export", digest, DIGEST)


def _entry(line: str) -> tuple[int, Entry]:
    word, permissions, uid, gid, _size, user, group = _words("entry", line, 7)
    permissions = text("entry", permissions, _PERMISSIONS)
    return _number_of("entry", word), Entry(
        mode=_mode(permissions),
        uid=number("entry", uid, LARGEST_ID),
        gid=number("entry", gid, LARGEST_ID),
        user=uid if user == "-" else text("entry", user, ACCOUNT),
        group=gid if group == "-" else text("entry", group, ACCOUNT),
        # A list whose mask, shown as the group's permissions, is empty gives nobody access.
        acl=permissions.endswith("+") and permissions[4:7] != "---",
    )


def _mode(permissions: str) -> int:
    """Return the numeric mode of the permissions that ls prints."""
    kinds = {
        "-": stat.S_IFREG,
        "d": stat.S_IFDIR,
        "l": stat.S_IFLNK,
        "p": stat.S_IFIFO,
        "s": stat.S_IFSOCK,
        "c": stat.S_IFCHR,
        "b": stat.S_IFBLK,
        "D": 0,
    }
    mode = kinds[permissions[0]]
    for at, letter in enumerate(permissions[1:10]):
        if letter not in "-ST":
            mode |= 0o400 >> at
        if letter in "sStT":
            mode |= {2: stat.S_ISUID, 5: stat.S_ISGID, 8: stat.S_ISVTX}[at]
    return mode


def _identity(name: str, line: str) -> Identity | None:
    if line in ("-", "denied"):
        return None
    words = _words(name, line, 3, 4)
    if words[3:] not in ([], ["token"]):
        raise bad_answer(name, "its kind is not known")
    return Identity(
        text(name, words[0], FINGERPRINT),
        text(name, words[1], PRODUCT_KEY),
        text(name, words[2], DEVICE_NAME),
        "token" if words[3:] else "secret",
    )


def _journal(found: list[str]) -> Journal | None:
    """Read the lines of a journal. A garbled one, as after a power failure, is no error: it is read as the worst case."""
    if not found:
        return None
    fields = dict(word.split("=", 1) for word in found[0].split(" ") if "=" in word and _WORD.fullmatch(word))
    intent, taken, ttl = (fields.get(name, "") for name in ("intent", "taken", "ttl"))
    complete = (
        intent in _INTENTS and _is_time(taken, LARGEST_TIME) and _is_time(ttl, LONGEST_LEASE) and "token" in fields
    )
    journal = Journal()
    if complete:
        journal = Journal(fields["token"], intent, fields.get("boot", ""), int(taken), int(ttl))
    for line in found[1:]:
        mark, _blank, fingerprint = line.partition(" ")
        if mark in _MARKS and FINGERPRINT.fullmatch(fingerprint):
            journal = replace(journal, mark=mark, fingerprint=fingerprint)
    return replace(journal, unreported=_UNREPORTED in found[1:])


def _is_time(digits: str, maximum: int) -> bool:
    return digits.isascii() and digits.isdecimal() and len(digits) <= 16 and int(digits) <= maximum
