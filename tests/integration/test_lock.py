# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reports about the lock: its holder, and a lock whose process has ended. test_scripts.py tests that it excludes others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from script_box import Box
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


def this_process() -> str:
    """Return the word of the process of this test, which runs."""
    start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}.{os.getpid()}.{start}"


def test_a_script_that_waits_in_vain_names_the_file_and_the_process(hasty: Box) -> None:
    lock = lock_of(hasty, this_process())
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
