# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the parsing of a script's output, valid or not."""

from __future__ import annotations

import stat
from contextlib import suppress
from typing import Any

import pytest
from any_text import CHARACTERS
from hypothesis import given
from hypothesis import strategies as st
from looks import file, wanted

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import ScriptAnswer, read_answer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BusyError, FleetopsError, StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import decide, lease_left
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import (
    Entry,
    Identity,
    Journal,
    Look,
    read_look,
    read_state,
)

DIGEST = "a" * 64
STATE = f"""\
uid 1000
gid 1001
path /etc/aliyun-iot/device.json
entry 0 -rw------- 1000 1001 97 gw gw
credential 1111111111111111 a1IoKTestP1 OvenDevice01
staged 2222222222222222 a1IoKTestP1 gw:1@x.y
leftover
journal 2 token=ab intent=reset over=no product_key=a1IoKTestP1 device_name=gw boot=b-1 taken=5 ttl=80
journal stored 3333333333333333
journal stored 2222222222222222
place 1 /etc/agent/iot conf
entry 1 -rw-r----- 33 44 120 www-data UNKNOWN
export 1 {DIGEST}  -
place 2 /etc/agent/b.conf
hardware_name 02:00:00:00:00:01"""
LOOK = f"""\
fleetops-state
{STATE}
clock b-1 1234
fleetops-end looked
"""


def look(text: str) -> Look:
    return read_look(read_answer(text))


def test_a_look() -> None:
    assert look(LOOK) == Look(
        expected=STATE,
        uid=1000,
        gid=1001,
        path="/etc/aliyun-iot/device.json",
        entry=Entry(stat.S_IFREG | 0o600, 1000, 1001, "gw", "gw"),
        credential=Identity("1111111111111111", "a1IoKTestP1", "OvenDevice01"),
        staged=Identity("2222222222222222", "a1IoKTestP1", "gw:1@x.y"),
        journal=Journal("ab", "reset", "b-1", 5, 80, "stored", "2222222222222222"),
        places={1: "/etc/agent/iot conf", 2: "/etc/agent/b.conf"},
        entries={1: Entry(stat.S_IFREG | 0o640, 33, 44, "www-data", "UNKNOWN")},
        exports={1: DIGEST},
        hardware_name="02:00:00:00:00:01",
        denied=(),
        boot="b-1",
        uptime=1234,
        leftover=True,
    )


LACKING = "missing_tool flock\nmissing_tool %s\npackages %s\nfleetops-end lacking\n"


def test_tools_that_are_missing() -> None:
    with pytest.raises(StorageError, match="lacks flock, sync") as caught:
        look(f"Welcome to OpenWrt\n{LACKING % ('sync', 'openwrt-opkg')}")
    assert caught.value.kind == "missing_tool"
    assert "(opkg update && opkg install coreutils-flock coreutils-sync)" in caught.value.hint


@pytest.mark.parametrize(
    "words", [("sync", ""), ("sync", "pip"), ("sync", "$(id)"), ("$(id)", "apk"), ("", "apk"), ("a b", "apk")]
)
def test_missing_tools_that_make_no_sense(words: tuple[str, str]) -> None:
    with pytest.raises(StorageError, match="answer was refused") as caught:
        look(LACKING % words)
    assert caught.value.kind == "bad_answer"


def test_a_banner_before_and_noise_behind() -> None:
    noisy = f"Welcome to OpenWrt\n\n * uid 5\nfleetops-state\n{LOOK}logout\nfleetops-end failed\nentry 1 2 3\n"
    assert look(noisy) == look(LOOK)


def test_what_a_start_up_file_prints_before_a_state() -> None:
    """A change prints its state without a line that marks the beginning."""
    assert read_state(ScriptAnswer("installed", ("Welcome", "entry 5", *STATE.splitlines()))) == read_state(
        ScriptAnswer("installed", tuple(STATE.splitlines()))
    )


def test_lines_may_end_as_terminals_end_them() -> None:
    assert look(LOOK.replace("\n", "\r\n")) == look(LOOK)


NOTHING = ("uid 0", "gid 0", "path /d/f", "credential -", "staged -")


def minimal(*lines: str, instead: tuple[str, ...] = NOTHING) -> Look:
    return look("\n".join(["fleetops-state", *instead, *lines, "fleetops-end x"]))


def test_a_look_at_nothing() -> None:
    nothing = minimal()
    assert (nothing.entry, nothing.credential, nothing.staged, nothing.journal) == (None, None, None, None)
    assert (nothing.boot, nothing.uptime, nothing.hardware_name, nothing.leftover) == ("-", 0, "", False)
    assert (nothing.places, nothing.entries, nothing.exports) == ({}, {}, {})


@pytest.mark.parametrize("due", ["0123456789abcdef", "unknown"])
def test_what_follows_is_noted(due: str) -> None:
    assert minimal(f"due {due}").due == due
    assert minimal().due is None


@pytest.mark.parametrize(
    "due", ["", "0123456789abcde", "0123456789ABCDEF", "{{ lookup('file') }}", "known", "a" * 9000]
)
def test_a_note_that_no_run_wrote(due: str) -> None:
    with pytest.raises(StorageError) as caught:
        minimal(f"due {due}")
    assert caught.value.kind == "bad_answer"


# The journal

FIRST = "2 token=ab intent=register over=no product_key=a1 device_name=gw boot=b-1 taken=5 ttl=80"
OPEN = Journal("ab", "register", "b-1", 5, 80)


@pytest.mark.parametrize(
    ("lines", "journal"),
    [
        ([FIRST], OPEN),
        ([FIRST.replace("over=no", "over=yes")], OPEN),
        ([FIRST.replace("=register", "=renew")], Journal("ab", "renew", "b-1", 5, 80)),
        ([FIRST, "stored 1111111111111111"], Journal("ab", "register", "b-1", 5, 80, "stored", "1111111111111111")),
        ([FIRST, "unproven 1111111111111111"], Journal("ab", "register", "b-1", 5, 80, "unproven", "1111111111111111")),
        ([FIRST, "dead 1111111111111111"], Journal("ab", "register", "b-1", 5, 80, "dead", "1111111111111111")),
        # The last mark counts.
        (
            [FIRST, "stored 1111111111111111", "stored 2222222222222222", "dead 3333333333333333"],
            Journal("ab", "register", "b-1", 5, 80, "dead", "3333333333333333"),
        ),
        # An incomplete line is ignored: the marks before it count.
        (
            [FIRST, "stored 1111111111111111", "dead 33333333"],
            Journal("ab", "register", "b-1", 5, 80, "stored", "1" * 16),
        ),
        ([FIRST, "stored"], OPEN),
        ([FIRST, "stored 1111111111111111 x"], OPEN),
        ([FIRST, "garbled"], OPEN),
        ([FIRST, "closed 1111111111111111"], OPEN),
        ([FIRST.replace("boot=b-1 ", "")], Journal("ab", "register", "", 5, 80)),
    ],
)
def test_journals(lines: list[str], journal: Journal) -> None:
    assert minimal(*(f"journal {line}" for line in lines)).journal == journal


@pytest.mark.parametrize(
    "line",
    [
        *("", "garbled", "2", "1", FIRST[:-3], FIRST[:30], FIRST.replace(" ", "  x"), FIRST.replace("token=ab ", "")),
        *(FIRST.replace("=register", f"={intent}") for intent in ("", "prepare", "Renew", "store")),
        *(
            FIRST.replace("taken=5", f"taken={taken}")
            for taken in ("", "x", "-5", "1.5", "\u00b2", "1e3", "9" * 16, "9" * 5000)
        ),
        # The collection takes no lease of that length, and no run may wait for ever.
        *(FIRST.replace("ttl=80", f"ttl={ttl}") for ttl in ("", "x", "-5", "1.5", "\u0662", "1e3", "90901", "9" * 16)),
    ],
)
def test_a_journal_that_cannot_be_read_is_the_worst_case(line: str) -> None:
    """A reset may have happened and have revoked the stored secret; no lease is known."""
    journal = minimal(f"journal {line}".rstrip()).journal
    assert journal == Journal(token="", intent="renew", boot="", taken=0, ttl=0, mark=None, fingerprint=None)
    assert lease_left(minimal(f"journal {line}".rstrip())) == 0


def test_a_mark_counts_though_the_first_line_cannot_be_read() -> None:
    journal = minimal("journal garbled", "journal dead 1111111111111111").journal
    assert journal == Journal(mark="dead", fingerprint="1111111111111111")


@pytest.mark.parametrize("ttl", ["0", "90900"])
def test_the_longest_lease_and_none(ttl: str) -> None:
    """The longest lease is the sum of retry_time (3600 seconds), three times timeout (300), and lease_time (a day)."""
    assert minimal("journal " + FIRST.replace("ttl=80", f"ttl={ttl}")).journal == Journal(
        "ab", "register", "b-1", 5, int(ttl)
    )


# Files


@pytest.mark.parametrize(
    ("letters", "mode", "acl"),
    [
        ("-rw-------", stat.S_IFREG | 0o600, False),
        ("-rw-r-----.", stat.S_IFREG | 0o640, False),
        ("-rwxrwxrwx", stat.S_IFREG | 0o777, False),
        ("-rwsr-sr-t", stat.S_IFREG | 0o7755, False),
        ("-rwSr-Sr-T", stat.S_IFREG | 0o7644, False),
        ("----------", stat.S_IFREG, False),
        ("drwxr-xr-x", stat.S_IFDIR | 0o755, False),
        ("lrwxrwxrwx", stat.S_IFLNK | 0o777, False),
        ("prw-------", stat.S_IFIFO | 0o600, False),
        ("srw-------", stat.S_IFSOCK | 0o600, False),
        ("crw-------", stat.S_IFCHR | 0o600, False),
        ("brw-------", stat.S_IFBLK | 0o600, False),
        # The group's permissions are the mask of the access control list: an empty mask lets no other user in.
        ("-rw-r-----+", stat.S_IFREG | 0o640, True),
        ("-rw--w----+", stat.S_IFREG | 0o620, True),
        ("-rw-------+", stat.S_IFREG | 0o600, False),
    ],
)
def test_a_file_as_ls_shows_it(letters: str, mode: int, acl: bool) -> None:
    assert minimal(f"entry 0 {letters} 5 6 70 u g").entry == Entry(mode, 5, 6, "u", "g", acl)


def test_an_account_without_a_plain_name_is_its_number() -> None:
    assert minimal("entry 0 -rw------- 5 6 70 - -").entry == Entry(stat.S_IFREG | 0o600, 5, 6, "5", "6")


def test_what_the_remote_user_may_not_read() -> None:
    for number, name in ((3, "credential"), (4, "staged")):
        lines = (*NOTHING[:number], f"{name} denied", *NOTHING[number + 1 :])
        found = minimal(instead=lines)
        assert (found.denied, found.credential, found.staged) == ((name,), None, None)


def test_a_device_token() -> None:
    found = minimal(instead=(*NOTHING[:3], "credential 1111111111111111 a1 gw-1 token", "staged -"))
    assert found.credential == Identity("1111111111111111", "a1", "gw-1", "token")


def test_an_identity_is_written_as_the_scripts_print_it() -> None:
    for line in ("1111111111111111 a1 gw-1", "1111111111111111 a1 gw-1 token"):
        assert str(minimal(instead=(*NOTHING[:3], f"credential {line}", "staged -")).credential) == line


# Invalid looks


@pytest.mark.parametrize("word", ["uid", "gid", "path", "credential", "staged", "fleetops-state"])
def test_a_look_without_what_every_look_has(word: str) -> None:
    text = "\n".join(found for found in LOOK.splitlines() if found.partition(" ")[0] != word)
    with pytest.raises(StorageError, match="answer was refused") as caught:
        look(text)
    assert caught.value.kind == "bad_answer"


@pytest.mark.parametrize("line", ["gid 1", "path /x", "credential -", "staged -"])
def test_what_every_look_has_only_once(line: str) -> None:
    with pytest.raises(StorageError, match="2 times"):
        minimal(line)


@pytest.mark.parametrize(
    "line",
    [
        *("uid root", "uid -1", "uid 4294967296", "uid", "gid root", "gid", "clock b-1", "clock b-1 x", "clock b-1 -5"),
        *(
            "clock b-1 9007199254740993",
            "clock ../x 5",
            "clock \u00e4 5",
        ),
        *("entry 0 -rw------- 0 0 5 root", "entry 0 -rw------- 0 0 5 root root x", "entry 0 rw 0 0 5 root root"),
        *("entry 0 frw------- 0 0 5 root root", "entry 0 -rw------- a 0 5 root root", "entry 0 -rw------- 0 a 5 r r"),
        *("entry 0 -rw------- 0 0 5 a;b root", "entry 0 -rw------- 0 0 5 root \x1b[2J", "entry x -rw------- 0 0 5 r r"),
        *("entry 1001 -rw------- 0 0 5 r r", "entry 0 -rw------- 4294967296 0 5 r r", "entry"),
        *(
            "place x /d/f",
            "place 1 relative",
            "place 1",
            "place 1 /a/../b",
            "place 1 /a//b",
            "place 1 /a/",
            "place 1001 /a",
        ),
        *("place 1 /a\x1bb", "place 1 /\u00e4", f"place 1 /{'a' * 4096}"),
        *("path relative", "path ", "path", "path /a/./b", "path /a\x1bb"),
        *(
            "export 1",
            "export x aaaa",
            f"export x {DIGEST}",
            "export 1 aaaa  -",
            f"export 1 {'A' * 64}",
            f"export 1 {DIGEST} a b c",
        ),
        *("credential 1111111111111111 a1", "credential 1111111111111111 a1 gw-1 secret", "credential 1111 a1 gw-1"),
        *("credential 1111111111111111 a1.evil gw-1", "credential 1111111111111111 a1 {{gw-1}}", "credential"),
        *(
            "credential 1111111111111111  gw-1",
            f"credential 1111111111111111 a1 {'g' * 33}",
            "credential 1111111111111111 a1 gw1",
            "staged 1 2 3",
            "staged",
        ),
        *("hardware_name \x1b]0;x", "hardware_name \u202e", f"hardware_name {'a' * 65}"),
    ],
)
def test_a_look_that_makes_no_sense(line: str) -> None:
    word = line.partition(" ")[0]
    lines = [line if found.partition(" ")[0] == word else found for found in LOOK.splitlines()]
    with pytest.raises(StorageError, match="answer was refused") as caught:
        look("\n".join(lines))
    assert caught.value.kind == "bad_answer"
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["ext4", "", "tmpfs x"])
def test_a_place_in_memory_that_is_none(kind: str) -> None:
    assert minimal("fleeting tmpfs").fleeting == "tmpfs"
    with pytest.raises(StorageError) as caught:
        minimal(f"fleeting {kind}")
    assert caught.value.kind == "bad_answer"


def test_an_export_of_which_nobody_says_where_it_is() -> None:
    for line in ("entry 3 -rw-r----- 33 44 120 www-data UNKNOWN", f"export 3 {DIGEST}  -"):
        with pytest.raises(StorageError) as caught:
            look(LOOK.replace("place 2", f"{line}\nplace 2"))
        assert caught.value.kind == "bad_answer"


@pytest.mark.parametrize("exports", [0, 1, 3])
def test_other_exports_than_the_tasks(exports: int) -> None:
    assert len(read_look(read_answer(LOOK), 2).places) == 2
    with pytest.raises(StorageError) as caught:
        read_look(read_answer(LOOK), exports)
    assert caught.value.kind == "bad_answer"


def test_the_state_after_a_change_keeps_the_clock_of_the_look() -> None:
    before = look(LOOK)
    after = read_state(ScriptAnswer("installed", tuple(STATE.replace("1111", "4444").splitlines())), before)
    assert after.credential == Identity("4444444444444444", "a1IoKTestP1", "OvenDevice01")
    assert after.expected == STATE.replace("1111", "4444")
    assert (after.boot, after.uptime) == ("b-1", 1234)


# The file is of uid 33 (www-data) and gid 44 (UNKNOWN); ``user`` is uid and gid of the remote user.
@pytest.mark.parametrize(
    ("owner", "group", "mode", "user", "has"),
    [
        (None, None, 0o640, (33, 44), True),
        ("www-data", None, 0o640, (33, 44), True),
        ("33", "44", 0o640, (33, 44), True),
        ("33", "44", 0o640, (0, 0), True),
        ("www-data", "UNKNOWN", 0o640, (0, 0), True),
        ("root", None, 0o640, (33, 44), False),
        ("3", None, 0o640, (33, 44), False),
        (None, "www-data", 0o640, (33, 44), False),
        (None, "33", 0o640, (33, 44), False),
        (None, None, 0o600, (33, 44), False),
        (None, None, 0o4640, (33, 44), False),
        (None, None, 0o640, (0, 44), False),
        (None, None, 0o640, (33, 0), False),
        ("33", None, 0o640, (0, 0), False),
        (None, "44", 0o640, (0, 0), False),
    ],
)
def test_attributes(owner: str | None, group: str | None, mode: int, user: tuple[int, int], has: bool) -> None:
    assert look(LOOK).entries[1].has(owner, group, mode, *user) is has


def test_whoever_is_let_in_by_a_list_is_no_owner() -> None:
    assert file(0o640).has(None, None, 0o640, 0, 0)
    assert not file(0o640, acl=True).has(None, None, 0o640, 0, 0)
    assert not file(0o640, acl=True).has("root", "root", 0o640, 0, 0)


# Lines that resemble real ones, and lines that do not.
WORDS = sorted({line.partition(" ")[0] for line in LOOK.splitlines()} | {"error", "leftover", "fleetops-end"})
lines = st.one_of(
    st.sampled_from(LOOK.splitlines()),
    st.builds("{} {}".format, st.sampled_from(WORDS), st.text(CHARACTERS, max_size=30)),
    st.text(CHARACTERS, max_size=30),
)


def check(found: Look) -> Any:
    """Check that all values of a look are valid and short; return its plan, if it has one."""
    for name in (found.path, *found.places.values()):
        assert name.startswith("/")
        assert name.isprintable()
    for identity in (found.credential, found.staged):
        assert identity is None or len(str(identity)) <= 16 + 1 + 32 + 1 + 32 + 6
    for entry in (found.entry, *found.entries.values()):
        assert entry is None or (entry.user + entry.group).isprintable()
    assert 0 <= lease_left(found) <= 90900
    with suppress(FleetopsError):
        return decide(found, wanted())


@given(st.one_of(st.text(CHARACTERS), st.lists(lines, max_size=40).map("\n".join)), st.booleans())
def test_garbage_is_a_storage_error_or_a_look(text: str, ended: bool) -> None:
    # A gateway may lie, but can neither stop a play with a traceback nor delay it.
    with suppress(StorageError, BusyError):
        check(look(text + ("\nfleetops-end looked" if ended else "")))


@given(st.lists(lines, max_size=4), st.lists(st.sampled_from(range(len(LOOK.splitlines()))), max_size=3), st.data())
def test_a_look_with_lines_lost_and_others_put_in(more: list[str], lost: list[int], data: st.DataObject) -> None:
    answer = [line for number, line in enumerate(LOOK.splitlines()) if number not in lost]
    for line in more:
        answer.insert(data.draw(st.integers(0, len(answer))), line)
    with suppress(StorageError, BusyError):
        check(look("\n".join(answer)))
