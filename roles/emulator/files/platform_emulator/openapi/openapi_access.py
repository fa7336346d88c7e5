# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a call: the access key, its token, the time, the signature and the nonce of a request."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta

from platform_emulator import access_keys
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal
from platform_emulator.openapi.openapi_signatures import Signed
from platform_emulator.settings import Settings
from platform_emulator.store import Store

TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
NONCE_LIFE = timedelta(minutes=15)


def check(store: Store, signed: Signed, settings: Settings) -> None:
    """Raise OpenApiRefusal; remembers the nonce of a request that is in order."""
    now = datetime.now(UTC)
    _check_time(signed.timestamp, now, timedelta(seconds=settings.timestamp_tolerance))
    secret = _secret(store, signed, now)
    if not hmac.compare_digest(signed.right_signature(secret).encode(), signed.signature.encode()):
        raise signed.mismatch()
    if settings.nonce_reuse == "refuse":
        _use_nonce(store, signed, now)


def _check_time(timestamp: str, now: datetime, tolerance: timedelta) -> None:
    """Check the time of a request; a tolerance of zero accepts any."""
    try:
        sent = datetime.strptime(timestamp, TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        raise OpenApiRefusal("InvalidTimeStamp.Format") from None
    if tolerance and abs(now - sent) > tolerance:
        raise OpenApiRefusal("InvalidTimeStamp.Expired")


def _secret(store: Store, signed: Signed, now: datetime) -> str:
    """Return the secret of an access key; a temporary one is worth nothing without its token."""
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


def _use_nonce(store: Store, signed: Signed, now: datetime) -> None:
    used = (signed.access_key_id, signed.nonce)
    store.rows("DELETE FROM nonce WHERE time < ?", ((now - NONCE_LIFE).timestamp(),))
    if store.row("SELECT 1 FROM nonce WHERE access_key_id = ? AND nonce = ?", used):
        raise OpenApiRefusal("SignatureNonceUsed")
    store.rows("INSERT INTO nonce (access_key_id, nonce, time) VALUES (?, ?, ?)", (*used, now.timestamp()))
