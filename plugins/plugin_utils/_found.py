# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look at a gateway found. PRIVATE to the collection."""

from __future__ import annotations

import posixpath
import re
import stat
from dataclasses import dataclass, field

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._credential import Answer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError

_STATE = "fleetops-state"


@dataclass(frozen=True)
class Entry:
    """A file or directory as stat shows it."""

    mode: int
    uid: int
    gid: int
    user: str
    group: str

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def permissions(self) -> int:
        return stat.S_IMODE(self.mode)

    def has(self, owner: str | None, group: str | None, mode: int) -> bool:
        """Whether owner, group (names or numbers; None is any) and mode are these."""
        return (
            (owner is None or owner in (self.user, str(self.uid)))
            and (group is None or group in (self.group, str(self.gid)))
            and self.permissions == mode
        )


@dataclass(frozen=True)
class Identity:
    """A credential without its secret; ``kind`` is ``secret`` or ``token``, for a device token in place of a DeviceSecret."""

    fingerprint: str
    product_key: str
    device_name: str
    kind: str = "secret"

    def __str__(self) -> str:
        """As the scripts say it."""
        words = (self.fingerprint, self.product_key, self.device_name, self.kind if self.kind != "secret" else "")
        return " ".join(words).strip()


@dataclass(frozen=True)
class Journal:
    """An open change: whose it is, since when, and how far it came (``stored``: the new credential's fingerprint)."""

    fields: dict[str, str] = field(default_factory=dict)
    stored: str | None = None

    def number(self, name: str) -> int:
        value = self.fields.get(name, "")
        return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else 0


@dataclass(frozen=True)
class Found:
    """One look. ``expected`` is its text, which the gateway compares before it changes anything."""

    expected: str
    uid: int
    path: str
    entries: dict[str, Entry]
    credential: Identity | None
    staged: Identity | None
    journal: Journal | None
    places: dict[int, str]
    exports: dict[int, str]
    hardware_name: str
    denied: tuple[str, ...]
    missing_tools: tuple[str, ...]
    boot: str
    uptime: int
    process_start: str | None
    leftover: bool = False  # a file that was to be renamed is there

    @property
    def entry(self) -> Entry | None:
        return self.entries.get(self.path)


def read_look(answer: Answer) -> Found:
    """Read the answer of a look, or of a script that says that the gateway is no longer as it was.

    :raises StorageError: the answer is not one
    """
    try:
        return _read(answer)
    except (ValueError, IndexError, KeyError) as error:
        raise StorageError(
            "the gateway's answer could not be read (%s)" % error,
            hint="Check that nothing on the gateway prints text into every shell",
        ) from error


def read_state(answer: Answer, before: Found) -> Found:
    """Read the state that a change left; clock and tools are those of the look before."""
    lines = (_STATE, *answer.lines)
    found = read_look(Answer(answer.outcome, lines))
    return Found(
        **{
            **found.__dict__,
            "missing_tools": before.missing_tools,
            "boot": before.boot,
            "uptime": before.uptime,
            "process_start": before.process_start,
        }
    )


def _read(answer: Answer) -> Found:
    start = answer.lines.index(_STATE) + 1
    state = Answer(answer.outcome, answer.lines[start:])
    identities = {name: _identity(state.all_of(name)[0]) for name in ("credential", "staged")}
    denied = state.all_of("denied") + [f for f in ("credential", "staged") if state.all_of(f)[0] == "denied"]
    clock = (answer.all_of("clock") or ["- 0"])[0].split()
    process = (answer.all_of("process") or [""])[0].split()
    return Found(
        expected="\n".join(state.lines),
        uid=int(state.all_of("uid")[0]),
        path=_canonical(state.all_of("path")[0]),
        entries=dict(_entry(line) for line in state.all_of("stat")),
        credential=identities["credential"],
        staged=identities["staged"],
        journal=_journal(state.all_of("journal")),
        places={
            int(n): _canonical(place) for n, _blank, place in (line.partition(" ") for line in state.all_of("place"))
        },
        exports={
            int(n): rest.split()[0] for n, _blank, rest in (line.partition(" ") for line in state.all_of("export"))
        },
        hardware_name=(state.all_of("hardware_name") or [""])[0].strip(),
        denied=tuple(denied),
        missing_tools=tuple(answer.all_of("missing_tool")),
        boot=clock[0],
        uptime=int(clock[1]),
        process_start=process[1] if len(process) == 2 else None,
        leftover=bool(state.all_of("leftover")),
    )


def _canonical(path: str) -> str:
    if path != "/" + posixpath.normpath(path).lstrip("/"):
        raise ValueError("not a path: %.80r" % path)
    return path


def _entry(line: str) -> tuple[str, Entry]:
    mode, uid, gid, user, group, name = line.split(" ", 5)
    return name, Entry(int(mode, 16), int(uid), int(gid), user, group)


def _identity(text: str) -> Identity | None:
    words = text.split()
    return Identity(*words) if len(words) in (3, 4) else None


def _journal(lines: list[str]) -> Journal | None:
    if not lines:
        return None
    fields = dict(word.split("=", 1) for word in lines[0].split() if "=" in word)
    stored = [line.split()[1] for line in lines[1:] if line.startswith("stored ") and len(line.split()) == 2]
    return Journal(fields, stored[-1] if stored else None)
