# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and replies over HTTPS, independent of the client. PRIVATE to the collection."""

from __future__ import annotations

import http.client
import time
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import Trouble, network_error

FORM_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "text/xml,text/javascript,text/html,application/json",
    # The size of a compressed answer is not known before it is decompressed, so it could not be limited.
    "Accept-Encoding": "identity",
    "User-Agent": "fleetops.aliyun_iot",
}


class HttpReply(t.NamedTuple):
    """A reply over HTTP; ``retry_after`` in seconds."""

    status: int
    body: bytes
    retry_after: float | None = None

    def __repr__(self) -> str:
        """Return a text without the body, which may hold a secret."""
        return "HttpReply(status=%d)" % self.status


class FinalResponse(http.client.HTTPResponse):
    """A response whose status is the final one: http.client skips no other interim response than 100 (RFC 9110, 15.2)."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, http.client.CONTINUE if 100 <= status < 200 else status, reason


# Sends a form with POST, or without a form GET, to a URL, and returns the reply; raises NetworkError or TlsError.
Post = t.Callable[[str, t.Optional[str]], HttpReply]


def read_reply(
    status: int, header: t.Callable[[str], str | None], read: t.Callable[[int], bytes], limit: int
) -> HttpReply:
    try:
        content = read(limit + 1)
    except ValueError:  # of http.client and urllib3 for a chunk whose size is negative
        raise EOFError("the answer is not valid HTTP") from None
    # The chunks of a chunked answer determine its length.
    is_chunked = (header("Transfer-Encoding") or "").lower() == "chunked"
    length = "" if is_chunked else header("Content-Length") or ""
    if length.isdecimal() and len(length) < 20 and len(content) < min(int(length), limit):
        raise EOFError("the answer ended early")
    return HttpReply(status, content, _retry_after(header("Retry-After")))


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which has them or a date; None if it cannot be read."""
    if not value:
        return None
    # float() takes fewer characters for white space than strip() does.
    digits = value.strip()
    if digits.isdecimal():
        return float(digits)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


def failed_post(url: str, error: Trouble | FleetopsError, sent: bool) -> FleetopsError:
    result = network_error(url, error, "endpoint")
    result.may_have_registered = sent
    return result
