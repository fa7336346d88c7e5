# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exact bytes that small clients depend on."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

import pytest
from emulator import Emulator
from processes import wait_for
from vectors import vectors

VECTOR = vectors("dynreg_https")[1]
PATH = "/auth/register/device"
C_SDK_BUFFER = 192  # bytes; LinkSDK C 4.2.0
LONGEST_NAME = 32


def send(platform: Emulator, request: bytes) -> bytes:
    """Return the raw answer up to the end of the connection."""
    context = ssl.create_default_context(cafile=platform.endpoints["ca_file"])
    with (
        socket.create_connection(("127.0.0.1", platform.port), 60) as tcp,
        context.wrap_socket(tcp, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(request)
        return b"".join(iter(lambda: tls.recv(65536), b""))


def request(body: str, *, method: str = "POST", path: str = PATH, host: str = "localhost:443") -> bytes:
    """Return a request in the C SDK's form: no User-Agent, and its own spelling of the headers."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/xml,text/javascript,text/html,application/json\r\n"
        f"Content-type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return (head + body).encode()


@pytest.mark.parametrize(("body", "code"), [(VECTOR["body"], 200), ("productKey=1", 460)])
def test_an_answer_in_its_bytes(platform: Emulator, body: str, code: int) -> None:
    head, _blank_line, content = send(platform, request(body)).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert f"Content-Length: {len(content)}" in lines
    assert "chunked" not in head.decode().lower()
    assert content.startswith(b'{"code":%d,' % code)
    assert b" " not in content.replace(b"request parameter error", b"")
    assert len(content) < C_SDK_BUFFER


def test_the_longest_answer_fits(platform: Emulator) -> None:
    answer = send(platform, request(VECTOR["body"])).partition(b"\r\n\r\n")[2]
    assert len(answer) + LONGEST_NAME - len(VECTOR["deviceName"]) < C_SDK_BUFFER


@pytest.mark.parametrize("host", ["iot-auth.cn-shanghai.aliyuncs.com", "127.0.0.1"])
def test_the_host_may_be_the_clouds_and_without_port(platform: Emulator, host: str) -> None:
    assert b'{"code":200,' in send(platform, request(VECTOR["body"], host=host))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATH, 405),
        ("PUT", PATH, 405),
        ("PUT", "/", 405),
        ("POST", PATH + "/", 404),
        ("POST", "/auth/register/sub", 404),
        ("GET", "/health", 404),
        ("GET", "/products", 404),
    ],
)
def test_nothing_else_is_served(platform: Emulator, method: str, path: str, status: int) -> None:
    answer = send(platform, request(VECTOR["body"], method=method, path=path))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert platform.admin.requests() == []


@pytest.mark.parametrize("path", [PATH, "/"])
def test_a_body_that_is_not_in_its_encoding(platform: Emulator, path: str) -> None:
    whole = request(VECTOR["body"], path=path).replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    assert send(platform, whole).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", [PATH, "/"])
def test_a_client_that_leaves_in_the_middle_of_its_body(platform: Emulator, path: str) -> None:
    before = len(platform.log)
    context = ssl.create_default_context(cafile=platform.endpoints["ca_file"])
    with (
        socket.create_connection(("127.0.0.1", platform.port), 60) as tcp,
        context.wrap_socket(tcp, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(request(VECTOR["body"], path=path)[:-10])
    admin = urlsplit(platform.endpoints["admin_url"])
    with socket.create_connection(("127.0.0.1", admin.port), 60) as tcp:
        head = f"PUT {admin.path}/products/a1 HTTP/1.1\r\nHost: {admin.netloc}\r\nContent-Length: 100\r\n\r\n{{"
        tcp.sendall(head.encode())
    assert send(platform, request(VECTOR["body"])).startswith(b"HTTP/1.1 200 ")
    left = "a client has left in the middle of its request"
    wait_for(lambda: platform.log[before:].count(left) == 2, "the log to report it")
    assert "Traceback" not in platform.log[before:]


def test_a_body_without_end_is_refused(platform: Emulator) -> None:
    answer = send(platform, request("a=" + "b" * 10_000))
    assert answer.startswith(b"HTTP/1.1 413 ")
