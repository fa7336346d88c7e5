# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""README's table of the ways to a gateway has those that a test provisions a gateway by, and no others."""

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
    """The two tests split the ways by their connection, and leave none out."""
    tree = ast.parse((ROOT / "tests/integration/test_ways.py").read_text(encoding="utf-8"))
    split = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} & {"ssh", "local"}
    assert split == {way.connection for way in WAYS}
    assert len({str(way) for way in WAYS}) == len(WAYS)


def test_what_the_ways_need_is_installed_for_them() -> None:
    """The fleet can be here, so a way is left out only where it cannot be had."""
    session = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    [loopback] = re.findall(r"loopback = \((.*?)\)", session)
    assert {"csh", "doas", "fish", "sudo"} <= set(re.findall(r'"(\w+)"', loopback))
