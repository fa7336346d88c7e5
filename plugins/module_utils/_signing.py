# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and signatures of dynamic registration: pure functions. PRIVATE to the collection.

Source: "Dynamically register a directly connected device based on unique-certificate-per-product authentication" in the
developer reference of Alibaba Cloud IoT Platform.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import typing as t
from urllib.parse import urlencode

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption

_DIGESTS: dict[str, t.Callable[..., t.Any]] = {
    "hmacmd5": hashlib.md5,
    "hmacsha1": hashlib.sha1,
    "hmacsha256": hashlib.sha256,
}
SIGN_METHODS = tuple(_DIGESTS)

DEVICE_NAME = re.compile(r"[A-Za-z0-9_.:@-]{4,32}")
PRODUCT_KEY = re.compile(r"[A-Za-z0-9]{1,32}")
_PRODUCT_SECRET = re.compile(r"[!-~]{1,64}")
_RANDOM = string.ascii_letters + string.digits


def check_device_name(name: str) -> str:
    """Return ``name`` if the platform takes it as a DeviceName.

    :raises InvalidOption: fewer than 4 or more than 32 characters, or one that is not ``A-Z a-z 0-9 - _ @ . :``
    """
    if not DEVICE_NAME.fullmatch(name):
        raise InvalidOption(
            "device_name",
            name,
            "is not a DeviceName (%d characters)" % len(name),
            "Use 4 to 32 of the characters A-Z a-z 0-9 - _ @ . : and no others",
        )
    return name


def check_product_key(key: str) -> str:
    """Return ``key`` if it can be a ProductKey.

    :raises InvalidOption: empty, longer than 32 characters, or one that is no ASCII letter or digit
    """
    if not PRODUCT_KEY.fullmatch(key):
        raise InvalidOption(
            "product_key", key, "is not a ProductKey", "Copy it from the Product Details page in the console"
        )
    return key


def check_product_secret(secret: str | None) -> str:
    """Return ``secret`` if it can be a ProductSecret. The message never holds it.

    :raises InvalidOption: missing, or not 1 to 64 printable ASCII characters without blanks
    """
    if not secret:
        raise InvalidOption(
            "product_secret",
            None,
            "is missing",
            "A registration is signed with it; copy it from the Product Details page in the console into a vault",
        )
    if not _PRODUCT_SECRET.fullmatch(secret):
        raise InvalidOption(
            "product_secret",
            None,
            "has a blank, a line break or another character that no ProductSecret has",
            "Copy it again from the Product Details page in the console; a vault file often adds a line break",
        )
    return secret


def sign(parameters: t.Mapping[str, str], secret: str, sign_method: str) -> str:
    """Sign ``parameters`` of a registration or a login: upper-case hexadecimal HMAC.

    :raises InvalidOption: ``sign_method`` is none of :data:`SIGN_METHODS`
    """
    if sign_method not in _DIGESTS:
        raise InvalidOption("sign_method", sign_method, "is unknown", "Use one of %s" % ", ".join(SIGN_METHODS))
    content = signed_content(parameters).encode("utf-8")
    return hmac.new(secret.encode("utf-8"), content, _DIGESTS[sign_method]).hexdigest().upper()


def signed_content(parameters: t.Mapping[str, str]) -> str:
    """What is signed: each name followed by its value, in alphabetical order, without ``sign`` and ``signMethod``, raw (not
    percent-encoded) UTF-8.
    """
    return "".join(name + parameters[name] for name in sorted(parameters) if name not in ("sign", "signMethod"))


def registration_body(
    product_key: str, product_secret: str, device_name: str, sign_method: str, random: str | None = None
) -> str:
    """The form that asks for a DeviceSecret: percent-encoded, signed over the raw values.

    :param random: 16 letters and digits from the system's source of randomness if not given
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
    """What makes each registration another: 16 letters and digits from the system's source of randomness."""
    return "".join(secrets.choice(_RANDOM) for _i in range(16))


def fingerprint(product_key: str, device_name: str, device_secret: str) -> str:
    """What stands for a DeviceSecret in results: 16 hexadecimal digits of SHA-256 over the whole certificate."""
    text = "fleetops:%s:%s:%s" % (product_key, device_name, device_secret)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
