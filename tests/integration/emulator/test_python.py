# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Python that is too old for the emulator is reported as such."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from emulator import PROGRAM
from interpreters import interpreter
from platform_emulator import __main__


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10"])
@pytest.mark.parametrize("command", ["serve", "start", "prepare", "remove"])
def test_an_old_python_is_refused_in_one_line(tmp_path: Path, version: str, command: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    ended = subprocess.run(
        [python, "-m", "platform_emulator", command, "--state-dir", tmp_path / "state"],
        env={"PYTHONPATH": str(PROGRAM), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("platform_emulator: needs Python 3.11 or newer, and ")
    assert ended.stderr.endswith(f" is {version}; use a newer one (in the role: emulator_python)\n")
    assert not (tmp_path / "state").exists()


def test_the_check_does_not_depend_on_an_old_python(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    assert __main__.main(["--version"]) == 1
    assert f"and {sys.executable} is 3.10; use" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_what_an_old_python_reads_has_its_syntax(name: str) -> None:
    source = (PROGRAM / "platform_emulator" / name).read_text()
    imports = [node for node in ast.parse(source, feature_version=(3, 8)).body if isinstance(node, ast.Import)]
    assert {alias.name for node in imports for alias in node.names} <= {"sys"}
