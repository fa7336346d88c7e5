# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Describe the certificates that a host sends, even if they are not trusted."""

from __future__ import annotations

import _ssl
import socket
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _gate as gate

SECONDS = 10
LONGEST_NAME = 64


def describe_chain(host: str, port: int) -> str:
    """Return the names of the certificates from the host's own to its authority, and whether the system trusts them."""
    try:
        chain = fetch_chain(host, port)
    except OSError as error:
        return f"no TLS there ({type(error).__name__})"
    if not chain:
        return "none"
    names = [display_name(certificate.subject) for certificate in chain]
    top = chain[-1]
    if top.issuer != top.subject:
        names.append(display_name(top.issuer))
    until = f"{chain[0].not_valid_after_utc:%Y-%m-%d}"
    fingerprint = top.fingerprint(SHA256()).hex()[:16]
    return (
        f"{' < '.join(names)}; the first is valid until {until}, the last one sent has SHA-256 {fingerprint}; "
        f"{system_verdict(host, port)} by this system's authorities"
    )


def fetch_chain(host: str, port: int) -> list[x509.Certificate]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), SECONDS) as tcp,
        context.wrap_socket(tcp, server_hostname=host) as connection,
    ):
        # Public since Python 3.13.
        source: Any = connection if hasattr(connection, "get_unverified_chain") else connection._sslobj
        chain = source.get_unverified_chain()
    raw = [each if isinstance(each, bytes) else each.public_bytes(_ssl.ENCODING_DER) for each in chain]
    return [x509.load_der_x509_certificate(each) for each in raw]


def system_verdict(host: str, port: int) -> str:
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), SECONDS) as tcp,
            context.wrap_socket(tcp, server_hostname=host),
        ):
            return "accepted"
    except ssl.SSLError:
        return "refused"


def display_name(name: x509.Name) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return gate.message(str(attribute.value), LONGEST_NAME)
    return "(no name)"
