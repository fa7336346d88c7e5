# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the kinds of errors that functions in plugins/ can raise, from the source, without executing it.

A name in a reached function reaches its definition, and an attribute reaches every method of that name in a reached class. So the
result may contain kinds that cannot occur, but misses none that can, as long as nothing is called by a computed name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PREFIX = "ansible_collections.fleetops.aliyun_iot.plugins."
ERRORS = "module_utils._errors"
ROOT = "FleetopsError"


@dataclass
class Module:
    """The definitions of a file by name (methods by ``Class.method``), and the origins of its imports."""

    name: str
    nodes: dict[str, ast.AST] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


Node = tuple[str, str]


def _read(path: Path) -> Module:
    module = Module(".".join(path.relative_to(PLUGINS).with_suffix("").parts))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            module.nodes[statement.name] = statement
            for inner in statement.body:
                if isinstance(inner, ast.FunctionDef):
                    module.nodes[f"{statement.name}.{inner.name}"] = inner
        elif isinstance(statement, ast.FunctionDef):
            module.nodes[statement.name] = statement
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            module.nodes.update({target.id: statement.value for target in targets if isinstance(target, ast.Name)})
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            for alias in node.names:
                module.imports[alias.asname or alias.name] = ((node.module or "")[len(PREFIX) :], alias.name)
    return module


MODULES = {module.name: module for module in map(_read, sorted(PLUGINS.rglob("*.py")))}


def _resolve(module: str, name: str) -> Node | None:
    """Return the definition of a name in a module."""
    if name in MODULES[module].nodes:
        return module, name
    if name not in MODULES[module].imports:
        return None
    origin, original = MODULES[module].imports[name]
    return _resolve(origin, original) if origin in MODULES else None


def _within(module: str, imported: str, name: str) -> Node | None:
    """Return the definition of a name in an imported module."""
    origin = ".".join(MODULES[module].imports.get(imported, ()))
    return _resolve(origin, name) if origin in MODULES else None


def _bases(node: Node) -> list[Node]:
    """Return a class and its ancestors in the collection, in which no class has two bases."""
    found: list[Node] = []
    while True:
        found.append(node)
        definition = MODULES[node[0]].nodes[node[1]]
        assert isinstance(definition, ast.ClassDef)
        names = [base.id for base in definition.bases if isinstance(base, ast.Name)]
        parents = [parent for parent in (_resolve(node[0], name) for name in names) if parent]
        if not parents:
            return found
        node = parents[0]


def _is_class(node: Node) -> bool:
    return isinstance(MODULES[node[0]].nodes[node[1]], ast.ClassDef)


def _default_kind(node: Node) -> str | None:
    for module, name in _bases(node):
        definition = MODULES[module].nodes[name]
        assert isinstance(definition, ast.ClassDef)
        for statement in definition.body:
            target = getattr(statement, "target", None) or getattr(statement, "targets", [None])[0]
            value = getattr(statement, "value", None)
            if isinstance(target, ast.Name) and target.id == "kind" and isinstance(value, ast.Constant):
                return str(value.value)
    return None


ERROR_CLASSES = {
    (ERRORS, name)
    for name in MODULES[ERRORS].nodes
    if _is_class((ERRORS, name)) and _bases((ERRORS, name))[-1][1] == ROOT
}


@dataclass
class Sites:
    """The findings in code: kinds, functions in which a kind is computed, constants of functions, and places without a kind."""

    kinds: set[str] = field(default_factory=set)
    computed: set[Node] = field(default_factory=set)
    constants: set[str] = field(default_factory=set)
    bare: list[str] = field(default_factory=list)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Walk through a definition, except annotations and classes with which an exception is only compared."""
    skipped: list[ast.AST | None] = []
    if isinstance(node, ast.ExceptHandler):
        skipped = [node.type]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        skipped = [node.returns]
    elif isinstance(node, (ast.arg, ast.AnnAssign)):
        skipped = [node.annotation]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "suppress"):
        skipped = list(node.args[-1:])
    yield node
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _code(child)


def _note(module: str, owner: Node, node: ast.AST, calls: set[int], sites: Sites) -> None:
    """Record the kind of an error that this node creates."""
    if isinstance(node, ast.Call):
        target = _resolve(module, node.func.id) if isinstance(node.func, ast.Name) else None
        given = [keyword.value for keyword in node.keywords if keyword.arg == "kind"]
        if target in ERROR_CLASSES:
            calls.add(id(node.func))
            default = _default_kind(target)
            if not given and default:
                sites.kinds.add(default)
            elif not given:
                sites.bare.append(f"{module}:{node.lineno}")
        if given and (target in ERROR_CLASSES or not isinstance(node.func, (ast.Name, ast.Attribute))):
            if isinstance(given[0], ast.Constant):
                sites.kinds.add(str(given[0].value))
            elif not isinstance(given[0], ast.Attribute):  # an attribute is the kind of another error
                sites.computed.add(owner)
    elif isinstance(node, ast.Name) and id(node) not in calls:
        target = _resolve(module, node.id)
        if target in ERROR_CLASSES and (default := _default_kind(target)):
            sites.kinds.add(default)


def everywhere() -> Sites:
    """Return the findings in all of plugins/."""
    sites = Sites()
    for module in MODULES.values():
        for name, definition in module.nodes.items():
            if (module.name == ERRORS and name != "internal") or isinstance(definition, ast.ClassDef):
                continue
            _walk(module.name, (module.name, name), definition, sites)
    return sites


def _walk(module: str, owner: Node, definition: ast.AST, sites: Sites) -> list[ast.AST]:
    calls: set[int] = set()
    nodes = list(_code(definition))
    for node in nodes:
        _note(module, owner, node, calls, sites)
    return nodes


def reached(roots: Iterable[Node], concrete: Node | None = None) -> Sites:
    """Return the findings in the code that functions can reach.

    :param concrete: the class that ``self`` is in the methods of its ancestors
    """
    sites, done, waiting = Sites(), set[Node](), list(roots)
    line = _bases(concrete) if concrete else []
    classes: set[Node] = set()
    attributes: set[str] = set()
    while waiting:
        module, name = owner = waiting.pop()
        if owner in done:
            continue
        done.add(owner)
        definition = MODULES[module].nodes[name]
        if isinstance(definition, ast.ClassDef):
            fresh = {each for each in _bases(owner) if each not in line} - ERROR_CLASSES - classes
            classes |= fresh
            waiting += [method for each in fresh for method in _methods(each, {*attributes, *DUNDERS})]
            continue
        new = set()
        for node in _walk(module, owner, definition, sites):
            if isinstance(node, ast.Name) and (target := _resolve(module, node.id)):
                waiting.append(target)
            if isinstance(node, ast.Constant) and isinstance(definition, ast.FunctionDef):
                sites.constants.add(str(node.value))
            if not isinstance(node, ast.Attribute):
                continue
            if isinstance(node.value, ast.Name) and (target := _within(module, node.value.id, node.attr)):
                waiting.append(target)
                continue
            of, where = ast.unparse(node.value), (module, name.split(".")[0])
            if where in line and of in ("self", "super()"):
                waiting += _first(line[line.index(where) + 1 :] if of == "super()" else line, node.attr)
            else:
                new.add(node.attr)
        attributes |= new
        waiting += [method for each in classes for method in _methods(each, new)]
    return sites


# Methods that are called implicitly.
DUNDERS = ("__init__", "__enter__", "__exit__", "__call__", "__contains__", "__post_init__")


def _methods(node: Node, names: Iterable[str]) -> list[Node]:
    """Return those methods of a class; none of a class that is defined within a function."""
    module, name = node
    return [(module, f"{name}.{each}") for each in names if f"{name}.{each}" in MODULES[module].nodes]


def _first(line: Iterable[Node], name: str) -> list[Node]:
    return next((found for each in line if (found := _methods(each, [name]))), [])


def of_action(name: str) -> Sites:
    """Return the findings in the code that an action can reach."""
    concrete = (f"action.{name}", "ActionModule")
    roots = _first(_bases(concrete), "run")
    return reached([*roots, *_first(_bases(concrete), "_spec")], concrete)
