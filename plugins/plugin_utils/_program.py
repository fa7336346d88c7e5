# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python that a gateway runs: one program on standard input, with what it is to do in it. PRIVATE to the collection.

A module of Ansible's would take twice as long to start, and without pipelining its arguments would lie in a file.
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, Refused, StorageError

COLLECTION = "ansible_collections.fleetops.aliyun_iot.plugins.module_utils"
ENTRIES = ("_gateway_registration", "_device_login")
# Where a Python may be, the usual one first, if the inventory names none.
PYTHONS = ("python3", "/usr/bin/python3", "/usr/libexec/platform-python", "/usr/local/bin/python3")
# Nothing from the environment or from site-packages has a say in what runs.
ARGUMENTS = "-I -S -"
OLDEST = (3, 8)

_RESULT = "fleetops-result "
_IMPORT = re.compile(r"^ *from %s\.(\w+) import" % re.escape(COLLECTION), re.MULTILINE)
# Of a syntax that an old Python reads too, so that it can say how old it is.
_TEXT = """\
import json, sys
def say(result):
    sys.stdout.write("\\n%(word)s" + json.dumps(result) + "\\n")
    sys.exit()
if sys.version_info < %(oldest)r:
    say({"python": "%%d.%%d" %% sys.version_info[:2]})
import importlib.machinery
sources, todo = json.loads(%(data)r)
class Sources:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in sources or "%(collection)s.".startswith(name + "."):
            return importlib.machinery.ModuleSpec(name, cls, is_package=name not in sources)
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        exec(compile(sources.get(module.__name__, ""), module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, Sources)
try:
    from %(collection)s.%(entry)s import perform
    result = perform(todo)
except Exception as error:
    where = error.__traceback__
    while where.tb_next:
        where = where.tb_next
    place = "%%s, line %%d" %% (where.tb_frame.f_code.co_filename.split(".")[-1], where.tb_lineno)
    result = {"crash": "%%s at %%s" %% (type(error).__name__, place)}
    if isinstance(error, ImportError):
        result["lacks"] = str(error.name)
    if hasattr(error, "as_result"):
        doubt = {name: getattr(error, name) for name in ("may_have_registered", "registered")}
        result = dict(doubt, error=error.as_result())
say(result)
"""


def _read_sources(entry: str) -> dict[str, str]:
    """The entry and all that it imports, now or later, by name."""
    folder = Path(__file__).parent.parent / "module_utils"
    sources: dict[str, str] = {}
    wanted = [entry]
    while wanted:
        name = wanted.pop()
        if f"{COLLECTION}.{name}" not in sources:
            text = sources[f"{COLLECTION}.{name}"] = (folder / (name + ".py")).read_text(encoding="utf-8")
            wanted += _IMPORT.findall(text)
    return sources


# Read once, by the process that the workers are forked from.
_SOURCES = {entry: _read_sources(entry) for entry in ENTRIES}


def command(named: str | None, environment: str) -> str:
    """What starts a Python that reads its program from standard input.

    :param named: the inventory's interpreter; without it the first of PYTHONS that is there
    :param environment: assignments for it
    """
    if named:
        return f"{environment} {named} {ARGUMENTS}".strip()
    tried = f'command -v "$python" >/dev/null && {{ {environment} "$python" {ARGUMENTS}; exit; }}'
    return f"(for python in {' '.join(PYTHONS)}; do {tried}; done; exit 127)"


def program(entry: str, todo: t.Mapping[str, t.Any]) -> str:
    """The text of a program that calls perform() of one of ENTRIES with ``todo``, and prints what it returns or raises."""
    data = json.dumps([_SOURCES[entry], todo])
    return _TEXT % {"word": _RESULT, "oldest": OLDEST, "data": data, "collection": COLLECTION, "entry": entry}


def result_of(output: str, rc: int, instead: str) -> dict[str, t.Any]:
    """What perform() returned.

    :param output: the program's standard output. Its errors go nowhere: what a Python says of a program that it does not
        understand may hold the program
    :param instead: what to set where there is no Python
    :raises FleetopsError: what perform() raised; StorageError if it did not run to its end
    """
    result = _told(output)
    if "error" in result:
        raise _error(result)
    if "lacks" in result:
        raise StorageError(
            "the gateway's Python lacks a part of the standard library: %s" % result["lacks"],
            hint="Install it (some distributions have it in a package of its own), or set %s" % instead,
            kind="no_python",
        )
    if "crash" in result:
        raise StorageError(
            "the program on the gateway broke off: %s" % result["crash"],
            hint="Run again, which finishes what was begun; if it comes back, please report it",
            kind="module",
        )
    if "python" in result or (not result and rc in (126, 127)):
        raise StorageError(
            "the gateway has no usable Python: %s was found, and %d.%d or newer is needed"
            % ("Python " + result["python"] if result else "none", *OLDEST),
            hint="Set %s, which needs none on the gateway, or ansible_python_interpreter" % instead,
            kind="no_python",
        )
    if not result:
        raise StorageError(
            "the program on the gateway ended early (exit code %d)" % rc,
            hint="Run again, which finishes what was begun; look for what ends processes there, such as a lack of memory",
            kind="module",
        )
    return result


def _told(output: str) -> dict[str, t.Any]:
    """What the program printed; empty if it did not get that far."""
    for line in reversed(output.splitlines()):
        if line.startswith(_RESULT):
            try:
                return dict(json.loads(line[len(_RESULT) :]))
            except ValueError:
                break
    return {}


def _error(result: dict[str, t.Any]) -> FleetopsError:
    told = result["error"]
    kind = Refused if told["kind"] == Refused.kind else FleetopsError
    error = kind(told["message"], hint=told["hint"], code=told["code"], kind=told["kind"])
    error.may_have_registered = bool(result["may_have_registered"])
    error.registered = bool(result["registered"])
    return error
