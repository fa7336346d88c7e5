# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process: its start, its ends, and the state that outlives it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from emulator import PROGRAM, Emulator
from platform_emulator import server
from platform_emulator.command_line import main, parse
from processes import wait_for
from vectors import vectors

Register = Callable[..., dict[str, Any]]
Device = tuple[str, str]

VECTOR = vectors("dynreg_https")[0]


def test_the_ready_file_says_where_and_goes_with_the_process(tmp_path: Path) -> None:
    ready = tmp_path / "endpoints.json"
    with Emulator(tmp_path) as platform:
        assert json.loads(ready.read_text()) == platform.endpoints
        assert set(platform.endpoints) == {
            *("register_url", "openapi_endpoint", "mqtts", "mqtt", "ca_file", "admin_url", "pid")
        }
        assert platform.endpoints["register_url"] == f"https://127.0.0.1:{platform.port}/auth/register/device"
        assert requests.get(platform.endpoints["admin_url"] + "/health", timeout=60).ok
        os.kill(platform.endpoints["pid"], 0)
    assert not ready.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_stop_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "endpoints.json"
    arguments = ["serve", "--state-dir", str(tmp_path / "state"), "--ready-file", str(ready)]
    with subprocess.Popen(
        ["env", "--default-signal", sys.executable, "-u", "-m", "platform_emulator", *arguments],
        env={"PYTHONPATH": str(PROGRAM), "PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while "ready" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        rest = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert not ready.exists()
    assert "Traceback" not in rest


def test_without_a_terminal_it_ignores_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator that was started without a terminal, as by nohup, ignores SIGHUP."""
    monkeypatch.setenv("FORKED", "no")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        platform = Emulator(tmp_path)
        platform.start()
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        os.kill(platform.endpoints["pid"], signal.SIGHUP)
        assert requests.get(platform.endpoints["admin_url"] + "/health", timeout=60).ok
    finally:
        platform.stop()


def test_a_stop_does_not_wait_for_a_hanging_client(tmp_path: Path, seed: dict[str, Any]) -> None:
    with Emulator(tmp_path, seed) as platform:
        platform.admin.fault(hang=60)
        url, ca_file = platform.endpoints["register_url"], platform.endpoints["ca_file"]
        with ThreadPoolExecutor() as clients:
            answer = clients.submit(
                requests.post,
                url,
                data=VECTOR["body"],
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                verify=ca_file,
                timeout=60,
            )
            while not platform.admin.requests():
                assert not answer.done()
            platform.stop()
            with pytest.raises(requests.ConnectionError):
                answer.result(10)


def test_what_was_answered_survives_kill_9(platform: Emulator, register: Register, device: Device) -> None:
    for _attempt in range(3):
        secret = register()["data"]["deviceSecret"]
        platform.kill()
        platform.start()
        assert platform.admin.device(*device)["device_secret"] == secret
    assert platform.admin.device(*device)["registrations"] == 3
    assert [entry["code"] for entry in platform.admin.requests()] == [200, 200, 200]


def test_clients_keep_trusting_it_after_a_restart(platform: Emulator, register: Register) -> None:
    before = Path(platform.endpoints["ca_file"]).read_bytes()
    url = platform.endpoints["register_url"]
    platform.restart()
    assert platform.endpoints["register_url"] == url
    assert Path(platform.endpoints["ca_file"]).read_bytes() == before
    assert register()["code"] == 200


def test_of_many_at_once_the_last_to_be_stored_is_valid(platform: Emulator, device: Device) -> None:
    """The last registration to be stored is valid. The request log is in the order of the commits and contains the client's port."""
    context = ssl.create_default_context(cafile=platform.endpoints["ca_file"])
    request = (
        f"POST /auth/register/device HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(VECTOR['body'])}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n{VECTOR['body']}"
    ).encode()

    def client(_number: int) -> tuple[str, str]:
        with (
            socket.create_connection(("127.0.0.1", platform.port), 60) as tcp,
            context.wrap_socket(tcp, server_hostname="localhost") as tls,
        ):
            peer = "{}:{}".format(*tls.getsockname())
            tls.sendall(request)
            answer = b"".join(iter(lambda: tls.recv(65536), b""))
        return peer, json.loads(answer.partition(b"\r\n\r\n")[2])["data"]["deviceSecret"]

    with ThreadPoolExecutor(50) as clients:
        secrets = dict(clients.map(client, range(50)))
    stored = platform.admin.device(*device)
    assert len(set(secrets.values())) == 50
    assert stored["registrations"] == 50
    assert secrets[platform.admin.requests()[-1]["peer"]] == stored["device_secret"]


def serve(state_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a start that is expected to fail."""
    return subprocess.run(
        [sys.executable, "-m", "platform_emulator", "serve", "--state-dir", str(state_dir), *options],
        env={"PYTHONPATH": str(PROGRAM)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_state_directory_has_one_emulator(platform: Emulator) -> None:
    ended = serve(platform.state_dir)
    assert ended.returncode == 2
    assert "another emulator runs on it; stop it or use another" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_port_in_use_is_one_line(platform: Emulator, tmp_path: Path) -> None:
    ended = serve(tmp_path, "--https-port", str(platform.port))
    assert ended.returncode == 1
    assert "cannot serve" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_broken_state_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"not a database" * 99)
    advice = "restore it, or remove the state directory\n"
    ended = serve(tmp_path)
    message = f"platform_emulator: {tmp_path}/state.sqlite: cannot be used (file is not a database); {advice}"
    assert (ended.returncode, ended.stderr) == (2, message)
    (tmp_path / "state.sqlite").unlink()
    (tmp_path / "state.sqlite").mkdir()
    advice = "it must be a file that you can read and write, on a disk without errors and with free space\n"
    message = f"platform_emulator: {tmp_path}/state.sqlite: cannot be used (unable to open database file); {advice}"
    ended = serve(tmp_path)
    assert (ended.returncode, ended.stderr) == (2, message)


def test_a_state_of_another_version_is_left_alone(tmp_path: Path) -> None:
    with Emulator(tmp_path) as platform:
        state = platform.state_dir / "state.sqlite"
    with sqlite3.connect(state) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    ended = serve(tmp_path / "state")
    assert ended.returncode == 2
    assert "was made by another version of the emulator; remove the state directory" in ended.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "localhost"], "--listen: 'localhost' is not an IP address; write one, such as 127.0.0.1"),
        (["--https-port", "65536"], "--https-port: '65536' is not a port; write a number from 0 to 65535"),
        (["--mqtt-port", "x"], "--mqtt-port: 'x' is not a port; write a number from 0 to 65535"),
        (["--mqtts-port", "-1"], "--mqtts-port: '-1' is not a port; write a number from 0 to 65535"),
        (["--state-dir", ""], "--state-dir: is empty; write a path"),
        (["--ready-file", ""], "--ready-file: is empty; write a path"),
        (["--seed", "/dev/null"], "--seed: /dev/null is not a regular file"),
        (["--seed", "."], "--seed: . is not a regular file"),
        (["--wait", "nan"], "--wait: 'nan' is not a number of seconds; write one, such as 30"),
        (["--wait", "-5"], "--wait: '-5' is not a number of seconds; write one, such as 30"),
    ],
)
def test_options_that_cannot_be(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(["start", "--state-dir", "state", *options])
    assert f"error: argument {message}" in capsys.readouterr().err


def test_a_seed_from_a_pipe_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "seed.yml"
    os.mkfifo(pipe)
    ended = serve(tmp_path / "state", "--seed", str(pipe))
    assert ended.returncode == 2
    assert f"{pipe} is not a regular file, so it cannot be read twice" in ended.stderr


@pytest.mark.parametrize("name", ["seed.yml", "link.yml", "state/ca.key", "state/state.sqlite"])
def test_a_ready_file_that_is_used_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "link.yml").symlink_to("seed.yml")
    for file in ("seed.yml", "state/ca.key", "state/state.sqlite"):
        (tmp_path / file).write_text("{}")
    ended = serve(tmp_path / "state", "--seed", str(tmp_path / "seed.yml"), "--ready-file", str(tmp_path / name))
    message = f"platform_emulator: {tmp_path}/{name}: --ready-file would overwrite the seed or the state;"
    assert (ended.returncode, ended.stderr) == (2, f"{message} choose another file\n")
    assert (tmp_path / name).read_text() == "{}"


def test_the_log_and_the_ready_file_are_two_files(tmp_path: Path) -> None:
    both = ("--ready-file", str(tmp_path / "file"), "--log-file", str(tmp_path / "file"))
    assert main(["start", "--state-dir", str(tmp_path / "state"), *both]) == 2
    assert not (tmp_path / "file").exists()


def test_a_ready_file_of_another_emulator_stays(tmp_path: Path) -> None:
    ready = tmp_path / "endpoints.json"
    with Emulator(tmp_path) as first:
        ended = serve(tmp_path / "other", "--ready-file", str(ready))
        pid = first.endpoints["pid"]
        message = f"platform_emulator: {ready}: belongs to another emulator that runs (process {pid});"
        assert (ended.returncode, ended.stderr) == (2, f"{message} choose another file\n")
        assert json.loads(ready.read_text()) == first.endpoints
        first.kill()
        with Emulator(tmp_path, None, "--state-dir", str(tmp_path / "other")) as second:
            assert json.loads(ready.read_text()) == second.endpoints
    assert not ready.exists()


def test_a_ready_file_that_cannot_be_written(tmp_path: Path) -> None:
    ended = serve(tmp_path / "state", "--ready-file", str(tmp_path / "nowhere" / "ready.json"))
    assert ended.returncode == 1
    assert "cannot serve: [Errno 2]" in ended.stderr
    assert " ready {" not in ended.stderr


def test_make_passes_a_seed_with_a_blank_in_its_name() -> None:
    root = PROGRAM.parents[2]
    printed = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/demo", "emulator", "SEED=my seed.yml"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    script = 'python() { printf "%s\\n" "$PYTHONPATH" "$@"; }\n' + printed
    env = {"PATH": os.environ["PATH"], "SEED": "my seed.yml", "PYTHONPATH": "/opt/lib"}
    ran = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=True)
    path, *arguments = ran.stdout.splitlines()
    assert path == "roles/emulator/files:/opt/lib"
    assert arguments[-2:] == ["--seed", "my seed.yml"]


def limits(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)


def test_it_takes_as_many_connections_as_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORKED", "no")
    before = limits(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
    try:
        platform = Emulator(tmp_path)
        platform.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    pid = platform.endpoints["pid"]
    try:
        assert limits(pid) == (before[1], before[1])
        few = len(os.listdir(f"/proc/{pid}/fd")) + 5
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, few))
        with ExitStack() as clients:
            for _number in range(20):
                clients.enter_context(socket.create_connection(("127.0.0.1", platform.endpoints["mqtt"]["port"]), 60))
            wait_for(lambda: "Too many open files" in platform.log, "the log to say it")
        # The emulator accepts again a second later.
        assert requests.get(platform.endpoints["admin_url"] + "/health", timeout=60).ok
    finally:
        platform.stop()
    assert platform.log.count("Too many open files") == 1
    assert "a connection has to wait: Too many open files; raise the limit of open files (ulimit -n)" in platform.log
    assert "Traceback" not in platform.log


class Exhausted(socket.socket):
    """A listening socket of a system that has no room for another connection."""

    def accept(self) -> tuple[socket.socket, Any]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_it_stops_while_a_connection_waits(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """asyncio tries to accept again after a while, and does not ask whether the socket is still open then."""
    monkeypatch.setattr("asyncio.constants.ACCEPT_RETRY_DELAY", 0.01)

    async def serve_and_stop() -> None:
        asyncio.get_running_loop().set_exception_handler(server._Errors())
        listening = Exhausted()
        listening.bind(("127.0.0.1", 0))
        waiting = await asyncio.start_server(lambda _reader, _writer: None, sock=listening)
        with socket.create_connection(listening.getsockname(), 60):
            while not caplog.messages:
                await asyncio.sleep(0.001)
            waiting.close()
            await asyncio.sleep(0.1)

    asyncio.run(serve_and_stop())
    assert [record.getMessage() for record in caplog.records] == [
        "a connection has to wait: Too many open files; raise the limit of open files (ulimit -n)"
    ]


def test_no_secret_is_logged(platform: Emulator, register: Register, post: Any, device: Device) -> None:
    platform.admin.fault(truncate=True)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        post()
    answers = [register(), register(VECTOR["body"].replace("random=", "random=9")), register(f"{VECTOR['body']}&a=b")]
    assert [answer["code"] for answer in answers] == [200, 6600, 460]
    secrets = [
        VECTOR["productSecret"],
        VECTOR["sign"],
        VECTOR["random"],
        answers[0]["data"]["deviceSecret"],
        platform.admin.device(*device)["device_secret"],
    ]
    written = platform.log + json.dumps(platform.admin.requests())
    assert "code=6600" in written
    assert [secret for secret in secrets if secret in written] == []
