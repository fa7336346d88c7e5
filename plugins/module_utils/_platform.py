# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regions of the platform, and the rules for its names and secrets. PRIVATE to the collection.

Source of the names: "Dynamically register a directly connected device based on unique-certificate-per-product authentication" in the
developer reference of Alibaba Cloud IoT Platform.
"""

from __future__ import annotations

import re

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption

HTTPS_REGIONS = ("ap-northeast-1", "ap-southeast-1", "cn-shanghai", "eu-central-1", "us-east-1", "us-west-1")
MQTT_ONLY_REGIONS = ("cn-beijing", "cn-shenzhen")
REGIONS = tuple(sorted(HTTPS_REGIONS + MQTT_ONLY_REGIONS))
# Where devices may register without having been added (regnwl).
REGNWL_REGIONS = ("cn-beijing", "cn-shanghai")
# Bytes of the answer to a registration or a login.
LONGEST_ANSWER = 65536

DEVICE_NAME = re.compile(r"[A-Za-z0-9_.:@-]{4,32}")
PRODUCT_KEY = re.compile(r"[A-Za-z0-9]{1,32}")
_PRODUCT_SECRET = re.compile(r"[!-~]{1,64}")
# A secret is stored in JSON and exported to shell and property files without quotes, so no character may need quotes there.
# '~' is not allowed, since a shell expands it at the start of an assignment.
DEVICE_SECRET = re.compile(r"[A-Za-z0-9._+/=-]{1,64}")
CLIENT_ID = re.compile(r"[A-Za-z0-9._+/=^@:,%-]{1,64}")
DEVICE_TOKEN = re.compile(r"[A-Za-z0-9._+/=^@:,%-]{1,256}")


def check_device_name(name: str) -> str:
    """Return ``name`` if it is a valid DeviceName.

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
    """Return ``secret`` if it can be a ProductSecret. The message never contains it.

    :raises InvalidOption: missing, or not 1 to 64 printable ASCII characters without blanks
    """
    if not secret:
        raise InvalidOption(
            "product_secret",
            None,
            "is missing",
            "A registration is signed with it; copy it from the Product Details page in the console into a vault, or let the "
            "playbooks read it with an account (platform_product_secret: from_account)",
        )
    if not _PRODUCT_SECRET.fullmatch(secret):
        raise InvalidOption(
            "product_secret",
            None,
            "contains whitespace or a character that is not allowed in a ProductSecret",
            "Copy it again from the Product Details page in the console; a vault file often adds a line break",
        )
    return secret


def is_device_secret(value: object) -> bool:
    """Return whether ``value`` can be a DeviceSecret: up to 64 letters, digits and ``-_.+/=``."""
    return isinstance(value, str) and bool(DEVICE_SECRET.fullmatch(value))


def is_client_id(value: object) -> bool:
    """Return whether ``value`` can be the client id of a device token: the token's characters, up to 64."""
    return isinstance(value, str) and bool(CLIENT_ID.fullmatch(value))


def is_device_token(value: object) -> bool:
    """Return whether ``value`` can be a device token: up to 256 of a DeviceSecret's characters and ``^@:,%``."""
    return isinstance(value, str) and bool(DEVICE_TOKEN.fullmatch(value))


def check_region(region: str | None, alternative: str) -> str:
    """Return ``region`` if it is one of REGIONS.

    :param alternative: the option that can be set instead
    :raises InvalidOption: it is unknown. The hint lists all regions, and the one that was probably meant
    """
    hint = "Use one of %s" % ", ".join(REGIONS)
    if not region:
        raise InvalidOption("region", None, "is missing, and %s is not set" % alternative, hint)
    if region in REGIONS:
        return region
    from difflib import get_close_matches

    close = get_close_matches(region.lower(), REGIONS, n=1)
    raise InvalidOption(
        "region", region, "is not a region of IoT Platform", "Did you mean %s? %s" % (close[0], hint) if close else hint
    )


def check_instance_id(instance_id: str) -> str:
    """Return ``instance_id`` if it can be an instance's.

    :raises InvalidOption: it is longer than 63 characters, which no host's name can be, or has a character that no ID has
    """
    if (
        not instance_id.replace("-", "").replace("_", "").isalnum()
        or not instance_id.isascii()
        or len(instance_id) > 63
    ):
        raise InvalidOption(
            "instance_id",
            instance_id,
            "is not the ID of an instance",
            "Copy it from the Overview page of the instance in the console; a public instance without an ID needs none",
        )
    return instance_id


def fingerprint(product_key: str, device_name: str, device_secret: str) -> str:
    """Return the fingerprint that represents a DeviceSecret in results: 16 hexadecimal digits of SHA-256 over the whole certificate."""
    import hashlib  # lazily, because gateways that register do not need it

    text = "fleetops:%s:%s:%s" % (product_key, device_name, device_secret)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
