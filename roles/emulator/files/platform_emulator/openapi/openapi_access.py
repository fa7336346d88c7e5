# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a call: the access key, its token, the time, the signature and the nonce of a request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from platform_emulator import access_keys
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal
from platform_emulator.openapi.openapi_signatures import Signed
from platform_emulator.settings import Settings
from platform_emulator.store import Store

TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
NONCES = 100_000  # remembered while any time of a request is accepted


def check(store: Store, signed: Signed, settings: Settings) -> None:
    """Check a request and store its nonce; raises OpenApiRefusal."""
    now = datetime.now(UTC)
    tolerance = timedelta(seconds=settings.timestamp_tolerance)
    sent = _checked_time(signed.timestamp, now, tolerance)
    secret = _secret(store, signed, now)
    if not signed.is_right(secret):
        raise signed.mismatch()
    if settings.nonce_reuse == "refuse":
        _use_nonce(store, signed, sent, now - tolerance if tolerance else None)


def _checked_time(timestamp: str, now: datetime, tolerance: timedelta) -> datetime:
    """Return the time of a request; a tolerance of zero accepts any. Raises OpenApiRefusal."""
    try:
        sent = datetime.strptime(timestamp, TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        raise OpenApiRefusal("InvalidTimeStamp.Format") from None
    if tolerance and abs(now - sent) > tolerance:
        raise OpenApiRefusal("InvalidTimeStamp.Expired")
    return sent


def _secret(store: Store, signed: Signed, now: datetime) -> str:
    """Return the secret of an access key; a temporary one needs its token. Raises OpenApiRefusal."""
    key = access_keys.load(store, signed.access_key_id)
    if key is None:
        raise OpenApiRefusal("InvalidAccessKeyId.NotFound")
    if key.security_token and not signed.security_token:
        raise OpenApiRefusal("MissingSecurityToken")
    if key.security_token != signed.security_token:
        raise OpenApiRefusal("InvalidSecurityToken.MismatchWithAccessKey")
    if key.expired(now):
        raise OpenApiRefusal("InvalidSecurityToken.Expired")
    return key.secret


def _use_nonce(store: Store, signed: Signed, sent: datetime, oldest: datetime | None) -> None:
    """Store the nonce of a request with the time of the request; nonces of requests before `oldest` are no longer needed."""
    used = (signed.access_key_id, signed.nonce)
    if oldest:
        store.rows("DELETE FROM nonce WHERE time < ?", (oldest.timestamp(),))
    else:
        store.rows("DELETE FROM nonce WHERE rowid <= (SELECT max(rowid) FROM nonce) - ?", (NONCES,))
    if store.row("SELECT 1 FROM nonce WHERE access_key_id = ? AND nonce = ?", used):
        raise OpenApiRefusal("SignatureNonceUsed")
    store.rows("INSERT INTO nonce (access_key_id, nonce, time) VALUES (?, ?, ?)", (*used, sent.timestamp()))
