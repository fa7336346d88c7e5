# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""start and stop: one emulator for each state directory, which outlives the process that started it."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import processes
import pytest
from emulator import PROGRAM
from platform_emulator import process
from platform_emulator.options import Options
from platform_emulator.process import Running

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """Yield a function that runs a command on the test's state directory; the emulator stops with the test."""

    def run(name: str, *options: str, path: Path = PROGRAM) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "platform_emulator", name, "--state-dir", str(tmp_path / "state"), *options],
            env={"PYTHONPATH": f"{path}:{PROGRAM}"},
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
    for descriptor in process.own(options := Options(tmp_path, "127.0.0.1", 0, 0, 0, None, None)):
        os.close(descriptor)
    own = Running(os.getpid(), options.fingerprint())
    assert seen[-1] == own
    assert set(seen) <= {None, own}
    assert process.running(tmp_path) is None


def test_stop_waits_for_the_end_of_the_process(command: Command, tmp_path: Path) -> None:
    """An interpreter may need a while for its end after the last line of the program."""
    (tmp_path / "sitecustomize.py").write_text("import atexit, time; atexit.register(time.sleep, 1)\n")
    assert said(command("start", path=tmp_path)) == "started"
    pid = endpoints(tmp_path)["pid"]
    assert processes.read(pid, "environ")
    assert said(command("stop")) == "stopped"
    assert not processes.read(pid, "environ")


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
    assert said(command("prepare")) == "prepared"
    (tmp_path / "state" / "state.sqlite").write_text("not a database" * 99)
    ended = command("start")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"platform_emulator: cannot start: the emulator ended with code 2; the end of {tmp_path}/state/emulator.log:\n"
        f"platform_emulator: {tmp_path}/state/state.sqlite: cannot be used (file is not a database);"
        " restore it, or remove the state directory\n"
    )


MISTAKES = {
    "[]": "must be a mapping of keys to values, not a value of type list",
    "products: [{product_key: a1, product_secret: s, devices: [{name: gw-1, sub_devices: [{product_key: a2, name: s-01}]}]}]": (
        "products[0].devices[0]: sub_devices of gw-1: there is no product a2; add it first"
    ),
}


@pytest.mark.parametrize("content", MISTAKES)
def test_a_seed_with_a_mistake_does_not_end_the_emulator(command: Command, tmp_path: Path, content: str) -> None:
    seed = tmp_path / "seed.yml"
    seed.write_text("settings: {job_polls: 5}")
    assert said(command("start", "--seed", str(seed))) == "started"
    before = endpoints(tmp_path), sorted(os.listdir(tmp_path / "state"))
    seed.write_text(content)
    message = f"platform_emulator: {seed}: {MISTAKES[content]}\n"
    for options in ([], ["--check"]):
        ended = command("start", "--seed", str(seed), *options)
        assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", message)
    assert (endpoints(tmp_path), sorted(os.listdir(tmp_path / "state"))) == before
    os.kill(endpoints(tmp_path)["pid"], 0)
    seed.write_text("settings: {job_polls: 6}")
    assert said(command("start", "--seed", str(seed))) == "started"


def test_a_seed_on_standard_input_is_checked_before_the_directory_is_made(tmp_path: Path) -> None:
    def checked(content: str) -> tuple[int, str]:
        ended = subprocess.run(
            [sys.executable, "-m", "platform_emulator", "prepare", "--check-seed", f"--state-dir={tmp_path / 'state'}"],
            input=content,
            env={"PYTHONPATH": str(PROGRAM)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    message = (
        "platform_emulator: seed: settings.job_polls: -1 is not possible; write a whole number from 0 to 1000000\n"
    )
    assert checked('{"settings": {"job_polls": -1}}') == (2, message)
    assert not (tmp_path / "state").exists()
    assert checked('{"settings": {"job_polls": 5}}') == (0, "prepared\n")


def test_a_full_disk_is_the_reason_that_an_empty_log_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is reported although the emulator cannot write a reason to its log. The limit of a file's size stands for the disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(process, "PROBE_BYTES", 2 * 65_536)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    try:
        why = process._why(1, "", tmp_path / "emulator.log")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert why == (
        f"the emulator ended with code 1; the end of {tmp_path}/emulator.log:\n"
        f"Nothing can be written to {tmp_path} (File too large); free some space there, then start it again"
    )
    assert process._why(1, "", tmp_path / "emulator.log").endswith("\nIt wrote nothing")


def test_it_keeps_the_users_python_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PROGRAM), "/opt/lib", "", "lib"]))
    assert process._python_path() == os.pathsep.join([str(PROGRAM), "/opt/lib", f"{tmp_path}/lib"])
    monkeypatch.delenv("PYTHONPATH")
    assert process._python_path() == str(PROGRAM)


def test_what_a_start_in_vain_leaves_can_be_removed(command: Command) -> None:
    assert command("start", "--wait", "0").returncode == 1
    assert said(command("remove")) == "removed"


def test_a_start_has_its_time(command: Command) -> None:
    ended = command("start", "--wait", "0")
    assert ended.returncode == 1
    assert "the emulator was not ready in time; the end of" in ended.stderr
    assert said(command("stop")) == "not running"
