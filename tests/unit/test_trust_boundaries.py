# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the list of the ways by which untrusted input reaches the collection, with the gates that check it and the tests of the gates.

A new way in needs a new row. The source is searched for others: only the functions listed here may parse JSON, split lines or run commands
on a gateway.
"""

from __future__ import annotations

import ast
import functools
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import core_keys
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLUGINS = "ansible_collections.fleetops.aliyun_iot.plugins"


class WayIn(NamedTuple):
    """A way in: the input (``words``), its source (``stranger``), the functions that check the input, and the tests of these functions."""

    words: str
    stranger: str
    gates: tuple[str, ...]
    tests: tuple[str, ...]


GATE = "unit/plugins/test_gate.py"
HOSTILE = "integration/test_hostile_gateways.py::test_no_answer_of_a_gateway_becomes_authority"
TABLE = (
    WayIn(
        "lines of any script",
        "gateway",
        ("module_utils._device.change.read_answer", "module_utils._gate.split", "module_utils._gate.message"),
        (
            f"{GATE}::test_lines_end_where_a_script_ends_them",
            f"{GATE}::test_a_message_that_passes_is_one_printable_line",
            HOSTILE,
        ),
    ),
    WayIn(
        "look: user, entries, identities, places, digests of exports, clock, tools",
        "gateway",
        (
            "plugin_utils._look.read_look",
            "plugin_utils._look.read_state",
            "module_utils._gate.text",
            "module_utils._gate.number",
        ),
        (
            "unit/plugins/test_look.py::test_garbage_is_a_storage_error_or_a_look",
            f"{GATE}::test_text_that_passes_matches",
            HOSTILE,
        ),
    ),
    WayIn(
        "journal",
        "gateway",
        ("plugin_utils._look.read_state",),
        ("unit/plugins/test_look.py::test_a_journal_that_cannot_be_read_is_the_worst_case", HOSTILE),
    ),
    WayIn(
        "hardware name",
        "gateway",
        ("plugin_utils._look.read_state", "plugin_utils._names.hardware_name", "plugin_utils._names.check_unchanged"),
        (
            "unit/plugins/test_names.py::test_names_from_the_hardware",
            "integration/test_names.py::test_nobody_else_is_reset",
            HOSTILE,
        ),
    ),
    WayIn(
        "result of a program",
        "gateway",
        ("plugin_utils._remote_python.result_of", "module_utils._gate.document", "module_utils._gate.only"),
        (
            "unit/plugins/test_remote_python_results.py::test_any_output",
            "unit/plugins/test_remote_python_results.py::test_any_json",
            HOSTILE,
        ),
    ),
    WayIn(
        "identity and signed password of a login from the controller",
        "gateway",
        ("plugin_utils._login.log_in", "module_utils._gate.one_of"),
        (f"{GATE}::test_one_of_a_set_that_passes_is_in_it", HOSTILE),
    ),
    WayIn(
        "environment and start-up files of the shell",
        "gateway",
        ("plugin_utils._scripts.ScriptBuilder",),
        ("integration/test_local_users.py::test_what_a_start_up_file_of_the_shell_switches_on",),
    ),
    WayIn(
        "registration over HTTPS",
        "platform",
        ("module_utils._device.https_registration.device_secret", "module_utils._requests.send_request"),
        (
            "unit/gateway/test_registration.py::test_no_wrong_answer_gets_past",
            "unit/gateway/test_http.py::test_any_bytes_are_an_answer_or_an_error",
        ),
    ),
    WayIn(
        "registration and login over MQTT",
        "platform",
        ("module_utils._device.mqtt_registration.parse_answer", "module_utils._device.mqtt_client.exchange"),
        (
            "unit/gateway/test_mqtt_client.py::test_no_wrong_answer_gets_past",
            "unit/gateway/test_mqtt_client.py::test_any_bytes_are_a_message_or_an_error",
        ),
    ),
    WayIn(
        "answer of a proxy",
        "platform",  # or any host between the collection and the platform
        ("module_utils._proxy.open_tunnel",),
        (
            "unit/gateway/test_proxy.py::test_a_proxy_that_fails_is_trouble_on_the_way",
            "unit/gateway/test_http.py::test_a_proxy_whose_answer",
        ),
    ),
    WayIn(
        "answers of the OpenAPI",
        "platform",
        ("module_utils._openapi.answer.parse", "module_utils._openapi.answer.OpenApiAnswer"),
        ("unit/plugins/test_openapi.py::test_trouble_that_stays_never_reads_as_not_there",),
    ),
    WayIn(
        "devices as hosts",
        "inventory source",
        ("module_utils._openapi.devices.all_devices", "plugin_utils._inventory_gate.check_host_name"),
        (
            "integration/test_inventory.py::test_what_would_be_authority_is_refused_as_a_whole",
            "unit/plugins/test_inventory_gate.py::test_a_host_name_is_the_name_of_that_host_alone",
        ),
    ),
    WayIn(
        "names of devices",
        "inventory source",
        ("module_utils._platform.check_device_name", "plugin_utils._inventory_names.from_inventory"),
        ("integration/test_names.py::test_no_device_that_is_in_doubt_is_taken_out_of_service",),
    ),
    WayIn(
        "stored credential, for a gateway's shell and for its Python",
        "local user",
        ("module_utils._device.certificate.parse", "module_utils._device.login_program.perform"),
        (
            "unit/gateway/test_certificate.py::test_what_is_none",
            "unit/gateway/test_device_login.py::test_a_file_without_an_end_is_not_read_to_it",
            "unit/plugins/test_stored_file.py::test_shell_and_python_agree",
        ),
    ),
    WayIn(
        "files, directories and links beside the credential",
        "local user",
        ("plugin_utils._scripts.ScriptBuilder",),
        (
            "integration/test_local_users.py::test_a_user_who_races_never_becomes_the_owner_of_a_file_of_roots",
            "integration/test_local_users.py::test_what_is_too_large_is_not_read",
        ),
    ),
    WayIn(
        "report of the run before, reports of slices",
        "local user",
        (
            "plugin_utils._report_file.checked_destination",
            "plugin_utils._report_gate.earlier_report",
            "plugin_utils._report_gate.read_report",
            "plugin_utils._commands.rebuilt",
        ),
        (
            "unit/plugins/test_run_report.py::test_a_file_that_is_no_report_counts_for_nothing",
            "unit/plugins/test_report_merge.py::test_a_changed_report_is_refused_or_has_known_fields_alone",
            "unit/plugins/test_report_merge.py::test_a_changed_command_is_left_out",
            "unit/plugins/test_run_report.py::test_nothing_that_a_stranger_says_is_an_element",
        ),
    ),
    WayIn(
        "options",
        "operator",
        ("plugin_utils._options.check_path", "plugin_utils._options.check_owner", "plugin_utils._scripts.assignments"),
        (
            "unit/plugins/test_options.py::test_what_is_no_path",
            "unit/plugins/test_options.py::test_assignments_are_one_word_each",
        ),
    ),
)

STRANGERS = {"gateway", "platform", "inventory source", "local user", "operator"}

# The only functions that may make these calls, which parse untrusted input.
ALLOWED = {
    # JSON.
    ("json", "load"): set(),
    ("json", "loads"): {
        *(
            "module_utils/_gate.py:document",
            "module_utils/_openapi/answer.py:parse",
            "module_utils/_device/https_registration.py:_parse",
            "plugin_utils/_progress.py:received",  # from a process that this one has forked
        ),
        *("module_utils/_device/mqtt_registration.py:_parse", "module_utils/_device/certificate.py:_members"),
    },
    # Lines: a message that is shown, and the scripts' own source.
    (None, "splitlines"): {"module_utils/_gate.py:message", "plugin_utils/_scripts.py:_code"},
    # The output of a gateway is returned only here,
    (None, "_low_level_execute_command"): {
        "plugin_utils/_gateway_action.py:execute",
    },
    # because no module runs on it.
    (None, "_execute_module"): set(),
    # No input is executed or can create objects.
    **{("pickle", name): set() for name in ("load", "loads")},
    **{("yaml", name): set() for name in ("load", "safe_load", "unsafe_load")},
    **{(None, name): set() for name in ("eval", "exec", "literal_eval", "from_json")},
    # The run's own command line.
    (None, "from_yaml"): {"plugin_utils/_commands.py:_variables_in"},
}


def test_every_stranger_has_a_gate() -> None:
    assert {row.stranger for row in TABLE} == STRANGERS
    assert len({(row.stranger, row.words) for row in TABLE}) == len(TABLE)
    assert all(row.gates and row.tests for row in TABLE)


@pytest.mark.parametrize("gate", sorted({gate for row in TABLE for gate in row.gates}))
def test_every_gate_exists(gate: str) -> None:
    module, _dot, name = gate.rpartition(".")
    assert callable(getattr(importlib.import_module(f"{PLUGINS}.{module}"), name))


@pytest.mark.parametrize("test", sorted({test for row in TABLE for test in row.tests}))
def test_every_test_exists(test: str) -> None:
    path, _colons, name = test.partition("::")
    tree = parsed(ROOT / "tests" / path)
    assert name.startswith("test_")
    assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("call", ALLOWED, ids=lambda call: call[1])
def test_nothing_else_takes_a_strangers_words_apart(call: tuple[str | None, str]) -> None:
    found = {
        f"{path.relative_to(ROOT / 'plugins')}:{name}" for path in sources() for name in callers(parsed(path), *call)
    }
    assert found == ALLOWED[call]


def test_every_claim_in_the_security_policy_has_a_test() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    text = text[text.index("## Trust boundaries") : text.index("## What the collection does")]
    rows = [
        row.strip("|").split("|") for row in text.splitlines() if row.startswith("|") and not row.startswith("|---")
    ]
    claims = [(claim.strip(), test.strip()) for claim, test in rows if test.strip() != "test"]
    assert len(claims) > 20
    for claim, test in claims:
        path, _colons, name = test.strip("`").partition("::")
        defined = [node.name for node in parsed(ROOT / "tests" / path).body if isinstance(node, ast.FunctionDef)]
        assert name in defined, claim


def test_nothing_of_the_gate_is_without_use() -> None:
    gate = ROOT / "plugins/module_utils/_gate.py"
    public = {node.name for node in parsed(gate).body if isinstance(node, ast.FunctionDef) if node.name[0] != "_"}
    used = {
        alias.name
        for path in sources()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("._gate")
        for alias in node.names
    }
    assert public <= used


def test_the_known_keys_are_all_that_this_ansible_core_acts_on() -> None:
    assert core_keys.derived() <= core_keys.SPECIAL


@pytest.mark.parametrize("path", sorted((ROOT / "plugins/modules").glob("*.py")), ids=lambda path: path.stem)
def test_no_documented_result_is_one_that_ansible_core_acts_on(path: Path) -> None:
    """ansible-core only prints changed, diff and msg; it sets reason, for a file that cannot be included, but never reads it."""
    documented = yaml.safe_load(path.read_text(encoding="utf-8").split('RETURN = r"""')[1].split('"""')[0]) or {}
    assert set(documented) & core_keys.SPECIAL <= {"changed", "diff", "msg", "reason"}


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def sources() -> list[Path]:
    return sorted((ROOT / "plugins").glob("**/*.py"))


def callers(tree: ast.AST, module: str | None, name: str, inside: str = "") -> Iterator[str]:
    """Yield the functions that call or import MODULE.NAME, or that call any NAME if ``module`` is None."""
    if isinstance(tree, ast.FunctionDef):
        inside = tree.name
    if isinstance(tree, ast.Call):
        called = tree.func
        of = called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else None
        word = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else None
        if word == name and module in (None, of):
            yield inside
    if isinstance(tree, ast.ImportFrom) and tree.module == module and name in [alias.name for alias in tree.names]:
        yield f"import of {name}"
    for child in ast.iter_child_nodes(tree):
        yield from callers(child, module, name, inside)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def a():\n    return json.loads('')", ["a"]),
        ("def a():\n    def b():\n        json.loads('')", ["b"]),
        ("json.loads('')", [""]),
        ("from json import loads", ["import of loads"]),
        ("def a():\n    yaml.loads('')\n    json.dumps('')", []),
    ],
)
def test_the_search_finds_what_there_is(source: str, found: list[str]) -> None:
    assert list(callers(ast.parse(source), "json", "loads")) == found
