# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check imports and lengths of the plugins: the planes of the collection stay separate."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
PREFIX = "ansible_collections.fleetops.aliyun_iot.plugins."
SOURCES = {PREFIX + ".".join(path.relative_to(PLUGINS).with_suffix("").parts): path for path in PLUGINS.glob("**/*.py")}
# The modules of a convergence, which is tested without Ansible.
WITHOUT_ANSIBLE = (
    "_convergence",
    "_fleet",
    "_gateway_task",
    "_issuers",
    "_login",
    "_remote",
    "_decide",
    "_look",
    "_result",
)


@cache
def imports(module: str) -> frozenset[str]:
    """Return everything that a module imports, in functions too, except for imports that only a type checker reads."""
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in below if name in SOURCES} or {str(node.module)}
    return frozenset(found)


def reached(module: str) -> set[str]:
    """Return the module and all modules of the collection that it imports, directly or indirectly."""
    seen, wanted = set(), [module]
    while wanted:
        if (name := wanted.pop()) not in seen:
            seen.add(name)
            wanted += [other for other in imports(name) if other in SOURCES]
    return seen


def of(folder: str) -> list[str]:
    return sorted(name for name in SOURCES if name.startswith(PREFIX + folder + "."))


@pytest.mark.parametrize("module", of("module_utils._device"))
def test_the_device_plane_needs_neither_the_control_plane_nor_a_package(module: str) -> None:
    for name in reached(module):
        assert not name.startswith(PREFIX + "module_utils._openapi")
        foreign = {other for other in imports(name) if other not in SOURCES}
        assert {other.partition(".")[0] for other in foreign} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", WITHOUT_ANSIBLE)
def test_a_convergence_can_be_tried_without_ansible(name: str) -> None:
    for module in reached(f"{PREFIX}plugin_utils.{name}"):
        assert not {other for other in imports(module) if other.split(".")[0] == "ansible"}, module


@pytest.mark.parametrize("entry", ["registration_program", "login_program"])
def test_a_program_for_gateways_imports_nothing_that_is_slow_there(entry: str) -> None:
    """dataclasses takes a tenth of the program's time, because it imports inspect and compiles each class; urllib.request takes as much."""
    assert not {"dataclasses", "inspect", "urllib.request"} & {
        name for module in reached(f"{PREFIX}module_utils._device.{entry}") for name in imports(module)
    }


def test_a_registration_over_https_loads_only_what_it_needs() -> None:
    """The gateway compiles each module that it imports, which takes a third of the program's time."""
    spared = ("_device.mqtt_client", "_device.mqtt_registration", "_device.signing", "_endpoints", "_proxy")
    program = f"import sys, {PREFIX}module_utils._device.registration_program; print(*sys.modules)"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert not {"hashlib", *(f"{PREFIX}module_utils.{name}" for name in spared)} & set(told.stdout.split())


def loaded_by(action: str) -> set[str]:
    """Return the modules that the import of an action plugin loads."""
    program = f"import sys, {PREFIX}action.{action}; print(*sys.modules)"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return set(told.stdout.split())


@pytest.mark.parametrize("action", ["fleet_credentials", "fleet_devices", "fleet_report"])
def test_a_pass_loads_requests_only_if_it_needs_it(action: str) -> None:
    """Importing requests makes the start of every run longer, and each process that Ansible forks larger."""
    assert "requests" not in loaded_by(action)


@pytest.mark.parametrize("action", ["fleet_credentials", "fleet_report"])
def test_a_pass_over_gateways_that_are_right_loads_only_what_looks(action: str) -> None:
    """Ansible compiles the modules of a collection in each run, and an import of the programs for gateways reads their files."""
    spared = (
        *("_openapi", "_tls", "_http", "_proxy", "_requests"),
        *("_device.sender", "_device.mqtt_client", "_device.login_program"),
    )
    loaded = loaded_by(action)
    assert not {name for name in loaded if name.startswith(tuple(f"{PREFIX}module_utils.{each}" for each in spared))}
    assert not loaded & {"http.client", "ssl", f"{PREFIX}plugin_utils._remote_python"}


OF_LOGIN = ("plugin_utils._remote_python", "module_utils._device.login_program", "module_utils._device.mqtt_client")
OF_CHANGE = (*OF_LOGIN, "module_utils._device.sender", "module_utils._requests")


@pytest.mark.parametrize(
    ("action", "needed"),
    [("gateway_credential", OF_CHANGE), ("gateway_recovery", OF_CHANGE), ("device_login", OF_LOGIN)],
)
def test_a_task_on_each_host_loads_everything_before_the_fork(action: str, needed: tuple[str, ...]) -> None:
    """Otherwise, the process of each host would compile these modules again."""
    assert {PREFIX + name for name in needed} <= loaded_by(action)


def test_nothing_leads_back_to_itself() -> None:
    """No module imports itself indirectly, or loads a plugin of the collection by name."""
    for module, path in SOURCES.items():
        for other in imports(module):
            assert other not in SOURCES or module not in reached(other), (module, other)
        if path.parent.name != "modules":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            loaded = [
                ast.unparse(node)
                for node in ast.walk(tree)
                if isinstance(node, ast.Call)
                and "loader" in ast.unparse(node.func)
                and "aliyun_iot" in ast.unparse(node)
            ]
            assert loaded == []


def code_lines(path: Path) -> int:
    """Return the number of lines after the documentation of a plugin."""
    text = path.read_text(encoding="utf-8")
    for word in ('RETURN = r"""', 'EXAMPLES = r"""', 'DOCUMENTATION = r"""'):
        _before, found, after = text.partition(word)
        if found and path.parent.name in ("modules", "filter", "inventory", "lookup"):
            return after.partition('"""\n')[2].count("\n")
    return text.count("\n")


def test_no_file_is_long() -> None:
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in SOURCES.values()}
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}
    assert lengths[PLUGINS / "action/gateway_credential.py"] < 120


def test_plugins_are_short_behind_their_documentation() -> None:
    documented = [path for path in SOURCES.values() if 'RETURN = r"""' in path.read_text(encoding="utf-8")]
    assert median(code_lines(path) for path in documented) <= 40


def test_the_product_secret_is_known_to_what_signs_alone() -> None:
    """Only an issuer keeps the options of a registration; GatewayTask has no field for them."""
    task = ast.parse((PLUGINS / "plugin_utils/_gateway_task.py").read_text(encoding="utf-8"))
    [fields] = [node for node in ast.walk(task) if isinstance(node, ast.ClassDef) and node.name == "GatewayTask"]
    names = {
        node.target.id for node in fields.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    assert names
    assert not {name for name in names if "secret" in name or "key" in name} - {"product_key"}
    readers = {
        name
        for name, path in SOURCES.items()
        if '["product_secret"]' in path.read_text(encoding="utf-8")
        or '"product_secret")' in path.read_text(encoding="utf-8")
    }
    assert readers == {f"{PREFIX}module_utils._device.https_registration"}
