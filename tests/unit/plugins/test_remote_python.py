# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the program that a gateway's Python reads from its standard input."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from interpreters import PYTHONS, interpreter
from shells import write_script

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, Refused, StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import PYTHONS as PYTHON_NAMES
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote_python import (
    ENTRIES,
    _read_sources,
    command,
    program,
    result_of,
    without_comments,
)

SECRET = "0123456789abcdef"
REGISTRATION, LOGIN = ENTRIES


def todo(**changes: Any) -> dict[str, Any]:
    """Return the input for a change whose scripts print fixed outcomes, and whose platform does not exist."""
    request = {"url": "https://127.0.0.1:9/x", "body": f"sign={SECRET}", "product_key": "a1", "device_name": "gw-0001"}
    options = {"ca_path": None, "validate_certs": True, "timeout": 1, "retry_time": 0}
    outcomes = {"begin": "stale", "store": "installed", "abandon": "abandoned"}
    scripts: dict[str, Any] = {
        name: [f"echo {name}; echo fleetops-end {outcome}"] for name, outcome in outcomes.items()
    }
    scripts["settles"] = False
    return {
        "shell": "/bin/sh",
        "scripts": scripts,
        "request": request,
        "options": options,
        "lease": 60,
        "broker": None,
        **changes,
    }


def run(python: str | Path, what: dict[str, Any], entry: str = REGISTRATION) -> tuple[str, int]:
    """Run the program as Ansible's shell would; return standard output and exit code, without standard error, which is not used."""
    done = subprocess.run(
        ["/bin/sh", "-c", command(str(python), "", ())],
        input=program(entry, what).encode(),
        capture_output=True,
        check=False,
    )
    return done.stdout.decode(), done.returncode


def result(python: str | Path, what: dict[str, Any]) -> dict[str, Any]:
    return result_of(REGISTRATION, *run(python, what), "another way")


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> Path:
    found = interpreter(request.param)
    if not found:
        pytest.skip(f"Python {request.param} is not here")
    return found


def test_every_python_runs_it(python: Path) -> None:
    assert result(python, todo()) == {"outcome": "stale", "lines": ("begin",)}


def test_an_error_comes_as_it_was(python: Path) -> None:
    scripts = {**todo()["scripts"], "begin": ["echo fleetops-end begun"]}
    with pytest.raises(FleetopsError) as raised:
        result(python, todo(scripts=scripts))
    assert (raised.value.kind, raised.value.may_have_registered) == ("network", False)
    assert "https://127.0.0.1:9/x" in raised.value.msg
    assert raised.value.hint


def test_a_lease_that_was_taken_over_comes_as_such(python: Path) -> None:
    scripts = {**todo()["scripts"], "begin": ["echo fleetops-end lost"]}
    with pytest.raises(FleetopsError, match="another run has taken over") as raised:
        result(python, todo(scripts=scripts))
    assert (raised.value.kind, raised.value.registered) == ("busy", False)


def test_a_login_needs_no_more(python: Path, tmp_path: Path) -> None:
    options = {"path": f"{tmp_path}/none.json", "region": "cn-shanghai", "instance_id": None, "mqtt_endpoint": None}
    options = {**options, "ca_path": None, "validate_certs": True, "timeout": 1, "sign_method": "hmacsha256"}
    with pytest.raises(FleetopsError, match=r"none\.json cannot be read") as raised:
        result_of(LOGIN, *run(python, options, LOGIN), "another way")
    assert raised.value.kind == "unreadable"


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_an_old_python_says_how_old_it_is(version: str) -> None:
    found = interpreter(version)
    if not found:
        pytest.skip(f"Python {version} is not here")
    with pytest.raises(StorageError, match=f"Python {version} was found, and 3.8 or newer is needed") as raised:
        result(found, todo())
    assert raised.value.kind == "no_python"
    assert "Set another way, which needs none" in raised.value.hint


def test_the_first_python_that_is_there() -> None:
    assert result_of(REGISTRATION, *shell(command(None, "A_VARIABLE='of the task'", PYTHON_NAMES)), "x") == {
        "outcome": "stale",
        "lines": ("begin",),
    }


def test_the_environment_reaches_it() -> None:
    scripts = {**todo()["scripts"], "begin": ['echo "$A_VARIABLE"; echo fleetops-end stale']}
    for named in (None, sys.executable):
        text = command(named, "A_VARIABLE='of the task'", PYTHON_NAMES)
        assert result_of(REGISTRATION, *shell(text, todo(scripts=scripts)), "x")["lines"] == ("of the task",)


def shell(text: str, what: dict[str, Any] | None = None, path: str | None = None) -> tuple[str, int]:
    done = subprocess.run(
        ["/bin/sh", "-c", text],
        input=program(REGISTRATION, what or todo()).encode(),
        capture_output=True,
        check=False,
        env=None if path is None else {"PATH": path},
    )
    return done.stdout.decode(), done.returncode


@pytest.mark.parametrize("named", ["/nonexistent/python", "/dev/null"])
def test_no_python(named: str) -> None:
    with pytest.raises(StorageError, match="no usable Python: none was found") as raised:
        result_of(REGISTRATION, *shell(command(named, "", ())), "another way")
    assert raised.value.kind == "no_python"


class Here(Remote):
    """A gateway that has the programs of one folder."""

    def __init__(self, folder: Path, named: str | None = None) -> None:
        super().__init__("/bin/sh")
        self._folder = folder
        self._named = named

    def execute(self, command: str, standard_input: str) -> tuple[str, int]:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            input=standard_input,
            capture_output=True,
            check=False,
            text=True,
            env={"PATH": str(self._folder)},
        )
        return done.stdout, done.returncode

    def python(self, candidates: Sequence[str] = PYTHON_NAMES) -> str:
        there = [name for name in candidates if "/" not in name]  # paths are of this machine, not of the gateway
        return command(self._named, "", there)


TOO_OLD = """echo; echo 'fleetops-result {"python": "3.6"}'"""


@pytest.mark.parametrize("usual", [TOO_OLD, 'echo; echo \'fleetops-result {"lacks": "ssl"}\'', None])
def test_a_newer_python_beside_the_usual_one(tmp_path: Path, usual: str | None) -> None:
    if usual:
        write_script(tmp_path / "python3", usual)
    write_script(tmp_path / "python3.9", TOO_OLD)
    write_script(tmp_path / "python3.11", f'exec {sys.executable} "$@"')
    assert Here(tmp_path).run_python(REGISTRATION, todo(), "x") == {"outcome": "stale", "lines": ("begin",)}


@pytest.mark.parametrize("others", [(), ("python3.9",)])
def test_no_newer_python(tmp_path: Path, others: tuple[str, ...]) -> None:
    for name in ("python3", *others):
        write_script(tmp_path / name, TOO_OLD)
    with pytest.raises(StorageError, match=r"Python 3\.6 was found") as raised:
        Here(tmp_path).run_python(REGISTRATION, todo(), "x")
    assert raised.value.kind == "no_python"


def test_the_python_that_the_inventory_names_alone(tmp_path: Path) -> None:
    write_script(tmp_path / "python3.11", f'exec {sys.executable} "$@"')
    with pytest.raises(StorageError, match=r"Python 3\.6 was found"):
        Here(tmp_path, str(write_script(tmp_path / "named", TOO_OLD))).run_python(REGISTRATION, todo(), "x")


def without_docstrings(source: str) -> tuple[str, list[int]]:
    """Return the syntax tree without docstrings, and the line of each of its nodes."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree), [node.lineno for node in ast.walk(tree) if hasattr(node, "lineno")]


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_is_sent_is_the_program_without_its_documentation(entry: str) -> None:
    for name, source in _read_sources(entry).items():
        sent = without_comments(source)
        assert without_docstrings(sent) == without_docstrings(source), name
        assert len(sent) < 0.9 * len(source), name
        assert "SPDX" not in sent


def test_a_shell_with_arguments() -> None:
    assert result(sys.executable, todo(shell="/bin/sh -u")) == {"outcome": "stale", "lines": ("begin",)}


@pytest.mark.parametrize("lacking", ["ssl", "http.client"])
def test_half_a_python(tmp_path: Path, lacking: str) -> None:
    """Distributions for small machines split Python into parts."""
    text = f"import sys; sys.modules[{lacking!r}] = None; exec(sys.stdin.read())"
    half = write_script(tmp_path / "python", f"exec {sys.executable} -I -S -c {shlex.quote(text)}")
    scripts = {**todo()["scripts"], "begin": ["echo fleetops-end begun"]}
    with pytest.raises(StorageError, match=f"lacks a part of the standard library: {lacking}") as raised:
        result(half, todo(scripts=scripts))
    assert raised.value.kind == "no_python"
    assert "set another way" in raised.value.hint


@pytest.mark.parametrize(("output", "code"), [("", 137), ("banner\nfleetops-result {\n", 1), ("", 0)])
def test_a_program_that_does_not_come_to_its_end(output: str, code: int) -> None:
    with pytest.raises(StorageError, match="ended early") as raised:
        result_of(REGISTRATION, output, code, "x")
    assert raised.value.kind == "ended_early"


def test_a_crash_is_told_without_what_it_was_about() -> None:
    scripts = {**todo()["scripts"], "begin": ["echo fleetops-end begun"]}
    output, code = run(sys.executable, todo(scripts=scripts, lease=SECRET))
    assert SECRET not in output
    with pytest.raises(FleetopsError, match=r"gateway, TypeError at module_utils/_device/change\.py:\d+\.") as raised:
        result_of(REGISTRATION, output, code, "x")
    assert raised.value.kind == "internal"
    assert "report" in raised.value.hint


def test_a_crash_within_the_standard_library_is_told_with_both_places() -> None:
    output, code = run(sys.executable, todo(shell=7))
    with pytest.raises(
        FleetopsError, match=r"AttributeError at .*registration_program\.py:\d+, in .*shlex\S*:\d+\."
    ) as raised:
        result_of(REGISTRATION, output, code, "x")
    assert raised.value.kind == "internal"


def test_a_name_that_our_own_code_lacks_is_no_lack_of_the_gateway() -> None:
    """The bug is an ImportError too, like a missing part of the standard library."""
    text = program(REGISTRATION, todo()).replace("import perform", "import performs")
    done = subprocess.run([sys.executable, "-I", "-S", "-"], input=text, capture_output=True, text=True, check=True)
    with pytest.raises(FleetopsError, match="ImportError at ") as raised:
        result_of(REGISTRATION, done.stdout, 0, "x")
    assert raised.value.kind == "internal"


def test_what_login_shells_say_is_passed_over() -> None:
    output, code = run(sys.executable, todo())
    assert result_of(REGISTRATION, f"Welcome\n{output}\nGoodbye\n", code, "x")["outcome"] == "stale"


def test_a_refusal_stays_one() -> None:
    told = {
        "error": {"kind": "refused", "code": 6600, "message": "no", "hint": "Do this"},
        "may_have_registered": True,
        "registered": False,
    }
    with pytest.raises(Refused) as raised:
        result_of(REGISTRATION, "fleetops-result " + json.dumps(told), 0, "x")
    assert (raised.value.code, raised.value.hint, raised.value.may_have_registered) == (6600, "Do this", True)


@pytest.mark.parametrize("entry", ENTRIES)
def test_it_is_read_by_the_oldest_python_too(entry: str) -> None:
    """The program is ASCII, and the few lines that a too old Python parses have no new syntax."""
    text = program(entry, {"umlaut": "ä\u2028\\'\""})
    assert text.isascii()
    assert "f'" not in text.split("sources, todo")[0]


def test_what_all_gateways_share_is_joined_again(python: Path) -> None:
    shared = "echo 'ä\u2028\"'\n"
    scripts = {**todo()["scripts"], "begin": ["echo first\n", "echo fleetops-end stale\n"]}
    done = subprocess.run(
        [python, "-I", "-S", "-"],
        input=program(REGISTRATION, todo(scripts=scripts), shared).encode(),
        capture_output=True,
        check=False,
    )
    found = result_of(REGISTRATION, done.stdout.decode(), done.returncode, "x")
    assert found == {"outcome": "stale", "lines": ("first", 'ä\u2028"')}
