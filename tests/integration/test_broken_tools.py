# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Broken tools of the gateway: a tool that fails, or does nothing and exits with 0, is never taken for an answer.

Neither makes a gateway register repeatedly, nor lets a removal succeed that left the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import called
from playbook import PRODUCT_KEY, gateway_play, inventory, run_playbook
from shells import write_shell

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

TOOLS = (
    *("awk", "cat", "chmod", "chown", "id", "ln", "ls", "mkdir", "mv", "readlink", "rm", "sha256sum", "sleep"),
    *("sync", "tr"),
)
FAULTS = {"fails": "exit 1", "refuses its options": "echo 'unknown option' >&2; exit 2", "does nothing": "exit 0"}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("right", [False, True], ids=["new", "provisioned"])
def test_a_tool_that_is_broken(platform: Emulator, tmp_path: Path, fault: str, right: bool) -> None:
    """A tool that is broken from the first run on, or later, neither repeats a registration nor lets a removal succeed falsely."""
    hosts: dict[str, JSON] = {}
    (tmp_path / "shells").mkdir()
    for tool in TOOLS:
        platform.admin.put_device(PRODUCT_KEY, f"gw-{tool}")
        shell = write_shell(tmp_path / "shells" / tool, {tool: FAULTS[fault]})
        hosts[f"gw-{tool}"] = {"ansible_shell_executable": str(shell)}
    way = {"register_from": "controller"}
    if right:
        first = run_playbook(gateway_play(platform, **way), inventory([*hosts], tmp_path), tmp_path)
        assert first.rc == 0, first
    [task] = gateway_play(platform, **way)["tasks"]
    tasks = [{**task, "ignore_errors": True}] * 2
    tasks += [{**gateway_play(platform, state="absent")["tasks"][0], "ignore_errors": True}]
    play = {"hosts": "gateways", "gather_facts": False, "tasks": tasks}
    run = run_playbook(play, inventory(hosts, tmp_path), tmp_path)
    calls = called(platform, "register")
    for tool in hosts:
        *runs, removal = [each["result"] for each in run.results[tool]]
        told = [each.get("reason") or each["error"]["kind"] for each in runs]
        failed = ["error" in each for each in runs]
        if right:
            assert calls.count(tool) == 1, (tool, told)
        else:
            # The broken tool is detected before the registration, or not needed.
            assert calls.count(tool) == (0 if failed[0] else 1), (tool, runs)
            assert failed == [failed[0]] * 2, (tool, told)
        left = (tmp_path / tool / "device.json").exists()
        assert not left or "error" in removal, (tool, removal)
