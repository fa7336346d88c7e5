# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that a report is complete, at its path and its writer's alone, whatever other users do in the same directory."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption, StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _report_file
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_file import checked_destination, write_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_files import ReportFiles
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import compose_report

SOMEBODY = "nobody"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """Yield a directory like /tmp."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def as_somebody(*command: str) -> int:
    return subprocess.run(command, user=SOMEBODY, group="nogroup", check=False, capture_output=True).returncode


def write(dest: Path) -> Path:
    path = checked_destination(str(dest))
    write_report(path, "[]\n")
    return path


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_a_page_replaces_nothing_beside_it_but_its_own_files(tmp_path: Path, suffix: str) -> None:
    """The option names only the page, so the user expects no other file to be replaced."""
    dest = str(tmp_path / "hosts.html")
    files = ReportFiles.at(dest)
    files.write(compose_report({"id": "1", "playbook": "audit", "started": "now"}, []))
    beside = tmp_path / f"hosts{suffix}"
    assert beside.stat().st_size > 0
    assert ReportFiles.at(dest) == files
    for text in ('{"gateways": {}}\n', "gateway\n"):
        beside.write_text(text)
        with pytest.raises(
            InvalidOption, match=rf"dest: .* would replace .*hosts{suffix}, which is not part of a report"
        ):
            ReportFiles.at(dest)
    beside.write_text("")
    assert ReportFiles.at(dest) == files


def test_a_report_is_its_writers_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write(tmp_path / "audit.json")
        path.chmod(0o644)
        held = path.open()
        write_report(path, '["new"]\n')
    finally:
        os.umask(before)
    assert held.read() == "[]\n", "it is another file"
    held.close()
    assert (path.read_text(), path.stat().st_mode & 0o7777) == ('["new"]\n', 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_relative_path_starts_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", "/")
    assert checked_destination("audit.json") == tmp_path / "audit.json"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: path.symlink_to(path.parent / "victim"), "is a symbolic link"),
        (lambda path: path.symlink_to(path.parent / "nothing"), "is a symbolic link"),
        (Path.mkdir, "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
    ],
    ids=["link", "dangling", "directory", "pipe"],
)
def test_what_is_in_the_way_is_refused(tmp_path: Path, make: Callable[[Path], None], problem: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    make(tmp_path / "audit.json")
    with pytest.raises(InvalidOption, match=f"dest: .*audit.json' {problem}"):
        write(tmp_path / "audit.json")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("text", [os.fsdecode(b"-i fl\xf6tte.yml"), "\ud83d"], ids=["bytes", "surrogate"])
def test_text_that_utf_8_cannot_represent_is_written_all_the_same(tmp_path: Path, text: str) -> None:
    write_report(tmp_path / "report.html", text)
    assert (tmp_path / "report.html").read_text("utf-8") == text.encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize(
    ("dest", "problem"),
    [
        ("a\0.json", r"^dest: .*contains a NUL"),
        ("\ud800.json", r"^dest: .*contains a character that no file's name can have"),
        ("\ud800/audit.json", r"^dest: .*contains a character that no file's name can have"),
        ("x" * 300, "File name too long"),
        ("x" * 300 + "/audit.json", "File name too long"),
    ],
    ids=["NUL", "surrogate", "its directory's", "long", "long directory"],
)
def test_a_name_that_no_file_can_have(tmp_path: Path, dest: str, problem: str) -> None:
    with pytest.raises((InvalidOption, StorageError), match=problem):
        checked_destination(str(tmp_path / dest))


@pytest.mark.parametrize("dest", ["new/", "audit.json/", "new/.", "new/..", ""])
def test_what_does_not_end_in_the_name_of_a_file(tmp_path: Path, dest: str) -> None:
    with pytest.raises(InvalidOption, match=r"^dest: .*does not end in the name of a file"):
        checked_destination(f"{tmp_path}/{dest}")


@pytest.mark.parametrize("dest", ["nowhere/audit.json", "file/audit.json"])
def test_a_directory_that_is_not_there(tmp_path: Path, dest: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidOption, match=r"directory that does not exist. Create "):
        write(tmp_path / dest)


def test_a_directory_that_is_not_writable(everybodys: Path) -> None:
    everybodys.chmod(0o555)
    me = os.geteuid()
    if me == 0:  # root may write everywhere
        os.seteuid(pwd.getpwnam(SOMEBODY).pw_uid)
    try:
        with pytest.raises(InvalidOption, match="is in a directory that you cannot write to"):
            checked_destination(str(everybodys / "audit.json"))
    finally:
        os.seteuid(me)


@needs_root
def test_a_file_that_somebody_made_beforehand(everybodys: Path) -> None:
    path = everybodys / "audit.json"
    assert as_somebody("touch", str(path)) == 0
    with pytest.raises(InvalidOption, match=r"belongs to another user \(uid \d+\), who could read"):
        write(path)
    assert path.read_bytes() == b""


@needs_root
@pytest.mark.parametrize("trick", ["touch {path}", "ln -s {folder}/theirs {path}", "mkfifo {path}"])
def test_whoever_is_faster_gets_nothing(everybodys: Path, trick: str) -> None:
    """A file that appears after the check is replaced, not written to."""
    path = checked_destination(str(everybodys / "audit.json"))
    assert as_somebody("touch", str(everybodys / "theirs")) == 0
    assert as_somebody("sh", "-c", trick.format(path=path, folder=everybodys)) == 0
    write_report(path, "[]\n")
    found = path.lstat()
    assert (found.st_uid, found.st_mode) == (0, 0o100600)
    assert as_somebody("cat", str(path)) != 0
    assert (everybodys / "theirs").read_bytes() == b""


@pytest.mark.parametrize(
    ("error", "caught", "message"),
    [
        (OSError(28, "No space left on device"), StorageError, r"audit.json: No space left on device"),
        (KeyboardInterrupt("^C"), KeyboardInterrupt, r"\^C"),
    ],
    ids=["full", "interrupted"],
)
def test_the_old_report_stays_if_the_new_one_cannot_be_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    caught: type[BaseException],
    message: str,
) -> None:
    path = write(tmp_path / "audit.json")

    def fail(_file: int) -> None:
        raise error

    monkeypatch.setattr(_report_file.os, "fsync", fail)
    with pytest.raises(caught, match=message):
        write_report(path, '["new"]\n')
    monkeypatch.undo()
    assert path.read_text() == "[]\n"
    assert list(tmp_path.iterdir()) == [path]
