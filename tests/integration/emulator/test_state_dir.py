# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""prepare and remove: a directory is taken over only if it is new or empty, and only the emulator's files are removed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from emulator import Emulator
from platform_emulator import process, state_dir
from platform_emulator.fields import Invalid
from platform_emulator.files import write_file
from platform_emulator.options import Options


def listed(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("empty", [False, True])
def test_a_new_or_empty_directory_is_taken_and_given_back(tmp_path: Path, empty: bool) -> None:
    directory = tmp_path / "of" / "mine"
    if empty:
        directory.mkdir(parents=True)
        assert state_dir.remove(directory, check=True)
    assert state_dir.prepare(directory, check=True)
    assert directory.exists() == empty
    assert state_dir.prepare(directory)
    assert not state_dir.prepare(directory)
    assert (directory.stat().st_mode & 0o777, listed(directory)) == (0o700, ["process.lock"])
    assert state_dir.remove(directory, check=True)
    assert state_dir.remove(directory)
    assert not directory.exists()
    assert not state_dir.remove(directory)


def test_a_directory_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "seed.yml").write_text("dear")
    for use in (state_dir.prepare, state_dir.remove):
        with pytest.raises(Invalid, match="is not the state directory of an emulator, and not empty"):
            use(tmp_path)
    assert listed(tmp_path) == ["seed.yml"]


def test_all_that_an_emulator_leaves_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(tmp_path) as platform:
        platform.kill()
    directory = platform.state_dir
    assert {"ca.key", "state.sqlite", "state.sqlite-wal", "process.json"} <= set(listed(directory))
    with monkeypatch.context() as patch:  # killed while it wrote
        patch.setattr(os, "replace", lambda *_: 1 / 0)
        patch.setattr(os, "unlink", lambda _path: None)
        with pytest.raises(ZeroDivisionError):
            write_file(directory / "server.key", b"half")
    assert state_dir.remove(directory)
    assert not directory.exists()


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    state_dir.prepare(directory)
    theirs = [".emulator.log.mine", ".seed.yml.swp", "letter.txt"]
    for name in theirs:
        (directory / name).write_text("dear")
    with pytest.raises(Invalid, match=r"stays, since it has other files than the emulator's, .*, letter\.txt$"):
        state_dir.remove(directory)
    assert sorted(listed(directory)) == theirs


@pytest.mark.parametrize("name", ["server.pem", "seed.yml"])
def test_a_directory_with_the_name_of_a_file_stays(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "state"
    state_dir.prepare(directory)
    (directory / name).mkdir()
    (directory / "ca.key").write_text("")
    with pytest.raises(Invalid, match=rf"stays, since it has other files than the emulator's, .*: {name}$"):
        state_dir.remove(directory)
    assert listed(directory) == [name]


def test_of_removals_at_once_each_succeeds(tmp_path: Path) -> None:
    """Each of many simultaneous removals finds the directory or finds it already absent, as from many hosts of one play."""
    for _attempt in range(20):
        state_dir.prepare(tmp_path / "state")
        for name in state_dir.FILES:
            (tmp_path / "state" / name).touch()
        with ThreadPoolExecutor(8) as hosts:
            removed = list(hosts.map(lambda _host: state_dir.remove(tmp_path / "state"), range(8)))
        assert any(removed)
        assert not (tmp_path / "state").exists()


def test_the_files_that_mark_it_go_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them, the rest that an interrupted removal leaves would belong to no emulator."""
    directory = tmp_path / "state"
    state_dir.prepare(directory)
    for name in state_dir.FILES:
        (directory / name).touch()
    real, removed = Path.unlink, []

    def unlink(path: Path, missing_ok: bool = False) -> None:
        removed.append(path.name)
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    state_dir.remove(directory)
    assert removed[-2:] == ["state.sqlite", "process.lock"]


def test_one_that_is_used_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory is not removed if another start was quicker than the end of the emulator that was stopped."""
    monkeypatch.setattr(process, "stop", lambda _state_dir: True)
    monkeypatch.setattr(state_dir, "LOCK_SECONDS", 0.1)
    options = Options(tmp_path / "state", "127.0.0.1", 0, 0, 0, None, None)
    state_dir.prepare(options.state_dir)
    held = process.own(options)
    with pytest.raises(Invalid, match="another emulator runs on it"):
        state_dir.remove(options.state_dir)
    for descriptor in held:
        os.close(descriptor)
    assert listed(options.state_dir) == ["process.json", "process.lock"]


def test_a_link_goes_with_its_directory(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "state").symlink_to("disk")
    state_dir.prepare(tmp_path / "state")
    assert state_dir.remove(tmp_path / "state")
    assert listed(tmp_path) == []
