# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""start and stop: one emulator to a state directory, that outlives who started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emulator import PROGRAM

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """Run a command on the test's state directory; what it started ends with the test."""

    def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "platform_emulator", name, "--state-dir", str(tmp_path / "state"), *options],
            env={"PYTHONPATH": str(PROGRAM)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    yield run
    run("stop")


def said(ended: subprocess.CompletedProcess[str]) -> str:
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.strip()


def endpoints(tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tmp_path / "state" / "endpoints.json").read_text())
    return content


def test_start_and_stop_do_what_is_to_do(command: Command, tmp_path: Path) -> None:
    assert said(command("stop")) == "not running"
    assert said(command("start")) == "started"
    first = endpoints(tmp_path)
    assert os.getsid(first["pid"]) == first["pid"], "it is in nobody's session"
    assert said(command("start")) == "already running"
    assert endpoints(tmp_path) == first
    assert said(command("stop")) == "stopped"
    assert not (tmp_path / "state" / "endpoints.json").exists()
    assert said(command("stop")) == "not running"


def test_other_options_or_another_seed_restart(command: Command, tmp_path: Path) -> None:
    seed = tmp_path / "seed.yml"
    seed.write_text("{}")
    pids = []
    for content, listen in (("{}", "127.0.0.1"), ("{settings: {}}", "127.0.0.1"), ("{settings: {}}", "127.0.0.9")):
        seed.write_text(content)
        assert said(command("start", "--seed", str(seed), "--listen", listen)) == "started"
        assert said(command("start", "--seed", str(seed), "--listen", listen)) == "already running"
        pids.append(endpoints(tmp_path)["pid"])
    assert len(set(pids)) == 3


def test_a_dead_one_is_started_again(command: Command, tmp_path: Path) -> None:
    assert said(command("start")) == "started"
    os.kill(endpoints(tmp_path)["pid"], signal.SIGKILL)
    assert said(command("start")) == "started"


def test_stop_ends_no_stranger(command: Command, tmp_path: Path) -> None:
    """A crash left its number behind, and another process has got it since."""
    assert said(command("start")) == "started"
    assert said(command("stop")) == "stopped"
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record = tmp_path / "state" / "process.json"
        record.write_text(json.dumps({"pid": stranger.pid, "fingerprint": ""}))
        assert said(command("stop")) == "not running"
        assert stranger.poll() is None
        stranger.kill()


def test_why_it_did_not_start(command: Command, tmp_path: Path) -> None:
    seed = tmp_path / "seed.yml"
    seed.write_text("[]")
    ended = command("start", "--seed", str(seed))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"platform_emulator: cannot start: the emulator ended with code 2; the end of {tmp_path}/state/emulator.log:\n"
        f"platform_emulator: {seed}: must be a mapping of keys to values, not a value of type list\n"
    )


def test_a_start_has_its_time(command: Command) -> None:
    ended = command("start", "--wait", "0")
    assert ended.returncode == 1
    assert "the emulator was not ready in time; the end of" in ended.stderr
    assert said(command("stop")) == "not running"
