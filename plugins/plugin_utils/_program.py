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

COLLECTION = "ansible_collections.fleetops.aliyun_iot.plugins.module_utils"
ENTRY = "_gateway"
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
say(result)
"""


def _read_sources() -> dict[str, str]:
    """The entry and all that it imports, now or later, by name."""
    folder = Path(__file__).parent.parent / "module_utils"
    sources: dict[str, str] = {}
    wanted = [ENTRY]
    while wanted:
        name = wanted.pop()
        if f"{COLLECTION}.{name}" not in sources:
            text = sources[f"{COLLECTION}.{name}"] = (folder / (name + ".py")).read_text(encoding="utf-8")
            wanted += _IMPORT.findall(text)
    return sources


# Read once, by the process that the workers are forked from.
_SOURCES = _read_sources()


def program(todo: dict[str, t.Any]) -> str:
    """The text of a program that calls perform() of _gateway with ``todo`` and prints what that returns."""
    data = json.dumps([_SOURCES, todo])
    return _TEXT % {"word": _RESULT, "oldest": OLDEST, "data": data, "collection": COLLECTION, "entry": ENTRY}


def read_result(output: str) -> dict[str, t.Any] | None:
    """What the program printed: what perform() returned, ``crash`` if it raised, ``python`` if that is too old; None if nothing."""
    for line in reversed(output.splitlines()):
        if line.startswith(_RESULT):
            try:
                return dict(json.loads(line[len(_RESULT) :]))
            except ValueError:
                return None
    return None
