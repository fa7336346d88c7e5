# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access to the admin API and the emulator's files: only the user who started it, not other users, not web pages."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from emulator import PROGRAM, Emulator

Device = tuple[str, str]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another user")
DISABLED = {"status": "DISABLE"}


@pytest.fixture
def public() -> Iterator[Path]:
    """Yield a directory that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


def as_nobody(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a bash script as another user of this machine."""
    return subprocess.run(
        ["bash", "-c", script, "bash", *arguments],
        user="nobody",
        group="nogroup",
        extra_groups=[],
        cwd="/",
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def port_of(platform: Emulator) -> int:
    return urlsplit(platform.endpoints["admin_url"]).port or 0


def token_of(platform: Emulator) -> str:
    return urlsplit(platform.endpoints["admin_url"]).path.removeprefix("/")


def raw(platform: Emulator, request: str) -> bytes:
    """Send a request unchanged, one that ends the connection, and return the whole answer."""
    with socket.create_connection(("127.0.0.1", port_of(platform)), 60) as tcp:
        tcp.sendall(request.replace("\n", "\r\n").encode())
        return b"".join(iter(lambda: tcp.recv(65536), b""))


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# The token


def test_each_start_has_a_token_of_its_own(tmp_path: Path) -> None:
    with Emulator(tmp_path) as platform:
        first = token_of(platform)
        platform.restart()
        second = token_of(platform)
        assert platform.admin.products() == []
        old = platform.endpoints["admin_url"].replace(second, first)
        assert requests.get(f"{old}/health", timeout=60).status_code == 404
    assert first != second
    for token in (first, second):
        assert re.fullmatch("[A-Za-z0-9_-]{22,}", token), "at least 128 bits"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize(
    "path", ["", "/", "/health", "/products", "/x/health", "/%00/health", "/{near}/health", "//{token}/health"]
)
def test_nothing_is_there_without_the_token(platform: Emulator, method: str, path: str) -> None:
    """Every path without the token gets the same answer, so that nothing can be learned from it."""
    token = token_of(platform)
    near = token[:-1] + ("A" if token[-1] != "A" else "B")
    answer = raw(
        platform,
        f"{method} {path.format(token=token, near=near) or '/'} HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n",
    )
    assert status_of(answer) == 404
    body = answer.partition(b"\r\n\r\n")[2]
    assert method == "HEAD" or json.loads(body) == {
        "error": "there is nothing here; use admin_url of the ready file as it is"
    }


def test_the_token_is_in_no_log(platform: Emulator, device: Device) -> None:
    token = token_of(platform)
    platform.admin.device(*device)
    close = f"Host: 127.0.0.1:{port_of(platform)}\nConnection: close\n"
    malformed = [
        f"GET /{token}/health HTTP/1.1\n{close}Host: evil.example\n\n",
        f"GET /{token}/health HTTP/1.1\n{close}Content-Length: x\n\n",
        f"GET /{token}/health HTTP/1.1\n{close}Bad {token}\n\n",
        f"GET /{token}/health HTTP/9.9.9\n{close}\n",
        f"GET /{token}/\x01 HTTP/1.1\n{close}\n",
        f"{token} /{token}/health HTTP/1.1\n{close}\n",
    ]
    assert {status_of(raw(platform, request)) for request in malformed} <= {400, 404, 405, 421}
    assert "Error handling request from 127.0.0.1" in platform.log
    assert " ready " in platform.log
    assert token not in platform.log
    assert token not in json.dumps(platform.admin.requests())
    assert token not in Path(f"/proc/{platform.endpoints['pid']}/cmdline").read_text()


# Web pages


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:{port}"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Host": "127.0.0.1:1"}, 421),
        ({"Host": "127.0.0.1.evil.example:{port}"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://evil.example"}, 403),
        ({"Host": "localhost:{port}"}, 200),
        ({"Host": "LOCALHOST:{port}"}, 200),
        ({"Host": "[::1]:{port}"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 200),
        ({"Content-Type": ""}, 200),
    ],
)
def test_a_page_can_change_nothing_even_with_the_token(
    platform: Emulator, device: Device, headers: dict[str, str], status: int
) -> None:
    """A web page changes nothing: DNS rebinding sends the page's own host name, CSRF an Origin or Sec-Fetch-Site."""
    platform.admin.patch_device(*device, activated=True)
    answer = requests.patch(
        f"{platform.endpoints['admin_url']}/products/{device[0]}/devices/{device[1]}",
        data=json.dumps(DISABLED),
        headers={"Content-Type": "application/json"}
        | {name: value.format(port=port_of(platform)) for name, value in headers.items()},
        timeout=60,
    )
    assert answer.status_code == status
    changed = platform.admin.device(*device)["status"] == "DISABLE"
    assert changed == (status == 200)
    assert changed or "device_secret" not in answer.text


def test_a_request_without_a_host_is_refused(platform: Emulator) -> None:
    assert status_of(raw(platform, f"GET /{token_of(platform)}/health HTTP/1.0\n\n")) == 421


def test_a_rebound_page_reads_no_secret(platform: Emulator, device: Device) -> None:
    """A page reads no secret after DNS rebinding, when its browser regards the API as the same origin and sends no Origin."""
    target = f"/products/{device[0]}/devices/{device[1]}"
    headers = f"Host: evil.example:{port_of(platform)}\nSec-Fetch-Site: same-origin\nConnection: close\n\n"
    for path, status in ((target, 404), (f"/{token_of(platform)}{target}", 421)):
        answer = raw(platform, f"GET {path} HTTP/1.1\n{headers}")
        assert status_of(answer) == status
        assert platform.admin.device(*device)["device_secret"].encode() not in answer


def test_changes_without_a_body(platform: Emulator, device: Device) -> None:
    url = f"{platform.endpoints['admin_url']}/products/{device[0]}/devices/{device[1]}"
    assert requests.post(f"{url}/activate", timeout=60).json()["activated"] is True
    assert requests.delete(url, timeout=60).status_code == 204


# Other users of the machine


@needs_root
def test_another_user_gets_neither_the_token_nor_any_file(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORKED", "no")  # a separate program, whose command line and environment the other user reads
    (public / "for everybody").write_text("readable")
    with Emulator(public) as platform:
        assert as_nobody('cat "$1"', public / "for everybody").stdout == "readable"
        token = token_of(platform)
        for path in (public / "endpoints.json", platform.state_dir, platform.state_dir / "ca.key"):
            tried = as_nobody('cat "$1"; ls -A "$1"', path)
            assert "Permission denied" in tried.stderr
            assert token not in tried.stdout
        seen = as_nobody('tr "\\0" " " </proc/"$1"/cmdline; cat /proc/"$1"/environ', str(platform.endpoints["pid"]))
        assert "platform_emulator" in seen.stdout
        assert token not in seen.stdout
        ask = (
            'exec 3<>/dev/tcp/127.0.0.1/"$1" && printf "GET %s HTTP/1.1\\r\\nHost: 127.0.0.1:$1\\r\\n'
            'Connection: close\\r\\n\\r\\n" "$2" >&3 && cat <&3'
        )
        for path in ("/products", "/health", f"/{'A' * len(token)}/products"):
            answer = as_nobody(ask, str(port_of(platform)), path)
            assert answer.stdout.startswith("HTTP/1.1 404 "), answer
        granted = as_nobody(ask, str(port_of(platform)), f"/{token}/health")
        assert granted.stdout.startswith("HTTP/1.1 200 "), "it is the token alone that another user lacks"


def test_every_file_is_the_owners_alone(public: Path) -> None:
    """Every file is readable by its owner alone, even with umask 0 and in a directory that others may read."""
    state = public / "state"
    state.mkdir(mode=0o755)
    (public / "seed.yml").write_text("{}")
    arguments = ["--state-dir", str(state), "--seed", str(public / "seed.yml")]
    command = [sys.executable, "-m", "platform_emulator"]
    env = {"PYTHONPATH": str(PROGRAM)}
    subprocess.run([*command, "start", *arguments], env=env, check=True, umask=0, capture_output=True)
    try:
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
    finally:
        subprocess.run([*command, "stop", "--state-dir", str(state)], env=env, check=True, capture_output=True)
    assert modes.keys() >= {"endpoints.json", "process.json", "emulator.log", "state.sqlite", "ca.pem", "ca.key"}
    assert {name: oct(mode) for name, mode in modes.items() if mode != 0o600} == {}


def test_the_state_directory_is_the_owners_alone(tmp_path: Path) -> None:
    with Emulator(tmp_path) as platform:
        assert stat.S_IMODE(platform.state_dir.stat().st_mode) == 0o700


@pytest.fixture
def shared(public: Path) -> Path:
    """Return a directory such as /tmp."""
    path = public / "shared"
    path.mkdir()
    path.chmod(0o1777)
    return path


def run(command: str, state: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "platform_emulator", command, "--state-dir", state, *options],
        env={"PYTHONPATH": str(PROGRAM)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def changes(file: Path) -> tuple[int, ...]:
    """Return what a change of the file itself would change. To read a link changes the time of its last access."""
    found = file.lstat()
    return found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@needs_root
@pytest.mark.parametrize(
    "plant",
    ['echo "{}" >"$1"; chmod 666 "$1"', 'ln -s "$2" "$1"', 'mkfifo -m 666 "$1"'],
    ids=["file", "link", "fifo"],
)
def test_a_ready_file_that_another_user_made_is_refused(public: Path, shared: Path, plant: str) -> None:
    victim = public / "victim"
    victim.write_text("untouched")
    ready = shared / "endpoints.json"
    assert as_nobody(plant, ready, victim).returncode == 0
    before = changes(ready)
    refused = run("start", public / "state", "--ready-file", ready)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"platform_emulator: {ready}: ")
    assert refused.stderr.endswith(", so --ready-file does not replace it; choose another file\n")
    assert (changes(ready), victim.read_text()) == (before, "untouched")
    assert not (public / "state").exists()


@needs_root
def test_files_that_another_user_made_are_not_written_to(public: Path, shared: Path) -> None:
    log = shared / "emulator.log"
    for plant in ('touch "$1"; chmod 666 "$1"', 'rm "$1"; ln -s "$2" "$1"'):
        victim = public / "victim"
        victim.write_text("untouched")
        assert as_nobody(plant, log, victim).returncode == 0
        refused = run("start", public / "state", "--log-file", log)
        assert refused.returncode != 0
        assert str(log) in refused.stderr
        assert "Traceback" not in refused.stderr
        assert victim.read_text() == "untouched"


@needs_root
@pytest.mark.parametrize("command", ["serve", "start", "stop"])
def test_a_state_directory_of_another_user_is_refused(public: Path, shared: Path, command: str) -> None:
    """A state directory of another user is refused: its process.json could name any process to stop, and its state any device."""
    (state := shared / "state").mkdir()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        assert as_nobody('mkdir "$1"', shared / "theirs").returncode == 0
        (shared / "theirs" / "process.json").write_text(json.dumps({"pid": stranger.pid, "fingerprint": ""}))
        state.chmod(0o777)
        for directory, why in (
            (shared / "theirs", "belongs to another user"),
            (state, "other users may write into it"),
        ):
            refused = run(command, directory)
            assert (refused.returncode, refused.stdout) == (2, "")
            assert why in refused.stderr
        assert stranger.poll() is None
        stranger.kill()
