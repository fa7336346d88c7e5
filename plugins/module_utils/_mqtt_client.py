# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One CONNECT and its CONNACK over TLS, with the standard library alone. PRIVATE to the collection.

Gateways have no MQTT library, and a login is all that is asked: no session is kept. Source: MQTT 3.1.1, sections 3.1 and 3.2.
"""

from __future__ import annotations

import socket
import struct

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    Refused,
    Throttled,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import TlsContext, network_error
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._mqtt import Connect

KEEP_ALIVE = 60  # seconds; the platform takes 30 to 1200
_CLEAN_SESSION_WITH_PASSWORD = 0xC2
_DISCONNECT = b"\xe0\x00"

# What a login is refused with: what it means and what to do next.
CODES: dict[int, tuple[str, str]] = {
    1: ("the protocol version was refused", "Check mqtt_endpoint: it must be the platform's MQTT host"),
    2: ("the client id was refused", "Check sign_method and instance_id, and that the host is the product's"),
    4: (
        "user name or password are malformed",
        "Check sign_method; where the file was edited by hand, remove it and provision the gateway again",
    ),
    5: (
        "the credential was not accepted",
        "Either the device was disabled or deleted, or its DeviceSecret was replaced: look at the device in the console, then "
        "enable it, or run the playbook fleetops.aliyun_iot.recover",
    ),
}


def log_in(address: tuple[str, int], connect: Connect, context: TlsContext, timeout: float) -> None:
    """Log in and leave again.

    :param timeout: seconds for all of it
    :raises FleetopsError: Refused with the CONNACK's code, Throttled for code 3, BadAnswer, NetworkError, TlsError
    """
    what = "login of %s at %s:%d" % (connect.user_name.partition("&")[0], *address)
    try:
        code = _connack(address, connect, context, timeout)
    except Exception as error:  # pylint: disable=broad-except
        raise network_error(what, error, "mqtt_endpoint") from None
    if code is None:
        raise BadAnswer("%s: what answers does not speak MQTT" % what, hint="Check mqtt_endpoint")
    if code:
        raise _refusal(what, code)


def _connack(address: tuple[str, int], connect: Connect, context: TlsContext, timeout: float) -> int | None:
    """The code of the CONNACK; None if the answer is something else."""
    context.begin(timeout)
    tcp = socket.create_connection(address, timeout)
    with tcp, context.wrap_socket(tcp, server_hostname=address[0]) as tls, tls.makefile("rb") as answers:
        tls.sendall(_packet(connect))
        answer = answers.read(4)
        if not answer:
            raise EOFError("the connection ended without an answer to CONNECT")
        if len(answer) < 4 or answer[:2] != b"\x20\x02":
            return None
        if answer[3] == 0:
            tls.sendall(_DISCONNECT)
        return answer[3]


def _packet(connect: Connect) -> bytes:
    """A CONNECT: clean session, user name and password, no will."""
    head = struct.pack("!H4sBBH", 4, b"MQTT", 4, _CLEAN_SESSION_WITH_PASSWORD, KEEP_ALIVE)
    content = head + b"".join(map(_string, (connect.client_id, connect.user_name, connect.password)))
    return b"\x10" + _length(len(content)) + content


def _string(text: str) -> bytes:
    content = text.encode("utf-8")
    return struct.pack("!H", len(content)) + content


def _length(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    octets: list[int] = []
    while True:
        number, low = divmod(number, 128)
        octets.append(low | (0x80 if number else 0))
        if not number:
            return bytes(octets)


def _refusal(what: str, code: int) -> FleetopsError:
    if code == 3:
        return Throttled(
            "%s: the platform is not available to this device now (CONNACK 3)" % what,
            code=code,
            hint="Wait a minute, for a device may connect five times a minute only; then run again",
        )
    meaning, hint = CODES.get(code, ("the platform refused", "Look the code up in the MQTT 3.1.1 specification"))
    return Refused("%s: %s (CONNACK %d)" % (what, meaning, code), code=code, hint=hint)
