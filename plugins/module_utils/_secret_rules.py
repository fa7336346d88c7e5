# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one alphabet of secrets that the platform issues. PRIVATE to the collection.

A secret is stored in JSON and exported to shells and property files without quotes: no character of it may need one there.
'~' is not allowed, since a shell expands it at the start of an assignment.
"""

from __future__ import annotations

import re

_DEVICE_SECRET = re.compile(r"[A-Za-z0-9._+/=-]{1,64}")
_CLIENT_ID = re.compile(r"[A-Za-z0-9._+/=^@:,%-]{1,64}")
_DEVICE_TOKEN = re.compile(r"[A-Za-z0-9._+/=^@:,%-]{1,256}")


def is_device_secret(value: object) -> bool:
    """Return whether ``value`` can be a DeviceSecret: up to 64 letters, digits and ``-_.+/=``."""
    return isinstance(value, str) and bool(_DEVICE_SECRET.fullmatch(value))


def is_client_id(value: object) -> bool:
    """Return whether ``value`` can be the client id of a device token: the token's characters, up to 64."""
    return isinstance(value, str) and bool(_CLIENT_ID.fullmatch(value))


def is_device_token(value: object) -> bool:
    """Return whether ``value`` can be a device token: up to 256 of a DeviceSecret's characters and ``^@:,%``."""
    return isinstance(value, str) and bool(_DEVICE_TOKEN.fullmatch(value))
