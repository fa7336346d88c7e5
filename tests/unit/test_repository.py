# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check rules of this repository that no linter checks."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from tracked import tracked

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.parent.parent.name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))

# Dots are in brackets, so that the pattern does not match itself.
SPEAKS_OF_OTHERS = re.compile(
    r"""
      (?<![\w.$)}])/(?:root|work|home/\w+)/                           # paths of one machine
    | pypi[.]org | pythonhosted[.]org | npmjs[.]org | deb[.]debian[.]org  # registries
    | [.][.]/shared | \b(?:anchors|design|protocol|style)[.]md\b     # notes of its makers
    | (?<![\w&/#{])[#][1-9]\d*\b(?!\s*[;{])                            # issue numbers
    """,
    re.VERBOSE,
)


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text()) or {}


def files() -> list[Path]:
    """Return every file that is committed or about to be."""
    return [ROOT / name for name in tracked()]


def test_the_control_plane_works_in_the_process_of_the_task() -> None:
    """A module's options, such as the AccessKey, would be written to a file; gateway_recovery takes the AccessKey but runs no module."""
    openapi = set(load(ROOT / "meta/runtime.yml")["action_groups"]["openapi"])
    for name in (openapi | {"device_registration", "audit_report", "report_merge", "run_report"}) - {
        "gateway_recovery"
    }:
        assert issubclass(plugin("action", name).ActionModule, ControllerAction), name
    for path in ROOT.glob("plugins/**/*.py"):
        assert "_execute_module" not in path.read_text(), path


def test_a_gateway_that_fails_ends_no_play() -> None:
    """The configuration of Ansible can set any_errors_fatal for plays that do not set it."""
    for path in [*ROOT.glob("playbooks/*.yml"), *ROOT.glob("playbooks/plays/*.yml")]:
        plays = [play for play in yaml.safe_load(path.read_text()) if "hosts" in play]
        assert [play["name"] for play in plays if play.get("any_errors_fatal") is not False] == [], path


def test_only_the_top_and_the_call_of_the_vendors_library_catch_everything() -> None:
    """Elsewhere, a bug of the collection would be reported as another error."""
    found = set()
    for path in ROOT.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            caught = [node.type] if isinstance(node, ast.ExceptHandler) else []
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
                caught = node.args
            names = {ast.unparse(name) if name else "" for each in caught for name in getattr(each, "elts", [each])}
            if names & {"", "Exception", "BaseException"}:
                found.add(path.relative_to(ROOT / "plugins").as_posix())
    tops = {"action/fleet_credentials.py", "plugin_utils/_controller_only.py", "plugin_utils/_gateway_action.py"}
    # A bug on one gateway must not end the pass, and the error of a shared query must reach every thread that waits for the answer.
    apart = {"plugin_utils/_fleet.py", "plugin_utils/_accounts.py"}
    assert found == {"inventory/devices.py", "module_utils/_openapi/wire.py", *tops, *apart}


def plugin(kind: str, name: str) -> Any:
    return importlib.import_module(f"ansible_collections.fleetops.aliyun_iot.plugins.{kind}.{name}")


def test_the_action_group_lists_every_module() -> None:
    groups = load(ROOT / "meta/runtime.yml")["action_groups"]
    # The other modules have none of the group's options, so that a default of the group would be an error for them.
    others = {"audit_report", "fleet_credentials", "fleet_devices", "fleet_report", "report_merge", "run_report"}
    assert groups["aliyun_iot"] == sorted({path.stem for path in ROOT.glob("plugins/modules/*.py")} - others)


def test_every_module_documents_the_action_groups_that_it_is_in() -> None:
    groups = load(ROOT / "meta/runtime.yml")["action_groups"]
    modules = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))
    command = ["ansible-doc", "--json", "--type", "module", *(f"fleetops.aliyun_iot.{name}" for name in modules)]
    shown = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name in modules:
        attribute = shown[f"fleetops.aliyun_iot.{name}"]["doc"]["attributes"]["action_group"]
        membership = {f"fleetops.aliyun_iot.{group}" for group, members in groups.items() if name in members}
        documented = set(attribute["membership"]) if attribute["support"] == "full" else set()
        assert documented == membership, name
        assert all(f"group/{group})" in attribute["description"] for group in membership), name


def test_the_account_guide_names_every_module_of_its_action_group() -> None:
    guide = (ROOT / "docs/docsite/rst/playbooks_guide.rst").read_text()
    [sentence] = re.findall(r"action group ``openapi``: (.*?)[.]", guide, re.DOTALL)
    assert sorted(re.findall(r"``(\w+)``", sentence)) == load(ROOT / "meta/runtime.yml")["action_groups"]["openapi"]


def test_every_role_has_an_argument_spec() -> None:
    assert sorted(path.name for path in ROOT.glob("roles/*")) == ROLES


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_equal_defaults(role: str) -> None:
    specs = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    documented = {
        name: option["default"]
        for spec in specs.values()
        for name, option in spec.get("options", {}).items()
        if "default" in option
    }
    defaults = ROOT / "roles" / role / "defaults/main.yml"
    assert documented == (load(defaults) if defaults.exists() else {})


def test_the_emulator_shares_no_code_with_the_collection() -> None:
    sources = sorted(ROOT.glob("roles/emulator/files/platform_emulator/**/*.py"))
    assert sources
    shared = [
        (source.name, module)
        for source in sources
        for module in imported_modules(ast.parse(source.read_text()))
        if module.split(".")[0] in ("ansible", "ansible_collections", "plugins")
    ]
    assert shared == []


def imported_modules(tree: ast.AST) -> list[str]:
    statements = list(ast.walk(tree))
    plain = [alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names]
    return plain + [node.module or "" for node in statements if isinstance(node, ast.ImportFrom)]


def test_the_project_speaks_of_itself() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if SPEAKS_OF_OTHERS.search(line)
    ]
    assert found == []


def test_the_artifact_holds_what_users_need_and_no_more(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--output-path", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as artifact:
        built = {member.name for member in artifact if not member.isdir()}
    repository = {str(path.relative_to(ROOT)) for path in files()}
    assert built - repository == {"FILES.json", "MANIFEST.json"}
    assert {"README.md", "LICENSE", "meta/runtime.yml", "requirements.txt"} <= built
    assert not [name for name in built if name.startswith(("tests/", "requirements/", "."))]


def test_programs_of_the_tests_find_what_tests_share() -> None:
    """Programs need the folders that pytest uses, because a module of tests/support may import one of tests/fleet."""
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    [places] = re.findall(r'^SUPPORT = \{"PYTHONPATH": "(.+)"\}$', noxfile, re.MULTILINE)
    pytest_has = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["pythonpath"]
    assert set(pytest_has) <= set(places.split(":"))
    starts = re.findall(r'session\.run\(\s*"python", f?"[^"]+\.py".*', noxfile)
    assert len(starts) >= 5
    assert [start for start in starts if "env=SUPPORT" not in start] == []


def test_the_files_that_nox_names_are_here() -> None:
    named = re.findall(r'"((?:tests|docs)/[\w/]+\.py)"', (ROOT / "noxfile.py").read_text(encoding="utf-8"))
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_file()] == []
