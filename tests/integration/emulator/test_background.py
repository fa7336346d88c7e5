# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""start and stop: one emulator for each state directory, which outlives the process that started it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from emulator import PROGRAM
from platform_emulator import process
from platform_emulator.options import Options
from platform_emulator.process import Running

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """Yield a function that runs a command on the test's state directory; the emulator stops with the test."""

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


def test_another_emulator_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of the emulator's files or of its Python restarts it, without a changed option."""
    program = shutil.copytree(PROGRAM, tmp_path / "program", ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--state-dir", str(tmp_path / "state")]
    script = f"import sys; sys.path.insert(0, {str(program)!r}); import platform_emulator.__main__ as emulator;"
    command = [sys.executable, "-c", f"{script} emulator.main()", "start", *options]

    def start() -> str:
        return subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout.strip()

    try:
        assert (start(), start()) == ("started", "already running")
        with (program / "platform_emulator" / "mqtt" / "topics.py").open("a") as source:
            source.write("# newer\n")
        assert (start(), start()) == ("started", "already running")
    finally:
        process.stop(tmp_path / "state")
    fingerprint = (own := Options(tmp_path, "127.0.0.1", 0, 0, 0, None, None)).fingerprint()
    monkeypatch.setattr(sys, "executable", "/opt/python/bin/python")
    assert own.fingerprint() != fingerprint


def test_a_check_only_says_what_would_be_done(command: Command, tmp_path: Path) -> None:
    assert said(command("start", "--check")) == "started"
    assert not (tmp_path / "state").exists()
    assert said(command("start")) == "started"
    before = endpoints(tmp_path)
    for name, options, answer in (
        ("start", [], "already running"),
        ("start", ["--listen", "127.0.0.9"], "started"),
        ("stop", [], "stopped"),
        ("remove", [], "removed"),
        ("prepare", [], "already prepared"),
    ):
        assert said(command(name, "--check", *options)) == answer
    assert said(command("start")) == "already running"
    assert endpoints(tmp_path) == before
    assert said(command("remove")) == "removed"
    assert not (tmp_path / "state").exists()
    assert said(command("remove")) == "already absent"


def test_a_dead_one_is_started_again(command: Command, tmp_path: Path) -> None:
    assert said(command("start")) == "started"
    os.kill(endpoints(tmp_path)["pid"], signal.SIGKILL)
    assert said(command("start")) == "started"


def test_stop_ends_no_stranger(command: Command, tmp_path: Path) -> None:
    """stop ends no unrelated process that has since received the number in the record of a crash."""
    assert said(command("start")) == "started"
    assert said(command("stop")) == "stopped"
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record = tmp_path / "state" / "process.json"
        record.write_text(json.dumps({"pid": stranger.pid, "fingerprint": ""}))
        assert said(command("stop")) == "not running"
        assert stranger.poll() is None
        stranger.kill()


def test_the_number_in_a_held_lock_is_never_that_of_a_stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directly after a lock is taken, its owner or no emulator is found, but never the number that a crash left."""
    (tmp_path / "process.json").write_text(json.dumps({"pid": 1, "fingerprint": "of a crashed one"}))
    seen: list[Running | None] = []
    real = fcntl.flock

    def flock(file: Any, operation: int) -> None:
        real(file, operation)
        if operation & fcntl.LOCK_EX:
            seen.append(process.running(tmp_path))

    monkeypatch.setattr(fcntl, "flock", flock)
    with process.sole_owner(options := Options(tmp_path, "127.0.0.1", 0, 0, 0, None, None)):
        pass
    own = Running(os.getpid(), options.fingerprint())
    assert seen[-1] == own
    assert set(seen) <= {None, own}
    assert process.running(tmp_path) is None


def test_one_that_ends_by_itself_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    looks = iter([Running(gone.pid, ""), None])
    monkeypatch.setattr(process, "running", lambda _state_dir: next(looks))
    assert process.stop(tmp_path)


def test_one_that_runs_out_of_sight_is_not_said_to_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator in another container, which has other process numbers, is not reported as stopped."""
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    monkeypatch.setattr(process, "running", lambda _state_dir: Running(gone.pid, ""))
    with pytest.raises(ProcessLookupError):
        process.stop(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[]", "1", "\ufeff", "[" * 100_000])
def test_a_ready_file_of_other_content(command: Command, tmp_path: Path, content: str) -> None:
    ready = tmp_path / "ready.json"
    ready.write_text(content)
    assert said(command("start", "--ready-file", str(ready))) == "started"
    assert json.loads(ready.read_text())["ca_file"] == f"{tmp_path}/state/ca.pem"


def test_starts_at_once_start_one(command: Command) -> None:
    with ThreadPoolExecutor() as starters:
        ended = list(starters.map(lambda _number: said(command("start")), range(3)))
    assert sorted(ended) == ["already running", "already running", "started"]
    assert said(command("start")) == "already running"


def test_a_start_waits_for_one_that_another_has_begun(command: Command, tmp_path: Path) -> None:
    directory = tmp_path / "state"
    serve = ["serve", "--state-dir", str(directory), "--ready-file", str(directory / "endpoints.json")]
    with subprocess.Popen(
        [sys.executable, "-m", "platform_emulator", *serve], env={"PYTHONPATH": str(PROGRAM)}, stderr=subprocess.DEVNULL
    ) as begun:
        while process.running(directory) is None:
            assert begun.poll() is None
        assert said(command("start")) == "already running"
        assert endpoints(tmp_path)["pid"] == begun.pid
        assert said(command("stop")) == "stopped"


def test_names_that_are_not_utf_8(command: Command, tmp_path: Path) -> None:
    seed = tmp_path / os.fsdecode(b"seed-\xff.yml")
    seed.write_text("{}")
    assert said(command("start", "--seed", str(seed))) == "started"
    assert said(command("start", "--seed", str(seed))) == "already running"


def test_why_it_did_not_start(command: Command, tmp_path: Path) -> None:
    seed = tmp_path / "seed.yml"
    seed.write_text("[]")
    ended = command("start", "--seed", str(seed))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"platform_emulator: cannot start: the emulator ended with code 2; the end of {tmp_path}/state/emulator.log:\n"
        f"platform_emulator: {seed}: must be a mapping of keys to values, not a value of type list\n"
    )


def test_what_a_start_in_vain_leaves_can_be_removed(command: Command) -> None:
    assert command("start", "--wait", "0").returncode == 1
    assert said(command("remove")) == "removed"


def test_a_start_has_its_time(command: Command) -> None:
    ended = command("start", "--wait", "0")
    assert ended.returncode == 1
    assert "the emulator was not ready in time; the end of" in ended.stderr
    assert said(command("stop")) == "not running"
