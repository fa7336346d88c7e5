# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Broken tools of the gateway: a tool that fails, or does nothing and exits with 0, is never taken for an answer.

Neither makes a gateway register repeatedly, nor lets a removal succeed that left the file.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import called, in_service
from playbook import PRODUCT_KEY, gateway_play, inventory, run_playbook
from shells import write_shell

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

TOOLS = (
    *("awk", "cat", "chmod", "chown", "id", "ln", "ls", "mkdir", "mv", "readlink", "rm", "sha256sum", "sleep"),
    *("sync", "tr"),
)
# A tool that fails without a word is detected by its exit code, as one that refuses its options is.
FAULTS = {"refuses": "echo 'unknown option' >&2; exit 2", "does-nothing": "exit 0"}


def test_a_tool_that_is_broken(platform: Emulator, tmp_path: Path) -> None:
    """A tool that is broken from the first run on, or later, neither repeats a registration nor lets a removal succeed falsely."""
    hosts: dict[str, JSON] = {}
    (tmp_path / "shells").mkdir()
    for state, tool, fault in product(("new", "right"), TOOLS, FAULTS):
        host = f"{state}-{tool}-{fault}"
        shell = write_shell(tmp_path / "shells" / host, {tool: FAULTS[fault]})
        hosts[host] = {"ansible_shell_executable": str(shell)}
        if state == "right":
            in_service(platform, tmp_path, host)
        else:
            platform.admin.put_device(PRODUCT_KEY, host)
    way = {"register_from": "controller"}
    [task] = gateway_play(platform, **way)["tasks"]
    tasks = [{**task, "ignore_errors": True}] * 2
    tasks += [{**gateway_play(platform, state="absent")["tasks"][0], "ignore_errors": True}]
    play = {"hosts": "gateways", "gather_facts": False, "tasks": tasks}
    run = run_playbook(play, inventory(hosts, tmp_path), tmp_path)
    calls = called(platform, "register")
    for host in hosts:
        *runs, removal = [each["result"] for each in run.results[host]]
        told = [each.get("reason") or each["error"]["kind"] for each in runs]
        failed = ["error" in each for each in runs]
        if host.startswith("right"):
            assert calls.count(host) == 0, (host, told)
        else:
            # The broken tool is detected before the registration, or not needed.
            assert calls.count(host) == (0 if failed[0] else 1), (host, runs)
            assert failed == [failed[0]] * 2, (host, told)
        left = (tmp_path / host / "device.json").exists()
        assert not left or "error" in removal, (host, removal)
