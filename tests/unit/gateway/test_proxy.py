# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test connections through a proxy, over HTTPS with both clients and over MQTT: the choice of the proxy and the data sent to it."""

from __future__ import annotations

import base64
import os
import re
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from any_text import CHARACTERS
from connect_proxy import ConnectProxy
from hypothesis import given
from hypothesis import strategies as st
from tls_server import Behaviour, Certificates, Server, answers

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https import http_client_post
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import ConnectFields
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import log_in
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    InvalidOption,
    NetworkError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._proxy import (
    NoTunnel,
    Proxy,
    check_proxy,
    open_tunnel,
    proxy_for,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._requests import requests_post
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TlsContext, https_context, mqtt_context

PASSWORD = "p:a@s/s%word"
TIMEOUT = 20
HOST = "127.0.0.1"

# Sends a request to (host, port) with the context; raises FleetopsError.
Speak = Callable[[TlsContext, str, int], object]


def over_http_client(context: TlsContext, host: str, port: int) -> object:
    return http_client_post(context, TIMEOUT)(f"https://{host}:{port}/x", "a=b")


def over_requests(context: TlsContext, host: str, port: int) -> object:
    return requests_post(context, TIMEOUT)(f"https://{host}:{port}/x", "a=b")


def over_mqtt(context: TlsContext, host: str, port: int) -> object:
    log_in((host, port), ConnectFields("c|x|", "gw-0001&a1", "hidden"), context, TIMEOUT)
    return None


def broker(connection: Any, _stop: threading.Event) -> None:
    connection.recv(4096)
    connection.sendall(b"\x20\x02\x00\x00")


WAYS: dict[str, tuple[Speak, Behaviour]] = {
    "http.client": (over_http_client, answers(b"{}")),
    "requests": (over_requests, answers(b"{}")),
    "mqtt": (over_mqtt, broker),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def context_of(way: str, ca_path: str, proxy: str | None = None) -> TlsContext:
    options = {"ca_path": ca_path, "validate_certs": True, "proxy": proxy}
    return mqtt_context(options) if way == "mqtt" else https_context(options)


def served(way: str, certificates: Certificates) -> Server:
    server = Server(WAYS[way][1], certificates.server)
    return server.without_http() if way == "mqtt" else server


@pytest.mark.parametrize("named_by", ["option", "https_proxy", "HTTPS_PROXY"])
@pytest.mark.parametrize("credentials", ["", f"me:{PASSWORD}"], ids=["open", "password"])
def test_the_connection_goes_through_it(
    way: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, named_by: str, credentials: str
) -> None:
    """TLS ends at the host, whose certificate is for 127.0.0.1, not at the proxy."""
    with served(way, certificates) as server:
        with ConnectProxy({f"{HOST}:{server.port}": (HOST, server.port)}, credentials) as proxy:
            if named_by != "option":
                monkeypatch.setenv(named_by, proxy.url)
            context = context_of(way, certificates.ca, proxy.url if named_by == "option" else None)
            for _again in range(2):
                WAYS[way][0](context, HOST, server.port)
        assert proxy.asked == [f"{HOST}:{server.port}"] * 2
        assert server.connections == 2


def test_what_a_proxy_is_told(way: str, certificates: Certificates) -> None:
    with ConnectProxy({}) as proxy, pytest.raises(FleetopsError):
        WAYS[way][0](context_of(way, certificates.ca, proxy.url), "platform.example", 443)
    assert proxy.heads == ["CONNECT platform.example:443 HTTP/1.1\r\nHost: platform.example:443\r\n\r\n"]


@pytest.mark.parametrize(
    ("credentials", "given", "words", "hint"),
    [
        ("me:right", "me:hidden@", "HTTP status 407", "user and password"),
        ("me:right", "", "HTTP status 407", "user and password"),
        ("", "me:hidden@", "HTTP status 403", "no_proxy"),
    ],
    ids=["wrong password", "no password", "forbidden"],
)
def test_a_proxy_that_refuses_is_asked_once(
    way: str, certificates: Certificates, credentials: str, given: str, words: str, hint: str
) -> None:
    with ConnectProxy({}, credentials) as proxy:
        address = f"http://{given}{proxy.address}"
        with pytest.raises(FleetopsError) as caught:
            WAYS[way][0](context_of(way, certificates.ca, address), "platform.example", 443)
    error = caught.value
    assert error.__class__ is FleetopsError, "it is not tried again"
    assert (error.kind, error.may_have_registered) == ("network", False)
    assert words in error.msg
    assert "platform.example:443" in error.msg
    assert proxy.address in error.msg
    assert hint in error.hint
    assert len(proxy.heads) == 1
    assert "hidden" not in str(error)


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 503 Busy\r\n\r\n", b"SSH-2.0-OpenSSH\r\n\r\n", b"", b"HTTP/1.1 20"], ids=ascii
)
def test_a_proxy_that_fails_is_trouble_on_the_way(way: str, certificates: Certificates, said: bytes) -> None:
    def say(connection: Any, _stop: threading.Event) -> None:
        connection.recv(4096)
        connection.sendall(said)

    with Server(say, certificates.server).without_tls() as proxy, pytest.raises(NetworkError) as caught:
        WAYS[way][0](context_of(way, certificates.ca, f"http://127.0.0.1:{proxy.port}"), "platform.example", 1)
    assert caught.value.may_have_registered is False
    assert "proxy" in caught.value.hint


class Answering:
    """A connection to a proxy that answers with these octets, and then with silence."""

    def __init__(self, said: bytes) -> None:
        self.said = said

    def sendall(self, data: bytes) -> None:
        pass

    def recv_into(self, buffer: bytearray, nbytes: int) -> int:
        if not self.said:
            raise TimeoutError("timed out")
        buffer[:nbytes], self.said = self.said[:nbytes], self.said[nbytes:]
        return nbytes


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n",
        b"HTTP/1.0 200\n\n",
        b"HTTP/1.1 200 OK\nVia: x\n\n",
        b"HTTP/1.1 200 OK\nVia: x\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 103 Hints\nLink: x\n\nHTTP/1.1 102 Wait\n\nHTTP/1.1 200 OK\n\n",
    ],
    ids=ascii,
)
def test_a_proxy_that_connects(said: bytes) -> None:
    connection = Answering(said + b"of the host")
    open_tunnel(connection, Proxy("proxy.example", 3128), "platform.example", 443)
    assert connection.said == b"of the host"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (b"", "the proxy proxy.example:3128 gave no answer: timed out"),
        (b"HTTP/1.1 200 OK\r\n", "the proxy proxy.example:3128 gave no answer: timed out"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "the proxy proxy.example:3128 gave no answer: timed out"),
        (
            b"HTTP/1.1 407 Who\n\n",
            "the proxy proxy.example:3128 did not connect to platform.example:443: HTTP status 407",
        ),
        (b"HTTP/1.1 2000 OK\n\n", "the proxy proxy.example:3128 does not speak HTTP"),
    ],
)
def test_a_proxy_that_does_not_connect_is_named(said: bytes, problem: str) -> None:
    with pytest.raises(NoTunnel, match=f"^{re.escape(problem)}$"):
        open_tunnel(Answering(said), Proxy("proxy.example", 3128), "platform.example", 443)


@pytest.mark.parametrize("said", [b"x", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_proxy_whose_answer_does_not_end(said: bytes) -> None:
    with pytest.raises(BadAnswer, match=r"the answer of the proxy proxy\.example:3128 is too long"):
        open_tunnel(Answering((said * 20_000)[:20_000]), Proxy("proxy.example", 3128), "platform.example", 443)


def test_a_password_is_sent_in_its_own_octets(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    with ConnectProxy({}) as proxy:
        monkeypatch.setitem(os.environb, b"https_proxy", b"http://us\xe9r:p%E9@" + proxy.address.encode())
        with pytest.raises(FleetopsError, match="HTTP status 403"):
            WAYS["http.client"][0](context_of("http.client", certificates.ca), "platform.example", 443)
    assert base64.b64encode(b"us\xe9r:p\xe9").decode() in proxy.heads[0]


def test_a_proxy_that_is_not_there(way: str, certificates: Certificates) -> None:
    with pytest.raises(NetworkError, match=r"the proxy 127\.0\.0\.1:1 cannot be reached") as caught:
        WAYS[way][0](context_of(way, certificates.ca, "http://me:hidden@127.0.0.1:1"), "platform.example", 443)
    assert "hidden" not in str(caught.value)


def test_no_proxy_leads_past_it(way: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "10.0.0.0/8,127.0.0.0/8")
    with served(way, certificates) as server:
        WAYS[way][0](context_of(way, certificates.ca, "http://127.0.0.1:1"), HOST, server.port)
    assert server.connections == 1


def test_a_context_has_the_proxy_of_its_last_task(tmp_path: Path) -> None:
    """A thread has one context for all gateways of a pass that have the same authorities, but may have different proxies."""
    options = {"ca_path": None, "validate_certs": True}
    assert https_context({**options, "proxy": "http://one:1"}).proxy == "http://one:1"
    assert mqtt_context(options).proxy is None


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "direct"),
    [
        ("platform.example", 443, "", False),
        ("platform.example", 443, "*", True),
        ("platform.example", 443, "platform.example", True),
        ("PLATFORM.Example", 443, "Platform.EXAMPLE", True),
        ("iot.platform.example", 443, "platform.example", True),
        ("iot.platform.example", 443, ".platform.example", True),
        ("iot.platform.example", 443, "*.platform.example", True),
        ("myplatform.example", 443, "platform.example", False),
        ("platform.example", 443, "other.example, platform.example", True),
        ("platform.example", 443, "other.example platform.example", True),
        ("platform.example", 443, "platform.example:443", True),
        ("platform.example", 8883, "platform.example:443", False),
        ("platform.example", 443, ",", False),
        ("10.1.2.3", 443, "10.0.0.0/8", True),
        ("10.1.2.3", 443, "10.1.2.0/24", True),
        ("10.1.3.3", 443, "10.1.2.0/24", False),
        ("10.1.2.3", 443, "10.1.2.3", True),
        ("10.1.2.3", 443, "10.1.2.3:443", True),
        ("10.1.2.3", 443, "10.1.2.3:80", False),
        ("10.1.2.3", 443, "10.1.2.3/8", True),
        ("10.1.2.3", 443, "10.0.0.0/99", False),
        ("fd00::1", 443, "fd00::/8", True),
        ("fd00::1", 443, "[fd00::1]", True),
        ("fd00::1", 443, "[fd00::1]:443", True),
        ("fd00::1", 443, "::1", False),
        ("::1", 443, "::1", True),
        ("10.1.2.3", 443, "fd00::/8", False),
        ("platform.example", 443, "10.0.0.0/8", False),
    ],
)
def test_whom_no_proxy_lists(
    monkeypatch: pytest.MonkeyPatch, host: str, port: int, no_proxy: str, direct: bool
) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for(host, port, "http://proxy:3128") is None) is direct
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    assert (proxy_for(host, port, None) is None) is direct


@pytest.mark.parametrize(
    ("environment", "given", "proxy"),
    [
        ({}, None, None),
        ({}, "", None),
        ({"HTTPS_PROXY": "http://upper:1"}, None, Proxy("upper", 1)),
        ({"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:2"}, None, Proxy("lower", 2)),
        ({"HTTPS_PROXY": "http://upper:1", "https_proxy": ""}, None, None),
        ({}, "http://me:p%E9\udcff@h:1", Proxy("h", 1, b"me:p\xe9\xff")),
        ({"https_proxy": "http://m\udce9:ä@h:1"}, None, Proxy("h", 1, b"m\xe9:\xc3\xa4")),
        ({"https_proxy": "http://lower:2"}, "http://option:3", Proxy("option", 3)),
        ({"https_proxy": "lower:2"}, None, Proxy("lower", 2)),
        ({"https_proxy": "lower"}, None, Proxy("lower", 80)),
        ({"https_proxy": "http://me:a%40b@[::1]:8080/"}, None, Proxy("::1", 8080, b"me:a@b")),
        ({"http_proxy": "http://other:1", "all_proxy": "http://other:2"}, None, None),
    ],
    ids=ascii,
)
def test_which_proxy(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], given: str | None, proxy: Proxy | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for("platform.example", 443, given) == proxy


@pytest.mark.parametrize("value", ["https://proxy:3128", "socks5://me:hidden@proxy:1080", "http://", "http://a b:1"])
def test_a_proxy_of_the_environment_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("https_proxy", value)
    with pytest.raises(NoTunnel, match="https_proxy of the environment") as caught:
        proxy_for("platform.example", 443, None)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "value", [None, "", "http://proxy:3128", "HTTP://proxy:1/", "http://me:x%40y@proxy:1", "http://[::1]:3128"]
)
def test_a_proxy_that_can_be_given(value: str | None) -> None:
    check_proxy(value)


@pytest.mark.parametrize(
    "value",
    [
        "proxy:3128",
        "http://hidden",
        "https://hidden:1",
        "socks5://hidden:1",
        "http://me:hidden@proxy",
        "http://hidden:0",
        "http://hidden:99999",
        "http://hidden:1/x",
        "http://a b:1",
        "http://me:hidden@:1",
        "http://hidden:1\r\nX: y",
        "http://me:hidden\ud800@proxy:1",
    ],
    ids=ascii,
)
def test_a_proxy_that_cannot_be_given(value: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        check_proxy(value)
    assert value not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_nobody_prints_the_password() -> None:
    assert "hidden" not in repr(Proxy("proxy", 1, b"me:hidden"))


@given(st.text(CHARACTERS, max_size=60), st.text(CHARACTERS, max_size=40), st.integers(1, 65535))
def test_any_list_and_any_host_have_an_answer(listed: str, host: str, port: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("no_proxy", raising=False)
        patch.setenv("NO_PROXY", listed.encode("utf-8", "replace").decode().replace("\0", ""))
        found = proxy_for(host, port, "http://proxy:1")
    assert found in (None, Proxy("proxy", 1))
