# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which process of which controller holds a lease."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._holder import alive, holder, started


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    holder.cache_clear()
    yield
    holder.cache_clear()


def test_a_controllers_name_fits_a_journal() -> None:
    assert re.fullmatch("[0-9a-f]{16}", holder())


def test_processes_of_one_controller_agree() -> None:
    program = "from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._holder import holder; print(holder())"
    other = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert other.stdout.strip() == holder()


def test_controllers_differ_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    here = holder()
    holder.cache_clear()
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere.example")
    assert holder() != here


@pytest.mark.parametrize(
    ("method", "changed"), [("read_text", "/proc/sys/kernel/random/boot_id"), ("readlink", "/proc/self/ns/pid")]
)
def test_controllers_differ_by_start_and_container(monkeypatch: pytest.MonkeyPatch, method: str, changed: str) -> None:
    here = holder()
    real = getattr(Path, method)
    monkeypatch.setattr(Path, method, lambda path: "other" if str(path) == changed else real(path))
    holder.cache_clear()
    assert holder() != here


def test_a_controller_without_proc_has_a_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_path: Path) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", denied)
    monkeypatch.setattr(Path, "readlink", denied)
    assert re.fullmatch("[0-9a-f]{16}", holder())


def test_when_a_process_started(process: subprocess.Popen[bytes]) -> None:
    start = started(process.pid)
    assert start.isdecimal()
    assert started(process.pid) == start
    assert int(start) >= int(started(os.getpid()))


def test_a_name_with_blanks_and_brackets_hides_nothing() -> None:
    program = "import time; open('/proc/self/comm', 'w').write('a) R 1 (b c'); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert "a) R 1 (b c" in Path(f"/proc/{process.pid}/stat").read_text()
        ticks = started(process.pid)
        process.kill()
    assert int(ticks) >= int(started(os.getpid()))


def test_a_living_process(process: subprocess.Popen[bytes]) -> None:
    assert alive(process.pid, started(process.pid)) is True


def test_another_process_of_the_same_number(process: subprocess.Popen[bytes]) -> None:
    assert alive(process.pid, "1") is False


def test_a_dead_process(process: subprocess.Popen[bytes]) -> None:
    start = started(process.pid)
    process.kill()
    # Dead, and not yet reaped.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert started(process.pid) == "-"
    assert alive(process.pid, start) is False
    process.wait()
    assert started(process.pid) == "-"
    assert alive(process.pid, start) is False


def test_without_proc_a_number_has_to_do(process: subprocess.Popen[bytes]) -> None:
    assert alive(process.pid, "-") is True
    process.kill()
    process.wait()
    assert alive(process.pid, "-") is False


def test_a_process_of_another_user_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", denied)
    assert alive(1, "-") is True
