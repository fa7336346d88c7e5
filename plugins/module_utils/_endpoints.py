# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse endpoints in options, with one rule for all of them. PRIVATE to the collection."""

from __future__ import annotations

import re
import socket
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption

_ENDPOINT = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?"
    r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:%/-]*)?"
)


class Endpoint(t.NamedTuple):
    """An endpoint in its parts: the scheme in lower case, an IPv6 address without brackets; what is not given is empty or None."""

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def address(self) -> str:
        """Host and port as in a URL."""
        host = "[%s]" % self.host if ":" in self.host else self.host
        return host if self.port is None else "%s:%d" % (host, self.port)


def parse_endpoint(option: str, text: str, problem: str, hint: str) -> Endpoint:
    """Split ``[SCHEME://]HOST[:PORT][/PATH]``.

    :param option: the option that holds it
    :param problem: describes an endpoint that cannot be used
    :param hint: describes how to write it
    :raises InvalidOption: it is not an endpoint. A text that may contain a password is not shown
    """
    if "@" in text:
        raise InvalidOption(option, None, "contains a user name or a password, which are never sent", hint)
    found = split_endpoint(text)
    if not found:
        raise InvalidOption(option, text, problem, hint)
    return found


def split_endpoint(text: str) -> Endpoint | None:
    """Split ``[SCHEME://]HOST[:PORT][/PATH]``; return None if it is not an endpoint."""
    match = _ENDPOINT.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else None
    labels = match["host"].split(".") if match else []
    if not all(0 < len(label) < 64 for label in labels) or len(text) > 1000:
        match = None
    if match and match["host"].startswith("[") and not _is_ipv6(match["host"][1:-1]):
        match = None
    if not match or (port is not None and not 1 <= port <= 65535):
        return None
    return Endpoint((match["scheme"] or "").lower(), match["host"].strip("[]"), port, match["path"] or "")


def _is_ipv6(address: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, address)
    except OSError:
        return False
    return True
