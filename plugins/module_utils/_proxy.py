# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections through an HTTP proxy (CONNECT), one rule for gateways and the controller, HTTPS and MQTT. PRIVATE to the collection.

The proxy's address may contain a user and a password. No message shows it.
"""

from __future__ import annotations

import base64
import os
import re
import typing as t
from urllib.parse import unquote_to_bytes

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._endpoints import split_endpoint
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BadAnswer, InvalidOption, NoTunnel

# Octets of a proxy's answer to CONNECT.
_LONGEST = 16384
_PORT = 80  # of a proxy that the environment names without one
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r\n]")
_WITH_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):([0-9]{1,5})")


class Proxy(t.NamedTuple):
    """An HTTP proxy; ``credentials`` is ``USER:PASSWORD`` in the octets that were given, of whatever encoding, or empty."""

    host: str
    port: int
    credentials: bytes = b""

    def __repr__(self) -> str:
        """Return a text without the password."""
        return "Proxy(host=%r, port=%d)" % (self.host, self.port)


class Connection(t.Protocol):
    """A connection to a proxy."""

    def sendall(self, data: bytes) -> None:
        """Send all of it."""

    def recv_into(self, buffer: bytearray, nbytes: int) -> int:
        """Receive up to ``nbytes``; return how many, 0 at the end."""


def check_proxy(proxy: str | None) -> None:
    """Check the option ``proxy``.

    :raises InvalidOption: it is not ``http://[USER[:PASSWORD]@]HOST:PORT``. Its value is not shown
    """
    if proxy and not (proxy.lower().startswith("http://") and _parse(proxy, None)):
        raise InvalidOption(
            "proxy",
            None,
            "is not an HTTP proxy (the value is not shown, since it may contain a password)",
            "Give http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with special characters as %XX",
        )


def proxy_for(host: str, port: int, proxy: str | None) -> Proxy | None:
    """Return the proxy for a connection to ``host``: ``proxy``, or else the environment's ``https_proxy``; None for a direct one.

    :param proxy: as :func:`check_proxy` accepts it
    :raises NoTunnel: the environment's value cannot be used
    """
    named = proxy or _environment("https_proxy")
    if not named or _is_excluded(host.lower(), port, _environment("no_proxy").lower()):
        return None
    found = _parse(named, _PORT)
    if found is None:
        raise NoTunnel("https_proxy of the environment is not http://[USER:PASSWORD@]HOST[:PORT]")
    return found


def open_tunnel(connection: Connection, proxy: Proxy, host: str, port: int) -> None:
    """Make the proxy connect to ``host``; afterwards the connection leads to that host.

    :raises NoTunnel: the proxy did not connect
    :raises BadAnswer: the proxy's answer is too long
    :raises OSError: the connection was lost
    """
    target = "%s:%d" % ("[%s]" % host if ":" in host else host, port)
    lines = ["CONNECT %s HTTP/1.1" % target, "Host: %s" % target]
    if proxy.credentials:
        lines.append("Proxy-Authorization: Basic " + base64.b64encode(proxy.credentials).decode("ascii"))
    connection.sendall("".join(line + "\r\n" for line in [*lines, ""]).encode("ascii"))
    status = _read_status(connection, "the proxy %s:%d" % (proxy.host, proxy.port))
    if not 200 <= status < 300:
        problem = "the proxy %s:%d did not connect to %s: HTTP status %d" % (proxy.host, proxy.port, target, status)
        raise NoTunnel(problem, status)


def _read_status(connection: Connection, what: str) -> int:
    """Return the status of the proxy's answer to CONNECT, without those of interim answers; ``what`` is the proxy in messages."""
    octets = 0
    head, octet = bytearray(), bytearray(1)
    while True:
        # Read octet by octet, since what follows the empty line is from the host.
        try:
            received = connection.recv_into(octet, 1)
        except OSError as error:
            raise NoTunnel("%s gave no answer: %s" % (what, error)) from error
        if not received:
            raise NoTunnel("%s ended the connection without an answer" % what)
        head += octet
        octets += 1
        if octets > _LONGEST:
            raise BadAnswer("the answer of %s is too long" % what, hint="Check proxy and https_proxy")
        if not head.endswith((b"\n\r\n", b"\n\n")):
            continue
        status = _STATUS.match(bytes(head))
        if not status:
            raise NoTunnel("%s does not speak HTTP" % what)
        if not status[1].startswith(b"1"):
            return int(status[1])
        head.clear()


def _environment(name: str) -> str:
    """Return a variable of the environment in lower case, even an empty one, or else in upper case, as urllib and requests do."""
    return os.environ.get(name, os.environ.get(name.upper(), "")).strip()


def _parse(text: str, default_port: int | None) -> Proxy | None:
    scheme, found, rest = text.partition("://")
    credentials, _at, address = (rest if found else text).rpartition("@")
    parts = split_endpoint(address)
    port = parts.port or default_port if parts else None
    if not parts or not port or parts.path not in ("", "/") or (found and scheme.lower() != "http") or parts.scheme:
        return None
    try:
        return Proxy(parts.host, port, unquote_to_bytes(credentials.encode("utf-8", "surrogateescape")))
    except UnicodeError:  # a surrogate that stands for no octet
        return None


def _is_excluded(host: str, port: int, listed: str) -> bool:
    """Return whether ``no_proxy`` lists a host: by name or parent domain, address, network (CIDR), with or without a port, or ``*``."""
    for entry in re.split(r"[,\s]+", listed):
        with_port = _WITH_PORT.fullmatch(entry)
        name = with_port[1] if with_port else entry
        if with_port and int(with_port[2]) != port:
            continue
        name = name.strip("[]")
        if name == "*":
            return True
        domain = name[1:] if name.startswith("*.") else name
        domain = domain.lstrip(".").rstrip(".")
        if domain and (host == domain or host.endswith("." + domain) or _is_within(host, domain)):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    """Return whether ``host`` is an address of ``network``."""
    if not (host[-1:].isdigit() or ":" in host):
        return False  # a name, for which ipaddress need not be loaded
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
