# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process ends with the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import processes

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._parent import ending_with_parent

SECONDS = 600  # longer than any test waits

fork = multiprocessing.get_context("fork")


def run(pid_file: Path) -> None:
    """Start a task, as Ansible does, and get killed."""
    fork.Process(target=task, args=(pid_file,)).start()
    processes.wait_for(pid_file.exists, "the task")
    os.kill(os.getpid(), signal.SIGKILL)


def task(pid_file: Path) -> None:
    with ending_with_parent():
        pid_file.with_suffix(".new").write_text(str(os.getpid()))
        pid_file.with_suffix(".new").rename(pid_file)
        time.sleep(SECONDS)


def test_a_task_ends_with_a_killed_run(tmp_path: Path) -> None:
    killed = fork.Process(target=run, args=(tmp_path / "pid",))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    pid = int((tmp_path / "pid").read_text())
    try:
        processes.wait_for(lambda: not processes.read(pid, "cmdline"), "the task to end")
    finally:
        processes.kill(lambda: [pid] if processes.read(pid, "cmdline") else [])


def test_a_task_continues_while_its_run_does(tmp_path: Path) -> None:
    def work() -> None:
        with ending_with_parent(seconds=0.01):
            time.sleep(0.2)
        (tmp_path / "done").touch()

    continuing = fork.Process(target=work)
    continuing.start()
    continuing.join(60)
    assert continuing.exitcode == 0
    assert (tmp_path / "done").exists()
