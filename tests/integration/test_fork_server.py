# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that the server forks: each is equal to a run of the command."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import fork_server
import processes
import pytest
from interpreters import interpreter
from playbook import environment_of, run_playbook, start_playbook
from processes import wait_for

JSON = Any

pytestmark = pytest.mark.usefixtures("forked")

# A variable that makes a run a separate program, and changes nothing else.
OWN = {"PYTHONDONTWRITEBYTECODE": "1"}
FORKED = {"DUMMY": "1"}


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORKED", raising=False)


def show(*expressions: str) -> JSON:
    shown = {f"e{number}": "{{ " + each + " }}" for number, each in enumerate(expressions)}
    return {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": shown}}]}


def test_configuration_environment_and_output_are_those_of_the_command(tmp_path: Path) -> None:
    play = show(
        "lookup('env', 'HOME')",
        "lookup('env', 'VALUE')",
        "lookup('pipe', 'pwd; echo $HOME $VALUE; umask; echo /proc/self/fd/*')",
        "lookup('config', 'DEFAULT_FORKS', 'ANSIBLE_PIPELINING', 'DEFAULT_STRATEGY', 'DEFAULT_ROLES_PATH', 'GALAXY_TOKEN_PATH')",
        "lookup('config', 'DEFAULT_LOCAL_TMP') | dirname",
        "ansible_version.full",
        "ansible_playbook_python",
        "ansible_forks",
        "'%H %Z' | strftime(0)",
    )
    env = {"VALUE": "one two", "ANSIBLE_FORKS": "7", "ANSIBLE_PIPELINING": "1", "TZ": "ABC-9"}
    program, fork = (run_playbook(play, {}, tmp_path, "-v", env={**env, **each}) for each in (OWN, FORKED))
    assert fork.rc == program.rc == 0, fork
    assert str(tmp_path) in fork.stdout
    assert "09 ABC" in fork.stdout
    assert fork == program


def test_variables_beside_the_inventory_are_read(tmp_path: Path) -> None:
    for name in ("group_vars/all", "host_vars/localhost"):
        path = tmp_path / f"{name}.json"
        path.parent.mkdir()
        path.write_text(f'{{"{path.parent.name}": "read"}}')
    run = run_playbook(show("group_vars", "host_vars"), {"all": {"hosts": {"localhost": None}}}, tmp_path)
    assert run.result("localhost")["msg"] == {"e0": "read", "e1": "read"}, run


def test_a_template_that_another_run_has_compiled_is_that_of_the_command(tmp_path: Path) -> None:
    text = r"{% if True %}" + "\n" + r"{{ lookup('env', 'VALUE') ~ '\t' }}{% endif %}"
    (tmp_path / "text.j2").write_text(text)
    # The same text with other options: a template in a file has backslash sequences, one in a playbook has not.
    texts = [text, "{{ lookup('template', 'text.j2') }}", f"#jinja2: trim_blocks: False\n{text}"]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": texts}}]}
    first = run_playbook(play, {}, tmp_path, env={"VALUE": "1"})
    program, fork = (run_playbook(play, {}, tmp_path, env={"VALUE": "2", **each}) for each in (OWN, FORKED))
    assert fork == program, fork
    assert first.result("localhost")["msg"] == ["1\\t", "1\t", "\n1\\t"]
    assert fork.result("localhost")["msg"] == ["2\\t", "2\t", "\n2\\t"]


def test_the_log_is_that_of_the_command(tmp_path: Path) -> None:
    def logged(environment: dict[str, str]) -> str:
        log = tmp_path / "ansible.log"
        run = run_playbook(show("1"), {}, tmp_path, "-v", env={**environment, "ANSIBLE_LOG_PATH": str(log)})
        assert run.rc == 0, run
        text = re.sub(r"^[0-9-]+ [0-9:,]+ p=[0-9]+ ", "", log.read_text(), flags=re.MULTILINE)
        log.unlink()
        return text

    text = logged(FORKED)
    assert "PLAY RECAP" in text
    assert text == logged(OWN)


def test_a_fork_prints_messages_for_debugging(tmp_path: Path) -> None:
    run = run_playbook(show("1"), {}, tmp_path, env={**FORKED, "ANSIBLE_DEBUG": "1"})
    assert "calling self._execute()" in run.stdout, run


@pytest.mark.parametrize("version", [None, "3.8"], ids=["own", "old"])
def test_modules_return_what_those_of_the_command_return(tmp_path: Path, version: str | None) -> None:
    """The second fork uses the archives of the first, which also contain what this Python, and no other, has compiled."""
    python = interpreter(version) if version else sys.executable
    if not python:
        pytest.skip("there is no old Python")
    untouched = tmp_path / "untouched"
    untouched.mkdir()
    tasks = [{"ansible.builtin.slurp": {"src": "/etc/hostname"}}, {"ansible.builtin.stat": {"path": str(untouched)}}]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": str(python)},
        "tasks": tasks,
    }
    own, first, second = (run_playbook(play, {}, tmp_path, env=env) for env in (OWN, FORKED, FORKED))
    assert own.rc == 0, own
    assert own == first == second


def test_a_run_leaves_no_temporary_folder_and_the_next_is_forked_too(tmp_path: Path) -> None:
    run = run_playbook(show("lookup('pipe', 'ls ~/.ansible/tmp')"), {}, tmp_path)
    assert "ansible-local-" in run.stdout, run
    assert list((tmp_path / ".ansible/tmp").iterdir()) == []
    assert fork_server.same_imports(environment_of(tmp_path), tmp_path)


def test_a_run_that_is_killed_says_so_and_is_found_before(tmp_path: Path) -> None:
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.pause": {"minutes": 5}}]}
    with start_playbook(play, {}, tmp_path) as run:
        assert isinstance(run.process, fork_server.Forked)
        wait_for(lambda: run.process.pid in processes.at_home(tmp_path), "the run")
        run.kill()
        assert run.process.returncode == -signal.SIGKILL
    assert processes.at_home(tmp_path) == []


def test_a_run_that_fails_ends_with_its_exit_code(tmp_path: Path) -> None:
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.fail": {}}]}
    assert [run_playbook(play, {}, tmp_path, env=each).rc for each in (OWN, FORKED)] == [2, 2]
    assert [run_playbook(play, {}, tmp_path, "--unknown", env=each).rc for each in (OWN, FORKED)] == [2, 2]


@pytest.mark.parametrize(
    "own",
    [
        {"ANSIBLE_STRATEGY": "free"},
        {"ANSIBLE_CALLBACK_PLUGINS": "/elsewhere"},
        {"ANSIBLE_NEW": "1"},
        {"PYTHONPATH": "/elsewhere"},
        {"LC_ALL": "C"},
        {"LANG": "C"},
        {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id"},
    ],
    ids=lambda own: next(iter(own)),
)
def test_a_variable_that_an_import_may_read_makes_a_program_of_its_own(tmp_path: Path, own: dict[str, str]) -> None:
    environment = {**environment_of(tmp_path), "OTHER": "1", "ANSIBLE_FORKS": "3"}
    assert fork_server.same_imports(environment, tmp_path)
    assert not fork_server.same_imports({**environment, **own}, tmp_path)


def test_each_run_can_be_a_program_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORKED", "no")
    with start_playbook(show("1"), {}, tmp_path) as run:
        assert isinstance(run.process, subprocess.Popen)
        assert run.wait().rc == 0


@pytest.mark.parametrize("name", fork_server.FILES)
def test_files_that_an_import_may_read_make_a_program_of_its_own(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    assert not fork_server.same_imports(environment_of(tmp_path), tmp_path)


def test_the_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = """if True:
        import os, pathlib, fork_server, sys
        home = pathlib.Path(sys.argv[1])
        with open(home / "out", "wb") as out:
            environment = {**fork_server.STANDARD, "HOME": str(home)}
            assert fork_server.fork("ansible-playbook", ["--version"], environment, home, out, out).wait(60) == 0
        print(pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text(), flush=True)
        os._exit(0)  # as if it were killed
    """
    support = str(Path(fork_server.__file__).parent)
    command = [sys.executable, "-c", program, str(tmp_path)]
    env = {**fork_server.STANDARD, "PYTHONPATH": support}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "ansible-playbook [core" in (tmp_path / "out").read_text(), ended
    [server] = map(int, ended.stdout.split())
    wait_for(lambda: not processes.read(server, "cmdline"), "the server to end")
