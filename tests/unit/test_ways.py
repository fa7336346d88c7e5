# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that README's table of connections lists the ways by which a test provisions a gateway, and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ways import TABLE, WAYS, laid_out

ROOT = Path(__file__).parents[2]


def test_the_table_is_what_is_tried() -> None:
    [table] = TABLE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert table == laid_out()
    assert table.count("✓") == len(WAYS)


def test_each_way_is_a_case_of_a_test() -> None:
    """The two tests select the ways by connection, ssh or local, and together cover every way."""
    tree = ast.parse((ROOT / "tests/integration/test_ways.py").read_text(encoding="utf-8"))
    split = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} & {"ssh", "local"}
    assert split == {way.connection for way in WAYS}
    assert len({str(way) for way in WAYS}) == len(WAYS)


def test_what_the_ways_need_is_installed_for_them() -> None:
    """nox installs the programs of the ways with the fleet, so that a way is skipped only if its program is not available."""
    session = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    [loopback] = re.findall(r"loopback = \((.*?)\)", session)
    assert {"csh", "doas", "fish", "sudo"} <= set(re.findall(r'"(\w+)"', loopback))
