# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide for Molecule: its files, as printed, in a role of somebody else's."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import processes
import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "docsite" / "rst" / "molecule_guide.rst"
SECONDS = 300


def printed() -> dict[str, str]:
    """The guide's files by name, which stands in the first line of each."""
    blocks = re.findall(r"^\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", GUIDE.read_text(), re.MULTILINE)
    texts = [textwrap.dedent(block) for block in blocks]
    return {text.partition("\n")[0].removeprefix("# "): text for text in texts}


@pytest.fixture
def role(tmp_path: Path) -> Iterator[Path]:
    """The directory of the guide's role; whatever was started in it ends with the test."""
    for name, text in printed().items():
        file = tmp_path / "agent" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    yield tmp_path / "agent"
    processes.kill(lambda: processes.at_home(tmp_path))


def test_the_guides_files_pass_and_leave_no_platform(role: Path) -> None:
    home = role.parent
    ran = subprocess.run(
        ["molecule", "test"],
        cwd=role,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    for step in ("create", "converge", "idempotence", "verify", "destroy"):
        assert f"default > {step}: Executed: Successful" in ran.stdout, ran.stdout
    assert processes.at_home(home) == []
    assert list(home.rglob("endpoints.json")) == []
