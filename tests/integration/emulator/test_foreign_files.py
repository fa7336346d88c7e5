# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are not the emulator's: serve and start refuse to replace or remove them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from emulator import PROGRAM, Emulator
from platform_emulator import ready_file
from platform_emulator.fields import Invalid

COMMANDS = [["serve"], ["start", "--wait=20"], ["start", "--check"]]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command that has to fail; it is killed if it serves."""
    return subprocess.run(
        [sys.executable, "-m", "platform_emulator", *map(str, arguments)],
        env={"PYTHONPATH": str(PROGRAM)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def contents(directory: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *zip(
            COMMANDS * 2,
            ["server.key", "ca.key", "seed.yml", "emulator.log", "endpoints.json", "letter.txt"],
            strict=True,
        )
    ],
)
def test_a_folder_of_other_files_is_no_state_directory(tmp_path: Path, command: list[str], name: str) -> None:
    (tmp_path / name).write_text("dear")
    ended = run(*command, "--state-dir", tmp_path)
    assert (ended.returncode, ended.stderr) == (
        2,
        f"platform_emulator: {tmp_path}: is not the state directory of an emulator, and not empty;"
        " choose another state directory\n",
    )
    assert contents(tmp_path) == {str(tmp_path / name): "dear"}


def _link(path: Path) -> None:
    path.with_name("target").write_text("dear")
    path.symlink_to("target")


def _broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [_link, _broken_link, os.mkfifo, Path.mkdir])
def test_a_ready_file_that_is_no_regular_file_stays(tmp_path: Path, make: Callable[[Path], None]) -> None:
    ready = tmp_path / "ready.json"
    make(ready)
    before = contents(tmp_path), os.lstat(ready).st_ino
    with pytest.raises(Invalid) as error:
        ready_file.check(ready)
    message = "is a link or not a regular file, so --ready-file does not replace it; choose another file"
    assert str(error.value) == f"{ready}: {message}"
    assert (contents(tmp_path), os.lstat(ready).st_ino) == before


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout"])
def test_a_ready_file_is_no_device(name: str) -> None:
    with pytest.raises(Invalid, match=f"^{name}: is a link or not a regular file, so --ready-file does not replace it"):
        ready_file.check(Path(name))


@pytest.mark.parametrize("content", ["dear", "{}", "[]", "1", "\ufeff", '{"pid": 1}', "[" * 100_000])
def test_a_ready_file_of_other_content_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "ready.json").write_text(content)
    with pytest.raises(Invalid, match="is not a list of an emulator's endpoints"):
        ready_file.check(tmp_path / "ready.json")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_serve_and_start_leave_a_ready_file_of_other_content(tmp_path: Path, command: list[str]) -> None:
    ready = tmp_path / "ready.json"
    ready.write_text("dear")
    ended = run(*command, "--state-dir", tmp_path / "state", "--ready-file", ready)
    problem = "is not a list of an emulator's endpoints, so --ready-file does not replace it; choose another file"
    assert (ended.returncode, ended.stderr) == (2, f"platform_emulator: {ready}: {problem}\n")
    assert (ready.read_text(), (tmp_path / "state").exists()) == ("dear", False)


def test_a_ready_file_of_another_user_stays(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    ready = tmp_path / "ready.json"
    ready.write_text("")
    os.chown(ready, 65534, 65534)
    with pytest.raises(Invalid, match=r"belongs to another user \(uid 65534\)"):
        ready_file.check(ready)


def test_swapped_options_leave_the_seed_alone(tmp_path: Path) -> None:
    seed, ready = tmp_path / "seed.yml", tmp_path / "endpoints.json"
    seed.write_text("settings: {}")
    ended = run("serve", "--state-dir", tmp_path / "state", "--seed", ready, "--ready-file", seed)
    assert ended.returncode == 2
    assert contents(tmp_path) == {str(seed): "settings: {}"}


@pytest.mark.parametrize("left", ["", json.dumps({"pid": 1, "admin_url": "http://127.0.0.1:1/", "register_url": ""})])
def test_an_empty_file_and_the_file_of_a_killed_emulator_are_replaced(tmp_path: Path, left: str) -> None:
    ready = tmp_path / "mine.json"
    ready.write_text(left)
    try:
        assert run("start", "--state-dir", tmp_path / "state", "--ready-file", ready).stdout == "started\n"
        assert json.loads(ready.read_text())["ca_file"] == f"{tmp_path}/state/ca.pem"
    finally:
        run("stop", "--state-dir", tmp_path / "state")


def test_a_seed_with_a_mistake_leaves_the_ready_file(tmp_path: Path) -> None:
    ready = tmp_path / "endpoints.json"
    with Emulator(tmp_path) as platform:
        platform.kill()
    left = ready.read_text()
    (tmp_path / "seed.yml").write_text("[]")
    options = ("--seed", tmp_path / "seed.yml", "--ready-file", ready)
    assert run("serve", "--state-dir", tmp_path / "state", *options).returncode == 2
    assert ready.read_text() == left
