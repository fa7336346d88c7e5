# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process of a state directory: at most one, known by the lock that it holds.

The kernel releases the locks when the process ends, and a process locks the file with its number only after writing
it. So the process number in the file of a held lock is always that of the emulator.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from platform_emulator import ready_file as ready_files
from platform_emulator.fields import Invalid
from platform_emulator.files import check_directory, open_own, own_directory, read_own
from platform_emulator.options import Options

T = TypeVar("T")

STOP_SECONDS = 10.0
TAIL_LINES = 20
PROBE_BYTES = 65_536
LOCK, RECORD = "process.lock", "process.json"
PROGRAM = Path(__file__).parents[1]
LACKS_PACKAGES = f"Its Python lacks packages: {sys.executable} -m pip install aiohttp amqtt cryptography PyYAML"


class NotStarted(Exception):
    """The emulator did not become ready; the message ends with its own output."""


@dataclass(frozen=True)
class Running:
    """The process that serves a state directory, and its options."""

    pid: int
    fingerprint: str


def claim(state_dir: Path) -> None:
    """Create the state directory, unless it exists, and the file that marks it as an emulator's."""
    own_directory(state_dir)
    os.close(open_own(state_dir / LOCK, os.O_RDWR | os.O_CREAT))


def own(options: Options) -> list[int]:
    """Lock the state directory, and record this process in it; raises Invalid if another process has the lock.

    Returns the descriptors that hold the locks. The emulator closes neither: the kernel does when the process ends, which `stop`
    waits for.
    """
    lock = _lock(options.state_dir)
    if lock is None:
        raise _occupied(options.state_dir)
    record = open_own(_record(options.state_dir), os.O_RDWR | os.O_CREAT)
    with os.fdopen(record, "w", closefd=False) as file:
        file.truncate()
        json.dump(asdict(Running(os.getpid(), options.fingerprint())), file)
    fcntl.flock(record, fcntl.LOCK_EX)  # `running` holds it for moments only
    return [lock, record]


@contextmanager
def locked(state_dir: Path, seconds: float) -> Iterator[None]:
    """Lock the state directory for a while; raises Invalid if another process has locked it for all of these seconds."""
    lock = _soon(lambda: _lock(state_dir), seconds)
    if lock is None:
        raise _occupied(state_dir)
    try:
        yield
    finally:
        os.close(lock)


def _occupied(state_dir: Path) -> Invalid:
    return Invalid(f"{state_dir}: another emulator runs on it; stop it or use another")


def _lock(state_dir: Path) -> int | None:
    """Return a descriptor of the locked file; None if another process has locked it, or has removed it meanwhile."""
    path = state_dir / LOCK
    lock = open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), os.lstat(path)):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None


def running(state_dir: Path) -> Running | None:
    """Return the process that serves the directory, if any; raises Invalid if other users could have written its number."""
    try:
        check_directory(state_dir)
        descriptor = open_own(_record(state_dir), os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor) as record:
        try:
            fcntl.flock(record, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                return Running(**json.loads(_soon(lambda: read_own(_record(state_dir)), STOP_SECONDS)))
            except FileNotFoundError:  # it has just ended, and the directory is being removed
                return None
    return None


def start(
    options: Options, log_file: Path, seconds: float, validate: Callable[[], None], *, check: bool = False
) -> bool:
    """Start the emulator in a background process; returns False if it is running with the same options.

    An emulator with other options is stopped first, unless `validate` raises an error. Raises NotStarted if the new one is
    not ready in time. With `check`, nothing is started or stopped.
    """
    ready_file = options.ready_file or ready_files.default(options.state_dir)
    options = replace(options, ready_file=ready_file)
    present = running(options.state_dir)
    if _serves(present, options, ready_file, seconds):
        return False
    validate()
    if check:
        return True
    if present:
        _end(present, options.state_dir)
    claim(options.state_dir)
    with os.fdopen(open_own(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as log:
        log_end = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "platform_emulator", "serve", *options.arguments()],
            cwd="/",
            env={**os.environ, "PYTHONPATH": _python_path()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _soon(lambda: _ready(ready_file, process.pid) or process.poll() is not None, seconds)
    if _ready(ready_file, process.pid):
        return True
    ended = process.poll()
    process.kill()
    process.wait()
    if ended is not None and _serves(running(options.state_dir), options, ready_file, seconds):
        return False  # another start, at the same time, was first
    with log_file.open("rb") as log:
        log.seek(log_end)
        raise NotStarted(_why(ended, log.read().decode(errors="replace"), log_file))


def refuse_ready_file(ready_file: Path, state_dir: Path) -> None:
    """Raise Invalid for the ready file of an emulator that runs on another state directory: it would lose the file."""
    pid = ready_files.writer_of(ready_file)
    if pid is None or not _ready(ready_file, pid):
        return
    own = running(state_dir)
    if own is None or own.pid != pid:
        raise Invalid(f"{ready_file}: belongs to another emulator that runs (process {pid}); choose another file")


def _python_path() -> str:
    """Return the user's PYTHONPATH behind this program, with absolute paths since the emulator runs in the root directory."""
    own = str(PROGRAM)
    others = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return os.pathsep.join(dict.fromkeys([own, *others]))


def stop(state_dir: Path, *, check: bool = False) -> bool:
    """End the process that serves the directory, unless with `check`; returns whether there was one."""
    found = running(state_dir)
    if found and not check:
        _end(found, state_dir)
    return found is not None


def _end(found: Running, state_dir: Path) -> None:
    try:
        os.kill(found.pid, signal.SIGTERM)
        if not _soon(lambda: running(state_dir) != found, STOP_SECONDS):
            os.kill(found.pid, signal.SIGKILL)
            _soon(lambda: running(state_dir) != found, STOP_SECONDS)
    except ProcessLookupError:
        if running(state_dir) == found:  # in another container
            raise


def _record(state_dir: Path) -> Path:
    return state_dir / RECORD


def _serves(found: Running | None, options: Options, ready_file: Path, seconds: float) -> bool:
    """Return whether a process has the same options, and is ready in time: another start may have only begun it."""
    if found is None or found.fingerprint != options.fingerprint():
        return False
    _soon(lambda: _ready(ready_file, found.pid) or running(options.state_dir) != found, seconds)
    return _ready(ready_file, found.pid)


def _ready(ready_file: Path, pid: int) -> bool:
    """Return whether the process has written its ready file and answers."""
    endpoints = ready_files.endpoints_of(ready_file, pid)
    if "admin_url" not in endpoints:
        return False
    # Most commands end without a request, and the import takes longer than the rest of them.
    from urllib.request import ProxyHandler, build_opener

    try:
        with build_opener(ProxyHandler({})).open(f"{endpoints['admin_url']}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):  # another content, or no answer: a URLError or a TimeoutError
        return False


def _soon(look: Callable[[], T], seconds: float) -> T:
    """Return the result of `look` as soon as it is true, or when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _why_silent(directory: Path) -> str:
    """Return why a log is empty: on a full disk, the emulator cannot write the reason of its end either."""
    try:
        with tempfile.TemporaryFile(dir=directory) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
    except OSError as error:
        return f"Nothing can be written to {directory} ({error.strerror}); free some space there, then start it again"
    return "It wrote nothing"


def _why(exit_code: int | None, output: str, log_file: Path) -> str:
    what = "was not ready in time" if exit_code is None else f"ended with code {exit_code}"
    lines = [f"the emulator {what}; the end of {log_file}:", *output.splitlines()[-TAIL_LINES:]]
    if "ModuleNotFoundError" in output:
        lines.append(LACKS_PACKAGES)
    if not output:
        lines.append(_why_silent(log_file.parent))
    return "\n".join(lines)
