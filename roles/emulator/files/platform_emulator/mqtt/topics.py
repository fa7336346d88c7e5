# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Topics: those of a device, and those that a filter matches.

https://help.aliyun.com/document_detail/197770.htm,
https://alibabacloud.com/en/developer/a/iot/topics-for-iot-platform-communication
"""

from __future__ import annotations

from collections.abc import Iterable

# A device's own topics begin with these; the two places are ProductKey and DeviceName.
OWN = (
    "/{}/{}/",
    "/sys/{}/{}/",
    "/shadow/get/{}/{}",
    "/shadow/update/{}/{}",
    "/ota/device/inform/{}/{}",
    "/ota/device/progress/{}/{}",
    "/ota/device/request/{}/{}",
    "/ota/device/upgrade/{}/{}",
    "/ext/error/{}/{}",
    "/ext/ntp/{}/{}/",
    "/ext/session/{}/{}/",
)
# Topics on which the platform sends to all devices, or to one device without its name.
SHARED = ("/broadcast/{}/", "/ext/rrpc/")

PROPERTY_POST = "/sys/{}/{}/thing/event/property/post"


def is_own(topic: str, product_key: str, device_name: str) -> bool:
    """Return whether the device may publish to the topic."""
    return _begins(topic, OWN, product_key, device_name)


def may_subscribe(topic_filter: str, product_key: str, device_name: str) -> bool:
    """Return whether the filter matches only topics that the device may subscribe to."""
    return _is_filter(topic_filter) and _begins(topic_filter, (*OWN, *SHARED), product_key, device_name)


def matches(topic: str, topic_filter: str) -> bool:
    """Return whether the filter, with + for one level and # for the rest, matches the topic."""
    levels, wanted = topic.split("/"), topic_filter.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(levels) == len(wanted) and all(want in ("+", level) for level, want in zip(levels, wanted, strict=True))


def _begins(topic: str, prefixes: Iterable[str], product_key: str, device_name: str) -> bool:
    """Return whether the topic begins with one of the prefixes, or is one that does not end with a slash."""
    for prefix in prefixes:
        own = prefix.format(product_key, device_name)
        if topic.startswith(own if own.endswith("/") else f"{own}/") or topic == own:
            return True
    return False


def _is_filter(topic_filter: str) -> bool:
    """Return whether the filter is valid: a wildcard is a level of its own, and # is only the last level."""
    *levels, last = topic_filter.split("/")
    return all(level == "+" or not set(level) & set("+#") for level in levels) and (
        last in ("+", "#") or not set(last) & set("+#")
    )
