# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reports about the lock: its holder, and a lock whose process has ended. test_scripts.py tests that it excludes others."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from script_box import ROOT, Box, Shell
from shells import write_script

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BusyError


@pytest.fixture
def hasty(one: Box, tmp_path: Path) -> Box:
    """Return a box whose scripts wait with a sleep that returns at once."""
    tools = tmp_path / "tools"
    tools.mkdir()
    write_script(tools / "sleep", "exit 0")
    one.environment = {"PATH": f"{tools}:{one.shell.path}"}
    one.provision()
    return one


def lock_of(box: Box, word: str) -> Path:
    """Create the file of the lock of a process."""
    lock = box.lock.with_name(f"{box.lock.name}.{word}")
    lock.touch()
    return lock


def started(pid: object) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def word(number: object, start: object, first: str = "") -> str:
    """Return the word of a process.

    :param first: when the first process of its PID namespace started; by default of this one
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}+{first or started(1)}.{number}.{start}"


def test_a_script_that_waits_in_vain_names_the_file_and_the_process(hasty: Box) -> None:
    lock = lock_of(hasty, word(os.getpid(), started(os.getpid())))
    lock_of(hasty, "another-boot.1.1")
    with pytest.raises(BusyError) as busy:
        hasty.begin(hasty.look())
    assert f"process {os.getpid()} has held the lock {lock} for 20 seconds" in str(busy.value)


def test_a_lock_that_is_released_during_a_look_is_not_abandoned(hasty: Box) -> None:
    """The look lists the lock; then its process removes it and ends."""
    look = hasty.gateway.script("look")
    listed = "    for word in $(lockers); do\n"
    assert look.count(listed) == 1
    released = look.replace(listed, f'{listed}        rm -f "./$lock_file.$word"\n')
    for script, abandoned in ((look, True), (released, False)):
        lock_of(hasty, "another-boot.1.1")
        assert ("abandoned_lock" in hasty.output(script)) is abandoned


# PID namespaces: a container that has the directory as a volume


@pytest.mark.parametrize(("age", "holds"), [(0, True), (570, True), (610, False)])
def test_a_process_of_another_pid_namespace_holds_the_lock_for_a_while(hasty: Box, age: int, holds: bool) -> None:
    """Nobody here can ask whether it runs. Its number may be that of a process here."""
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    lock = lock_of(hasty, word(os.getpid(), int(100 * (uptime - age)), first="9999999"))
    assert ("abandoned_lock" in hasty.output(hasty.gateway.script("look"))) is not holds
    if holds:
        with pytest.raises(BusyError, match="has held the lock"):
            hasty.begin(hasty.look())
    else:
        assert hasty.begin(hasty.look()).outcome == "begun"
    assert lock.exists() is holds


@pytest.mark.skipif(not ROOT or not shutil.which("unshare"), reason="only root makes PID namespaces")
@pytest.mark.parametrize("proc", [[], ["--mount-proc"]], ids=["the host's /proc", "a /proc of its own"])
def test_a_lock_of_a_pid_namespace(hasty: Box, tmp_path: Path, proc: list[str]) -> None:
    """With the host's /proc, the lock names the process as the host does; else it names another namespace."""
    unshare = ["unshare", "--pid", "--fork", *proc]
    if subprocess.run([*unshare, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no PID namespace can be made here")
    listing = f"ls -A {hasty.path.parent} >>{tmp_path}/listing"
    write_script(tmp_path / "tools/sync", f'{listing}\nexec {hasty.shell.tool("sync")} "$@"')
    found = hasty.look()
    hasty.shell = Shell((*unshare, *hasty.shell.command), hasty.shell.path)
    assert hasty.begin(found).outcome == "begun"
    [lock] = {name for name in (tmp_path / "listing").read_text().split() if ".lock." in name}
    namespace, number, _start = lock.partition(".lock.")[2].split(".")
    assert (number == "1") is bool(proc)
    assert (namespace == word(1, 1).partition(".")[0]) is not bool(proc)


def test_a_check_removes_the_directory_that_it_has_created_while_another_run_waits_in_it(
    one: Box, tmp_path: Path
) -> None:
    """That is no failure of the run that waits: it looks again, and creates the directory."""
    found = one.look()
    one.path.parent.mkdir()
    lock = lock_of(one, word(os.getpid(), started(os.getpid())))
    tools = tmp_path / "tools"
    tools.mkdir()
    write_script(tools / "sleep", f"rm {lock} && rmdir {lock.parent}")
    one.environment = {"PATH": f"{tools}:{one.shell.path}"}
    assert one.begin(found).outcome == "stale"
    assert one.begin(one.look()).outcome == "begun"
