# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start programs of the tests without repeating their imports: a server process that has imported the program forks for each start.

The imports take more time than the rest of a short run. A fork calls the same function as the command, with the environment, the working
directory and the streams that the test passes. The programs are ansible-playbook, which reads its configuration again, and the emulator.
Some imports of Ansible use the configuration, so `same_imports` decides which runs can be forked. Tests start all other runs as new
processes. With FORKED=no in the environment, tests start every program as a new process.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import importlib.util
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

# The environment of every run, except the variables that depend on its home.
STANDARD = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C.UTF-8",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORKS": "10",
    # The path of a test's home is too long for a socket in it, and no connection may outlive the run.
    "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=no",
    "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
    "ANSIBLE_CALLBACKS_ENABLED": "json_lines",
    "ANSIBLE_BECOME_PLUGINS": str(Path(__file__).parent / "become_plugins"),
    "ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).parent / "connection_plugins"),
    # Keep the vendor's library from requesting an AccessKey from the cloud's metadata service.
    "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
}
# The libraries that the collection imports lazily.
LIBRARIES = (
    *("alibabacloud_credentials.client", "alibabacloud_credentials.provider", "alibabacloud_tea_openapi.utils"),
    *("certifi", "darabonba.request", "requests"),
)
# The types of Ansible plugins that most runs load.
KINDS = (
    "action",
    "become",
    "cache",
    "callback",
    "connection",
    "filter",
    "inventory",
    "lookup",
    "shell",
    "strategy",
    "test",
)
# Prefixes of the environment variables that imports read; the last one is for the vendor's libraries.
READ = ("ANSIBLE_", "PYTHON", "LC_", "LANG", "SSL_", "ALIBABA_")
# Variables that are read while a playbook runs, not by an import.
LATE = {
    *("ANSIBLE_DEBUG", "ANSIBLE_FORKS", "ANSIBLE_KEEP_REMOTE_FILES", "ANSIBLE_LOG_PATH", "ANSIBLE_PIPELINING"),
    *("ANSIBLE_RETRY_FILES_ENABLED", "ANSIBLE_RETRY_FILES_SAVE_PATH", "ANSIBLE_SHOW_CUSTOM_STATS"),
    *("ANSIBLE_SSH_RETRIES", "ANSIBLE_STDOUT_CALLBACK"),
}
# Files and folders of the home that imports look for.
FILES = ("ansible.cfg", ".ansible.cfg", ".ansible/collections", ".ansible/plugins", ".alibabacloud", ".aliyun")


class Forked:
    """A program that the server forked, with the methods of subprocess.Popen that tests use."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self.pid = int(self._line(None))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, or minus the number of the signal that ended the program.

        :raises TimeoutError: it has not ended within `timeout` seconds
        """
        if self.returncode is None:
            self.returncode = int(self._line(timeout))
            self._connection.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code, None while the program runs."""
        try:
            return self.wait(0)
        except (BlockingIOError, TimeoutError):
            return None

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _line(self, timeout: float | None) -> bytes:
        self._connection.settimeout(timeout)
        while b"\n" not in self._received:
            received = self._connection.recv(100)
            assert received, "the server has ended"
            self._received += received
        line, _newline, self._received = self._received.partition(b"\n")
        return line


def forking() -> bool:
    """Return whether tests may fork programs."""
    return os.environ.get("FORKED") != "no"


def same_imports(environment: Mapping[str, str], folder: Path) -> bool:
    """Return whether the imports of a run have the same result in its environment as in the standard one.

    :param folder: the working directory and home of the run
    """
    if not forking():
        return False
    names = {*environment, *STANDARD}
    read = {name for name in names if name.startswith(READ)} - LATE
    if any(environment.get(name) != STANDARD.get(name) for name in read):
        return False
    return not any((folder / name).exists() for name in FILES)


def fork(
    program: str,
    arguments: list[str],
    environment: Mapping[str, str],
    folder: Path,
    stdout: IO[bytes],
    stderr: IO[bytes],
    stdin: Path | None = None,
) -> Forked:
    """Run a program, one of PROGRAMS, in a fork of its server.

    :param stdin: a file for standard input, which the program also reads in place of a terminal
    """
    ours, theirs = socket.socketpair()
    with theirs, open(stdin or os.devnull, "rb") as typed:
        streams = [each.fileno() for each in (typed, stdout, stderr)]
        socket.send_fds(_server(program), [b"\0"], [theirs.fileno(), *streams])
    call = {"arguments": arguments, "environment": dict(environment), "folder": str(folder), "typed": bool(stdin)}
    ours.sendall(json.dumps(call).encode())
    ours.shutdown(socket.SHUT_WR)
    return Forked(ours)


@functools.cache
def _server(program: str) -> socket.socket:
    """Start this process's server for a program. The server ends with this process."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, program, str(theirs.fileno())],
            env=STANDARD,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    # atexit runs the last one first: the server ends when its socket is closed, then it is waited for.
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def serve(calls: socket.socket) -> list[str]:
    """Fork for each call; return only in the fork, with the program's arguments."""
    # The kernel must reap the parents of the programs, since no process waits for them. Ctrl-C is for the programs.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while received := socket.recv_fds(calls, 1, 4)[1]:
        if not os.fork():
            calls.close()
            return _parent(*received)
        for each in received:
            os.close(each)
    sys.exit()


def _parent(connection: int, *streams: int) -> list[str]:
    """Fork the program, send its process ID and then its exit code to the test; return only in the program."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=connection) as test:
        call = json.load(test.makefile(encoding="utf-8"))
        if pid := os.fork():
            test.sendall(f"{pid}\n".encode())
            test.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
            os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if call["typed"]:
        os.setsid()  # without a terminal, passwords are read from standard input
    for stream, source in enumerate(streams):
        os.dup2(source, stream)
        os.close(source)
    os.environ.clear()
    os.environ.update(call["environment"])
    tempfile.tempdir = None  # so that it is read from this environment
    time.tzset()
    os.chdir(call["folder"])
    arguments: list[str] = call["arguments"]
    return arguments


def main() -> None:
    ended: list[int] = []
    atexit.register(_leave, ended)  # the first to be registered is the last to run
    try:
        code = PROGRAMS[sys.argv[1]](socket.socket(fileno=int(sys.argv[2])))
    except SystemExit as error:
        if isinstance(error.code, str):  # the interpreter prints it
            raise
        code = error.code
    ended.append(code or 0)


def _leave(ended: list[int]) -> None:
    """Exit without the interpreter's finalization, which would write to, and so copy, all memory of the imports."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if ended:
        os._exit(ended[0])


def _ready(calls: socket.socket) -> list[str]:
    """Serve with the modules imported so far; return in each fork, with its program's arguments."""
    # Otherwise the garbage collector of a program would write to, and so copy, all objects of the imports.
    gc.freeze()
    return serve(calls)


def _emulator(calls: socket.socket) -> int:
    sys.path.insert(0, str(Path(__file__).parents[2] / "roles" / "emulator" / "files"))
    command = importlib.import_module("platform_emulator.__main__")
    importlib.import_module("platform_emulator.server")
    code: int = command.main(_ready(calls))
    return code


def _playbook(calls: socket.socket) -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        _keep_templates_of_constants()
        constants = importlib.import_module("ansible.constants")
        command = importlib.import_module("ansible.cli.playbook")
        _preload(constants)
    gc.disable()
    options_of_plugins = constants.config._plugins
    archives = _archives()
    _share_templates(_shared_folder())
    arguments = _ready(calls)
    importlib.reload(constants)
    os.symlink(archives, f"{constants.DEFAULT_LOCAL_TMP}/ansiballz_cache")
    constants.config._plugins = options_of_plugins
    if constants.DEFAULT_LOG_PATH:
        _open_log(constants)
    # By default, a run polls every millisecond for the end of a task, and ten times as often for a free worker.
    constants.DEFAULT_INTERNAL_POLL_INTERVAL = 0.02
    strategy = importlib.import_module("ansible.plugins.strategy")
    strategy.time = types.SimpleNamespace(**{**vars(time), "sleep": lambda seconds: time.sleep(max(seconds, 0.005))})
    sys.argv = ["ansible-playbook", *arguments]
    command.main(sys.argv)


def _shared_folder() -> str:
    """Return a folder for all runs of this server, which is removed when the server ends."""
    server, folder = os.getpid(), tempfile.mkdtemp()
    atexit.register(lambda: os.getpid() == server and shutil.rmtree(folder))
    return folder


def _archives() -> str:
    """Return a folder for the archives of Ansible's modules, which the first run that uses a module writes for all runs of this server.

    An archive also contains the compiled files. Another Python than this one ignores these and compiles the sources, as it always does
    with an archive of Ansible.
    """
    folder = _shared_folder()
    common = importlib.import_module("ansible.executor.module_common")
    common.zipfile = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": _CompiledArchive})
    return folder


class _CompiledArchive(zipfile.ZipFile):
    """An archive that contains each Python file twice, the second time compiled."""

    def writestr(self, info: Any, data: Any, *arguments: Any) -> None:
        super().writestr(info, data, *arguments)
        if info.filename.endswith(".py"):
            code = compile(data, info.filename, "exec", dont_inherit=True)
            # Without the time of the source: the time of a file in an archive has no time zone.
            compiled = importlib._bootstrap_external._code_to_hash_pyc(code, importlib.util.source_hash(data), False)
            super().writestr(f"{info.filename}c", compiled, zipfile.ZIP_DEFLATED)


def _open_log(constants: Any) -> None:
    """Open the log, which the import of ansible.utils.display does if it has a path then."""
    display = importlib.import_module("ansible.utils.display")
    form = "%(asctime)s p=%(process)d u=%(user)s n=%(name)s %(levelname)s| %(message)s"
    logging.basicConfig(filename=constants.DEFAULT_LOG_PATH, level=logging.INFO, format=form)
    for handler in logging.root.handlers:
        handler.addFilter(display.FilterBlackList(constants.DEFAULT_LOG_FILTER))
        handler.addFilter(display.FilterUserInjector())
    display.logger = logging.getLogger("ansible")


PROGRAMS: dict[str, Callable[[socket.socket], int | None]] = {
    "ansible-playbook": _playbook,
    "platform_emulator": _emulator,
}


def _preload(constants: Any) -> None:
    """Load what each run would load and parse: Ansible's plugins and their options, the collection, and the libraries that it uses.

    If another ansible-core stores them elsewhere, adapt this function or remove it: without it, runs are only slower.
    """
    manager = importlib.import_module("ansible.config.manager")
    definitions = constants.config._base_defs
    manager.ConfigManager._read_config_yaml_file = lambda *_: definitions
    loader = importlib.import_module("ansible.plugins.loader")
    loader.init_plugin_loader()
    loader._configure_collection_loader = lambda *_: None  # it warns if it is called again
    for kind in KINDS:
        list(getattr(loader, f"{kind}_loader").all(class_only=True))
    [collection] = [
        each for path in sys.path if (each := Path(path, "ansible_collections/fleetops/aliyun_iot")).exists()
    ]
    for kind in ("module_utils", "plugin_utils", "action", "callback", "filter", "inventory", "lookup"):
        for file in (collection / "plugins" / kind).rglob("*.py"):
            importlib.import_module(".".join(file.relative_to(collection.parents[2]).with_suffix("").parts))
    for name in LIBRARIES:
        importlib.import_module(name)
    # The first template compiles the regular expressions of Jinja, which otherwise each process of a run would do.
    template = importlib.import_module("ansible.template")
    template.Templar().template(template.trust_as_template("{{ 1 }}"))


def _keep_templates_of_constants() -> None:
    """Compile the templates in Ansible's defaults once, in the server, although each run computes the defaults again."""
    manager = importlib.import_module("ansible.config.manager")
    from_string = functools.cache(manager.NativeEnvironment().from_string)
    manager.NativeEnvironment = lambda: types.SimpleNamespace(from_string=from_string)


def _share_templates(folder: str) -> None:
    """Let runs share what they compile, in files of the folder: a template is compiled by the first process that needs it.

    Ansible folds no constants, so the code depends only on the text and on the options of the environment.
    """
    bits = importlib.import_module("ansible._internal._templating._jinja_bits")
    cache = importlib.import_module("jinja2").FileSystemBytecodeCache(folder)
    compile_template = bits.AnsibleEnvironment.compile

    def compiled(self: Any, source: Any, *arguments: Any) -> Any:
        options = [getattr(self, name) for name in bits._TEMPLATE_OVERRIDE_FIELD_NAMES]
        name = repr((source, arguments, options, bits._TemplateCompileContext.current(optional=True)))
        bucket = cache.get_bucket(self, name, None, "")
        if bucket.code is None:
            bucket.code = compile_template(self, source, *arguments)
            cache.set_bucket(bucket)
        return bucket.code

    bits.AnsibleEnvironment.compile = compiled


if __name__ == "__main__":
    main()
