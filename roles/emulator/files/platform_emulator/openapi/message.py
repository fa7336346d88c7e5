# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP request to the OpenAPI, before it is authenticated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from aiohttp import web
from multidict import CIMultiDict

from platform_emulator.forms import FORM_TYPE, form_pairs
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal

METHODS = ("GET", "POST")
BODY_LIMIT = 4 * 1024 * 1024  # bytes; ten thousand names with nicknames take less
V3 = "ACS3-HMAC-SHA256"


@dataclass(frozen=True)
class Message:
    """A request. Its parameters are in the query, in a form, or in both; with signature V3 the action is in a header."""

    method: str
    query: Mapping[str, str]
    headers: CIMultiDict[str]
    body: bytes

    @property
    def is_v3(self) -> bool:
        return self.headers.get("Authorization", "").startswith(V3)

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        form_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return {**self.query, **(_parameters(self.body) if form_type == FORM_TYPE else {})}

    @property
    def action(self) -> str:
        return self.headers.get("x-acs-action", "") if self.is_v3 else self.parameters.get("Action", "")

    @property
    def version(self) -> str:
        return self.headers.get("x-acs-version", "") if self.is_v3 else self.parameters.get("Version", "")

    @property
    def host(self) -> str:
        return self.headers.get("Host", "")

    @property
    def wants_xml(self) -> bool:
        """Return whether the answer is in XML: for V1 unless JSON is requested, for V3 if only XML is requested."""
        if self.is_v3:
            return "xml" in self.headers.get("Accept", "") and "json" not in self.headers["Accept"]
        return self.parameters.get("Format", "XML").upper() != "JSON"


def head(request: web.Request) -> Message:
    """Return the request without its body."""
    query = request.raw_path.partition("?")[2]
    # aiohttp hands on bytes that are not UTF-8 as surrogates, which neither an answer nor the store can hold.
    headers = CIMultiDict((name, value.encode(errors="replace").decode()) for name, value in request.headers.items())
    return Message(request.method, _parameters(query.encode()), headers, b"")


async def with_body(message: Message, request: web.Request) -> Message:
    """Return the whole request; raises OpenApiRefusal."""
    if message.method not in METHODS:
        raise OpenApiRefusal("UnsupportedHTTPMethod")
    try:
        return replace(message, body=await request.clone(client_max_size=BODY_LIMIT).read())
    except web.HTTPRequestEntityTooLarge:
        raise OpenApiRefusal("RequestEntityTooLarge") from None
    except web.RequestPayloadError:  # it is not in its Content-Encoding
        raise OpenApiRefusal("InvalidRequestBody") from None


def _parameters(text: bytes) -> dict[str, str]:
    return {name: value for name, value in form_pairs(text) if name}
