# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers to a CONNECT: a CONNACK, and for a dynamic registration a message right after it.

The codes are those of MQTT 3.1.1 as the platform uses them (https://help.aliyun.com/document_detail/148610.htm). For
dynamic registration the platform's own list differs: 2 for a parameter that is missing or bad and for a connection
without TLS, 3 when the service fails, 4 for all that authorization refuses
(https://www.alibabacloud.com/help/doc-detail/132111.htm).
"""

from __future__ import annotations

from dataclasses import dataclass, field

ACCEPTED = 0
UNACCEPTABLE_PROTOCOL = 1
IDENTIFIER_REJECTED = 2
SERVER_UNAVAILABLE = 3
BAD_USER_NAME_OR_PASSWORD = 4
NOT_AUTHORIZED = 5


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes = field(repr=False)


@dataclass(frozen=True)
class Reply:
    """The code of the CONNACK, and the message that follows it, if any."""

    code: int
    message: Message | None = None


class ConnectRefused(Exception):
    """The platform refuses a CONNECT: the code for the device, the reason for the emulator's own log."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code} {reason}")
