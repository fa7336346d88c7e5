# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that CONTRIBUTING names the folder of every file, and that its examples fit the code."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tracked import tracked

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _argspec
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAP = TEXT.partition("## Where things are\n")[2].partition("\n## ")[0]
FILES = tracked()
# Folders of which the map names each subfolder.
DIVIDED = ("docs", "plugins", "roles", "tests")
# The map names each of their files.
NAMED_ONE_BY_ONE = ("plugins/module_utils/", "plugins/plugin_utils/")
NAMED = re.findall(r"`([^`\s]+)`", MAP)
EXAMPLES = [textwrap.dedent(text) for text in re.findall(r"^ *```python\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)]


def room(name: str) -> str:
    """Return the folder that the map must name for this file."""
    folders = name.split("/")[:-1]
    return "/".join(folders[: 2 if folders[0] in DIVIDED else 1]) + "/"


def test_the_map_names_the_room_of_every_file() -> None:
    rooms = {room(name) for name in FILES if "/" in name}
    assert {"changelogs/", "plugins/action/", "tests/unit/"} <= rooms
    assert rooms - set(NAMED) == set()


def test_the_map_names_every_file_at_the_top() -> None:
    """The map names every file in the root folder, except for Markdown files."""
    top = {name for name in FILES if "/" not in name and not re.search(r"[.]md$", name)}
    assert {"Makefile", "galaxy.yml"} <= top
    assert top - set(NAMED) == set()


def test_the_map_names_every_file_of_the_code_one_by_one() -> None:
    code = [name for name in FILES if name.startswith(NAMED_ONE_BY_ONE) and name.endswith((".py", ".sh"))]
    assert len(code) > 50
    named = {Path(name).name for name in NAMED}
    assert [name for name in code if (ROOT / name).exists() and Path(name).name not in named] == []


def test_what_the_map_names_is_there() -> None:
    paths = [f"/{name}" for name in FILES]
    named = {name for name in NAMED if re.search(r"/$|[.](py|sh|ya?ml|rst|txt|toml)$", name)}
    assert len(named) > 100
    there = {name for name in named if any(path.endswith(f"/{name}") for path in paths)}
    folders = {name for name in named if name[-1] == "/" and any(f"/{name}" in path for path in paths)}
    assert named - there - folders == set()


def test_the_example_of_a_module_fits_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, action, _case = EXAMPLES
    exec(spec, space := dict(vars(_argspec)))
    monkeypatch.setattr(_argspec, "sub_devices_info_spec", space["sub_devices_info_spec"], raising=False)
    exec(action, defined := {"__name__": "example"})
    module: Any = defined["ActionModule"]
    assert issubclass(module, ControllerAction)
    assert {"access_key_id", "device_name", "product_key"} <= set(module._spec())


def test_the_example_of_a_case_uses_what_is_there() -> None:
    case = ast.parse(EXAMPLES[2])
    used = {node.id for node in ast.walk(case) if isinstance(node, ast.Name)}
    tests = ast.parse((ROOT / "tests/integration/test_control_plane.py").read_text(encoding="utf-8"))
    known = {node.id for node in ast.walk(tests) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    known |= {node.name for node in tests.body if isinstance(node, ast.FunctionDef)}
    known |= {alias.name for node in tests.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    own = {node.arg for node in ast.walk(case) if isinstance(node, ast.arg)}
    own |= {node.id for node in ast.walk(case) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert {"play", "task"} <= used
    assert used - own - set(vars(builtins)) - known == set()
