# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that the modules' options are as documented, and that code for gateways runs on their Python."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _argspec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_credential_spec

PLUGINS = Path(__file__).parents[3] / "plugins"
COLLECTION = "ansible_collections.fleetops.aliyun_iot.plugins"
SPECS = {
    name.removesuffix("_spec"): spec()
    for name, spec in vars(_argspec).items()
    if name.endswith("_spec")
    and name not in ("registration_spec", "credential_spec", "openapi_spec", "mqtt_spec")  # parts
}
SECRETS = {"product_secret", "access_key_secret", "security_token", "proxy"}  # a proxy's address may have a password
# Keys of an option that are not documented.
UNDOCUMENTED = {"no_log", "mutually_exclusive", "required_one_of", "options"}


def module(name: str) -> Any:
    return importlib.import_module(f"{COLLECTION}.modules.{name}")


def documented(name: str) -> dict[str, dict[str, Any]]:
    """Return a module's options, with those of the fragments that it extends."""
    document = yaml.safe_load(module(name).DOCUMENTATION)
    options = dict(document["options"])
    for fragment in document["extends_documentation_fragment"]:
        _namespace, _collection, file, *section = fragment.split(".")
        doc_fragment = importlib.import_module(f"{COLLECTION}.doc_fragments.{file}").ModuleDocFragment
        options.update(yaml.safe_load(getattr(doc_fragment, *map(str.upper, section or ["documentation"])))["options"])
    return options


def as_documented(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            **{key: value for key, value in option.items() if key not in UNDOCUMENTED},
            **({"suboptions": as_documented(option["options"])} if "options" in option else {}),
        }
        for name, option in spec.items()
    }


def without_prose(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            **{key: value for key, value in option.items() if key not in ("description", "suboptions")},
            **({"suboptions": without_prose(option["suboptions"])} if "suboptions" in option else {}),
        }
        for name, option in options.items()
    }


def test_every_module_is_covered() -> None:
    assert sorted(SPECS) == sorted(path.stem for path in PLUGINS.glob("modules/*.py"))


@pytest.mark.parametrize("name", SPECS)
def test_the_documentation_is_the_specification(name: str) -> None:
    assert without_prose(documented(name)) == as_documented(SPECS[name])


@pytest.mark.parametrize("name", SPECS)
def test_every_option_is_described(name: str) -> None:
    options = documented(name)
    options.update(options.get("exports", {}).get("suboptions", {}))
    assert [name for name, option in options.items() if not option.get("description")] == []


def examples() -> list[Any]:
    return [
        pytest.param(name, action.removeprefix("fleetops.aliyun_iot."), options, id=f"{name} {task['name']}")
        for name in SPECS
        for task in yaml.safe_load(module(name).EXAMPLES)
        for action, options in task.items()
        if action.startswith("fleetops.")
    ]


def test_every_module_has_examples_of_itself() -> None:
    assert {parameters.values[0] for parameters in examples()} == set(SPECS)
    assert all(parameters.values[0] == parameters.values[1] for parameters in examples())


@pytest.mark.parametrize(("name", "action", "options"), examples())
def test_examples_are_valid(name: str, action: str, options: dict[str, Any]) -> None:
    templates = {name for name, option in SPECS[action].items() if option.get("elements") == "dict"} & {
        name for name, value in options.items() if isinstance(value, str)
    }
    known = {name: [] if name in templates else value for name, value in options.items()}
    assert ArgumentSpecValidator(SPECS[action]).validate(known).error_messages == []


@pytest.mark.parametrize(
    "options",
    [
        {"product_key": "a1", "exports": [{"dest": "/x"}]},
        {"product_key": "a1", "exports": [{"dest": "/x", "format": "env", "template": "x.j2"}]},
        {"product_key": "a1", "exports": [{"format": "env"}]},
        {"product_key": "a1", "state": "gone"},
        {"product_key": "a1", "product": "{}"},
        {},
    ],
    ids=str,
)
def test_what_the_specification_refuses(options: dict[str, Any]) -> None:
    assert ArgumentSpecValidator(SPECS["gateway_credential"]).validate(options).error_messages


WITHOUT_SECRETS = {
    "audit_report",
    "fleet_credentials",
    "fleet_devices",
    "fleet_report",
    "report_merge",
    "run_report",
    "service_restart",
}


@pytest.mark.parametrize("name", sorted(SPECS.keys() - WITHOUT_SECRETS))
def test_secrets_are_hidden_from_logs(name: str) -> None:
    secrets = SECRETS & SPECS[name].keys()
    assert secrets
    assert all(SPECS[name][secret]["no_log"] is True for secret in secrets)


def test_everyone_gets_a_specification_of_their_own() -> None:
    gateway_credential_spec()["product_key"]["required"] = False
    assert gateway_credential_spec()["product_key"]["required"] is True


# Python 3.8 on gateways

ON_GATEWAYS = sorted([*PLUGINS.glob("module_utils/**/*.py"), *PLUGINS.glob("modules/*.py")])
STANDARD_LIBRARY = sys.stdlib_module_names - {"tomllib", "zoneinfo", "graphlib"}  # newer than 3.8
# Built-in types that Python 3.8 cannot subscript at run time.
NOT_SUBSCRIPTED = {"dict", "frozenset", "list", "set", "tuple", "type"}


def tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 8))


def executed(node: ast.AST) -> list[ast.AST]:
    """Return every node below that is evaluated; annotations are not, because of `from __future__ import annotations`."""
    nodes: list[ast.AST] = [node]
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    nodes += executed(child)
    return nodes


@pytest.mark.parametrize("source", ON_GATEWAYS, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_gateways_python_understands_it(source: Path) -> None:
    parsed = tree(source)
    future = [node for node in parsed.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert [alias.name for node in future for alias in node.names] == ["annotations"]
    for node in executed(parsed):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            assert node.value.id not in NOT_SUBSCRIPTED, f"line {node.lineno}"
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("removeprefix", "removesuffix"), f"line {node.lineno}"


# Files that run on the controller only; they import these packages in the functions that use them.
FOREIGN = {
    "module_utils/_requests.py": {"requests", "urllib3"},
    "module_utils/_openapi/client.py": {"alibabacloud_credentials", "certifi"},
    "module_utils/_openapi/wire.py": {"alibabacloud_tea_openapi", "darabonba"},
}


def foreign(node: ast.AST) -> set[str]:
    """Return the packages that are imported below, except for the standard library and the code that Ansible transfers."""
    known = ("ansible.module_utils.", f"{COLLECTION}.module_utils.")
    packages = {name.partition(".")[0] for name in imported(node) if not name.startswith(known)}
    return packages - STANDARD_LIBRARY


@pytest.mark.parametrize("source", ON_GATEWAYS, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_gateways_need_no_packages(source: Path) -> None:
    parsed = tree(source)
    assert foreign(parsed) == FOREIGN.get(str(source.relative_to(PLUGINS)), set())
    assert [node for node in parsed.body if not isinstance(node, ast.FunctionDef) and foreign(node)] == []


def imported(node: ast.AST) -> list[str]:
    nodes = list(ast.walk(node))
    plain = [alias.name for item in nodes if isinstance(item, ast.Import) for alias in item.names]
    return plain + [item.module or "" for item in nodes if isinstance(item, ast.ImportFrom)]
