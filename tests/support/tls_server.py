# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TLS server with a correct or faulty behaviour, chosen by the test, and its certificates. Must run on every Python of gateways.

with Server(answers(b"{}"), Certificates(folder).server) as server:
    post(server.url)
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TRICKLE = 0.05  # seconds between two bytes
PATIENCE = 60.0  # seconds after which a client that has not ended the connection has failed

Behaviour = Callable[[ssl.SSLSocket, threading.Event], None]


# Certificates


class Authority:
    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        extension = x509.BasicConstraints(ca=True, path_length=0)
        builder = self._builder(self._name, self._key, 1).add_extension(extension, critical=True)
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def server(self, name: str, *hosts: str, days: int = 1) -> Path:
        """Return a file with a certificate for hosts and its key; the certificate is expired if `days` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, days)
        names = [x509.DNSName(h) if h[0].isalpha() else x509.IPAddress(ipaddress.ip_address(h)) for h in hosts]
        certificate = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(
            self._key, hashes.SHA256()
        )
        file = self._directory / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(_pem(certificate) + private)
        return file

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=days))
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


class Certificates:
    def __init__(self, directory: Path) -> None:
        authority = Authority(directory, "authority")
        self.ca = str(authority.file)
        self.other_ca = str(Authority(directory, "other-authority").file)
        self.server = authority.server("server", "127.0.0.1")
        self.other_host = authority.server("other-host", "platform.example", "127.0.0.9")
        self.expired = authority.server("expired", "127.0.0.1", days=-1)


# A server of one behaviour


class _InVainError(Exception):
    """The client has not ended the connection within PATIENCE, which is long enough on a slow machine too."""


class Server:
    """A TLS server on a loopback port, which reads a request, performs the behaviour and closes the connection.

    A client that does not end the connection during an endless behaviour fails the test (``waited_in_vain``).
    """

    def __init__(self, behaviour: Behaviour, certificate: Path, versions: tuple[ssl.TLSVersion, ...] = ()) -> None:
        self._behaviour = behaviour
        self._context: ssl.SSLContext | None = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        if versions:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                self._context.minimum_version, self._context.maximum_version = versions
            self._context.set_ciphers("ALL:@SECLEVEL=0")
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._serve)]
        self.port = self._listener.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}/auth/register/device"
        self.connections = 0
        self.waited_in_vain = False
        self._reads = True
        self.requests: list[tuple[str, dict[str, str], str]] = []

    def without_tls(self) -> Server:
        self._context = None
        return self

    def without_http(self) -> Server:
        """Perform the behaviour right after the handshake, without waiting for a request."""
        self._reads = False
        return self

    def __enter__(self) -> Server:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()
        assert not self.waited_in_vain, f"after {PATIENCE} seconds the client had still not ended the connection"

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._answer, args=(connection,)))
            self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with connection:
            try:
                if not self._context:
                    return self._behaviour(connection, self._stop)  # type: ignore[arg-type]
                with self._context.wrap_socket(connection, server_side=True) as tls:
                    if self._reads:
                        self.requests.append(_read_request(tls))
                    self._behaviour(tls, self._stop)
            except OSError:
                return None  # the client has closed the connection, or rejected the certificate
            except _InVainError:
                self.waited_in_vain = True


def _read_request(connection: socket.socket) -> tuple[str, dict[str, str], str]:
    text = b""
    while b"\r\n\r\n" not in text:
        text += _received(connection)
    head, _blank, body = text.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (header.split(": ", 1) for header in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _received(connection)
    return line, headers, body.decode()


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(4096)
    if not data:
        raise ConnectionError("the client has hung up")
    return data


def answers(body: bytes, status: str = "200 OK", length: int | None = -1, **headers: str) -> Behaviour:
    """Return a behaviour that sends an answer at once, without Content-Length if ``length`` is None."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
    return lambda connection, _stop: connection.sendall(head + body)


def trickles(text: bytes, at_once: int) -> Behaviour:
    """Return a behaviour that sends some bytes at once, and the others one by one."""

    def behave(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        connection.sendall(text[:at_once])
        for number in range(at_once, len(text)):
            if stop.wait(TRICKLE):
                return
            connection.sendall(text[number : number + 1])

    return behave


def hangs(connection: ssl.SSLSocket, stop: threading.Event) -> None:
    if not stop.wait(PATIENCE):
        raise _InVainError


def hangs_up(connection: ssl.SSLSocket, stop: threading.Event) -> None:
    pass


def repeats(text: bytes, first: bytes = b"", pause: float = 0.0) -> Behaviour:
    """Return a behaviour that sends ``first``, then ``text`` without end, with a pause or as fast as the client reads."""
    # Without a pause, a TLS record for each short text would take a second of both CPUs to reach the client's maximum size.
    at_once = text if pause else text * (1 + 10_000 // max(1, len(text)))

    def behave(connection: ssl.SSLSocket, stop: threading.Event) -> None:
        connection.sendall(first)
        end = time.monotonic() + PATIENCE
        while not stop.wait(pause):
            connection.sendall(at_once)
            if time.monotonic() > end:
                raise _InVainError

    return behave
