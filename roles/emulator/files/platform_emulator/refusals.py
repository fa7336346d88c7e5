# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The codes with which the platform refuses a device, and their messages.

Codes: https://www.alibabacloud.com/help/doc-detail/120329.htm. The messages of 460, 6100 and 6289 are the
platform's; clients must use the code.
"""

from __future__ import annotations

PARAMETER_ERROR = 460
SYSTEM_ERROR = 500
PRODUCT_NOT_FOUND = 6250
REGISTRATION_SWITCHED_OFF = 6288
ALREADY_ACTIVE = 6289
SIGN_METHOD_NOT_SUPPORTED = 6292
DEVICE_DISABLED = 6204
SIGNATURE_MISMATCH = 6600
DEVICE_NOT_FOUND = 6100

MESSAGES: dict[int | str, str] = {
    PARAMETER_ERROR: "request parameter error",
    SYSTEM_ERROR: "unknown system error",
    PRODUCT_NOT_FOUND: "query product info failed",
    REGISTRATION_SWITCHED_OFF: "dynamic registration is not enabled",
    ALREADY_ACTIVE: "device is already active",
    SIGN_METHOD_NOT_SUPPORTED: "sign method not supported",
    DEVICE_DISABLED: "device is disabled",
    SIGNATURE_MISMATCH: "sign check failed",
    DEVICE_NOT_FOUND: "device not found",
}


class Refusal(Exception):
    """A refusal of the platform: a code and a message."""

    def __init__(self, code: int | str, message: str | None = None) -> None:
        self.code = code
        self.message = message if message is not None else MESSAGES.get(code, "error")
        super().__init__(f"{code} {self.message}")
