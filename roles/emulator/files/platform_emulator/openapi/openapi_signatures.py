# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The string that a request signs, computed from the request.

V1, HMAC-SHA1: https://www.alibabacloud.com/help/doc-detail/30563.htm
V3, ACS3-HMAC-SHA256: https://help.aliyun.com/document_detail/2593177.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from platform_emulator.openapi.message import V3, Message
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal, invalid, not_supplied

V1_PARAMETERS = ("AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp")
V3_HEADERS = ("x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256")
AUTHORIZATION = re.compile(rf"{V3} Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)")


@dataclass(frozen=True)
class Signed:
    """The access key, the time and the signature of a request."""

    access_key_id: str
    security_token: str = field(repr=False)
    timestamp: str
    nonce: str
    signature: str = field(repr=False)
    string_to_sign: str = field(repr=False)

    def is_right(self, secret: str) -> bool:
        """Return whether the signature is the one with this secret; takes the same time either way."""
        return hmac.compare_digest(self.right_signature(secret).encode(), self.signature.encode())

    def right_signature(self, secret: str) -> str:
        raise NotImplementedError

    def mismatch(self) -> OpenApiRefusal:
        """Return the refusal of a wrong signature, with the string that the server signed, so that clients can compare."""
        raise NotImplementedError


@dataclass(frozen=True)
class SignedV1(Signed):
    def right_signature(self, secret: str) -> str:
        digest = hmac.digest(f"{secret}&".encode(), self.string_to_sign.encode(), "sha1")
        return base64.b64encode(digest).decode()

    def mismatch(self) -> OpenApiRefusal:
        # aliyun-python-sdk-core 2.16.1 compares the text between the first colon and the next.
        text = (
            f"Specified signature is not matched with our calculation. server string to sign is:{self.string_to_sign}"
        )
        return OpenApiRefusal("SignatureDoesNotMatch", text)


@dataclass(frozen=True)
class SignedV3(Signed):
    canonical_request: str = field(repr=False)
    is_hash_of_body: bool

    def is_right(self, secret: str) -> bool:
        return self.is_hash_of_body and super().is_right(secret)

    def right_signature(self, secret: str) -> str:
        return hmac.new(secret.encode(), self.string_to_sign.encode(), "sha256").hexdigest()

    def mismatch(self) -> OpenApiRefusal:
        text = "Specified signature does not match our calculation."
        calculation = f"server StringToSign is [{self.string_to_sign}] server CanonicalRequest is"
        return OpenApiRefusal("SignatureDoesNotMatch", f"{text} {calculation} [{self.canonical_request}]")


def signed(message: Message) -> Signed:
    """Return the signature of a request; raises OpenApiRefusal if a part of it is missing."""
    return _signed_v3(message) if message.is_v3 else _signed_v1(message)


def _signed_v1(message: Message) -> SignedV1:
    parameters = message.parameters
    for name in V1_PARAMETERS:
        if not parameters.get(name):
            raise not_supplied(name)
    if parameters["SignatureMethod"].upper() != "HMAC-SHA1":
        raise invalid("SignatureMethod")
    if parameters["SignatureVersion"] != "1.0":
        raise invalid("SignatureVersion")
    covered = {name: value for name, value in parameters.items() if name != "Signature"}
    return SignedV1(
        access_key_id=parameters["AccessKeyId"],
        security_token=parameters.get("SecurityToken", ""),
        timestamp=parameters["Timestamp"],
        nonce=parameters["SignatureNonce"],
        signature=parameters["Signature"],
        string_to_sign="&".join((message.method, encoded("/"), encoded(canonical_query(covered)))),
    )


def _signed_v3(message: Message) -> SignedV3:
    headers = message.headers
    for name in V3_HEADERS:
        if not headers.get(name):
            raise not_supplied(name)
    authorization = AUTHORIZATION.fullmatch(headers["Authorization"])
    if authorization is None:
        raise OpenApiRefusal("IncompleteSignature")
    access_key_id, names, signature = authorization.groups()
    covered = names.split(";")
    if not covered_enough(covered, headers):
        raise OpenApiRefusal("IncompleteSignature")
    digest = hashlib.sha256(message.body).hexdigest()
    canonical_request = "\n".join(
        (
            message.method,
            "/",
            canonical_query(message.query),
            "".join(f"{name}:{','.join(headers.getall(name, ['']))}\n" for name in sorted(covered)),
            names,
            digest,
        )
    )
    return SignedV3(
        access_key_id=access_key_id,
        security_token=headers.get("x-acs-security-token", ""),
        timestamp=headers["x-acs-date"],
        nonce=headers["x-acs-signature-nonce"],
        signature=signature,
        string_to_sign=f"{V3}\n{hashlib.sha256(canonical_request.encode()).hexdigest()}",
        canonical_request=canonical_request,
        is_hash_of_body=headers["x-acs-content-sha256"] == digest,
    )


def covered_enough(covered: list[str], headers: Mapping[str, str]) -> bool:
    """Return whether the required headers are signed: the host and every x-acs- header."""
    return {"host", *(name.lower() for name in headers if name.lower().startswith("x-acs-"))} <= set(covered)


def canonical_query(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{encoded(name)}={encoded(parameters[name])}" for name in sorted(parameters))


def encoded(text: str) -> str:
    """Return the text percent-encoded by RFC 3986: only letters, digits and - _ . ~ stay."""
    return quote(text, safe="-_.~")
