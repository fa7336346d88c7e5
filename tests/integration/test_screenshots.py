# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pictures of the documentation, made by the script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browser import CHROMIUM, SIZES

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_pictures_of_a_run(tmp_path: Path) -> None:
    support = os.pathsep.join(str(ROOT / folder) for folder in ("tests/support", "roles/emulator/files"))
    command = [sys.executable, str(ROOT / "docs/screenshots.py"), str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": support})
    view, end = ((tmp_path / f"{name}.svg").read_text().replace("&#160;", " ") for name in ("progress", "summary"))
    assert "━" in view
    assert "not answering" in view
    assert "ansible-playbook -i hosts.json fleetops.aliyun_iot.provision --limit gw-0019" in end
    assert "21 registered" in end
    for size in SIZES:
        assert (tmp_path / f"report-{size}.png").read_bytes().startswith(b"\x89PNG")
