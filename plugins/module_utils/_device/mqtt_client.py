# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One CONNECT over TLS and its answer, with the standard library alone. PRIVATE to the collection.

Gateways have no MQTT library, and a login or a registration is all that is asked: no session is kept. Source: MQTT 3.1.1, sections
3.1 to 3.3.
"""

from __future__ import annotations

import struct
import typing as t
from contextlib import suppress

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import ConnectFields
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    BusyError,
    FleetopsError,
    Refused,
    Throttled,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import LONGEST_ANSWER
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import (
    TROUBLE,
    TlsContext,
    network_error,
)

KEEP_ALIVE = 60  # seconds; the platform takes 30 to 1200
_CLEAN_SESSION_WITH_PASSWORD = 0xC2
_DISCONNECT = b"\xe0\x00"

# exchange(), or a stand-in.
Exchange = t.Callable[
    ["tuple[str, int]", t.Optional[ConnectFields], TlsContext, float, t.Sequence[str]],
    "tuple[int, bytes]",
]

# CONNACK codes of a refused login: what each means, and what to do next.
CODES: dict[int, tuple[str, str]] = {
    1: ("the protocol version was refused", "Check mqtt_endpoint: it must be the platform's MQTT host"),
    2: ("the client id was refused", "Check sign_method and instance_id, and that the host is the product's"),
    4: (
        "the user name or the password is malformed",
        "Check sign_method. If the file was edited by hand, remove it and run the playbook fleetops.aliyun_iot.provision, or recover if "
        "the device is activated",
    ),
    5: (
        "the credential was not accepted",
        "Either the device was disabled or deleted, or its DeviceSecret or device token was replaced: look at the device in the "
        "console, then enable it, or run the playbook fleetops.aliyun_iot.recover with gateway_recovery_force=true",
    ),
}


def exchange(
    address: tuple[str, int],
    connect: ConnectFields | None,
    context: TlsContext,
    timeout: float,
    topics: t.Sequence[str] = (),
) -> tuple[int, bytes]:
    """Send a CONNECT; return the CONNACK's code and, if it is 0, the payload of the first message on one of the topics.

    :param connect: None only makes the verified connection
    :param timeout: seconds for all of it
    :raises FleetopsError: BadAnswer, or a limit of the context
    :raises OSError: a transport error; or EOFError. ``context.sent`` is true if the CONNECT may have been received
    """
    context.begin(timeout, LONGEST_ANSWER)
    with context.dial(*address) as tcp, context.wrap_socket(tcp, server_hostname=address[0]) as tls, tls.makefile(
        "rb"
    ) as answers:
        if not connect:
            return 0, b""
        tls.sendall(_packet(connect))
        code = _connack(answers)
        payload = _message(answers, topics) if topics and not code else b""
        if not code:
            # The answer is complete: neither a closed connection nor the end of the lease matters any more.
            with suppress(OSError, BusyError):
                tls.sendall(_DISCONNECT)
        return code, payload


def log_in(address: tuple[str, int], connect: ConnectFields, context: TlsContext, timeout: float) -> None:
    """Log in and disconnect.

    :param timeout: seconds for all of it
    :raises FleetopsError: Refused with the CONNACK's code, Throttled for code 3, BadAnswer, NetworkError, TlsError
    """
    what = "login of %s at %s:%d" % (connect.user_name.partition("&")[0], *address)
    try:
        code, _payload = exchange(address, connect, context, timeout, ())
    except (*TROUBLE, FleetopsError) as error:
        raise network_error(what, error, "mqtt_endpoint") from None
    if code:
        raise _refusal(what, code)


def _connack(answers: t.BinaryIO) -> int:
    answer = answers.read(4)
    if not answer:
        raise EOFError("the connection ended without an answer to CONNECT")
    if len(answer) < 4 or answer[:2] != b"\x20\x02":
        raise BadAnswer("the host does not speak MQTT 3.1.1", hint="Check mqtt_endpoint")
    return answer[3]


def _message(answers: t.BinaryIO, topics: t.Sequence[str]) -> bytes:
    """Return the payload of the first PUBLISH on one of the topics; other packets are ignored."""
    while True:
        head = answers.read(1)
        content = _exactly(answers, _read_length(answers)) if head else b""
        if not head:
            raise EOFError("the connection ended without the answer")
        if head[0] >> 4 != 3:
            continue
        end = 2 + int.from_bytes(content[:2], "big")
        if content[2:end].decode("utf-8", "replace") in topics:
            # A message of QoS 1 has a number before its payload; the connection ends before it can be sent again.
            return content[end + (2 if head[0] & 6 else 0) :]


def _exactly(answers: t.BinaryIO, length: int) -> bytes:
    content = answers.read(length)
    if len(content) < length:
        raise EOFError("the answer ended early")
    return content


def _read_length(answers: t.BinaryIO) -> int:
    """Return the opposite of :func:`_length`, limited in size."""
    length = 0
    for position in range(4):
        octet = _exactly(answers, 1)[0]
        length |= (octet & 0x7F) << (7 * position)
        if not octet & 0x80:
            break
    if length > LONGEST_ANSWER:
        raise BadAnswer("the answer is longer than %d bytes" % LONGEST_ANSWER, hint="Check mqtt_endpoint")
    return length


def _packet(connect: ConnectFields) -> bytes:
    """Return a CONNECT: clean session, user name and password, no will."""
    head = struct.pack("!H4sBBH", 4, b"MQTT", 4, _CLEAN_SESSION_WITH_PASSWORD, KEEP_ALIVE)
    content = head + b"".join(map(_string, (connect.client_id, connect.user_name, connect.password)))
    return b"\x10" + _length(len(content)) + content


def _string(text: str) -> bytes:
    content = text.encode("utf-8")
    return struct.pack("!H", len(content)) + content


def _length(number: int) -> bytes:
    """Return the encoded length: seven bits a byte, the lowest first; the highest bit is set if more follow."""
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
            hint="Wait a minute, since a device may connect only five times a minute, then run again",
        )
    meaning, hint = CODES.get(code, ("the platform refused", "Look the code up in the MQTT 3.1.1 specification"))
    return Refused("%s: %s (CONNACK %d)" % (what, meaning, code), code=code, hint=hint)
