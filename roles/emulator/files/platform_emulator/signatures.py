# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HMAC signatures of devices, with all names of the methods, in upper-case or lower-case hexadecimal."""

from __future__ import annotations

import hashlib
import hmac
import re

DIGESTS = {"hmacmd5": "md5", "hmacsha1": "sha1", "hmacsha256": "sha256"}


def digest_name(sign_method: str) -> str | None:
    """Return the digest of a method: hmacsha256, HmacSHA256 and hmac_sha256 are the same. None for an unknown method."""
    return DIGESTS.get(sign_method.lower().replace("_", ""))


def is_hex_digest(sign: str, digest: str) -> bool:
    """Return whether the text has the format of a signature."""
    return len(sign) == 2 * hashlib.new(digest).digest_size and re.fullmatch("[0-9A-Fa-f]*", sign) is not None


def signs(sign: str, content: str, secret: str, digest: str) -> bool:
    """Return whether `sign` is the HMAC of the content, in upper or lower case hex; takes the same time either way."""
    expected = hmac.new(secret.encode(), content.encode(), digest).hexdigest()
    return hmac.compare_digest(expected.encode(), sign.lower().encode())
