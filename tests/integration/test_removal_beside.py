# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove a credential whose directory is missing, while another run begins a change there."""

from __future__ import annotations

from pathlib import Path

from script_box import PLACEHOLDER, Box
from shells import write_script

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export


def test_a_removal_leaves_a_change_that_began_meanwhile(one: Box, tmp_path: Path) -> None:
    """The removal began without a directory, and so without a lock; while it removes an export, another run takes its lease."""
    agent = one.folder / "agent/agent.env"
    agent.parent.mkdir()
    agent.write_text("old\n")
    one.exports = (Export(str(agent), None, None, 0o600, f"{PLACEHOLDER}\n", "0"),)
    found = one.look()
    other = Box(one.shell, one.folder)
    (tmp_path / "begin").write_text(other.begin_script(other.look()))
    tools = tmp_path / "tools"
    tools.mkdir()
    once = f"[ -e {tmp_path}/once ] || {{ : >{tmp_path}/once; PATH={one.shell.path} sh <{tmp_path}/begin >&2; }}"
    write_script(tools / "rm", f'{once}\nexec {one.shell.tool("rm")} "$@"')
    one.environment = {"PATH": f"{tools}:{one.shell.path}"}
    assert one.remove(found).outcome == "stale"
    one.environment = {}
    assert one.journal.exists(), "the lease of the other run"
    assert other.store().outcome == "installed"
    assert one.remove(one.look()).outcome == "removed"
    assert one.files() == ["agent", "iot"]
