# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell scripts exactly as they are sent, in every kind of shell: the state before and after."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import wait_for
from script_box import (
    CLIENT,
    KEY,
    NAME,
    NEW_SECRET,
    PLACEHOLDER,
    ROOT,
    SECRET,
    TOOLS,
    Box,
    Shell,
    as_nobody,
    fingerprint,
    identity,
    line,
    mode,
    on_small_disk,
)
from shells import installed, write_script

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import (
    Issued,
    ScriptAnswer,
    read_answer,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BusyError, StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import ACCOUNT, UNUSABLE
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _scripts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import (
    Export,
    Wanted,
    stored_identity,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import (
    Identity,
    Journal,
    read_look,
    read_state,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import ScriptBuilder

# Shells


@pytest.mark.parametrize("command", installed(("dash", "mksh", "lksh", "ksh93", "yash")))
def test_every_posix_shell(folder: Path, command: str) -> None:
    """A shell need not have printf as a builtin, and mksh counts in 32 bits."""
    box = Box(Shell((command,), os.environ["PATH"]), folder)
    box.exports = (export(box, 1, f"secret={PLACEHOLDER}\n"),)
    assert box.begin(box.look()).outcome == "begun"
    assert box.store().outcome == "installed"
    assert box.look().credential == identity()
    assert box.begin(box.look()).outcome == "begun"
    assert box.store(NEW_SECRET, doubt=True).outcome == "installed"
    assert box.settle(identity(NEW_SECRET), token="token1").outcome == "settled"
    box.path.chmod(0o640)
    (box.folder / "1.conf").unlink()
    assert box.repair(box.look(), 1).outcome == "installed"
    assert (box.folder / "1.conf").read_text() == f"secret={NEW_SECRET}\n"
    assert box.files() == ["1.conf", "iot", "iot/device.json"]
    assert box.remove(box.look()).outcome == "removed"
    assert box.files() == ["iot"]


@pytest.mark.parametrize(("size", "limited"), [("4097", 4097), ("999999999", 999999999), ("3000000000", 999999999)])
def test_a_size_that_32_bits_cannot_hold(shell: Shell, size: str, limited: int) -> None:
    """In mksh, [ 3000000000 -le 4096 ] is true."""
    text = (Path(_scripts.__file__).parent / "shell/credential.sh").read_text()
    done = subprocess.run(
        shell.command,
        input=f'{text}\nsize_of x {size}\necho "$size"\nls() {{ echo -rw------- 1 0 0 {size}; }}\nsize_of x\necho "$size"\n',
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": shell.path},
    )
    assert done.stdout.split() == [str(limited)] * 2


def test_aliases_of_a_start_up_file(box: Box) -> None:
    aliases = "alias echo='echo alias' ls='ls -s' exit=: printf=echo cat='cat -n' read=true set=:\n"
    assert read_look(read_answer(box.output(aliases + box.gateway.script("look")))).credential is None
    assert box.run(aliases + box.begin_script(box.look())).outcome == "begun"
    assert box.run(aliases + box.store_script(Issued(SECRET))).outcome == "installed"
    assert box.path.read_text() == line()


@pytest.mark.parametrize("command", installed(("dash", "mksh")))
@pytest.mark.parametrize("octets", [90_000, 200_000])
def test_an_export_that_a_printf_that_is_a_program_cannot_get(folder: Path, command: str, octets: int) -> None:
    """Linux passes at most 128 KiB to a program in one argument."""
    box = Box(Shell((command,), os.environ["PATH"]), folder)
    box.exports = (export(box, 1, f"{PLACEHOLDER}{'x' * octets}\n"),)
    script = box.begin_script(box.look())
    if octets > 100_000:
        with pytest.raises(StorageError, match="no builtin printf") as refused:
            box.run(script.replace("$(command -v printf)", "/usr/bin/printf"))
        assert refused.value.kind == "missing_tool"
        assert not box.journal.exists()
    elif command == "mksh":
        assert box.run(script).outcome == "begun"
        assert box.store().outcome == "installed"
        assert (box.folder / "1.conf").stat().st_size == octets + len(SECRET) + 1


def test_an_export_that_printf_does_not_print(one: Box) -> None:
    one.exports = (export(one, 1, f"{PLACEHOLDER}\n"),)
    one.provision()
    script = one.gateway.changing("repair", (1,), **one.values(one.look()))
    broken = f'printf() {{ case $* in *{PLACEHOLDER}*) echo printf: cannot >&2 ;; *) command printf "$@" ;; esac; }}\n'
    with pytest.raises(StorageError, match=r"cannot write .*/\.1\.conf\.new: printf: cannot"):
        one.run(broken + script)


# The life of a credential


def test_a_first_registration(box: Box) -> None:
    found = box.look()
    assert box.files() == [], "a look changes nothing"
    assert (found.path, found.uid, found.denied) == (str(box.path), os.geteuid(), ())
    assert (found.entry, found.credential, found.staged, found.journal) == (None, None, None, None)
    assert found.uptime > 0
    assert found.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    assert box.begin(found).outcome == "begun"
    assert box.files() == ["iot", *(f"iot/.device.json.{end}" for end in ("journal", "new", "spare"))]
    assert (mode(box.path.parent), mode(box.journal), mode(box.new)) == (0o755, 0o600, 0o600)
    begun = box.look()
    assert begun.journal is not None
    assert found.uptime <= begun.journal.taken <= found.uptime + 60
    assert replace(begun.journal, taken=0) == Journal("token1", "register", found.boot, 0, 80)
    words = box.journal.read_text().split()
    assert {f"product_key={KEY}", f"device_name={NAME}", "over=no"} <= set(words)
    assert begun.staged is not None
    assert (begun.staged.product_key, begun.staged.device_name) != (KEY, NAME), "a probe"

    installed = box.store()
    assert installed.outcome == "installed"
    assert box.path.read_text() == line()
    assert mode(box.path) == 0o600
    assert box.files() == ["iot", "iot/device.json"]
    after = read_state(installed, found)
    assert after.credential == Identity(fingerprint(SECRET), KEY, NAME)
    assert after.expected == box.look().expected
    assert SECRET not in "\n".join(installed.lines)


def test_a_new_secret_replaces_the_old_one(box: Box) -> None:
    box.provision()
    before = box.path.stat().st_ino
    box.begin(box.look())
    assert box.path.read_text() == line(), "the old one stays until the new one is complete"
    box.store(NEW_SECRET)
    assert box.path.read_text() == line(NEW_SECRET)
    assert box.path.stat().st_ino != before, "a new file was renamed over it"
    assert box.look().credential == identity(NEW_SECRET)
    assert box.files() == ["iot", "iot/device.json"]


def test_removal(box: Box) -> None:
    box.exports = (export(box, 1, "x\n"),)
    box.provision()
    for path in (box.new, box.journal, Path(f"{box.journal}.new"), box.folder / "1.conf", box.folder / ".1.conf.new"):
        path.write_text("left\n")
    (box.path.parent / "other").write_text("other's\n")
    answer = box.remove(box.look())
    assert answer.outcome == "removed"
    assert box.files() == ["iot", "iot/other"]
    assert read_look(ScriptAnswer("", ("fleetops-state", *answer.lines))).entry is None


def test_removal_of_what_an_interrupted_run_left(box: Box) -> None:
    box.path.parent.mkdir()
    for path in (box.new, box.journal, Path(f"{box.journal}.new")):
        path.write_text("left\n")
    box.remove(box.look())
    assert box.files() == ["iot"]


def test_removal_of_nothing(box: Box) -> None:
    assert box.remove(box.look()).outcome == "removed"
    assert box.files() == []


def test_repairing(box: Box) -> None:
    box.provision()
    box.path.chmod(0o644)
    box.attributes["mode"] = "0640"
    before = box.path.stat().st_ino
    assert box.repair(box.look()).outcome == "installed"
    assert (mode(box.path), box.path.stat().st_ino, box.path.read_text()) == (0o640, before, line())


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_owner_and_group(box: Box) -> None:
    box.attributes = {"owner": "1234", "group": "2345", "mode": "0640"}
    box.exports = (export(box, 1, f"{PLACEHOLDER}\n", owner="3456", group=None, mode=0o600),)
    box.begin(box.look())
    box.store()
    (box.folder / "1.conf").unlink()
    os.chown(box.path, 0, 0)
    box.repair(box.look(), 1)
    owners = [(path.stat().st_uid, path.stat().st_gid) for path in (box.path, box.folder / "1.conf")]
    assert owners == [(1234, 2345), (3456, os.getegid())]
    assert [mode(path) for path in (box.path, box.folder / "1.conf")] == [0o640, 0o600]
    assert box.path.parent.stat().st_uid == 0, "who owns the directory could swap the file"


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
@pytest.mark.parametrize(
    ("had", "wanted", "calls"),
    [
        # The new group never has the rights of the old mode, and gets those of the new mode last.
        (0o660, "0600", ["chmod 0600 0", "chown 0600 2345"]),
        (0o664, "0640", ["chmod 0600 0", "chown 0600 2345", "chmod 0640 2345"]),
        # No right has to be removed first.
        (0o640, "0640", ["chown 0640 2345"]),
        (0o600, "0640", ["chown 0600 2345", "chmod 0640 2345"]),
    ],
)
def test_a_new_group_never_has_the_rights_of_the_old_one(
    one: Box, tmp_path: Path, had: int, wanted: str, calls: list[str]
) -> None:
    one.attributes = {"owner": "0", "group": "2345", "mode": wanted}
    one.provision()
    one.path.chmod(had)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("chown", "chmod"):
        noted = f"echo {tool} $(stat -c '0%a %g' {one.path}) >>{tmp_path}/noted"
        write_script(tools / tool, f'{one.shell.tool(tool)} "$@" || exit\n{noted}')
    one.environment = {"PATH": f"{tools}:{one.shell.path}"}
    assert one.repair(one.look()).outcome == "installed"
    assert (tmp_path / "noted").read_text().splitlines() == calls
    assert mode(one.path) == int(wanted, 8)


# Valid and invalid credentials


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "garbage\n",
        "\0\0\0\0",
        line() + line(),
        line()[:40],
        line()[:-2],
        line().replace(":", ": "),
        line().replace("{", "[").replace("}", "]"),
        line().replace("deviceName", "name"),
        line().replace("deviceSecret", "secret"),
        line(secret=""),
        line(name=""),
        line(key=""),
        line(secret="back\\\\slash"),
        line(secret="with blank"),
        line(secret='quo\\"te'),
        line(name="with blank"),
        line(name="$(id)"),
        line(key="a1/b"),
        line(secret="se\u00e7ret"),
        line(secret="~root"),
        line(secret="$(id)"),
        line(secret="`id`"),
        line(secret="a;b"),
        line(secret="0" * 65),
        line(name="g" * 33),
        line(key="a" * 33),
    ],
    ids=range(28),
)
def test_what_is_no_credential(one: Box, content: str) -> None:
    one.provision()
    one.path.write_bytes(content.encode())
    found = one.look()
    assert (found.credential, found.entry is not None) == (None, True)


@pytest.mark.parametrize("secret", [SECRET, NEW_SECRET, "a", "-_.+/=", "0" * 64])
def test_what_is_a_credential(box: Box, secret: str) -> None:
    box.provision(secret)
    assert box.look().credential == Identity(fingerprint(secret), KEY, NAME)
    box.path.write_text(line(secret).rstrip("\n"))
    assert box.look().credential == Identity(fingerprint(secret), KEY, NAME)


def test_a_look_starts_few_programs(one: Box, tmp_path: Path) -> None:
    """A look starts few programs, because on many gateways the start of a program takes longer than its work."""
    one.provision()
    started = note_tools(one, tmp_path)
    assert one.look().credential == identity()
    assert sorted(started.read_text().split()) == ["awk", "id", "ls", "sha256sum"]


def test_a_change_starts_few_programs(one: Box, tmp_path: Path) -> None:
    """A change starts few programs: cat only writes the probe and the credential."""
    found = one.look()
    started = note_tools(one, tmp_path)
    one.begin(found)
    begun = sorted(started.read_text().split())
    started.unlink()
    assert one.store().outcome == "installed"
    of_both = ["awk", "cat", "id", "ls", "ls", "ls", "mv", "rm", "sha256sum", "sync", "sync"]
    assert begun == sorted([*of_both, "mkdir", "mv"])
    assert sorted(started.read_text().split()) == sorted([*of_both, "rm", "rm", "sync"])


def note_tools(box: Box, tmp_path: Path) -> Path:
    """Return the file to which each tool appends its name when it starts."""
    started, tools = tmp_path / "started", tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        write_script(tools / tool, f'echo {tool} >>{started}\nexec {box.shell.tool(tool)} "$@"')
    box.environment = {"PATH": f"{tools}:{box.shell.path}"}
    return started


def test_an_awk_that_warns(one: Box, tmp_path: Path) -> None:
    """awk warns on the stream that carries the identity, which is still read."""
    one.provision()
    tools = tmp_path / "tools"
    tools.mkdir()
    warning = "awk: warning: identified escape sequence '- - -'"
    write_script(tools / "awk", f'echo "{warning}" >&2\nexec {one.shell.tool("awk")} "$@"')
    one.environment = {"PATH": f"{tools}:{one.shell.path}"}
    assert one.look().credential == identity()


@pytest.mark.parametrize("dies", ["kill -9 $$", "exit 2"])
def test_an_awk_that_dies_after_the_identity(box: Box, tmp_path: Path, dies: str) -> None:
    """If awk dies after the identity, the look fails: without the text, sha256sum would return a fingerprint of nothing."""
    box.provision()
    tools = tmp_path / "tools"
    tools.mkdir()
    write_script(tools / "awk", f'{box.shell.tool("awk")} "$@" >/dev/null\n{dies}')
    box.environment = {"PATH": f"{tools}:{box.shell.path}"}
    with pytest.raises(StorageError, match="awk or sha256sum failed"):
        box.look()


def test_an_ls_that_fails_for_a_staged_credential(box: Box, tmp_path: Path) -> None:
    """A credential whose size is not known is not taken for none: it may be the only valid one, and begin would remove it."""
    box.provision()
    box.path.rename(box.path.with_name(f".{box.path.name}.new"))
    tools = tmp_path / "tools"
    tools.mkdir()
    write_script(tools / "ls", f'case $* in *.new*) exit 1 ;; esac\nexec {box.shell.tool("ls")} "$@"')
    box.environment = {"PATH": f"{tools}:{box.shell.path}"}
    with pytest.raises(StorageError, match="ls, awk or sha256sum failed"):
        box.look()


PRETTY = f'''{{
    "deviceSecret": "{SECRET}",
    "note": "it\\u00e4 is \\"hand-made\\" {{",\r
    "deviceName": "{NAME}",
    "slot": 7,
    "productKey": "{KEY}"
}}'''


def test_a_file_that_somebody_has_laid_out_is_kept_as_it_is(box: Box) -> None:
    """A file that somebody has reformatted keeps every octet, while its owner, its mode and its exports are repaired."""
    content = f"a={PLACEHOLDER}&{PLACEHOLDER}\n"
    box.exports = (export(box, 1, content), export(box, 2, content))
    box.provision()
    box.path.write_bytes(PRETTY.encode())
    (box.folder / "2.conf").write_text(f"a={SECRET}&{SECRET}\n")
    box.attributes["mode"] = "0640"
    found = box.look()
    assert (found.credential, found.exports) == (identity(), {2: box.exports[1].digest})
    assert box.repair(found, 1).outcome == "installed"
    assert (box.path.read_bytes(), mode(box.path)) == (PRETTY.encode(), 0o640)
    assert (box.folder / "1.conf").read_text() == f"a={SECRET}&{SECRET}\n"
    assert box.look().exports == {1: box.exports[0].digest, 2: box.exports[1].digest}


def test_a_file_that_somebody_has_laid_out_is_finished_with(box: Box) -> None:
    """A staged file that somebody has reformatted is installed unchanged."""
    box.provision(NEW_SECRET)
    box.new.write_bytes(PRETTY.encode())
    box.journal.write_text(f"1 token=x ttl=0\nstored {fingerprint(SECRET)}\n")
    assert box.finish(box.look(), identity()).outcome == "installed"
    box.settle(identity())
    assert (box.path.read_bytes(), box.files()) == (PRETTY.encode(), ["iot", "iot/device.json"])


def test_a_credential_that_is_emptied_is_not_replaced_by_an_export(box: Box) -> None:
    """A credential that is emptied is not replaced by an export, which resembles one and is next in the same reader."""
    box.exports = (export(box, 1, line(PLACEHOLDER)),)
    box.provision()
    found = box.look()
    script = box.gateway.changing("repair", (1,), **box.values(found))
    emptied = script.replace("export_1() {\n", 'export_1() {\n: >"$stored_in/$file"\n')
    assert emptied != script
    with pytest.raises(StorageError):
        box.run(emptied)
    assert not (box.folder / "1.conf").exists()


# Nothing is changed if the state has changed since the look


def changes(box: Box) -> list[tuple[str, Any]]:
    return [
        ("content", lambda: box.path.write_text(line(NEW_SECRET))),
        ("mode", lambda: box.path.chmod(0o640)),
        ("gone", box.path.unlink),
        ("journal", lambda: box.journal.write_text("1 token=other\n")),
        ("staged", lambda: box.new.write_text(line(NEW_SECRET))),
        ("export", lambda: (box.folder / "1.conf").write_text("other\n")),
        ("export's mode", lambda: (box.folder / "1.conf").chmod(0o600)),
    ]


@pytest.mark.parametrize("number", range(7))
def test_a_look_grows_stale(one: Box, number: int) -> None:
    one.exports = (export(one, 1, f"{PLACEHOLDER}\n"),)
    one.provision()
    (one.folder / "1.conf").write_text(f"{SECRET}\n")
    found = one.look()
    name, change = changes(one)[number]
    change()
    before = snapshot(one)
    for answer in (one.begin(found), one.repair(found, 1), one.finish(found), one.remove(found)):
        assert answer.outcome == "stale", name
        assert read_state(answer, found).expected == one.look().expected
        assert snapshot(one) == before


def test_a_stale_look_in_every_shell(box: Box) -> None:
    box.provision()
    found = box.look()
    box.path.write_text(line(NEW_SECRET))
    before = snapshot(box)
    for answer in (box.begin(found), box.repair(found), box.finish(found), box.remove(found)):
        assert answer.outcome == "stale"
        assert read_state(answer, found).credential == identity(NEW_SECRET)
    assert snapshot(box) == before


def snapshot(box: Box) -> dict[str, tuple[int, bytes]]:
    return {
        name: ((box.folder / name).stat().st_mode, (box.folder / name).read_bytes())
        for name in box.files()
        if (box.folder / name).is_file()
    }


def test_of_two_runs_one_begins(box: Box) -> None:
    box.provision()
    found = box.look()
    scripts = [box.begin_script(found, token) for token in ("token1", "token2")]
    processes = [
        subprocess.Popen(
            box.shell.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"PATH": box.shell.path},
        )
        for _script in scripts
    ]
    for process, script in zip(processes, scripts, strict=True):
        assert process.stdin
        process.stdin.write(script)
        process.stdin.flush()
    answers = [read_answer(process.communicate(timeout=60)[0]).outcome for process in processes]
    assert sorted(answers) == ["begun", "stale"]
    journal = box.look().journal
    assert journal is not None
    assert journal.token == ("token1" if answers[0] == "begun" else "token2")


# The lease


def test_a_lease_that_somebody_else_has_taken_over(box: Box) -> None:
    box.provision()
    box.begin(box.look())
    box.begin(box.look(), "token2")
    before = snapshot(box)
    assert box.store(NEW_SECRET).outcome == "lost"
    assert snapshot(box) == before
    assert box.store(NEW_SECRET, "token2").outcome == "installed"


@pytest.mark.parametrize("content", [None, "", "1 token=token11 pid=4\n", "1 xtoken=token1 pid=4\n", "stored abc\n"])
def test_a_lease_that_is_gone(one: Box, content: str | None) -> None:
    one.provision()
    one.begin(one.look())
    one.journal.unlink()
    if content is not None:
        one.journal.write_text(content)
    before = snapshot(one)
    assert one.store(NEW_SECRET).outcome == "lost"
    assert snapshot(one) == before


def test_abandoning(box: Box) -> None:
    box.provision()
    found = box.look()
    box.begin(found)
    assert box.abandon("token2").outcome == "lost"
    assert box.journal.exists(), "it is another run's"
    assert box.abandon().outcome == "abandoned"
    assert box.files() == ["iot", "iot/device.json"]
    assert box.look().expected == found.expected


def test_abandoning_keeps_the_memory_of_an_earlier_registration(box: Box) -> None:
    box.provision()
    box.begin(box.look(), "token0")
    box.begin(box.look(), intent="renew")
    box.abandon()
    journal = box.look().journal
    assert journal is not None
    assert (journal.token, journal.intent, journal.ttl) == ("token0", "register", 0)
    assert not box.new.exists()


def test_abandoning_nothing(box: Box) -> None:
    assert box.abandon().outcome == "lost"
    assert box.files() == []
    box.path.parent.mkdir()
    assert box.abandon().outcome == "lost"
    assert box.files() == ["iot"]


def test_a_lease_goes_on_in_a_later_task(box: Box) -> None:
    box.provision()
    box.begin(box.look(), intent="reset", ttl=200)
    size = box.new.stat().st_size
    assert box.begin(box.look(), intent="renew", continues="yes").outcome == "begun"
    assert box.new.stat().st_size == size
    journal = box.look().journal
    assert journal is not None
    assert (journal.token, journal.intent, journal.ttl) == ("token1", "renew", 80)
    assert " over=yes " in box.journal.read_text()
    box.begin(box.look(), "token2")
    before = snapshot(box)
    assert box.begin(box.look(), intent="renew", continues="yes").outcome == "lost"
    assert snapshot(box) == before


def test_a_lease_ends_where_there_is_no_uptime(box: Box) -> None:
    """A lease ends without an uptime too: if the remote user has no /proc, the date is the clock."""
    before = int(time.time())
    answer = box.run(box.gateway.script("look", proc=str(box.folder)))
    found = read_look(answer)
    assert (found.boot, before <= found.uptime <= before + 60) == ("-", True)
    box.run(box.begin_script(found, proc=str(box.folder)))
    journal = read_look(box.run(box.gateway.script("look", proc=str(box.folder)))).journal
    assert journal is not None
    assert before <= journal.taken <= before + 60


# Doubt


def test_without_doubt_the_change_is_over_at_once(box: Box) -> None:
    box.begin(box.look())
    assert read_state(box.store()).journal is None


@pytest.mark.parametrize("cause", ["a lost answer", "an interruption"])
def test_a_secret_in_doubt_stays_an_open_change(box: Box, cause: str) -> None:
    if cause == "an interruption":
        box.provision()
        box.begin(box.look(), "token0")
    box.begin(box.look())
    journal = read_state(box.store(NEW_SECRET, doubt=cause == "a lost answer")).journal
    assert journal is not None
    assert (journal.token, journal.mark, journal.fingerprint) == ("token1", "stored", fingerprint(NEW_SECRET))
    assert box.path.read_text() == line(NEW_SECRET)
    assert box.settle(identity(NEW_SECRET), token="token2").outcome == "lost"
    assert box.settle(identity(NEW_SECRET), token="token1").outcome == "settled"
    assert box.files() == ["iot", "iot/device.json"]


@pytest.mark.parametrize("end", ["unproven", "dead"])
def test_what_a_login_could_not_prove_is_noted(box: Box, end: str) -> None:
    box.begin(box.look())
    box.store(NEW_SECRET, doubt=True)
    answer = box.settle(identity(NEW_SECRET), end, "token1")
    found = read_state(answer)
    assert found.expected == box.look().expected
    assert found.journal is not None
    assert (found.journal.mark, found.journal.fingerprint, found.journal.ttl) == (end, fingerprint(NEW_SECRET), 0)
    assert box.path.read_text() == line(NEW_SECRET)


# The lock


@pytest.fixture
def hasty(shell: Shell, folder: Path, tmp_path: Path) -> Box:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shell.tool(name))
    # The script waits with sleep, which here returns at once.
    (tools / "sleep").unlink()
    write_script(tools / "sleep", "exit 0")
    box = Box(Shell((shell.tool(shell.command[0]),), str(tools)), folder)
    box.provision()
    return box


def asking(box: Box, **values: Any) -> str:
    """Return a script that takes the lock and changes nothing."""
    return box.gateway.script("followed", token="t", **box.values(), **values)


def locks(box: Box) -> list[Path]:
    return sorted(box.path.parent.glob(".device.json.lock*"))


def halting(script: str) -> str:
    """Return the script with a call of ln before and after it creates its file of the lock."""
    halted = script.replace('true 2>/dev/null >"./$own_lock"', '{ ln; : >"./$own_lock"; ln; :; }')
    assert halted != script
    return halted


def process(lock: Path) -> str:
    """Return the number of the process whose file of the lock this is."""
    return lock.name.split(".")[-2]


WAIT = """\
echo >>{folder}/calls
read -r _ <{folder}/go
"""


class Stepped:
    """A running script, whose tools of these names wait at each call for the test."""

    def __init__(self, box: Box, folder: Path, script: str, *tools: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._steps = 0
        (folder / "calls").touch()
        os.mkfifo(folder / "go")
        # Open for reading and writing, so that neither side waits for the other to open it.
        self._go = os.open(folder / "go", os.O_RDWR)
        wait = WAIT.format(folder=folder)
        for name in tools:
            write_script(folder / name, f'{wait}exec {box.shell.tool(name)} "$@"')
        (folder / "script").write_text(script)
        with (folder / "script").open() as given:
            self._process = subprocess.Popen(
                box.shell.command,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": f"{folder}:{box.shell.path}"},
                start_new_session=True,
            )
        self.pid = self._process.pid

    def __enter__(self) -> Stepped:
        return self

    def __exit__(self, *_error: object) -> None:
        """Kill the script and its tools with SIGKILL."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.communicate()
        os.close(self._go)

    def waits(self) -> bool:
        """Return True as soon as a tool of the script waits, and False once the script has ended."""

        def waiting() -> bool:
            return (self._folder / "calls").stat().st_size > self._steps

        wait_for(lambda: self._process.poll() is not None or waiting(), "a script to reach its next step")
        return self._process.poll() is None and waiting()

    def step(self) -> bool:
        """Let the waiting tool go on; return whether another one waits then."""
        self._steps += 1
        os.write(self._go, b"\n")
        return self.waits()

    def finish(self) -> ScriptAnswer:
        """Let the script run to its end."""
        os.write(self._go, 1000 * b"\n")
        return read_answer(self._process.communicate(timeout=60)[0].decode())


IN_THE_LOCK = ("ln", "mv", "readlink", "rm", "sleep")


def leave_a_lock(box: Box, folder: Path) -> None:
    """Kill a script with SIGKILL while it has the lock."""
    with Stepped(box, folder, box.begin_script(box.look()), "sync") as killed:
        assert killed.waits()
    assert len(locks(box)) == 1


def test_the_lock_is_a_file_of_a_process(hasty: Box, tmp_path: Path) -> None:
    found = hasty.look()
    with Stepped(hasty, tmp_path / "holder", hasty.begin_script(found), "sync") as holder:
        assert holder.waits()
        held = locks(hasty)
        assert [(process(lock), mode(lock), lock.stat().st_size) for lock in held] == [(str(holder.pid), 0o600, 0)]
        before = snapshot(hasty)
        with pytest.raises(BusyError, match="held the lock"):
            hasty.run(asking(hasty))
        assert "abandoned_lock" not in hasty.output(hasty.gateway.script("look"))
        hasty.look()
        assert snapshot(hasty) == before, "a lock that is held stays, and a look needs none"
        assert holder.finish().outcome == "begun"
    assert locks(hasty) == [], "a lock is given back"
    assert hasty.run(asking(hasty)).outcome == "followed"


def test_the_lock_is_the_same_whatever_tools_a_script_finds(
    hasty: Box, shell: Shell, folder: Path, tmp_path: Path
) -> None:
    found = hasty.look()
    with Stepped(Box(shell, folder), tmp_path / "holder", hasty.begin_script(found), "ln") as holder:
        assert holder.waits(), "it has the lock"
        with pytest.raises(BusyError, match="held the lock"):
            hasty.run(asking(hasty))
        assert holder.finish().outcome == "begun"
    assert hasty.run(asking(hasty)).outcome == "followed"


def test_a_lock_that_nobody_holds_counts_for_nothing(hasty: Box, tmp_path: Path) -> None:
    for name in ("another-boot.1.1", "-.x.s1", f"-.{os.getpid()}.s0999999999"):
        hasty.lock.with_name(f"{hasty.lock.name}.{name}").touch()
    leave_a_lock(hasty, tmp_path / "killed")
    found = hasty.look()
    assert found.leftover
    assert hasty.begin(found).outcome == "begun"
    assert locks(hasty) == []


@pytest.mark.parametrize("steps", range(3))
def test_of_many_that_find_the_lock_of_a_dead_process_one_gets_it(hasty: Box, tmp_path: Path, steps: int) -> None:
    """One script gets the lock: the first stops on its way, another takes the lock meanwhile, and a third requests it all the time."""
    box = hasty
    leave_a_lock(box, tmp_path / "killed")
    found = box.look()
    with (
        Stepped(box, tmp_path / "late", halting(asking(box)), *IN_THE_LOCK) as late,
        ExitStack() as others,
    ):
        assert late.waits()
        assert all(late.step() for _step in range(steps))
        holder = others.enter_context(Stepped(box, tmp_path / "holder", box.begin_script(found), "sync"))
        if not holder.waits():
            # The other script has the lock already.
            with pytest.raises(BusyError):
                holder.finish()
            return
        for _step in range(4):
            with pytest.raises(BusyError):
                box.run(asking(box))
            assert late.step(), "it waits"
        assert holder.finish().outcome == "begun"
        assert late.finish().outcome == "followed"
    assert locks(box) == []


def test_two_that_ask_at_the_same_moment_get_the_lock_one_after_the_other(hasty: Box, tmp_path: Path) -> None:
    script = halting(asking(hasty))
    with (
        Stepped(hasty, tmp_path / "1", script, "ln", "sleep") as one,
        Stepped(hasty, tmp_path / "2", script, "ln", "sleep") as other,
    ):
        both = {str(script.pid): script for script in (one, other)}
        assert all(script.waits() for script in both.values())
        assert all(script.step() for script in both.values()), "both have looked, and then created their files"
        first, second = [both.pop(process(lock)) for lock in locks(hasty)]
        assert first.step(), "it waits for the other, whose file it sees"
        assert second.step()
        assert [process(lock) for lock in locks(hasty)] == [str(first.pid)]
        assert not first.step()
        assert first.finish().outcome == "followed"
        assert second.finish().outcome == "followed"
    assert locks(hasty) == []


@pytest.mark.parametrize("steps", range(3))
def test_a_script_that_is_killed_on_its_way_to_the_lock_stops_nobody(hasty: Box, tmp_path: Path, steps: int) -> None:
    leave_a_lock(hasty, tmp_path / "before")
    with Stepped(hasty, tmp_path / "killed", halting(asking(hasty)), *IN_THE_LOCK) as killed:
        assert killed.waits()
        for _step in range(steps):
            killed.step()
    assert hasty.run(asking(hasty)).outcome == "followed"
    assert locks(hasty) == []


def test_a_file_that_is_named_like_a_lock_stays(hasty: Box) -> None:
    """A credential or an export whose name continues the lock's has such working files."""
    names = [".device.json.lock.x.new", ".device.json.lock.x.check.new", ".device.json.lock.x.lock.-.1.1"]
    for name in names:
        (hasty.path.parent / name).touch()
    assert not hasty.look().leftover
    assert hasty.run(asking(hasty)).outcome == "followed"
    assert [lock.name for lock in locks(hasty)] == sorted(names)


def test_a_script_that_ends_in_another_directory_gives_its_own_lock_back(hasty: Box, tmp_path: Path) -> None:
    """A script that ends in another directory does not release the lock there, which a script of another instance has."""
    elsewhere = hasty.folder / "elsewhere"
    elsewhere.mkdir()
    other = Box(hasty.shell, elsewhere)
    other.provision()
    hasty.exports = (replace(export(hasty, 1, "x\n"), dest=str(other.path.with_name("a.env"))),)
    hasty.begin(hasty.look())
    other.path.with_name(".a.env.new").mkdir()
    with Stepped(other, tmp_path / "holder", other.begin_script(other.look()), "sync") as holder:
        assert holder.waits()
        with pytest.raises(StorageError, match="is a directory"):
            hasty.store()
        assert locks(hasty) == []
        with pytest.raises(BusyError):
            other.run(asking(other))


def test_a_lock_ends_though_its_process_number_is_in_use_again(hasty: Box, tmp_path: Path) -> None:
    """Without /proc the other program cannot be detected, so a lock ends after an hour: no script runs for so long."""
    date = Path(hasty.shell.path) / "date"
    date.unlink()
    write_script(date, f"read -r now <{tmp_path}/now; echo $now")
    nowhere = {"proc": str(tmp_path / "proc")}
    script = asking(hasty, **nowhere)
    # Another program replaces the script and keeps its process number.
    left = script.replace("\nlock\n", "\nlock\nexec sync\n")
    assert left != script
    (tmp_path / "now").write_text("1000000000\n")
    with Stepped(hasty, tmp_path / "left", left, "sync") as other:
        assert other.waits()
        for later in (0, 3599, -3599):
            (tmp_path / "now").write_text(f"{1000000000 + later}\n")
            with pytest.raises(BusyError):
                hasty.run(script)
        for later in (3600, -3600):
            (tmp_path / "now").write_text(f"{1000000000 + later}\n")
            look = hasty.gateway.script("look", **nowhere)
            assert read_look(hasty.run(look)).leftover is (later > 0), "the first script removes it"
            assert hasty.run(script).outcome == "followed"
    assert locks(hasty) == []


# Interruptions


def test_a_crash_between_begin_and_install(box: Box) -> None:
    box.provision()
    box.begin(box.look())
    found = box.look()
    assert found.journal is not None
    assert (found.credential, found.journal.mark) == (identity(), None)
    box.begin(found, "token2")
    box.store(NEW_SECRET, "token2")
    box.settle(identity(NEW_SECRET), token="token2")
    assert (box.look().credential, box.look().journal) == (identity(NEW_SECRET), None)
    assert box.files() == ["iot", "iot/device.json"]


CRASHING = """\
#!/bin/sh
echo >>{calls}
number=0
while read -r _; do number=$((number + 1)); done <{calls}
[ $number != {number} ] || {{ {tool_first}kill -9 0; }}
exec {tool} "$@"
"""


def crash(box: Box, folder: Path, point: tuple[str, str, int], script: str) -> None:
    """Run a script that dies, with all that it started, before or after the call of a tool with this number."""
    when, name, number = point
    folder.mkdir()
    tool = folder / name
    values = {"number": number, "calls": folder / "calls", "tool": box.shell.tool(name)}
    tool.write_text(CRASHING.format(**values, tool_first=f'{values["tool"]} "$@"; ' if when == "after" else ""))
    tool.chmod(0o755)
    process = subprocess.Popen(
        box.shell.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": f"{folder}:{box.shell.path}"},
        start_new_session=True,
    )
    process.communicate(script.encode(), timeout=60)
    assert process.returncode == -signal.SIGKILL, "the call never came"


@pytest.mark.parametrize(
    ("point", "marked", "staged", "credential"),
    [
        (("before", "rm", 1), False, "probe", SECRET),
        (("after", "rm", 1), False, None, SECRET),
        (("before", "chmod", 1), False, None, SECRET),
        (("before", "cat", 1), False, None, SECRET),
        (("after", "cat", 1), False, NEW_SECRET, SECRET),
        (("before", "sync", 1), True, NEW_SECRET, SECRET),
        (("before", "mv", 1), True, NEW_SECRET, SECRET),
        (("after", "mv", 1), True, None, NEW_SECRET),
        (("before", "rm", 2), True, None, NEW_SECRET),
    ],
    ids=str,
)
def test_a_crash_within_store(
    one: Box, tmp_path: Path, point: tuple[str, str, int], marked: bool, staged: str | None, credential: str
) -> None:
    one.attributes["mode"] = "0640"
    one.provision()
    one.begin(one.look())
    crash(one, tmp_path / "tools", point, one.store_script(Issued(NEW_SECRET)))
    found = one.look()
    assert found.journal is not None
    assert found.journal.fingerprint == (fingerprint(NEW_SECRET) if marked else None)
    assert found.credential == identity(credential)
    if staged != "probe":
        assert found.staged == (identity(staged) if staged else None)
    if NEW_SECRET in (staged, credential):
        assert one.finish(found, identity(NEW_SECRET)).outcome == "installed"
        one.settle(identity(NEW_SECRET))
        assert one.path.read_text() == line(NEW_SECRET)
        assert (one.files(), mode(one.path)) == (["iot", "iot/device.json"], 0o640)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "call", [("rm", 1), ("chmod", 1), ("cat", 1), ("rm", 2), ("sync", 1), ("mv", 1), ("sync", 2)], ids=str
)
def test_a_crash_never_forgets_an_interrupted_change(
    one: Box, tmp_path: Path, call: tuple[str, int], when: str
) -> None:
    """A crash keeps the interruption on record: the change may have registered, so that the stored secret may be invalid."""
    one.attributes["mode"] = "0640"
    one.provision()
    one.begin(one.look())
    crash(one, tmp_path / "tools", (when, *call), one.begin_script(one.look(), "token2"))
    found = one.look()
    assert found.journal is not None
    assert one.begin(found, "token3").outcome == "begun"
    assert " over=yes " in one.journal.read_text()
    one.store(NEW_SECRET, "token3")
    one.settle(identity(NEW_SECRET), token="token3")
    assert (one.files(), one.path.read_text()) == (["iot", "iot/device.json"], line(NEW_SECRET))


def test_a_rename_that_did_not_happen_is_a_failure(one: Box, tmp_path: Path) -> None:
    """An mv that does not rename is a failure, although the credential can be read under its first name."""
    one.provision()
    one.begin(one.look())
    (tmp_path / "tools").mkdir()
    lying = tmp_path / "tools" / "mv"
    lying.write_text("#!/bin/sh\nexit 0\n")
    lying.chmod(0o755)
    environment = {"PATH": f"{lying.parent}:{one.shell.path}"}
    script = one.store_script(Issued(NEW_SECRET))
    output = subprocess.run(
        one.shell.command, input=script, capture_output=True, text=True, env=environment, check=False
    ).stdout
    with pytest.raises(StorageError, match="mv did not rename"):
        read_answer(output)
    found = one.look()
    assert found.journal is not None
    assert found.staged == identity(NEW_SECRET)
    assert one.finish(found, identity(NEW_SECRET)).outcome == "installed"


@pytest.mark.parametrize(
    "content",
    ["", "\n", "\n\n", "1 token=x pid=4 ttl=80", "1 tok", "\0\0\0\0", "\u00e4\n", "$(id)\n", "a\tb\n"],
    ids=range(9),
)
def test_a_torn_journal_is_an_open_one(box: Box, content: str) -> None:
    box.provision()
    box.journal.write_bytes(content.encode())
    found = box.look()
    assert found.journal == Journal(), "the worst case"
    assert box.begin(found).outcome == "begun"


def test_a_torn_second_line_stores_nothing(box: Box) -> None:
    box.provision()
    box.journal.write_text(f"1 token=x pid=4 ttl=0\nstored {fingerprint(SECRET)[:7]}")
    found = box.look()
    assert found.journal is not None
    assert (found.journal.mark, found.journal.fingerprint) == (None, None)


# Exports


def export(box: Box, number: int, content: str, **attributes: Any) -> Export:
    digest = hashlib.sha256(content.encode()).hexdigest()
    values = {"owner": None, "group": None, "mode": 0o600, **attributes}
    return Export(dest=str(box.folder / f"{number}.conf"), content=content, digest=digest, **values)


AWKWARD = [
    "plain\n",
    "\n",
    "\n\n\n",
    f"{PLACEHOLDER}\n",
    f"secret={PLACEHOLDER}",
    f"{PLACEHOLDER}{PLACEHOLDER} {PLACEHOLDER}\n{PLACEHOLDER}x\nx{PLACEHOLDER}\n",
    f"{PLACEHOLDER[:-1]}{PLACEHOLDER}\n{PLACEHOLDER[:5]}\n",
    f"crlf={PLACEHOLDER}\r\nmore\r\n",
    f"\\1 \\n \\\\ & && \\& {PLACEHOLDER} \\{PLACEHOLDER}\\\n",
    f"'{PLACEHOLDER}' \"{PLACEHOLDER}\" `id` $(id) ${{HOME}} $PATH $$ %s %d %% !! ~ * ? [a-z]\n",
    f"\u70e4\u7bb1 \u00e4\u00f6\u00fc \U0001f511 {PLACEHOLDER} \u2028 \x0b\x0c\x85\n",
    f"EOF\n.\nEND\nEND-\nEND-{PLACEHOLDER}\nid >owned\n}}\n",
    f"END-{PLACEHOLDER[::-1]}\n}}\n{PLACEHOLDER}\n",
    "-n\n-e a\\tb\n--\n",
    "\t  leading and trailing \t \n",
    "x" * 20000 + PLACEHOLDER + "\n",
    "line\n" * 2000 + PLACEHOLDER + "\n",
    f"a,b=c:{PLACEHOLDER};#comment\n# {PLACEHOLDER}\n\n  # x\n",
    'secret\nfrom="x" to="y"\n',
]


def test_exports_of_awkward_content(box: Box) -> None:
    """The secret contains every kind of character that one may have; exports with one of letters and digits are below."""
    secret = NEW_SECRET
    # The controller adds a missing end of line.
    contents = [content if content.endswith("\n") else content + "\n" for content in AWKWARD]
    box.exports = tuple(export(box, number, content) for number, content in enumerate(contents, 1))
    box.begin(box.look())
    box.store(secret)
    for number, content in enumerate(contents, 1):
        written = (box.folder / f"{number}.conf").read_bytes().decode()
        assert written == content.replace(PLACEHOLDER, secret), f"export {number}"
    found = box.look()
    assert found.exports == {number: one.digest for number, one in enumerate(box.exports, 1)}
    assert box.files() == sorted([*(f"{n}.conf" for n in range(1, len(contents) + 1)), "iot", "iot/device.json"])


def test_an_export_that_puts_a_word_before_the_secret(box: Box) -> None:
    """Only the placeholders themselves are replaced in an export."""
    content = f"password=client-{PLACEHOLDER}\nother=x{PLACEHOLDER}\n"
    box.exports = (export(box, 1, content),)
    box.begin(box.look())
    assert box.store().outcome == "installed"
    assert (box.folder / "1.conf").read_text() == content.replace(PLACEHOLDER, SECRET)
    assert box.look().exports == {1: box.exports[0].digest}


@pytest.mark.parametrize(
    "tail",
    [b"", b"\n\n", b"\r\n", b"\0\n", b"\n\0", b"\n\0x\n", b"\nx"],
)
def test_an_export_with_another_end(box: Box, tail: bytes) -> None:
    """Another end is detected, although an awk that reads lines does not see all of it."""
    box.exports = (export(box, 1, f"a=1\nsecret={PLACEHOLDER}\n"),)
    box.provision()
    file = box.folder / "1.conf"
    file.write_bytes(f"a=1\nsecret={SECRET}".encode() + tail)
    file.chmod(0o600)
    found = box.look()
    assert found.exports[1] != box.exports[0].digest
    box.repair(found, 1)
    assert file.read_text() == f"a=1\nsecret={SECRET}\n"
    assert box.look().exports == {1: box.exports[0].digest}


def test_an_export_needs_no_room_for_temporary_files(box: Box) -> None:
    """An export needs no temporary file, as a shell may use for a here-document, in a folder that was not checked."""
    box.exports = (export(box, 1, "x" * 70000 + PLACEHOLDER + "\n"),)
    assert "<<" not in box.store_script(Issued(SECRET))
    box.begin(box.look())
    assert box.store().outcome == "installed"
    assert (box.folder / "1.conf").read_text() == "x" * 70000 + SECRET + "\n"


def test_an_export_is_repaired_with_the_secret_that_is_there(box: Box) -> None:
    box.provision(NEW_SECRET)
    box.exports = tuple(export(box, number, f"{number}={PLACEHOLDER}\n", mode=0o640) for number in (1, 2, 3))
    files = [box.folder / f"{number}.conf" for number in (1, 2, 3)]
    files[0].write_text(f"1={NEW_SECRET}\n")
    files[1].write_text(f"2={SECRET}\n")
    before = files[0].stat().st_ino
    found = box.look()
    assert found.exports[1] == box.exports[0].digest
    assert found.exports[2] != box.exports[1].digest
    assert 3 not in found.exports
    box.repair(found, 2, 3)
    assert [file.read_text() for file in files] == [f"{number}={NEW_SECRET}\n" for number in (1, 2, 3)]
    assert [mode(file) for file in files[1:]] == [0o640, 0o640]
    assert files[0].stat().st_ino == before, "what is right is left alone"


def test_finishing_writes_the_exports(box: Box) -> None:
    box.provision()
    box.exports = (export(box, 1, f"{PLACEHOLDER}\n"),)
    box.new.write_text(line(NEW_SECRET))
    box.journal.write_text(f"1 token=x ttl=0\nstored {fingerprint(NEW_SECRET)}\n")
    after = read_state(box.finish(box.look(), identity(NEW_SECRET)))
    assert after.journal is not None
    assert (after.journal.token, after.journal.mark) == ("token9", "stored")
    box.settle(identity(NEW_SECRET))
    assert box.path.read_text() == line(NEW_SECRET)
    assert (box.folder / "1.conf").read_text() == f"{NEW_SECRET}\n"
    assert box.files() == ["1.conf", "iot", "iot/device.json"]


def test_finishing_never_takes_what_is_not_asked_for(box: Box) -> None:
    box.provision()
    box.new.write_text(line(NEW_SECRET))
    box.journal.write_text(f"1 token=x ttl=0\nstored {fingerprint(SECRET)}\n")
    box.finish(box.look(), identity())
    box.settle(identity())
    assert box.path.read_text() == line()
    assert box.files() == ["iot", "iot/device.json"]


FAILING = """\
#!/bin/sh
echo >>{calls}
number=0
while read -r _; do number=$((number + 1)); done <{calls}
[ $number != {number} ] || exit 2
exec {tool} "$@"
"""


@pytest.mark.parametrize("tool", ["awk", "sha256sum", "ls"])
def test_a_tool_that_fails_never_deletes_what_may_be_the_only_valid_secret(
    any_shell: Shell, folder: Path, tmp_path: Path, tool: str
) -> None:
    """Each of the first seven calls of the tool fails, on a copy of the gateway."""
    first = Box(any_shell, folder / "first")
    first.folder.mkdir()
    first.provision()
    first.begin(first.look())
    crash(first, tmp_path / "tools", ("before", "mv", 1), first.store_script(Issued(NEW_SECRET)))
    first.environment = {}
    for number in range(1, 8):
        one = Box(any_shell, Path(shutil.copytree(first.folder, folder / str(number))))
        found = one.look()
        broken = tmp_path / str(number)
        broken.mkdir()
        values = {"calls": broken / "calls", "number": number, "tool": one.shell.tool(tool)}
        (broken / tool).write_text(FAILING.format(**values))
        (broken / tool).chmod(0o755)
        one.environment = {"PATH": f"{broken}:{one.shell.path}"}
        try:
            answer = one.finish(found, identity(NEW_SECRET))
            assert answer.outcome in ("installed", "stale")
        except StorageError:
            pass
        one.environment = {}
        left = [path.read_text() for path in (one.path, one.new) if path.exists()]
        assert line(NEW_SECRET) in left, number
        again = one.look()
        one.finish(again, identity(NEW_SECRET), "tokenb")
        one.settle(identity(NEW_SECRET), token="tokenb")
        assert (one.path.read_text(), one.files()) == (line(NEW_SECRET), ["iot", "iot/device.json"]), number
        if (broken / "calls").read_text().count("\n") < number:
            break


@pytest.mark.parametrize("script", ["begin", "repair", "abandon", "settle"])
def test_a_staged_credential_of_the_device_is_never_discarded(box: Box, script: str) -> None:
    box.provision()
    box.begin(box.look())
    box.new.write_text(line(NEW_SECRET))
    with pytest.raises(StorageError, match="it is kept"):
        {
            "begin": lambda: box.begin(box.look(), "token2"),
            "repair": lambda: box.repair(box.look()),
            "abandon": box.abandon,
            "settle": lambda: box.settle(identity(), token="token1"),
        }[script]()
    assert (box.new.read_text(), box.path.read_text()) == (line(NEW_SECRET), line())


@pytest.mark.parametrize("kind", ["secret", "token"])
@pytest.mark.parametrize("script", ["begin", "repair", "abandon"])
def test_a_staged_credential_of_the_other_kind_is_discarded(box: Box, script: str, kind: str) -> None:
    """A staged credential of the other kind is discarded, because no decision finishes it and it would stay for ever."""
    token = json.dumps({"clientId": CLIENT_ID, "deviceName": NAME, "deviceToken": TOKEN, "productKey": KEY}) + "\n"
    right, other = (line(), token) if kind == "secret" else (token, line())
    box.kind = kind
    box.provision()
    box.path.write_text(right)
    box.begin(box.look())
    box.new.write_text(other)
    found = box.look()
    asked = Wanted(KEY, NAME, None, None, 0o600, kind=kind)
    assert (found.staged is not None, stored_identity(found, asked)) == (True, None)
    answer = {"begin": lambda: box.begin(found, "token2"), "repair": lambda: box.repair(found), "abandon": box.abandon}
    assert answer[script]().outcome in ("begun", "installed", "abandoned")
    assert not box.new.exists() or box.new.read_text() != other
    box.new.write_text(right)
    with pytest.raises(StorageError, match="it is kept"):
        box.repair(box.look())


@pytest.mark.parametrize("script", ["begin", "repair", "remove"])
def test_what_a_check_left_beside_a_leftover_is_removed(box: Box, script: str) -> None:
    """Files of a killed check mode beside the leftovers of another run are removed."""
    box.exports = (export(box, 1, f"{PLACEHOLDER}\n"),)
    box.provision()
    left = [box.path.with_name(".device.json.check.new"), box.folder / ".1.conf.check.new"]
    for path in left:
        path.write_text("probe\n")
    found = box.look()
    assert found.leftover
    if script == "begin":
        box.begin(found)
        box.store()
    else:
        {"repair": lambda: box.repair(found, 1), "remove": lambda: box.remove(found)}[script]()
    assert [path for path in left if path.exists()] == []


# Places


def test_a_directory_that_is_removed_while_a_script_starts_in_it(box: Box, tmp_path: Path) -> None:
    """A script works in a removed directory, whose name the shell does not know."""
    gone = tmp_path / "gone"
    enter = ("sh", "-c", 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"', str(gone))
    box.shell = Shell((*enter, *box.shell.command), f"{box.shell.path}:{os.environ['PATH']}")
    assert box.begin(box.look()).outcome == "begun"
    assert box.store().outcome == "installed"
    assert box.path.read_text() == line()


def test_a_credential_in_the_root_directory(one: Box) -> None:
    """A look finds a credential in the root directory, and returns the paths that all other scripts use."""
    gateway = ScriptBuilder("/fleetops-device.json", (), PLACEHOLDER, "inventory_hostname", None)
    found = read_look(one.run(gateway.script("look")))
    assert found.path == "/fleetops-device.json"


@pytest.mark.skipif(not ROOT, reason="only root writes to the root directory")
def test_a_credential_lives_in_the_root_directory(one: Box) -> None:
    class AtRoot(Box):
        path = Path(f"/.fleetops-test-{os.getpid()}.json")

    box = AtRoot(one.shell, one.folder)
    paths = [box.path, *(box.path.with_name(f".{box.path.name}.{end}") for end in ("new", "journal", "lock"))]
    try:
        assert box.begin(box.look()).outcome == "begun"
        assert box.store().outcome == "installed"
        assert box.path.read_text() == line()
        assert box.remove(box.look()).outcome == "removed"
        assert [path for path in paths if path.exists()] == []
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def test_places_are_named_without_symbolic_locks(box: Box) -> None:
    (box.folder / "real").mkdir()
    (box.folder / "iot").symlink_to("real")
    (box.folder / "agent").symlink_to(box.folder / "real")
    box.exports = (Export(str(box.folder / "agent" / "deeper" / "x y"), None, None, 0o600, "x\n", "0"),)
    found = box.look()
    assert found.path == str(box.folder / "real" / "device.json")
    assert found.places == {1: str(box.folder / "real" / "deeper" / "x y")}


@pytest.mark.parametrize(
    "target",
    ["data/iot", "data/iot/", "data//iot//", "data/./iot/.", "./data/iot", "here/../data/iot/", "{folder}/data/iot/"],
)
def test_a_link_to_a_directory_that_does_not_exist_yet(box: Box, target: str) -> None:
    (box.folder / "here").mkdir()
    (box.folder / "iot").symlink_to(target.format(folder=box.folder))
    found = box.look()
    assert found.path == str(box.folder / "data" / "iot" / "device.json")
    assert box.begin(found, proof="yes").outcome == "begun"
    assert box.files() == ["here", "iot"]
    assert box.begin(found).outcome == "begun"
    assert box.store().outcome == "installed"
    assert (box.folder / "data" / "iot" / "device.json").read_text() == line()


def test_a_link_back_from_a_directory_that_does_not_exist(box: Box) -> None:
    """A link back from a missing directory is refused: the directory may become a link itself, so its target is unknown."""
    (box.folder / "iot").symlink_to("data/../iot.d")
    with pytest.raises(
        StorageError, match=f"symbolic link leads to .. of {box.folder}/data, which does not exist"
    ) as no:
        box.look()
    assert no.value.kind == "unsafe_path"
    (box.folder / "data").mkdir()
    assert box.look().path == str(box.folder / "iot.d" / "device.json")


@pytest.mark.parametrize("kind", ["symlink", "dangling", "directory", "fifo"])
def test_what_is_no_file_is_seen_and_left_alone(box: Box, kind: str) -> None:
    box.exports = (export(box, 1, "x\n"),)
    box.path.parent.mkdir()
    target = box.folder / "target"
    target.write_text(line())
    make = {
        "symlink": lambda path: path.symlink_to(target),
        "dangling": lambda path: path.symlink_to(box.folder / "nowhere"),
        "directory": lambda path: path.mkdir(),
        "fifo": os.mkfifo,
    }[kind]
    make(box.path)
    make(box.folder / "1.conf")
    found = box.look()
    assert found.credential is None
    assert found.entry is not None
    assert [found.entry.is_file, found.entries[1].is_file] == [False, False]


@pytest.mark.parametrize("kind", ["symlink", "directory"])
def test_what_became_no_file_is_not_replaced(box: Box, kind: str) -> None:
    box.provision()
    box.begin(box.look())
    box.path.unlink()
    target = box.folder / "target"
    target.write_text("target's\n")
    if kind == "symlink":
        box.path.symlink_to(target)
    else:
        box.path.mkdir()
    with pytest.raises(StorageError) as caught:
        box.store(NEW_SECRET)
    assert caught.value.kind == "unsafe_path"
    assert target.read_text() == "target's\n"
    assert box.path.is_symlink() or not list(box.path.iterdir())


def test_a_planted_staging_file_is_not_written_through(box: Box) -> None:
    box.provision()
    box.begin(box.look())
    box.new.unlink()
    box.new.symlink_to(box.folder / "target")
    box.store(NEW_SECRET)
    assert not (box.folder / "target").exists()
    assert box.path.read_text() == line(NEW_SECRET)


def test_a_missing_directory_is_made_for_everyone_to_read_and_nobody_to_write(box: Box) -> None:
    class Deep(Box):
        path = box.folder / "a" / "b" / "device.json"

    deep = Deep(box.shell, box.folder)
    found = deep.look()
    assert found.path == str(deep.path)
    deep.begin(found)
    assert [mode(box.folder / "a"), mode(box.folder / "a" / "b")] == [0o755, 0o755]


def test_a_directory_that_cannot_be_made(box: Box) -> None:
    (box.folder / "iot").write_text("a file\n")
    with pytest.raises(StorageError, match="is not a directory") as caught:
        box.look()
    assert caught.value.kind == "unsafe_path"
    assert box.files() == ["iot"]


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
@pytest.mark.parametrize("attribute", ["owner", "group"])
def test_an_owner_that_does_not_exist(box: Box, attribute: str) -> None:
    box.provision()
    before = snapshot(box)
    box.attributes[attribute] = "nobody-of-this-name"
    found = box.look()
    with pytest.raises(StorageError, match="nobody-of-this-name") as caught:
        box.begin(found)
    assert caught.value.kind == "storage"
    assert snapshot(box) == before, "nothing was begun, so nothing is registered"


# The output of ls for a group of a directory service, with a blank in its name.
DOMAIN_USERS = """\
case $1 in
    -ldn) exec {tool} "$@" ;;
esac
{tool} "$@" | sed 's/ 54321 / domain users /'"""


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_a_group_with_a_blank_in_its_name(box: Box, tmp_path: Path) -> None:
    box.provision()
    os.chown(box.path, -1, 54321)
    os.chown(box.path.parent, -1, 54321)
    tools = tmp_path / "tools"
    tools.mkdir()
    write_script(tools / "ls", DOMAIN_USERS.format(tool=box.shell.tool("ls")))
    box.environment = {"PATH": f"{tools}:{box.shell.path}:/usr/bin:/bin"}
    found = box.look()
    assert found.credential == identity()
    assert found.entry is not None
    assert (found.entry.gid, found.entry.group) == (54321, "54321")


# The output of BusyBox's ls for an account with a long name: its first 8 characters.
CUT = """\
case $1 in
    -ldn) exec {tool} "$@" ;;
esac
{tool} "$@" | sed 's/ 54321  *54322 / systemd- systemd- /'"""


def with_accounts(box: Box, tmp_path: Path, known: tuple[str, ...], asked: tuple[str, ...] | None) -> None:
    """Give the stored file accounts with long names.

    :param known: the lines of /etc/passwd and /etc/group
    :param asked: the answers of getent, if there is one
    """
    os.chown(box.path, 54321, 54322)
    tools = tmp_path / "tools"
    tools.mkdir()
    write_script(tools / "ls", CUT.format(tool=box.shell.tool("ls")))
    answers = dict(zip(("passwd 54321", "group 54322"), asked or (), strict=False))
    cases = "".join(f"'{which}') echo '{said}' ;; " for which, said in answers.items())
    write_script(tools / "getent", f'case "$*" in {cases}*) exit 2 ;; esac')
    for name, lines in zip(("passwd", "group"), known, strict=False):
        (tmp_path / name).write_text(lines)
    box.environment = {"PATH": f"{tools}:{box.shell.path}:/usr/bin:/bin"}


LOCAL = (
    "root:x:0:0::/:/bin/sh\n+\nsystemd-x:x:5432:54321::/:\nsystemd-network:x:54321:54322::/:\nsystemd-alias:x:54321:1::/:\n",
    "root:x:0:\nsystemd-x:x:543:54322\nsystemd-journal:x:54322:\n",
)
REMOTE = ("systemd-network:*:54321:54322::/:", "systemd-journal:*:54322:")
BLANKS = ("systemd- network:*:54321:54322::/:", "systemd- journal:*:54322:")


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
@pytest.mark.parametrize(
    ("known", "asked", "names"),
    [
        (LOCAL, None, ("systemd-network", "systemd-journal")),
        (("", ""), REMOTE, ("systemd-network", "systemd-journal")),
        ((), REMOTE, ("systemd-network", "systemd-journal")),
        (("", ""), BLANKS, ("54321", "54322")),
        ((), None, ("54321", "54322")),
    ],
    ids=["of the gateway", "of a directory service", "no files", "blanks", "of nobody knows whom"],
)
def test_a_name_that_ls_has_cut(
    box: Box, tmp_path: Path, known: tuple[str, ...], asked: tuple[str, ...] | None, names: tuple[str, str]
) -> None:
    """A name that ls has cut is neither the whole name nor that of another account with exactly this name."""
    box.provision()
    with_accounts(box, tmp_path, known, asked)
    found = read_look(box.run(box.gateway.script("look", accounts=tmp_path)))
    assert found.entry is not None
    assert (found.entry.uid, found.entry.user, found.entry.gid, found.entry.group) == (54321, names[0], 54322, names[1])
    assert found.entry.has(*names, 0o600, 0, 0)
    assert not found.entry.has("systemd-", None, 0o600, 0, 54322)
    assert not found.entry.has(None, "systemd-", 0o600, 54321, 0)


# ls shows this name for a user and for a group.
SHOWN = """\
case $1 in
    -ldn) exec {tool} "$@" ;;
esac
set -- $({tool} "$@")
printf '%s ' "$1" "$2" "$NAME" "$NAME" "$5" "$6" "$7" "$8" "$9"
"""
# Names that a gateway may have and that no option accepts.
UNUSUAL = ["CORP+iot", "o'brien", "müll", "a)b", "-x", "a/b", "n" * 257]


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_name_counts_as_its_number(box: Box, tmp_path: Path, name: str) -> None:
    box.provision()
    tools = tmp_path / "tools"
    tools.mkdir()
    write_script(tools / "ls", SHOWN.format(tool=box.shell.tool("ls")))
    write_script(tools / "id", 'echo "uid=0($NAME) gid=0($NAME) groups=0($NAME)"')
    box.environment = {"PATH": f"{tools}:{box.shell.path}:/usr/bin:/bin", "NAME": name}
    for number in (0, 54321):
        os.chown(box.path, number, number)
        found = box.look().entry
        assert found is not None
        assert (found.user, found.group) == (str(number), str(number))


def test_the_shell_knows_the_names_that_the_controller_accepts(box: Box) -> None:
    text = (Path(_scripts.__file__).parent / "shell" / "common.sh").read_text()
    function = text[text.index("\naccount() {") : text.index("\n}", text.index("\naccount() {")) + 3]
    names = [form % chr(code) for code in range(33, 127) for form in ("%s", "x%s", "%sx", "x%sx")]
    names += ["x" * length for length in (256, 257)]
    asked = "".join(f"account {shlex.quote(name)}; printf '%s\\n' \"$account\"\n" for name in names)
    shown = box.output(f"LC_ALL=C\n{function}{asked}").splitlines()
    assert shown == [name if ACCOUNT.fullmatch(name) else "-" for name in names]


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_a_name_that_cannot_be_cut_is_not_looked_up(one: Box, tmp_path: Path) -> None:
    one.provision()
    os.chown(one.path, 54321, 54322)
    started = note_tools(one, tmp_path)
    assert one.look().credential == identity()
    assert sorted(started.read_text().split()) == ["awk", "id", "ls", "ls", "sha256sum"]


def test_an_export_whose_directory_does_not_exist(box: Box) -> None:
    box.provision()
    before = snapshot(box)
    box.exports = (Export(str(box.folder / "missing" / "x"), None, None, 0o600, "x\n", "0"),)
    with pytest.raises(StorageError, match="missing"):
        box.begin(box.look())
    assert snapshot(box) == before


# Disks


@pytest.fixture
def disk(box: Box, tmp_path: Path) -> Iterator[Box]:
    """Yield the box on a very small file system."""
    with on_small_disk(box, tmp_path / "disk", "size=16k"):
        yield box


def fill(disk: Box) -> None:
    with (disk.folder / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_a_full_disk_before_the_registration(disk: Box) -> None:
    disk.provision()
    found = disk.look()
    fill(disk)
    before = snapshot(disk)
    with pytest.raises(StorageError, match="No space left") as caught:
        disk.begin(found)
    assert caught.value.kind == "storage"
    assert snapshot(disk) == before


def test_a_full_disk_after_the_registration(disk: Box) -> None:
    disk.provision()
    disk.begin(disk.look())
    disk.new.unlink()
    fill(disk)
    with pytest.raises(StorageError, match="No space left"):
        disk.store(NEW_SECRET)
    assert disk.path.read_text() == line()
    found = disk.look()
    assert found.journal is not None
    assert (found.journal.mark, found.credential) == (None, identity())
    (disk.folder / "filler").unlink()
    disk.begin(disk.look(), "token2")
    disk.store(NEW_SECRET, "token2")
    assert disk.path.read_text() == line(NEW_SECRET)


def test_a_full_disk_leaves_an_export_as_it_is(disk: Box) -> None:
    """A full disk leaves an export unchanged, although BusyBox's awk does not report a failed write."""
    disk.provision()
    disk.exports = (export(disk, 1, f"{PLACEHOLDER}\n", mode=0o640),)
    disk.repair(disk.look(), 1)
    file = disk.folder / "1.conf"
    file.chmod(0o600)
    found = disk.look()
    fill(disk)
    with pytest.raises(StorageError) as caught:
        disk.repair(found, 1)
    assert caught.value.kind == "storage"
    assert (file.read_text(), mode(file)) == (f"{SECRET}\n", 0o600)
    assert not (disk.folder / ".1.conf.new").exists()


@pytest.mark.parametrize("writes", ["", "head -c 5"], ids=["nothing", "a part"])
def test_an_awk_that_does_not_report_that_it_cannot_write(one: Box, tmp_path: Path, writes: str) -> None:
    one.provision()
    one.exports = (export(one, 1, f"{PLACEHOLDER}\n"),)
    (one.folder / "1.conf").write_text("old\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    real = one.shell.tool("awk")
    full = f'case "$*" in *reveal=yes*) {real} "$@" | {writes or "cat >/dev/null"}; exit 0 ;; esac'
    write_script(tools / "awk", f'{full}\nexec {real} "$@"')
    one.environment = {"PATH": f"{tools}:{one.shell.path}"}
    with pytest.raises(StorageError, match=f"it has {5 if writes else 0} octets instead of {len(SECRET) + 1}"):
        one.repair(one.look(), 1)
    assert one.files() == ["1.conf", "iot", "iot/device.json"]
    assert (one.folder / "1.conf").read_text() == "old\n"


def test_begin_keeps_the_room_that_install_needs(disk: Box) -> None:
    disk.provision()
    disk.begin(disk.look())
    fill(disk)
    assert disk.store(NEW_SECRET).outcome == "installed"
    assert disk.path.read_text() == line(NEW_SECRET)


def test_a_disk_that_is_read_only(disk: Box) -> None:
    disk.provision()
    found = disk.look()
    subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
    assert disk.look().expected == found.expected
    with pytest.raises(StorageError, match="Read-only"):
        disk.begin(found)


# The remote user


@pytest.mark.parametrize("bits", ["0400", "0440"])
def test_a_mode_that_denies_writing_to_the_owner(box: Box, bits: str) -> None:
    """A mode may deny writing to the owner. It denies nothing to root, so another user stores the credential."""
    if ROOT:
        os.chown(box.folder, 65534, 65534)
        box.shell = as_nobody(box.shell)
    agent = box.folder / "agent.env"
    box.exports = (Export(str(agent), None, None, int(bits, 8), f"SECRET={PLACEHOLDER}\n", "0"),)
    box.attributes["mode"] = bits
    for secret in (SECRET, NEW_SECRET):
        found = box.look()
        assert box.begin(found, proof="yes").outcome == "begun"
        assert box.begin(found).outcome == "begun"
        assert box.store(secret).outcome == "installed"
        assert (box.path.read_text(), mode(box.path)) == (line(secret), int(bits, 8))
        assert (agent.read_text(), mode(agent)) == (f"SECRET={secret}\n", int(bits, 8))


@pytest.mark.skipif(not ROOT, reason="only root becomes somebody else")
def test_a_remote_user_who_may_not_read(box: Box) -> None:
    box.provision()
    box.folder.chmod(0o755)
    box.shell = as_nobody(box.shell)
    assert box.look().denied == ("credential",)
    box.path.parent.chmod(0o700)
    with pytest.raises(StorageError, match="may not enter") as caught:
        box.look()
    assert caught.value.kind == "permission"


# The secret


def test_no_command_sees_the_secret(box: Box, tmp_path: Path) -> None:
    """No command has the secret in its arguments or its environment, even if the environment has a variable of that name."""
    tools, log = tmp_path / "tools", tmp_path / "log"
    tools.mkdir()
    # Words of the shell itself must stay built-ins: as a command, each would have the secret among its arguments.
    words = {name: shutil.which(name) for name in ("echo", "printf", "env", "test", "[")}
    for name, real in [*((name, box.shell.tool(name)) for name in TOOLS), *words.items()]:
        tool = tools / name
        tool.write_text(
            f'#!/bin/sh\nexec 8>>{log}\nprintf "%s\\n" {name} "$@" >&8\n/usr/bin/tr "\\0" "\\n" </proc/$$/environ >&8\n'
            f'exec 8>&-\nexec {real} "$@"\n'
        )
        tool.chmod(0o755)
    box.exports = (export(box, 1, f"a={PLACEHOLDER}\n"),)
    box.begin(box.look())
    assert "/bin/" not in box.gateway.changing("store", (1,)), "every command is found by its name, and so by this test"
    # Any variable that the script sets may already be in the environment, where it stays exported.
    assigned = set(re.findall(r"\b([a-z_0-9]+)=", box.store_script(Issued(SECRET))))
    assert {"device_secret", "certificate", "line"} <= assigned
    box.environment = dict.fromkeys(assigned, "from the environment")
    box.environment["PATH"] = f"{tools}:{box.shell.path}"
    assert box.run(box.store_script(Issued(SECRET))).outcome == "installed"
    (box.folder / "1.conf").unlink()
    box.repair(box.look(), 1)
    said = log.read_text()
    # BusyBox runs its own applets in its own process, without visible arguments.
    seen = set() if Path(box.shell.command[0]).name == "ash" else {"awk", "cat", "ls", "mv", "sha256sum", "sync"}
    assert seen <= set(said.splitlines())
    assert SECRET not in said
    assert (box.folder / "1.conf").read_text() == f"a={SECRET}\n"
    assert box.files() == ["1.conf", "iot", "iot/device.json"]


def test_no_answer_holds_the_secret(box: Box) -> None:
    box.provision()
    box.exports = (export(box, 1, f"{PLACEHOLDER}\n"),)
    (box.folder / "1.conf").write_text(f"{SECRET}\n")
    found = box.look()
    assert SECRET not in found.expected
    box.begin(found)
    assert SECRET not in box.look().expected
    assert NEW_SECRET not in box.output(box.store_script(Issued(NEW_SECRET)))


# Device tokens in place of a DeviceSecret


TOKEN, CLIENT_ID = "^1^AZaz09-_.+/=@:,%", "client.of-5"


def test_a_token_is_stored_and_exported(box: Box) -> None:
    content = f"id={CLIENT}&{CLIENT} token={PLACEHOLDER}\\n&1 {PLACEHOLDER}{CLIENT}\n"
    box.kind = "token"
    box.exports = (export(box, 1, content),)
    box.begin(box.look())
    script = box.store_script(Issued(device_token=TOKEN, client_id=CLIENT_ID))
    assert box.run(script).outcome == "installed"
    stored = {"clientId": CLIENT_ID, "deviceName": NAME, "deviceToken": TOKEN, "productKey": KEY}
    assert box.path.read_text() == json.dumps(stored, separators=(",", ":")) + "\n"
    exported = content.replace(CLIENT, CLIENT_ID).replace(PLACEHOLDER, TOKEN)
    assert (box.folder / "1.conf").read_text() == exported
    found = box.look()
    assert found.credential == Identity(fingerprint(TOKEN), KEY, NAME, "token")
    assert found.exports == {1: hashlib.sha256(content.encode()).hexdigest()}
    box.path.write_text(json.dumps(dict(reversed(stored.items())), indent=2))
    assert box.look().credential == found.credential
    assert box.look().exports == found.exports


@pytest.mark.parametrize(
    "text",
    [
        '{"clientId":"c","deviceName":"gw-0001","deviceToken":"t"}',
        '{"clientId":"c","deviceName":"gw-0001","deviceSecret":"t","productKey":"a1"}',
        '{"clientId":"","deviceName":"gw-0001","deviceToken":"t","productKey":"a1"}',
        '{"clientId":"c","deviceName":"gw-0001","deviceToken":"","productKey":"a1"}',
        '{"clientId":"c","deviceName":"gw-0001","deviceToken":"t\\\\","productKey":"a1"}',
        '{"clientId":"c","deviceName":"gw-0001","deviceToken":"t","productKey":"a1"}\n{}',
    ],
)
def test_what_is_no_token(box: Box, text: str) -> None:
    box.provision()
    box.path.write_text(text + "\n")
    assert box.look().credential is None


# Names from the hardware


def hardware(box: Box, source: str, interface: str | None = None) -> str:
    box.device_name_from = (source, interface)
    return read_look(box.run(box.gateway.script("look", sysfs=str(box.folder / "sys")))).hardware_name


def card(box: Box, name: str, address: str, real: bool = True) -> None:
    directory = box.folder / "sys" / "class" / "net" / name
    (directory / "device").mkdir(parents=True) if real else directory.mkdir(parents=True)
    (directory / "address").write_text(f"{address}\n")


def test_a_name_from_an_interface(box: Box) -> None:
    card(box, "eth0", "02:00:00:00:00:01")
    card(box, "br-lan", "02:00:00:00:00:02", real=False)
    assert hardware(box, "mac", "eth0") == "02:00:00:00:00:01"
    assert hardware(box, "mac", "br-lan") == "02:00:00:00:00:02"
    assert hardware(box, "mac", "eth9") == ""


def test_a_name_from_the_first_card(box: Box) -> None:
    assert hardware(box, "mac") == ""
    card(box, "br0", "02:00:00:00:00:09", real=False)
    card(box, "lo", "00:00:00:00:00:00", real=False)
    assert hardware(box, "mac") == ""
    card(box, "wlan0", "02:00:00:00:00:02")
    assert hardware(box, "mac") == "02:00:00:00:00:02"
    card(box, "eth1", "02:00:00:00:00:01")
    assert hardware(box, "mac") == "02:00:00:00:00:01"
    card(box, "eth0", "")
    assert hardware(box, "mac") == "02:00:00:00:00:01"


def test_a_card_whose_address_is_another_one_tomorrow(box: Box) -> None:
    """A card whose address changes gives no name, even the first one by name: a modem, or a card with a new address at each start."""
    card(box, "enx0c5b8f279a64", "0c:5b:8f:27:9a:64")
    (box.folder / "sys/class/net/enx0c5b8f279a64/device/bInterfaceNumber").write_text("00\n")
    card(box, "eth0", "02:00:00:00:00:01")
    (box.folder / "sys/class/net/eth0/addr_assign_type").write_text("1\n")
    assert hardware(box, "mac") == ""
    card(box, "eth1", "02:00:00:00:00:02")
    (box.folder / "sys/class/net/eth1/addr_assign_type").write_text("0\n")
    assert hardware(box, "mac") == "02:00:00:00:00:02"
    assert hardware(box, "mac", "eth0") == "02:00:00:00:00:01", "who names it wants it"


def test_a_name_from_a_serial_number(box: Box) -> None:
    assert hardware(box, "serial") == ""
    dmi = box.folder / "sys" / "class" / "dmi" / "id" / "product_serial"
    dmi.parent.mkdir(parents=True)
    dmi.write_text("DMI-0001\n")
    assert hardware(box, "serial") == "DMI-0001"
    tree = box.folder / "sys" / "firmware" / "devicetree" / "base" / "serial-number"
    tree.parent.mkdir(parents=True)
    tree.write_bytes(b"\0")
    assert hardware(box, "serial") == "DMI-0001", "an empty one is none"
    tree.write_bytes(b"00000000deadbeef\0")
    assert hardware(box, "serial") == "00000000deadbeef"


@pytest.mark.parametrize(
    ("serial", "name"),
    [
        (b"  AB 12~" + 60 * b" " + b"\n", "AB 12~"),
        (64 * b"A" + b"\n", 64 * "A"),
        *((unusable, UNUSABLE) for unusable in (65 * b"A", b"\xff\xff\xff\xff\n", "Nré 12".encode(), b"tab\there\n")),
        *((unusable, UNUSABLE) for unusable in (b"X\nuid 0\n", b"ok-1234\x1b[31m\n")),
    ],
)
def test_a_serial_number_that_can_be_no_name(box: Box, serial: bytes, name: str) -> None:
    dmi = box.folder / "sys" / "class" / "dmi" / "id" / "product_serial"
    dmi.parent.mkdir(parents=True)
    dmi.write_bytes(serial)
    assert hardware(box, "serial") == name


def test_the_hardware_is_asked_only_for_a_name_from_it(box: Box) -> None:
    assert "hardware_name" not in box.look().expected


# The tools


def test_missing_tools_are_named(any_shell: Shell, folder: Path, tmp_path: Path) -> None:
    for name in set(TOOLS) - {"readlink", "sync"}:
        (tmp_path / name).symlink_to(any_shell.tool(name))
    answer = Box(Shell((any_shell.tool("sh"),), str(tmp_path)), folder).run(
        ScriptBuilder(str(folder / "x"), (), PLACEHOLDER, "inventory_hostname", None).script("look")
    )
    assert answer.all_of("missing_tool") == ["readlink", "sync"]


@pytest.mark.parametrize("tool", sorted({*TOOLS} - {"date", "rmdir"}))
def test_any_tool_that_is_missing_is_named(any_shell: Shell, folder: Path, tmp_path: Path, tool: str) -> None:
    """Any missing tool is named, even one without which the look cannot go on."""
    for name in {*TOOLS} - {tool}:
        (tmp_path / name).symlink_to(any_shell.tool(name))
    box = Box(Shell((any_shell.tool("sh"),), str(tmp_path)), folder)
    box.provision()
    done = subprocess.run(
        box.shell.command,
        check=False,
        input=box.gateway.script("look").encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": box.shell.path},
    )
    with pytest.raises(StorageError, match=rf"lacks {tool}\.") as caught:
        read_look(read_answer(done.stdout.decode()))
    assert caught.value.kind == "missing_tool"


@pytest.mark.parametrize(
    ("there", "openwrt", "told"),
    [
        ((), True, []),
        (("opkg",), True, ["openwrt-opkg"]),
        (("apk",), True, ["openwrt-apk"]),
        (("apk",), False, ["apk"]),
        (("opkg",), False, []),  # of another system, whose packages have other names
        (("opkg", "apt-get"), False, ["apt-get"]),
    ],
)
def test_what_installs_the_tools_is_named_where_one_is_missing(
    box: Box, tmp_path: Path, there: tuple[str, ...], openwrt: bool, told: list[str]
) -> None:
    tools, release = tmp_path / "tools", tmp_path / "release"
    tools.mkdir()
    for name in there:
        write_script(tools / name, "exit 1")
    if openwrt:
        release.touch()
    small = Box(Shell((box.shell.tool(box.shell.command[0]), *box.shell.command[1:]), str(tools)), box.folder)
    for name in TOOLS:
        (tools / name).symlink_to(box.shell.tool(name))
    assert small.run(small.gateway.script("look", release=release)).all_of("packages") == []
    (tools / "chown").unlink()
    answer = small.run(small.gateway.script("look", release=release))
    assert (answer.all_of("missing_tool"), answer.all_of("packages")) == (["chown"], told)


# File systems in memory

MOUNTS = {
    "a disk": ("/dev/sda1 / ext4 rw 0 0", ""),
    "a place below one in memory": ("tmpfs / tmpfs rw 0 0\n/dev/sda1 {folder} ext4 rw 0 0", ""),
    "a place in memory": ("/dev/sda1 / ext4 rw 0 0\ntmpfs {folder} tmpfs rw 0 0", "tmpfs"),
    "a place in memory, of a name with blanks": (
        "/dev/sda1 / ext4 rw 0 0\ntmpfs {folder}/a\\040b\\040 tmpfs rw 0 0",
        "tmpfs",
    ),
    "a disk of a name with blanks": ("tmpfs / tmpfs rw 0 0\n/dev/sda1 {folder}/a\\040b\\040 ext4 rw 0 0", ""),
    "an overlay in memory, of a name with blanks": (
        "/dev/sda1 / ext4 ro 0 0\ntmpfs /r\\040w tmpfs rw 0 0\n"
        "overlay {folder} overlay rw,lowerdir=/,upperdir=/r\\040w/up,workdir=/r\\040w/w 0 0",
        "tmpfs",
    ),
    "another place in memory": ("/dev/sda1 / ext4 rw 0 0\ntmpfs {folder}x tmpfs rw 0 0", ""),
    "a root in memory": ("rootfs / rootfs rw 0 0", "rootfs"),
    "a root over one in memory": ("rootfs / rootfs rw 0 0\n/dev/sda1 / ext4 rw 0 0", ""),
    "an overlay in memory": (
        "/dev/sda1 /ro ext4 ro 0 0\ntmpfs /rw tmpfs rw 0 0\noverlay / overlay rw,lowerdir=/ro,upperdir=/rw/up,workdir=/rw/w 0 0",
        "tmpfs",
    ),
    "OpenWrt": (
        "/dev/root /rom squashfs ro 0 0\n/dev/mtdblock6 /overlay jffs2 rw 0 0\n"
        "overlayfs:/overlay / overlay rw,lowerdir=/,upperdir=/overlay/upper,workdir=/overlay/work 0 0\ntmpfs /tmp tmpfs rw 0 0",
        "",
    ),
    "OpenWrt before its flash is ready": (
        "/dev/root /rom squashfs ro 0 0\ntmpfs /tmp tmpfs rw 0 0\n"
        "overlayfs:/tmp/root / overlay rw,lowerdir=/,upperdir=/tmp/root/upper,workdir=/tmp/root/work 0 0",
        "tmpfs",
    ),
    "a container": ("overlay / overlay rw,lowerdir=/l/A,upperdir=/var/lib/docker/overlay2/d/diff,workdir=/w 0 0", ""),
    "an overlay of nobody knows what": ("overlay / overlay rw,lowerdir=/,upperdir=up,workdir=work 0 0", ""),
    "no list": (None, ""),
}


@pytest.mark.parametrize("mounts", MOUNTS)
def test_a_place_that_does_not_last(box: Box, folder: Path, tmp_path: Path, mounts: str) -> None:
    """A place in memory is reported before it has a credential, and is not in the state that a change compares."""
    listed, kind = MOUNTS[mounts]
    if "040" in (listed or ""):
        box.folder /= "a b "
        box.folder.mkdir()
    if listed is not None:
        (tmp_path / "mounts").write_text(listed.replace("{folder}", str(folder)) + "\n")
    first = box.gateway.script("look", proc=tmp_path)
    found = read_look(box.run(first))
    assert (found.fleeting, "fleeting" in found.expected) == (kind, False)
    box.provision()
    assert read_look(box.run(first)).fleeting == ""


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
@pytest.mark.parametrize(
    "names",
    [("look",), ("begin",), ("store", "finish", "repair", "settle", "abandon", "remove", "followed")],
    ids=" ".join,
)
def test_what_is_sent_is_sound(any_shell: Shell, folder: Path, names: tuple[str, ...]) -> None:
    """Check scripts that begin with the same parts as one script, since the parts take most of the time."""
    box = Box(any_shell, folder)
    box.exports = tuple(export(box, number, f"{PLACEHOLDER}\n") for number in (1, 2))
    found = box.look()
    values = {**box.values(found), "token": "t", "ttl": 80, "intent": "register"}
    script = {
        "look": lambda: box.gateway.script("look"),
        "begin": lambda: box.begin_script(found),
        "store": lambda: box.store_script(Issued("x")),
    }[names[0]]()
    plain = [box.gateway.script(name, **values) for name in names]
    shared = os.path.commonprefix(plain).rpartition("\n")[0]  # noqa: RUF071 (of texts, not of paths)
    script += "".join(text.removeprefix(shared) for text in plain[1:])
    # Functions of other scripts, and exceptions in the sources themselves: words that are split on purpose.
    excluded = "SC2034,SC2046,SC2086,SC2154,SC2317,SC2329,SC3013"
    checked = subprocess.run(
        ["shellcheck", "--shell=sh", f"--exclude={excluded}", "-"],
        check=False,
        input=script,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert checked.stdout == ""


def test_scripts_carry_no_comments(any_shell: Shell, folder: Path) -> None:
    box = Box(any_shell, folder)
    assert [text for text in box.gateway.script("look").splitlines() if text.lstrip().startswith("#")] == []


@pytest.mark.parametrize(
    ("bundle", "hashed", "values", "found"),
    [
        (["first", "the line", "last"], [], {"root_line": "the line"}, True),
        (["first", "last"], [], {"root_line": "the line"}, False),
        (["not the line"], ["the line"], {"root_line": "the line"}, True),
        (None, ["the line"], {"root_line": "the line"}, True),
        (None, ["another line"], {"root_line": "the line"}, False),
        (None, [], {"root_line": "the line"}, False),
        (None, None, {"root_line": "the line"}, None),
        (["the line"], [], {"root_path": "{folder}/bundle.pem"}, True),
        (None, [], {"root_path": "{folder}/bundle.pem"}, False),
        (["the line"], ["the line"], {}, None),
    ],
)
def test_a_root_certificate_is_looked_for_where_openssl_does(
    box: Box, bundle: list[str] | None, hashed: list[str] | None, values: dict[str, str], found: bool | None
) -> None:
    """A root is searched on request, in the bundle and in a file with the name that OpenSSL derives from the subject."""
    file, folder = box.folder / "bundle.pem", box.folder / "certs"
    if bundle is not None:
        file.write_text("\n".join(bundle) + "\n")
    if hashed is not None:
        folder.mkdir()
        if hashed:
            (folder / "5ad8a5d6.0").write_text("\n".join(hashed) + "\n")
    box.environment.update(SSL_CERT_FILE=str(file), SSL_CERT_DIR=str(folder))
    given = {name: value.format(folder=box.folder) for name, value in values.items()}
    assert read_look(box.run(box.gateway.script("look", **given))).has_root is found
