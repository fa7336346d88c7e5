# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test calls of the OpenAPI over real connections to hostile servers."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from any_text import CHARACTERS
from hypothesis import given
from hypothesis import strategies as st
from mutations import outcome
from tls_server import Behaviour, Certificates, Server, answers, hangs, repeats, trickles

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import OpenApiAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.wire import LONGEST_ANSWER, Masked

KEY_ID, SECRET, TOKEN = "LTAItest0001", "theAccessKeySecret0001", "the+Security/Token0001=="
RIGHT = json.dumps({"Success": True, "RequestId": "R1", "Data": {"x": 1}}).encode()
HEAD = b"HTTP/1.1 200 OK\r\n"


Call = Callable[..., OpenApiAnswer | FleetopsError]


@pytest.fixture
def call(certificates: Certificates) -> Call:
    """Return a function that calls an action once and returns the answer or the error."""

    def one(
        server: Server, timeout: int = 5, action: str = "QueryJob", **options: Any
    ) -> OpenApiAnswer | FleetopsError:
        ended: OpenApiAnswer | FleetopsError = outcome(
            lambda: client(server, timeout, **options).call(action, {"JobId": "j"})
        )
        return ended

    def client(server: Server, timeout: int, **options: Any) -> Any:
        known = {
            "access_key_id": KEY_ID,
            "access_key_secret": SECRET,
            "security_token": TOKEN,
            "profile": None,
            "credentials": None,
            "region": None,
            "openapi_endpoint": f"127.0.0.1:{server.port}",
            "instance_id": None,
            "ca_path": certificates.ca,
            "timeout": timeout,
            "retry_time": 0,
            "qps_share": 1.0,
        }
        return connect({**known, **options})

    one.client = client  # type: ignore[attr-defined]
    return one


def refused(ended: OpenApiAnswer | FleetopsError, kind: str) -> str:
    """Return the message of the error, which must be of this kind."""
    assert isinstance(ended, FleetopsError)
    assert ended.kind == kind
    assert ended.hint or kind == "refused"
    assert ended.msg.isprintable()
    for secret in (SECRET, TOKEN.rstrip("=")):
        assert secret not in str(ended)
        assert quote(secret, safe="") not in str(ended)
    return ended.msg


# The request


def test_a_call_is_signed_with_what_the_vendors_client_signs(call: Call, serve: Callable[..., Server]) -> None:
    server = serve(answers(RIGHT))
    assert isinstance(call(server), OpenApiAnswer)
    [(line, headers, body)] = server.requests
    assert line == "POST /?JobId=j HTTP/1.1"
    assert body == ""
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert (headers["x-acs-action"], headers["x-acs-version"]) == ("QueryJob", "2018-01-20")
    assert (headers["x-acs-accesskey-id"], headers["x-acs-security-token"]) == (KEY_ID, TOKEN)
    # SHA-256 of an empty body.
    assert headers["x-acs-content-sha256"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert headers["accept-encoding"] == "identity"
    authorization = dict(part.split("=", 1) for part in headers["authorization"].partition(" ")[2].split(","))
    assert headers["authorization"].startswith("ACS3-HMAC-SHA256 ")
    assert authorization["Credential"] == KEY_ID
    assert {"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-security-token"} <= set(
        authorization["SignedHeaders"].split(";")
    )
    assert SECRET not in line + str(headers)


def test_the_vendors_whole_client_signs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collection signs a request of that client, with its time and nonce, in the same way."""
    from alibabacloud_tea_openapi import client as vendor
    from alibabacloud_tea_openapi.utils import Utils
    from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
    from darabonba.request import DaraRequest
    from darabonba.runtime import RuntimeOptions

    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import wire as _openapi_wire

    sent: list[Any] = []

    def keep(request: Any, _options: Any) -> Any:
        sent.append(request)
        raise ConnectionError

    query, form = {"ProductKey": "a1 b&c", "IotInstanceId": "iot-1"}, {"DeviceName.1": "gw:1@x", "DeviceName.2": "a b"}
    monkeypatch.setattr(vendor.DaraCore, "do_action", keep)
    config = Config(access_key_id=KEY_ID, access_key_secret=SECRET, security_token=TOKEN, endpoint="iot.example")
    names = {"action": "A", "version": "2018-01-20", "protocol": "HTTPS", "pathname": "/", "method": "POST"}
    kinds = {"auth_type": "AK", "style": "RPC", "req_body_type": "formData", "body_type": "json"}
    with pytest.raises(Exception):  # noqa: B017, PT011 (the vendor's own, of several kinds)
        vendor.Client(config).call_api(
            Params(**names, **kinds), OpenApiRequest(query=query, body=form), RuntimeOptions()
        )
    theirs = sent[0].headers
    monkeypatch.setattr(time, "strftime", lambda *_arguments: theirs["x-acs-date"])
    monkeypatch.setattr(_openapi_wire.secrets, "token_hex", lambda _length: theirs["x-acs-signature-nonce"])
    key = _openapi_wire.AccessKey(KEY_ID, SECRET, TOKEN)
    url, body, ours = _openapi_wire.signed(Utils, DaraRequest(), "iot.example", "A", query, form, key)
    assert (body, parse_qs(urlsplit(url).query)) == (sent[0].body, {name: [value] for name, value in query.items()})
    covered = [name for name in ours if name.startswith("x-acs-") or name in ("host", "accept", "content-type")]
    assert {name: ours[name] for name in covered} == {name: theirs[name] for name in covered}
    assert set(theirs) - set(ours) <= {"x-acs-credentials-provider"}


def test_connections_are_kept(call: Any, serve: Callable[..., Server]) -> None:
    def twice(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        text = HEAD + b"Content-Length: %d\r\n\r\n" % len(RIGHT) + RIGHT
        connection.sendall(text)
        received.append(connection.recv(4096))
        connection.sendall(text)

    received: list[bytes] = []
    server = serve(twice)
    api = call.client(server, 5)
    for _time in range(2):
        api.call("QueryJob", {"JobId": "j"})
    assert server.connections == 1
    assert received[0].startswith(b"POST ")


# Trust, redirects and proxies


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_is_not_followed(call: Call, serve: Callable[..., Server], status: str, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.2)
        location = f"{scheme}://127.0.0.1:{elsewhere.getsockname()[1]}/"
        told = refused(call(serve(answers(RIGHT, status, Location=location))), "bad_answer")
        with pytest.raises(TimeoutError):
            elsewhere.accept()
    assert "redirect" in told
    assert "QueryJob" in told


def test_another_authority_is_refused(call: Call, serve: Callable[..., Server], certificates: Certificates) -> None:
    server = serve(answers(RIGHT))
    refused(call(server, ca_path=certificates.other_ca), "tls")
    assert server.requests == []


@pytest.mark.parametrize("name", ["other_host", "expired"])
def test_another_certificate_is_refused(
    call: Call, serve: Callable[..., Server], certificates: Certificates, name: str
) -> None:
    server = serve(answers(RIGHT), getattr(certificates, name))
    refused(call(server), "tls")
    assert server.requests == []


def test_the_environment_leads_past_a_proxy(
    call: Call, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    assert isinstance(call(serve(answers(RIGHT))), OpenApiAnswer)


# Limits of size and time


def test_a_compressed_answer_is_not_unpacked(call: Call, serve: Callable[..., Server]) -> None:
    """Unpacked, this answer of half a megabyte would be 500 megabytes."""
    bomb = gzip.compress(b'{"Success": true, "x": "') + gzip.compress(b" " * 10_000_000) * 50 + gzip.compress(b'"}')
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = refused(call(serve(answers(bomb, Content_Encoding="gzip"))), "bad_answer")
    assert "not the JSON" in told
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


@pytest.mark.parametrize(
    "behaviour",
    [
        answers(b" " * (LONGEST_ANSWER + 1)),
        answers(b" " * (LONGEST_ANSWER + 1), length=None),
        answers(b" " * (LONGEST_ANSWER + 1), "500 Error"),
    ],
    ids=["with a length", "without", "error"],
)
def test_an_answer_has_a_size(call: Call, serve: Callable[..., Server], behaviour: Behaviour) -> None:
    assert "longer than" in refused(call(serve(behaviour)), "bad_answer")


@pytest.mark.parametrize(
    "behaviour",
    [
        hangs,
        trickles(HEAD + b"Content-Length: 1000\r\n\r\n" + b" " * 1000, 0),
        trickles(HEAD + b"Content-Length: 1000\r\n\r\n" + b" " * 1000, 60),
        repeats(b"HTTP/1.1 100 Continue\r\n\r\n"),
        repeats(b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.05),
        repeats(b"1\r\nx\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", 0.05),
    ],
    ids=["nothing", "head drips", "body drips", "100", "100 slowly", "chunks drip"],
)
def test_an_answer_has_an_end(call: Call, serve: Callable[..., Server], behaviour: Behaviour) -> None:
    ended = call(serve(behaviour), timeout=1)
    assert isinstance(ended, FleetopsError)
    assert "https://127.0.0.1" in refused(ended, ended.kind)
    assert ended.kind in ("network", "bad_answer")


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", "200 OK", "bad_answer"),
        (b"<html>", "200 OK", "bad_answer"),
        (b"[" * 60_000, "200 OK", "bad_answer"),
        (b'{"a":' * 60_000, "200 OK", "bad_answer"),
        (b"[]", "200 OK", "bad_answer"),
        (b"\xff", "200 OK", "bad_answer"),
        (b"<html>", "403 Forbidden", "bad_answer"),
        (b"<html>", "502 Bad Gateway", "throttled"),
        (b"", "429 Too Many", "throttled"),
        (b'{"Success": false, "Code": {"x": 1}}', "200 OK", "bad_answer"),
        (b'{"Success": false, "Code": "a b"}', "200 OK", "bad_answer"),
        (b'{"Success": false, "Code": "X", "ErrorMessage": ["x"]}', "200 OK", "bad_answer"),
        (b'{"Success": false, "Code": "X", "ErrorMessage": "\\u001b[31m\\nred"}', "200 OK", "refused"),
        (b'{"Success": false, "Code": "' + b"X" * 5000 + b'"}', "200 OK", "refused"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_answer(call: Call, serve: Callable[..., Server], body: bytes, status: str, kind: str) -> None:
    told = refused(call(serve(answers(body, status))), kind)
    assert told.startswith("QueryJob JobId=j: ")
    assert len(told) < 800


def test_a_server_that_repeats_the_request_shows_no_secret(call: Call, serve: Callable[..., Server]) -> None:
    words = f"{quote(TOKEN, safe='')} {quote(quote(SECRET, safe=''), safe='')} {TOKEN}"
    answer = json.dumps({"Success": False, "Code": "X", "ErrorMessage": words, "RequestId": TOKEN}).encode()
    assert "***" in refused(call(serve(answers(answer))), "refused")


# Masks


@given(
    st.text("abcXYZ019+/=%-_.~&", min_size=6, max_size=60),
    st.text(CHARACTERS, max_size=20),
    st.integers(0, 3),
    st.booleans(),
)
def test_a_secret_is_masked_however_it_is_encoded(secret: str, around: str, times: int, lower: bool) -> None:
    encoded = secret
    for _time in range(times):
        encoded = quote(encoded, safe="")
        if lower:
            encoded = encoded.replace("%2B", "%2b").replace("%3D", "%3d").replace("%2F", "%2f")
    masked = Masked([secret, ""])(f"<{around}|{encoded}|>")
    assert encoded not in masked
    assert masked.endswith("|***|>") or secret in around


def test_certificates_of_the_system_are_trusted_too(
    call: Call, serve: Callable[..., Server], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answers(RIGHT))
    refused(call(server, ca_path=None), "tls")
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca)
    assert isinstance(call(server, ca_path=None), OpenApiAnswer)
