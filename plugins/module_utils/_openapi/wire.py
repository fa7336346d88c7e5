# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sign and send a call of the OpenAPI. For the controller. PRIVATE to the collection.

The vendor's library only signs. Its own HTTP client would follow redirects to plain HTTP, decompress any answer, and wait without end for
a slow one, so the request is sent with the client that registrations use.
"""

from __future__ import annotations

import re
import secrets
import sys
import time
import typing as t
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import HttpReply
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._requests import (
    send_request,
    session_maker,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TlsContext

VERSION = "2018-01-20"
# Bytes; ten thousand names that are refused, each with a sentence, are 2 MB.
LONGEST_ANSWER = 8 * 1024 * 1024

_ALGORITHM = "ACS3-HMAC-SHA256"
_USABLE = re.compile(r"[!-~]{1,8192}")

# Sends (action, query, form) and returns the reply; raises OSError, EOFError or HTTPException for a transport error.
CallApi = t.Callable[[str, t.Dict[str, str], t.Dict[str, str]], HttpReply]


@dataclass(frozen=True)
class AccessKey:
    """An AccessKey; ``security_token`` is empty unless it is a temporary one."""

    id: str
    secret: str = field(repr=False)
    security_token: str = field(repr=False)


class NoAccessKey(Exception):
    """The vendor's library found no AccessKey, or none that can be sent. It has no text, since the library's text may quote a secret."""


def access_key(credential: t.Any) -> AccessKey:
    """Return the AccessKey of the vendor's credentials client, renewed if necessary.

    :raises NoAccessKey: there is none, or a part of it cannot be sent
    """
    found = from_vendor(credential.get_credential)
    parts = (found.access_key_id, found.access_key_secret, found.security_token or "")
    if not all(map(is_usable, (*parts[:2], parts[2] or "none"))):
        raise NoAccessKey
    return AccessKey(*parts)


def from_vendor(call: t.Callable[[], t.Any]) -> t.Any:
    """Call a function of the vendor's credentials library.

    :raises NoAccessKey: it raised any exception
    """
    try:
        return call()
    except Exception:  # pylint: disable=broad-except
        raise NoAccessKey from None


def is_usable(part: object) -> bool:
    """Return whether a part of an AccessKey can be sent."""
    return isinstance(part, str) and bool(_USABLE.fullmatch(part))


def no_credential(problem: str) -> FleetopsError:
    """Return the error of a call that cannot be signed, since there is no usable AccessKey."""
    return FleetopsError(
        "OpenAPI: " + problem,
        hint="Set access_key_id and access_key_secret, or profile: NAME. To use ALIBABA_CLOUD_ACCESS_KEY_ID and "
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET of the environment, or the RAM role of this host, set credentials: default_chain",
        kind="credential",
    )


def missing_library(error: ImportError) -> FleetopsError:
    return FleetopsError(
        "the OpenAPI needs the Python libraries alibabacloud-tea-openapi and alibabacloud-credentials (%s)" % error.msg,
        hint="Install them into the environment that runs ansible-playbook (%s): pip install alibabacloud-tea-openapi "
        "alibabacloud-credentials" % sys.executable,
        kind="missing_library",
    )


def caller(host: str, key: t.Callable[[], AccessKey], context: TlsContext, timeout: float) -> CallApi:
    """Return a function that sends calls to ``host``, over persistent connections.

    :param key: the AccessKey to sign with
    :param timeout: seconds for one call and its answer together
    :raises ImportError: the vendor's library is missing
    :raises FleetopsError: of kind missing_library: requests is
    """
    from alibabacloud_tea_openapi.utils import Utils
    from darabonba.request import DaraRequest

    session = session_maker(context)()

    def call_api(action: str, query: dict[str, str], form: dict[str, str]) -> HttpReply:
        url, body, headers = signed(Utils, DaraRequest(), host, action, query, form, key())
        return send_request(session, context, url, body, headers, timeout, LONGEST_ANSWER)

    return call_api


def signed(
    signer: t.Any,
    request: t.Any,
    host: str,
    action: str,
    query: t.Mapping[str, str],
    form: t.Mapping[str, str],
    key: AccessKey,
) -> tuple[str, str, dict[str, str]]:
    """Return URL, body and headers of a signed call.

    :param signer: the vendor's collection of functions
    :param request: the vendor's description of a request, an empty one
    """
    request.method, request.pathname, request.query = "POST", "/", dict(query)
    body = urlencode(form)
    digest = signer.hash(body.encode("ascii"), _ALGORITHM).hex()
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": VERSION,
        "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-content-sha256": digest,
        "accept": "application/json",
    }
    if form:
        headers["content-type"] = "application/x-www-form-urlencoded"
    if key.security_token:
        headers["x-acs-accesskey-id"] = key.id
        headers["x-acs-security-token"] = key.security_token
    request.headers = headers
    authorization = signer.get_authorization(request, _ALGORITHM, digest, key.id, key.secret)
    url = "https://%s/?%s" % (host, urlencode(query, quote_via=quote))
    # The size of a compressed answer is not known before it is decompressed, so it could not be limited.
    unsigned = {"accept-encoding": "identity", "user-agent": "fleetops.aliyun_iot"}
    return url, body, {**headers, **unsigned, "Authorization": authorization}


class Masked:
    """Replaces an AccessKey's secrets in a text by ``***``, plain ones and those that are percent-encoded, once or repeatedly."""

    def __init__(self, secrets_: t.Iterable[str]) -> None:
        self._patterns = [re.compile("".join(map(_any_form, secret))) for secret in secrets_ if secret]

    def __call__(self, text: str) -> str:
        for pattern in self._patterns:
            text = pattern.sub("***", text)
        return text


def _any_form(character: str) -> str:
    encoded = "".join("%%(?:25)*(?i:%02X)" % octet for octet in character.encode("utf-8"))
    return "(?:%s|%s)" % (encoded, re.escape(character))
