# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what a script printed, whatever it printed."""

from __future__ import annotations

import stat
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from looks import wanted

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._credential import Answer, read_answer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BusyError, StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import decide, lease_left
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._found import (
    Entry,
    Found,
    Identity,
    Journal,
    read_look,
    read_state,
)

STATE = """\
uid 1000
place 1 /etc/agent/iot conf
place 2 /etc/agent/b.conf
stat 41ed 0 0 root root /
stat 81a0 33 44 www-data UNKNOWN /etc/agent/iot conf
stat 41ed 0 0 root root /etc/aliyun-iot
stat 8180 1000 1001 gw gw /etc/aliyun-iot/device.json
path /etc/aliyun-iot/device.json
credential 1111111111111111 a1IoKTestP1 OvenDevice01
staged 2222222222222222 a1IoKTestP1 gw:1@x.y
journal 1 token=ab product_key=a1IoKTestP1 device_name=gw holder=gateway pid=42 start=7 boot=b-1 taken=5 ttl=80
journal stored 3333333333333333
journal stored 2222222222222222
export 1 aaaa  -
hardware_name 02:00:00:00:00:01"""
LOOK = f"""\
missing_tool flock
missing_tool sync
clock b-1 1234
process 42 7
fleetops-state
{STATE}
fleetops-end looked
"""


def look(text: str) -> Found:
    return read_look(read_answer(text))


def test_a_look() -> None:
    assert look(LOOK) == Found(
        expected=STATE,
        uid=1000,
        path="/etc/aliyun-iot/device.json",
        entries={
            "/": Entry(stat.S_IFDIR | 0o755, 0, 0, "root", "root"),
            "/etc/agent/iot conf": Entry(stat.S_IFREG | 0o640, 33, 44, "www-data", "UNKNOWN"),
            "/etc/aliyun-iot": Entry(stat.S_IFDIR | 0o755, 0, 0, "root", "root"),
            "/etc/aliyun-iot/device.json": Entry(stat.S_IFREG | 0o600, 1000, 1001, "gw", "gw"),
        },
        credential=Identity("1111111111111111", "a1IoKTestP1", "OvenDevice01"),
        staged=Identity("2222222222222222", "a1IoKTestP1", "gw:1@x.y"),
        journal=Journal(
            {
                "token": "ab",
                "product_key": "a1IoKTestP1",
                "device_name": "gw",
                "holder": "gateway",
                "pid": "42",
                "start": "7",
                "boot": "b-1",
                "taken": "5",
                "ttl": "80",
            },
            "2222222222222222",
        ),
        places={1: "/etc/agent/iot conf", 2: "/etc/agent/b.conf"},
        exports={1: "aaaa"},
        hardware_name="02:00:00:00:00:01",
        denied=(),
        missing_tools=("flock", "sync"),
        boot="b-1",
        uptime=1234,
        process_start="7",
    )


def test_a_banner_before_and_noise_behind() -> None:
    noisy = f"Welcome to OpenWrt\n\n * uid 5\n{LOOK}logout\nfleetops-end failed\nstat 1 2 3\n"
    assert look(noisy) == look(LOOK)


def test_lines_may_end_as_terminals_end_them() -> None:
    assert look(LOOK.replace("\n", "\r\n")) == look(LOOK)


def minimal(*lines: str) -> Found:
    return look(
        "\n".join(["fleetops-state", "uid 0", "path /d/f", "credential -", "staged -", *lines, "fleetops-end x"])
    )


def test_a_look_at_nothing() -> None:
    nothing = minimal()
    assert (nothing.entry, nothing.credential, nothing.staged, nothing.journal) == (None, None, None, None)
    assert (nothing.boot, nothing.uptime, nothing.process_start, nothing.hardware_name) == ("-", 0, None, "")


@pytest.mark.parametrize("line", ["", "garbled", "1", "stored 3333333333333333"])
def test_any_journal_is_an_open_one(line: str) -> None:
    """Torn or garbled, it still tells that a change was interrupted."""
    journal = minimal(f"journal {line}".rstrip()).journal
    assert journal is not None
    assert journal.stored is None
    assert journal.number("ttl") == 0


@pytest.mark.parametrize("ttl", ["", "x", "-5", "1.5", "\u00b2", "1e3"])
def test_a_number_that_is_none_is_0(ttl: str) -> None:
    assert Journal({"ttl": ttl}).number("ttl") == 0
    assert Journal({}).number("ttl") == 0


def test_what_the_remote_user_may_not_read() -> None:
    text = "fleetops-state\nuid 5\ndenied /etc/x\npath /d/f\ncredential denied\nstaged -\nfleetops-end looked"
    assert look(text).denied == ("/etc/x", "credential")
    assert look(text).credential is None


@pytest.mark.parametrize(
    "line",
    ["uid", "path", "credential", "staged", "fleetops-state"],
)
def test_a_look_without_what_every_look_has(line: str) -> None:
    text = "\n".join(found for found in LOOK.splitlines() if found.partition(" ")[0] != line)
    with pytest.raises(StorageError, match="could not be read"):
        look(text)


@pytest.mark.parametrize(
    "line",
    [
        *("uid root", "stat 81a4 0 0 root root", "stat zz 0 0 root root /x", "stat 81a4 a 0 root root /x"),
        *("place x /d/f", "export 1", "export x aaaa", "path relative", "path ", "place 1 relative", "place 1"),
    ],
)
def test_a_look_that_makes_no_sense(line: str) -> None:
    word = line.partition(" ")[0]
    lines = [line if found.partition(" ")[0] == word else found for found in LOOK.splitlines()]
    with pytest.raises(StorageError, match="could not be read") as caught:
        look("\n".join(lines))
    assert caught.value.hint


@pytest.mark.parametrize(
    "output", ["", "\n", "Password: ", LOOK.replace("fleetops-end", "end"), LOOK[:-20], "fleetops-end"]
)
def test_an_answer_without_its_end(output: str) -> None:
    with pytest.raises(StorageError, match="did not finish") as caught:
        read_answer(output)
    assert "POSIX shell" in caught.value.hint
    assert len(caught.value.msg) < 400


def test_an_unfinished_answer_shows_its_last_lines() -> None:
    with pytest.raises(StorageError, match="sh: awk: not found"):
        read_answer("uid 0\nsh: awk: not found\n")
    with pytest.raises(StorageError, match="no output"):
        read_answer("")


def test_a_failure_has_a_kind_and_a_text() -> None:
    with pytest.raises(StorageError, match="cannot write /x: No space left") as caught:
        read_answer("uid 0\nerror storage cannot write /x: No space left\nfleetops-end failed\n")
    assert caught.value.kind == "storage"
    with pytest.raises(StorageError) as caught:
        read_answer("error unsafe_path /x is a symbolic link\nfleetops-end failed\n")
    assert (caught.value.kind, caught.value.msg) == ("unsafe_path", "/x is a symbolic link")
    with pytest.raises(StorageError, match="unknown"):
        read_answer("fleetops-end failed\n")


def test_a_lock_that_was_not_had() -> None:
    with pytest.raises(BusyError, match="held the lock") as caught:
        read_answer("error busy another process has held the lock\nfleetops-end failed\n")
    assert caught.value.kind == "busy"


def test_an_answers_lines() -> None:
    answer = read_answer("a 1\na\nab 2\na 2 3\nfleetops-end begun\n")
    assert (answer.outcome, answer.lines) == ("begun", ("a 1", "a", "ab 2", "a 2 3"))
    assert answer.all_of("a") == ["1", "", "2 3"]


def test_the_state_after_a_change_keeps_the_clock_of_the_look() -> None:
    before = look(LOOK)
    after = read_state(Answer("installed", tuple(STATE.replace("1111", "4444").splitlines())), before)
    assert after.credential == Identity("4444444444444444", "a1IoKTestP1", "OvenDevice01")
    assert after.expected == STATE.replace("1111", "4444")
    assert (after.boot, after.uptime, after.process_start) == ("b-1", 1234, "7")
    assert after.missing_tools == ("flock", "sync")


@pytest.mark.parametrize(
    ("owner", "group", "mode", "has"),
    [
        (None, None, 0o640, True),
        ("www-data", None, 0o640, True),
        ("33", "44", 0o640, True),
        ("www-data", "UNKNOWN", 0o640, True),
        ("root", None, 0o640, False),
        ("3", None, 0o640, False),
        (None, "www-data", 0o640, False),
        (None, "33", 0o640, False),
        (None, None, 0o600, False),
        (None, None, 0o4640, False),
    ],
)
def test_attributes(owner: str | None, group: str | None, mode: int, has: bool) -> None:
    assert look(LOOK).entries["/etc/agent/iot conf"].has(owner, group, mode) is has


# Lines that look like the real ones, and lines that don't.
WORDS = sorted({line.partition(" ")[0] for line in LOOK.splitlines()} | {"denied", "error", "leftover", "fleetops-end"})
lines = st.one_of(
    st.sampled_from(LOOK.splitlines()),
    st.builds("{} {}".format, st.sampled_from(WORDS), st.text(max_size=30)),
    st.text(max_size=30),
)


@given(st.one_of(st.text(), st.lists(lines, max_size=40).map("\n".join)), st.booleans())
def test_garbage_is_a_storage_error_or_a_look(text: str, ended: bool) -> None:
    # A gateway may lie, but it can neither stop a play with a traceback nor hold it up.
    with suppress(StorageError, BusyError):
        found = look(text + ("\nfleetops-end looked" if ended else ""))
        lease_left(found, "here", lambda _number, _start: True)
        with suppress(StorageError):
            decide(found, wanted())


@given(st.lists(st.sampled_from(range(len(LOOK.splitlines()))), max_size=3))
def test_a_look_with_lines_lost(lost: list[int]) -> None:
    with suppress(StorageError):
        look("\n".join(line for number, line in enumerate(LOOK.splitlines()) if number not in lost))
