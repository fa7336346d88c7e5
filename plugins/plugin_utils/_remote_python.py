# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run Python on a gateway: one program on standard input, with its parameters in it. PRIVATE to the collection.

A module of Ansible would take twice as long to start, and without pipelining its arguments would be written to a file.
"""

from __future__ import annotations

import json
import re
import typing as t
from functools import cache
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    FleetopsError,
    InternalError,
    Kind,
    Refused,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import (
    FINGERPRINT,
    bad_answer,
    document,
    flag,
    lines,
    message,
    number,
    one_of,
    only,
    split,
    text,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    DEVICE_NAME,
    PRODUCT_KEY,
)

COLLECTION = "ansible_collections.fleetops.aliyun_iot.plugins.module_utils"
# Outcomes of a change that a gateway may report.
OUTCOMES = frozenset({"begun", "installed", "stale"})
# Isolated mode: neither the environment nor site-packages influences the program.
ARGUMENTS = "-I -S -"
OLDEST = (3, 8)

# Parts of a result that describe a failure.
_CRASH = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63} at [ -~]{1,300}:[0-9]{1,9}")
_MODULE = re.compile(r"[A-Za-z0-9_.]{1,100}")
_VERSION = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LARGEST_CODE = 2**31
# More than the gate's default: a message names files and endpoints, and quotes the platform's answer.
_LONGEST_MESSAGE = 1000

_RESULT = "fleetops-result "
_COMMENT = re.compile(r"^[ \t]*#.*", re.MULTILINE)
_DOCSTRING = re.compile(r'""".*?"""', re.DOTALL)
_IMPORT = re.compile(r"^ *from %s\.([\w.]+) import" % re.escape(COLLECTION), re.MULTILINE)
# The syntax is that of old Pythons, so that they can report their version. The program collects no garbage and skips the cleanup of the
# interpreter at its end, which together took a fifth of its time.
_TEXT = """\
import gc, json, os, sys
gc.disable()
def say(result):
    sys.stdout.write("\\n%(word)s" + json.dumps(result) + "\\n")
    sys.stdout.flush()
    os._exit(0)
if sys.version_info < %(oldest)r:
    say({"python": "%%d.%%d" %% sys.version_info[:2]})
import importlib.machinery
sources, todo = json.loads(%(sources)r), dict(json.loads(todo), shared=json.loads(shared))
class Sources:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in sources or any(source.startswith(name + ".") for source in sources):
            return importlib.machinery.ModuleSpec(name, cls, is_package=name not in sources)
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        place = module.__name__.replace(".", "/") + ".py"
        exec(compile(sources.get(module.__name__, ""), place, "exec"), module.__dict__)
sys.meta_path.insert(0, Sources)
try:
    from %(collection)s.%(entry)s import perform
    result = perform(todo)
except Exception as error:
    if hasattr(error, "as_result"):
        doubt = {name: getattr(error, name) for name in ("may_have_registered", "registered")}
        result = dict(doubt, error=dict(error.as_result(), hint=error.hint))
    elif isinstance(error, ImportError) and not str(error.name).startswith("%(collection)s"):
        result = {"lacks": str(error.name)}
    else:
        from %(collection)s._errors import internal
        result = {"crash": internal(error).where}
say(result)
"""


def _registration(result: object) -> dict[str, t.Any]:
    """Read the result of ``registration_program``: ``outcome`` and ``lines``."""
    fields = only("result", result, ("outcome", "lines"))
    return {"outcome": one_of("outcome", fields["outcome"], OUTCOMES), "lines": lines("lines", fields["lines"])}


def _login(result: object) -> dict[str, t.Any]:
    """Read the result of ``login_program``: ``product_key``, ``device_name`` and ``fingerprint``."""
    alphabets = {"product_key": PRODUCT_KEY, "device_name": DEVICE_NAME, "fingerprint": FINGERPRINT}
    fields = only("result", result, alphabets)
    return {name: text(name, fields[name], alphabet) for name, alphabet in alphabets.items()}


# Programs by the module whose perform() they call, each with the reader of its result.
ENTRIES: dict[str, t.Callable[[object], dict[str, t.Any]]] = {
    "_device.registration_program": _registration,
    "_device.login_program": _login,
}
# Kinds of the errors that each of them raises.
REPORTS: dict[str, tuple[Kind, ...]] = {
    "_device.registration_program": (
        "bad_answer",
        "busy",
        "connection",
        "internal",
        "missing_tool",
        "network",
        "no_service",
        "permission",
        "refused",
        "storage",
        "throttled",
        "tls",
        "unsafe_path",
    ),
    "_device.login_program": (
        "bad_answer",
        "internal",
        "invalid_option",
        "network",
        "refused",
        "throttled",
        "tls",
        "unreadable",
    ),
}


def _read_sources(entry: str) -> dict[str, str]:
    """Return the sources of the entry module and of its transitive imports, lazy ones included, by name."""
    folder = Path(__file__).parent.parent / "module_utils"
    sources: dict[str, str] = {}
    wanted = [entry]
    while wanted:
        name = wanted.pop()
        if f"{COLLECTION}.{name}" not in sources:
            text = sources[f"{COLLECTION}.{name}"] = (folder / (name.replace(".", "/") + ".py")).read_text(
                encoding="utf-8"
            )
            wanted += _IMPORT.findall(text)
    return sources


def without_comments(source: str) -> str:
    """Return the source without its docstrings and without lines that are comments, with the same line numbers.

    What is left is three quarters of the source, which is compressed, sent and compiled once for each gateway.
    """
    return _DOCSTRING.sub(lambda found: '"""%s"""' % ("\n" * found[0].count("\n")), _COMMENT.sub("", source))


def _program(entry: str) -> str:
    """Return the text of a program that calls perform() of the entry module with what ``todo`` holds as JSON."""
    sources = json.dumps({name: without_comments(text) for name, text in _read_sources(entry).items()})
    values = {"word": _RESULT, "oldest": OLDEST, "collection": COLLECTION, "entry": entry}
    return _TEXT % {**values, "sources": sources}


_PROGRAMS = {entry: _program(entry) for entry in ENTRIES}  # made once, by the process that the workers are forked from


def command(named: str | None, environment: str, candidates: t.Sequence[str]) -> str:
    """Return the command that starts a Python with its program on standard input.

    :param named: the inventory's interpreter; without it, the first of ``candidates`` that exists
    :param environment: assignments for it
    """
    if named:
        return f"{environment} {named} {ARGUMENTS}".strip()
    tried = f'command -v "$python" >/dev/null && {{ {environment} "$python" {ARGUMENTS}; exit; }}'
    return f"(for python in {' '.join(candidates)}; do {tried}; done; exit 127)"


def program(entry: str, todo: t.Mapping[str, t.Any], shared: str = "") -> str:
    """Return the text of a program that calls perform() of one of ENTRIES with ``todo``, and prints what it returns or raises.

    :param shared: ``todo["shared"]``, a text that is the same for every gateway
    """
    return "todo = %r\nshared = %s\n%s" % (json.dumps(todo), _literal(shared), _PROGRAMS[entry])


@cache
def _literal(text: str) -> str:
    """Return a text as JSON in a literal of Python."""
    return repr(json.dumps(text))


def result_of(entry: str, output: str, rc: int, alternative: str) -> dict[str, t.Any]:
    """Return the named fields of a program's result, each checked by the gate.

    :param entry: the one of ENTRIES that ran
    :param output: the program's standard output. Its standard error is discarded: a Python that does not understand a program
        quotes it
    :param alternative: the option to set for a gateway without Python
    :raises FleetopsError: the error that perform() raised; StorageError if it did not finish, or its result is invalid
    """
    results = [line[len(_RESULT) :] for line in split("output", output) if line.startswith(_RESULT)]
    if len(results) > 1:
        raise bad_answer("output", "it has more than one result")
    if not results:
        raise _no_python("none", alternative) if rc in (126, 127) else _ended_early(rc)
    try:
        result = document("result", results[0])
    except StorageError:
        # A program that was killed may have printed an incomplete result.
        if rc:
            raise _ended_early(rc) from None
        raise
    if isinstance(result, dict):
        _raise_failure(entry, result, alternative)
    return ENTRIES[entry](result)


def _raise_failure(entry: str, result: dict[str, object], alternative: str) -> None:
    """Raise the error that ``result`` describes, if it describes one."""
    if "error" in result:
        raise _error(entry, result)
    if "crash" in result:
        fields = only("result", result, ("crash",))
        raise InternalError("on the gateway, %s" % text("crash", fields["crash"], _CRASH))
    if "lacks" in result:
        fields = only("result", result, ("lacks",))
        raise StorageError(
            "the gateway's Python lacks a part of the standard library: %s" % text("lacks", fields["lacks"], _MODULE),
            hint="Install it (some distributions have it in a package of its own), or set %s" % alternative,
            kind="no_python",
        )
    if "python" in result:
        fields = only("result", result, ("python",))
        raise _no_python("Python " + text("python", fields["python"], _VERSION), alternative)


def _no_python(found: str, alternative: str) -> StorageError:
    return StorageError(
        "the gateway has no usable Python: %s was found, and %d.%d or newer is needed" % (found, *OLDEST),
        hint="Set %s, which needs none on the gateway, or ansible_python_interpreter" % alternative,
        kind="no_python",
    )


def _ended_early(rc: int) -> StorageError:
    return StorageError(
        "the program on the gateway ended early (exit code %d)" % rc,
        hint="Check what kills processes on the gateway, such as a lack of memory, and run again, which finishes what was begun",
        kind="ended_early",
    )


def _error(entry: str, result: dict[str, object]) -> FleetopsError:
    """Return the error that perform() of ``entry`` raised."""
    fields = only("result", result, ("error", "may_have_registered", "registered"))
    described = only("error", fields["error"], ("kind", "code", "message", "hint"))
    reported = one_of("kind", described["kind"], REPORTS[entry])
    kind: Kind = next(known for known in REPORTS[entry] if known == reported)
    error = (Refused if kind == "refused" else FleetopsError)(
        message(described["message"], _LONGEST_MESSAGE),
        hint=message(described["hint"], _LONGEST_MESSAGE, "hint"),
        code=_code(described["code"]),
        kind=kind,
    )
    error.may_have_registered = flag("may_have_registered", fields["may_have_registered"])
    error.registered = flag("registered", fields["registered"])
    return error


def _code(value: object) -> int | str | None:
    if value is None:
        return None
    return text("code", value, _CODE) if isinstance(value, str) else number("code", value, _LARGEST_CODE)
