# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of a task's result that ansible-core acts on: the keys in its source, and the known keys (SPECIAL).

`python core_keys.py` prints the keys in the source of this Python's ansible-core that SPECIAL lacks.
"""

from __future__ import annotations

import ast
import dataclasses
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import ansible
from ansible import constants

# Every key that a supported ansible-core removes from a result, displays in a special way, or treats as its own.
SPECIAL = {
    *("add_group", "add_host", "ansible_facts", "ansible_stats", "_ansible_facts_cacheable"),
    *("include", "include_args", "include_file", "include_variables", "parent_groups"),
    *("ansible_job_id", "ansible_async_watchdog_pid", "async_result", "finished", "started", "results_file"),
    *("attempts", "retries", "_ansible_retry", "results", "item", "_ansible_item_label", "_ansible_item_result"),
    *("ansible_index_var", "ansible_loop", "ansible_loop_var", "loop_index", "loop_item"),
    *("changed", "changed_when_result", "changed_when_suppressed_exception", "break_when_result"),
    *("break_when_suppressed_exception", "failed", "failed_when_result", "failed_when_suppressed_exception"),
    *("false_condition", "skip_reason", "skipped", "skipped_reason", "unreachable"),
    *(
        "deprecations",
        "exception",
        "msg",
        "rc",
        "reason",
        "stderr",
        "stderr_lines",
        "stdout",
        "stdout_lines",
        "warnings",
    ),
    *("module_stderr", "module_stdout", "diff", "invocation", "socket_path", "_ansible_delegated_vars"),
    *("_ansible_ignore_errors", "_ansible_ignore_unreachable", "_ansible_no_log", "_ansible_notify", "_ansible_parsed"),
    *("_ansible_suppress_tmpdir_delete", "_ansible_tmpdir", "_ansible_verbose_always", "_ansible_verbose_override"),
    *("_ansible_check_mode", "_ansible_diff", "__ansible_type", "__ansible_unsafe", "__ansible_vault"),
    *("ansible_playbook_python", "ansible_rsync_path", "discovered_interpreter_python"),
}

_FILES = (
    "executor/task_executor.py",
    "executor/task_result.py",
    "plugins/callback/__init__.py",
    "plugins/strategy/__init__.py",
    "plugins/strategy/free.py",
    "plugins/strategy/linear.py",
    "vars/clean.py",
)
# Core's variables and attributes for a task's result.
_NAMES = {"_result", "_return_data", "original_result", "res", "result", "result_item", "return_data"}
# Functions in which `result` is the answer of a connection's process.
_OTHERS = {"start_connection"}


def derived() -> set[str]:
    """Return the keys in the source of the installed ansible-core."""
    found: set[str] = set()
    for name in ("INTERNAL_RESULT_KEYS", "RESTRICTED_RESULT_KEYS"):
        found.update(getattr(constants, name, ()))
    found.update(_fields())
    for name in _FILES:
        source = Path(ansible.__file__).parent / name
        found.update(_keys(ast.parse(source.read_text(encoding="utf-8"))))
    return found


def _fields() -> Iterator[str]:
    """Yield the keys of the dataclass that is the result since ansible-core 2.21."""
    with suppress(ImportError):
        module = import_module("ansible._internal._task")
        for field in dataclasses.fields(getattr(module, "UnifiedTaskResult", _Nothing)):
            if "ansible" in field.metadata:
                yield field.metadata["ansible"].key or field.name


@dataclasses.dataclass
class _Nothing:
    """The stand-in for the dataclass, which older versions of ansible-core do not have."""


def _keys(tree: ast.AST) -> Iterator[str]:
    """Yield the strings in result["..."], result.get("..."), "..." in result."""
    if isinstance(tree, ast.FunctionDef) and tree.name in _OTHERS:
        return
    key: ast.expr | None = None
    if isinstance(tree, ast.Subscript) and _is_result(tree.value):
        key = tree.slice
    elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute) and _is_result(tree.func.value):
        key = tree.args[0] if tree.args and tree.func.attr in ("get", "pop", "setdefault") else None
    elif isinstance(tree, ast.Compare) and _is_result(tree.comparators[0]):
        key = tree.left if isinstance(tree.ops[0], (ast.In, ast.NotIn)) else None
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        yield key.value
    for child in ast.iter_child_nodes(tree):
        yield from _keys(child)


def _is_result(tree: ast.expr) -> bool:
    name = tree.id if isinstance(tree, ast.Name) else tree.attr if isinstance(tree, ast.Attribute) else ""
    return name in _NAMES


if __name__ == "__main__":
    missing = sorted(derived() - SPECIAL)
    print(*missing)
    sys.exit(bool(missing))
