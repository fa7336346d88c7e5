# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process: its start, its ends, and what outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from emulator import PROGRAM, Emulator
from platform_emulator.__main__ import parse
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "endpoints.json"
    arguments = ["serve", "--state-dir", str(tmp_path / "state"), "--ready-file", str(ready)]
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "platform_emulator", *arguments],
        env={"PYTHONPATH": str(PROGRAM)},
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
    """The request log is in the order of the commits and names the client's port: so it tells whose answer was last."""
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
    """A start that is expected to fail."""
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
    ended = serve(tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "platform_emulator: cannot serve: file is not a database\n")


def test_a_state_of_another_version_is_left_alone(tmp_path: Path) -> None:
    with Emulator(tmp_path) as platform:
        state = platform.state_dir / "state.sqlite"
    with sqlite3.connect(state) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    ended = serve(tmp_path / "state")
    assert ended.returncode == 2
    assert "was made by another version of the emulator; remove the state directory" in ended.stderr


@pytest.mark.parametrize("options", [["--listen", "localhost"], ["--https-port", "65536"], ["--https-port", "x"], []])
def test_options_that_cannot_be(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(["serve", *(["--state-dir", "state", *options] if options else [])])
    assert "error: " in capsys.readouterr().err


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
