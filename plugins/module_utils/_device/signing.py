# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures of dynamic registration: pure functions. PRIVATE to the collection.

Source: "Dynamically register a directly connected device based on unique-certificate-per-product authentication" in the
developer reference of Alibaba Cloud IoT Platform.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import typing as t
from urllib.parse import urlencode

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption

_DIGESTS: dict[str, t.Callable[..., t.Any]] = {
    "hmacmd5": hashlib.md5,
    "hmacsha1": hashlib.sha1,
    "hmacsha256": hashlib.sha256,
}
SIGN_METHODS = tuple(_DIGESTS)


def sign(parameters: t.Mapping[str, str], secret: str, sign_method: str) -> str:
    """Sign ``parameters`` of a registration or a login: upper-case hexadecimal HMAC.

    :raises InvalidOption: ``sign_method`` is none of :data:`SIGN_METHODS`
    """
    if sign_method not in _DIGESTS:
        raise InvalidOption("sign_method", sign_method, "is unknown", "Use one of %s" % ", ".join(SIGN_METHODS))
    content = signed_content(parameters).encode("utf-8")
    return hmac.new(secret.encode("utf-8"), content, _DIGESTS[sign_method]).hexdigest().upper()


def signed_content(parameters: t.Mapping[str, str]) -> str:
    """Return the string to sign: each name followed by its value, in alphabetical order, without ``sign`` and ``signMethod``, raw (not
    percent-encoded) UTF-8.
    """
    return "".join(name + parameters[name] for name in sorted(parameters) if name not in ("sign", "signMethod"))


def registration_body(
    product_key: str, product_secret: str, device_name: str, sign_method: str, random: str | None = None
) -> str:
    """Return the form that asks for a DeviceSecret: percent-encoded, signed over the raw values.

    :param random: 16 hexadecimal digits from the system's source of randomness if not given
    """
    parameters = {
        "productKey": product_key,
        "deviceName": device_name,
        "random": random or new_random(),
    }
    parameters["sign"] = sign(parameters, product_secret, sign_method)
    parameters["signMethod"] = sign_method
    return urlencode(parameters)


def new_random() -> str:
    """Return 16 hexadecimal digits from the system's source of randomness, so that no two signatures are alike."""
    return secrets.token_hex(8)
