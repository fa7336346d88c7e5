# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test both HTTPS clients, which send a form, with real servers that behave and misbehave."""

from __future__ import annotations

import errno
import gc
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Callable

import pytest
from any_text import CHARACTERS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mutations import outcome
from tls_server import Behaviour, Certificates, Server, answers, hangs, hangs_up, repeats, trickles

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _http, _tls
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import clock
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https import http_client_post
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    InternalError,
    NetworkError,
    TlsError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import (
    HttpReply,
    Post,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._requests import requests_post
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._retry import retry
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TlsContext, thread_context, tls_context

BODY = "productKey=a1IoKTestP1&deviceName=gw%3A1&random=1&sign=AB&signMethod=hmacsha256"
PATIENCE = 20.0  # for requests that succeed
TIMEOUT = 1.0  # for requests that fail; enough for a handshake on a loaded machine
TRICKLE = 0.05

Sender = Callable[[TlsContext, float], Post]


# A server with one behaviour


# requests is used on the controller only, whose oldest Python is 3.11.
SENDERS = {"http.client": http_client_post, **({"requests": requests_post} if sys.version_info >= (3, 11) else {})}


@pytest.fixture(params=SENDERS.values(), ids=SENDERS)
def sender(request: pytest.FixtureRequest) -> Sender:
    return request.param


@pytest.fixture
def send(sender: Sender, certificates: Certificates) -> Callable[..., HttpReply]:
    def call(url: str, timeout: float = PATIENCE, ca: str = certificates.ca) -> HttpReply:
        return sender(tls_context(ca, True), timeout)(url, BODY)

    return call


def fails(send: Callable[..., HttpReply], kind: type[FleetopsError], url: str, **options: Any) -> FleetopsError:
    """Return the error of a request, whose class must be exactly ``kind``."""
    with pytest.raises(FleetopsError) as caught:
        send(url, **options)
    assert caught.value.__class__ is kind
    assert url in caught.value.msg
    assert caught.value.hint
    assert BODY not in str(caught.value)
    return caught.value


# Success


def test_a_form_and_its_answer(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    server = serve(answers(b'{"code":200}'))
    assert send(server.url) == HttpReply(200, b'{"code":200}', None)
    [(line, headers, body)] = server.requests
    assert line == "POST /auth/register/device HTTP/1.1"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["accept"] == "text/xml,text/javascript,text/html,application/json"
    assert headers["user-agent"] == "fleetops.aliyun_iot"
    assert body == BODY


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name)
def test_tls_versions(
    send: Callable[..., HttpReply], serve: Callable[..., Server], certificates: Certificates, version: ssl.TLSVersion
) -> None:
    assert send(serve(answers(b"x"), certificates.server, version, version).url).body == b"x"


def test_an_answer_without_a_length(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    assert send(serve(answers(b"until the end", length=None)).url).body == b"until the end"


def test_a_chunked_answer(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    chunks = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert send(serve(answers(chunks, length=None, Transfer_Encoding="chunked")).url).body == b"abcde"


@pytest.mark.parametrize("status", ["100 Continue", "101 Switching", "102 Processing", "103 Early Hints", "199 Other"])
def test_an_interim_answer_precedes_the_answer(
    send: Callable[..., HttpReply], serve: Callable[..., Server], status: str
) -> None:
    interim = f"HTTP/1.1 {status}\r\nLink: </style.css>; rel=preload\r\n\r\n".encode()
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal"
    server = serve(lambda connection, _stop: connection.sendall(interim * 2 + final))
    assert send(server.url) == HttpReply(200, b"final", None)


def test_an_interim_answer_alone_is_no_answer(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    server = serve(lambda connection, _stop: connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n"))
    assert fails(send, NetworkError, server.url).may_have_registered is True


def test_a_chunked_answer_with_a_length(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    """The chunks determine the length (RFC 9112, 6.3): the other one is that of an answer before a proxy changed it."""
    chunks = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert send(serve(answers(chunks, length=100, Transfer_Encoding="chunked")).url).body == b"abcde"


def test_an_empty_answer(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    assert send(serve(answers(b"")).url).body == b""


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "429 Too Many", "500 Error", "503 Busy"])
def test_a_refusal_is_an_answer(send: Callable[..., HttpReply], serve: Callable[..., Server], status: str) -> None:
    reply = send(serve(answers(b'{"code":6600}', status)).url)
    assert (reply.status, reply.body) == (int(status[:3]), b'{"code":6600}')


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("7", 7), (" 120 ", 120), ("", None), ("soon", None), ("-5", None), ("\u00b2", None)],
)
def test_retry_after_in_seconds(
    send: Callable[..., HttpReply], serve: Callable[..., Server], value: str, seconds: float | None
) -> None:
    assert send(serve(answers(b"", "503 Busy", Retry_After=value)).url).retry_after == seconds


@pytest.mark.parametrize(("ahead", "least", "most"), [(60, 30, 60), (-60, 0, 0)])
def test_retry_after_as_a_date(
    send: Callable[..., HttpReply], serve: Callable[..., Server], ahead: int, least: float, most: float
) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=ahead), usegmt=True)
    reply = send(serve(answers(b"", "503 Busy", Retry_After=date)).url)
    assert reply.retry_after is not None
    assert least <= reply.retry_after <= most


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(send: Callable[..., HttpReply], serve: Callable[..., Server], status: str) -> None:
    other = serve(answers(b'{"code":200}'))
    server = serve(answers(b"moved", status, Location=other.url))
    reply = send(server.url)
    assert (reply.status, reply.body) == (int(status[:3]), b"moved")
    assert (len(server.requests), other.connections) == (1, 0)


def test_one_sender_sends_twice(sender: Sender, certificates: Certificates, serve: Callable[..., Server]) -> None:
    server = serve(answers(b"x"))
    post = sender(tls_context(certificates.ca, True), PATIENCE)
    assert [post(server.url, BODY).status, post(server.url, "a=b").status] == [200, 200]
    assert [body for _line, _headers, body in server.requests] == [BODY, "a=b"]


def test_a_request_that_was_answered_leaves_no_doubt_about_the_next(
    sender: Sender, certificates: Certificates, serve: Callable[..., Server]
) -> None:
    post = sender(tls_context(certificates.ca, True), PATIENCE)
    with Server(answers(b"x"), certificates.server) as server:
        assert post(server.url, BODY).status == 200
    assert fails(lambda url: post(url, BODY), NetworkError, server.url).may_have_registered is False


# Trust


def test_another_authority_is_refused(
    send: Callable[..., HttpReply], serve: Callable[..., Server], certificates: Certificates
) -> None:
    server = serve(answers(b"x"))
    error = fails(send, TlsError, server.url, ca=certificates.other_ca)
    assert "ca_path" in error.hint
    assert error.may_have_registered is False
    assert server.requests == []


@pytest.mark.parametrize("name", ["other_host", "expired"])
def test_a_certificate_that_does_not_fit_is_refused(
    send: Callable[..., HttpReply], serve: Callable[..., Server], certificates: Certificates, name: str
) -> None:
    server = serve(answers(b"x"), getattr(certificates, name))
    error = fails(send, TlsError, server.url)
    assert error.may_have_registered is False
    assert server.requests == []


def test_the_environment_trusts_nobody(
    send: Callable[..., HttpReply],
    serve: Callable[..., Server],
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, certificates.ca)
    server = serve(answers(b"x"))
    fails(send, TlsError, server.url, ca=certificates.other_ca)
    assert server.requests == []


def test_the_environment_distrusts_nobody(
    send: Callable[..., HttpReply],
    serve: Callable[..., Server],
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, certificates.other_ca)
    assert send(serve(answers(b"x")).url).body == b"x"


def test_without_ca_path_the_hosts_authorities_are_trusted(
    sender: Sender, serve: Callable[..., Server], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answers(b"x"))
    fails(lambda url: sender(tls_context(None, True), PATIENCE)(url, BODY), TlsError, server.url)
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca)
    assert sender(tls_context(None, True), PATIENCE)(server.url, BODY).status == 200


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_validation_can_be_switched_off(
    sender: Sender, serve: Callable[..., Server], certificates: Certificates
) -> None:
    server = serve(answers(b"x"), certificates.other_host)
    assert sender(tls_context(certificates.other_ca, False), PATIENCE)(server.url, BODY).status == 200


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl names the files of a directory of authorities")
def test_a_directory_of_authorities(
    send: Callable[..., HttpReply], serve: Callable[..., Server], certificates: Certificates, tmp_path: Path
) -> None:
    shutil.copy(certificates.ca, tmp_path / "ca.pem")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)
    assert send(serve(answers(b"x")).url, ca=str(tmp_path)).body == b"x"


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_ca_path_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(TlsError, match="ca_path") as caught:
        tls_context(str(file), True)
    assert str(file) in caught.value.msg
    assert "PEM" in caught.value.hint


class OlderContext(TlsContext):
    """A context with the minimum version that Python before 3.10 sets."""

    def __new__(cls, *arguments: Any) -> Any:
        context = super().__new__(cls, *arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
        return context


@pytest.mark.parametrize("validate", [True, False])
def test_tls_1_1_is_refused(
    sender: Sender,
    serve: Callable[..., Server],
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    validate: bool,
) -> None:
    monkeypatch.setattr(_tls, "TlsContext", OlderContext)
    server = serve(answers(b"x"), certificates.server, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
    context = tls_context(certificates.ca, validate)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    # Old algorithms are allowed, so that only the version can be refused.
    context.set_ciphers("ALL:@SECLEVEL=0")
    error = fails(lambda url: sender(context, PATIENCE)(url, BODY), TlsError, server.url)
    assert "TLS 1.2" in error.hint
    assert error.may_have_registered is False
    assert server.requests == []


def test_a_port_that_speaks_plain_http(
    send: Callable[..., HttpReply], certificates: Certificates, serve: Callable[..., Server]
) -> None:
    received: list[bytes] = []

    def plain(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        received.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with Server(plain, certificates.server).without_tls() as server:
        error = fails(send, TlsError, server.url)
    assert error.may_have_registered is False
    assert b"productKey" not in b"".join(received)


def test_no_password_of_the_users_is_sent(
    send: Callable[..., HttpReply], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(answers(b"x"))
    send(server.url)
    assert "authorization" not in server.requests[0][1]


def test_a_proxy_sees_who_is_called_and_no_more(
    send: Callable[..., HttpReply], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[bytes] = []

    def refuse(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        received.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with Server(refuse, certificates.server).without_tls() as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        error = fails(send, FleetopsError, "https://platform.example/auth/register/device")
    assert received[0].startswith(b"CONNECT platform.example:443 ")
    assert b"productKey" not in b"".join(received)
    assert (error.kind, "proxy" in error.hint) == ("network", True)


# Failures, and whether the platform may have received the request


def test_nobody_listens(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    error = fails(send, NetworkError, f"https://127.0.0.1:{port}/auth/register/device")
    assert error.may_have_registered is False


def test_a_name_that_does_not_resolve(send: Callable[..., HttpReply], monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: Any, **_options: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = fails(send, NetworkError, "https://platform.example/auth/register/device")
    assert error.may_have_registered is False


@pytest.mark.parametrize("number", ["EHOSTUNREACH", "ENETUNREACH"])
def test_no_way_to_the_host(send: Callable[..., HttpReply], monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    def unreachable(*_arguments: Any) -> None:
        raise OSError(getattr(errno, number), "unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    error = fails(send, NetworkError, "https://127.0.0.1:9/auth/register/device")
    assert error.may_have_registered is False


def test_a_connection_that_ends_before_tls(send: Callable[..., HttpReply], certificates: Certificates) -> None:
    with Server(hangs_up, certificates.server).without_tls() as server:
        error = fails(send, NetworkError, server.url)
    assert error.may_have_registered is False


def test_a_handshake_that_hangs(send: Callable[..., HttpReply], certificates: Certificates) -> None:
    with Server(hangs, certificates.server).without_tls() as server:
        error = fails(send, NetworkError, server.url, timeout=TIMEOUT)
    assert error.may_have_registered is False


def test_an_answer_that_never_comes(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    server = serve(hangs)
    error = fails(send, NetworkError, server.url, timeout=TIMEOUT)
    assert error.may_have_registered is True
    assert len(server.requests) == 1


def test_a_connection_that_ends_without_an_answer(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    server = serve(hangs_up)
    error = fails(send, NetworkError, server.url)
    assert error.may_have_registered is True
    assert len(server.requests) == 1


def test_tls_that_breaks_after_the_request(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    def breaks(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        os.write(connection.fileno(), b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    server = serve(breaks)
    with pytest.raises(FleetopsError) as caught:
        send(server.url)
    assert caught.value.may_have_registered is True
    assert len(server.requests) == 1


def test_an_answer_that_is_no_http(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    server = serve(lambda connection, _stop: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"))
    assert fails(send, NetworkError, server.url).may_have_registered is True


@pytest.mark.parametrize("body", [b"", b'{"code":200,'])
def test_an_answer_cut_short(send: Callable[..., HttpReply], serve: Callable[..., Server], body: bytes) -> None:
    error = fails(send, NetworkError, serve(answers(body, length=100)).url)
    assert error.may_have_registered is True


def test_a_chunked_answer_cut_short(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    server = serve(answers(b"5\r\nab", length=None, Transfer_Encoding="chunked"))
    assert fails(send, NetworkError, server.url).may_have_registered is True


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize("at_once", [len(HEAD), len(HEAD) + 1, 20, 0], ids=["body", "rest of body", "head", "all"])
def test_an_answer_that_trickles(send: Callable[..., HttpReply], serve: Callable[..., Server], at_once: int) -> None:
    """The time-out limits the whole answer: each byte is well within the time-out, all of them are far beyond it."""
    server = serve(trickles(HEAD + b"x" * 100, at_once))
    error = fails(send, NetworkError, server.url, timeout=TIMEOUT)
    assert error.may_have_registered is True


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("pause", [0.0, TRICKLE], ids=["without a pause", "slowly"])
@pytest.mark.parametrize(
    ("first", "text"),
    [
        (b"", INTERIM),
        (b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 500 + b"\r\n"),
        (b"HTTP/1.1 100 Continue\r\n", b"X: " + b"y" * 500 + b"\r\n"),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED, b"1;" + b"x" * 500),
        (CHUNKED + b"-1\r\n", b"x" * 500),
        (CHUNKED + b"0\r\n", b"X: y\r\n"),
    ],
    ids=["100", "headers", "headers of 100", "chunks", "extension", "chunk of -1", "trailers"],
)
def test_an_answer_without_an_end(
    send: Callable[..., HttpReply], serve: Callable[..., Server], first: bytes, text: bytes, pause: float
) -> None:
    """The time-out or the maximum size ends the reading of an endless answer."""
    server = serve(repeats(text, first, pause))
    ended = outcome(lambda: send(server.url, timeout=TIMEOUT))
    if isinstance(ended, HttpReply):
        assert len(ended.body) == 65537, "chunks are an answer until it is too long"
    else:
        assert (ended.kind in ("network", "bad_answer"), ended.may_have_registered) == (True, True)


def test_an_answer_of_no_size_is_not_kept(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    """A chunk size of -1 would mean to read everything."""
    server = serve(repeats(b"x" * 50_000, CHUNKED + b"-1\r\n"))
    with pytest.raises(FleetopsError) as caught:
        send(server.url, timeout=PATIENCE)
    assert caught.value.kind in ("network", "bad_answer")


NOT_HTTP = (
    CHUNKED + b"-2\r\nx\r\n",
    CHUNKED + b"x\r\nx\r\n",
    CHUNKED + b"\xff\r\nx\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 80\r\nContent-Length: 81\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx",
)


# urllib3 leaves the connection of such an answer to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_answer_that_is_not_http(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    """Such an answer is a network error or a bad answer, after which the device may be registered; never an internal error."""
    for answer in NOT_HTTP:
        server = serve(lambda connection, _stop, answer=answer: connection.sendall(answer))
        ended = outcome(lambda server=server: send(server.url))
        if isinstance(ended, HttpReply):
            assert ended.body == b"x", "http.client reads to the end of the connection if the length is no number"
        else:
            assert ended.kind in ("network", "bad_answer"), (answer, ended)
            assert ended.may_have_registered, (answer, ended)
    gc.collect()  # once for all answers: it looks at every object of the process


def test_a_request_that_nobody_reads(sender: Sender, certificates: Certificates) -> None:
    with Server(hangs, certificates.server).without_http() as server:
        post = sender(tls_context(certificates.ca, True), 1.5)
        error = fails(lambda url: post(url, "x" * 20_000_000), NetworkError, server.url)
    assert error.may_have_registered is True


@pytest.mark.parametrize(
    "behaviour",
    [trickles(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40, 0), repeats(b"X: y\r\n", b"HTTP/1.1 200 OK\r\n")],
    ids=["trickles", "does not end"],
)
def test_a_proxy_whose_answer(
    send: Callable[..., HttpReply], certificates: Certificates, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    with Server(behaviour, certificates.server).without_tls() as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(FleetopsError) as caught:
            send("https://platform.example/auth/register/device", timeout=TIMEOUT)
    assert caught.value.kind in ("network", "bad_answer")
    assert caught.value.may_have_registered is False


def test_addresses_share_the_time(
    send: Callable[..., HttpReply], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The addresses of a host, none of which answers, share one time-out."""
    waited: list[float] = []

    def connect(self: socket.socket, address: object) -> None:
        waited.append(self.gettimeout() or 60)
        raise TimeoutError("timed out")

    known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 443)) for number in range(1, 5)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: known)
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(_tls, "clock", lambda: 1000 + sum(waited))
    error = fails(send, NetworkError, "https://platform.example/auth/register/device", timeout=TIMEOUT)
    assert (len(waited), sum(waited)) == (4, pytest.approx(TIMEOUT))
    assert error.may_have_registered is False


def test_the_second_address_is_tried(
    send: Callable[..., HttpReply], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answers(b"x"))
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", number)) for number in (port, server.port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: known)
    assert send(server.url).body == b"x"


@pytest.mark.parametrize("location", ["http://[", "//[", "\x1b[31m", "https://[::1", ""], ids=repr)
def test_a_redirect_to_what_is_no_url(
    send: Callable[..., HttpReply], serve: Callable[..., Server], location: str
) -> None:
    assert send(serve(answers(b"moved", "302 Found", Location=location)).url).status == 302


def test_words_of_a_server_are_shown_on_one_line(send: Callable[..., HttpReply], serve: Callable[..., Server]) -> None:
    server = serve(lambda connection, _stop: connection.sendall(b"\x1b]0;title\x07" * 100 + b"\r\n\r\n"))
    error = fails(send, NetworkError, server.url)
    assert error.msg.isprintable()
    assert len(error.msg) < 400


# The lease


def test_nothing_is_sent_when_the_lease_has_run_out(
    sender: Sender, serve: Callable[..., Server], certificates: Certificates
) -> None:
    server = serve(answers(b"x"))
    context = tls_context(certificates.ca, True)
    context.not_after = clock()
    with pytest.raises(BusyError, match="lease ended before the request was sent") as caught:
        sender(context, PATIENCE)(server.url, BODY)
    assert caught.value.may_have_registered is False
    assert (server.connections, server.requests) == (1, [])


def test_the_lease_is_looked_at_after_the_handshake(sender: Sender, certificates: Certificates) -> None:
    """Nothing is sent if the lease ends during a slow handshake."""
    context = tls_context(certificates.ca, True)

    def begin_late(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        stop.wait(0.4)
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(certificates.server)
        with server_context.wrap_socket(connection, server_side=True) as tls:
            received.append(tls.recv(4096))

    received: list[bytes] = []
    with Server(begin_late, certificates.server).without_tls() as server:
        context.not_after = clock() + 0.2
        with pytest.raises(BusyError) as caught:
            sender(context, PATIENCE)(server.url, BODY)
    assert caught.value.may_have_registered is False
    assert b"".join(received) == b""


def test_a_request_within_the_lease_is_sent(
    sender: Sender, serve: Callable[..., Server], certificates: Certificates
) -> None:
    context = tls_context(certificates.ca, True)
    context.not_after = clock() + 60
    assert sender(context, PATIENCE)(serve(answers(b"x")).url, BODY).body == b"x"


# The context of a thread


def test_a_thread_reads_authorities_once(certificates: Certificates) -> None:
    context = thread_context(certificates.ca, True)
    assert thread_context(certificates.ca, True) is context
    assert thread_context(certificates.other_ca, True) is not context
    assert thread_context(certificates.ca, False) is not context
    others: list[TlsContext] = []
    thread = threading.Thread(target=lambda: others.append(thread_context(certificates.ca, True)))
    thread.start()
    thread.join()
    assert [other is context for other in others] == [False], "its limits are of one request at a time"


def test_a_lease_does_not_outlast_its_request(certificates: Certificates, serve: Callable[..., Server]) -> None:
    """The end of a lease does not limit a login, or another gateway's registration, that follows in the same thread."""
    thread_context(certificates.ca, True).not_after = clock()
    context = thread_context(certificates.ca, True)
    assert http_client_post(context, PATIENCE)(serve(answers(b"x")).url, BODY).body == b"x"


# Internal errors


@pytest.mark.parametrize("mistake", [KeyError, TypeError, UnicodeError, RecursionError])
def test_a_mistake_is_no_trouble_on_the_way(
    sender: Sender, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, mistake: type[Exception]
) -> None:
    def dial(*_arguments: Any) -> None:
        raise mistake

    monkeypatch.setattr(TlsContext, "dial", dial)
    with pytest.raises(mistake):
        sender(tls_context(certificates.ca, True), PATIENCE)("https://127.0.0.1:1/x", BODY)


@pytest.mark.parametrize(
    ("post_of", "url"),
    [(http_client_post, "https://127.0.0.1:1/a b"), (requests_post, "https://*.b:1/x")],
)
def test_a_url_that_no_request_can_be_made_of_is_a_mistake(
    certificates: Certificates, post_of: Sender, url: str
) -> None:
    """Such a URL is not tried again, although the libraries raise an OSError or an HTTPException, as for a network error."""
    tries = []
    post = post_of(tls_context(certificates.ca, True), PATIENCE)

    def attempt() -> HttpReply:
        tries.append(url)
        return post(url, BODY)

    with pytest.raises(InternalError) as caught:
        retry(attempt, 60, sleep=lambda _seconds: None)
    assert (caught.value.kind, caught.value.may_have_registered, len(tries)) == ("internal", False, 1)
    assert "127.0.0.1" not in str(caught.value), "a text may contain a secret"


def test_a_connection_that_is_used_out_of_turn_is_a_mistake() -> None:
    trouble = http.client.CannotSendRequest("Request-sent")
    assert _tls.network_error("x", trouble, "endpoint").kind == "internal"
    wrapped = ConnectionError(OSError(trouble))
    assert _tls.network_error("x", wrapped, "endpoint").kind == "internal"
    assert _tls.network_error("x", http.client.BadStatusLine("?"), "endpoint").kind == "network"


def test_a_proxy_of_the_environment_is_no_mistake(
    send: Callable[..., HttpReply], monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in ("http://127.0.0.1:1", "http://"):
        monkeypatch.setenv("https_proxy", proxy)
        fails(send, NetworkError, "https://platform.example/x")


# Any input


@settings(max_examples=20)
@given(data=st.data())
@pytest.mark.parametrize("post_of", [http_client_post, requests_post], ids=["http.client", "requests"])
def test_any_bytes_are_an_answer_or_an_error(certificates: Certificates, post_of: Sender, data: st.DataObject) -> None:
    head = st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\nLocation: ", CHUNKED, INTERIM])
    header = st.sampled_from(
        [b"Content-Length: ", b"Retry-After: ", b"Set-Cookie: ", b"Transfer-Encoding: chunked\r\n"]
    )
    said = data.draw(head) + data.draw(header | st.just(b"")) + data.draw(st.binary(max_size=200))
    context = tls_context(certificates.ca, True)
    with Server(lambda connection, _stop: connection.sendall(said), certificates.server) as server:
        ended = outcome(lambda: post_of(context, 1)(server.url, BODY))
    assert isinstance(ended, HttpReply) or ended.hint


DATES = r"\A[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d:\d\d [+-]?\d{1,5}\Z"


@example("0\x1f")
@example("9" * 5000)
@given(st.text(CHARACTERS) | st.from_regex(DATES, alphabet=CHARACTERS))
def test_any_retry_after_is_a_time_or_none(value: str) -> None:
    seconds = _http._retry_after(value)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    "behaviour",
    [
        answers(b"x" * 3_000_000),
        answers(b"x" * 3_000_000, length=None),
        answers(b"x" * 3_000_000, "500 Error"),
        answers(b"x" * 3_000_000, "302 Found", Location="https://127.0.0.1:9/"),
    ],
    ids=["with length", "without length", "error", "redirect"],
)
def test_an_answer_too_long_is_not_read_to_its_end(
    send: Callable[..., HttpReply], serve: Callable[..., Server], behaviour: Behaviour
) -> None:
    assert len(send(serve(behaviour).url).body) == 65537


def test_requests_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch, certificates: Certificates) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(FleetopsError, match="requests") as caught:
        requests_post(tls_context(certificates.ca, True), 1)
    assert caught.value.kind == "missing_library"
