# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions to the platform about a product's devices. For the controller. PRIVATE to the collection.

Its answers contain every DeviceSecret in clear text. Only :func:`device_secrets` returns them; nothing else of this module does.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import asdict, dataclass

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import STATUS, TIME, OpenApiAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi, numbered
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.quotas import qps
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    check_device_name,
    check_product_key,
    fingerprint,
    is_device_secret,
)

# The platform's maxima.
NAMES_PER_QUERY = 100
PAGE_SIZE = 50
# What the platform writes into its fields.
TOKEN = "[!-~]{0,4096}"
IOT_ID = "[A-Za-z0-9._+/=-]{0,64}"
ANY_SECRET = "[ -~]{0,256}"


@dataclass(frozen=True)
class Device:
    """One device, without its secret. ``activated`` says whether it has ever connected, ``created`` is a time in UTC."""

    device_name: str
    status: str
    activated: bool | None
    nickname: str
    iot_id: str
    created: str
    fingerprint: str

    def as_result(self) -> dict[str, t.Any]:
        return asdict(self)


def checked_names(names: t.Collection[str]) -> tuple[list[str], list[tuple[str, FleetopsError]]]:
    """Return the valid names, in their order, and the malformed and repeated ones, each once, with its error."""
    valid = []
    wrong: list[tuple[str, FleetopsError]] = []
    for name, count in Counter(names).items():
        try:
            _checked_name(name)
            if count > 1:
                raise InvalidOption("names", name, "is listed twice", "List every name once")
            valid.append(name)
        except InvalidOption as error:
            wrong.append((name, error))
    return valid, wrong


def _checked_name(name: str) -> str:
    """Return a name of the option C(names) if it is a DeviceName."""
    try:
        return check_device_name(name)
    except InvalidOption as error:
        raise InvalidOption("names", name, "is not a DeviceName (%d characters)" % len(name), error.hint) from None


def devices_as_asked(api: OpenApi, product_key: str, names: t.Sequence[str] | None) -> dict[str, Device]:
    """Return those of the devices that exist, by name, or all of the product if ``names`` is None.

    :raises InvalidOption: a name is malformed
    """
    check_product_key(product_key)
    if names is None:
        return all_devices(api, product_key)
    different = list(dict.fromkeys(map(_checked_name, names)))
    return named_devices(api, product_key, different) if different else {}


def named_devices(api: OpenApi, product_key: str, names: t.Sequence[str]) -> dict[str, Device]:
    """Return those of the devices that exist, by name, with the calls that take the least time within the quotas.

    :param names: valid and different
    """
    by_name = chunks(names, NAMES_PER_QUERY)
    if len(by_name) > 1:
        pages = _pages(api, product_key)
        first, total = next(pages)
        if -(-total // PAGE_SIZE) / qps("QueryDevice") < len(by_name) / qps("BatchQueryDeviceDetail"):
            wanted = set(names)
            items = [item for page in [first, *(page for page, _total in pages)] for item in page.items()]
            return _with_details(api, product_key, (item for item in items if item[0] in wanted))
    return {name: _device(product_key, name, item) for name, item in _details(api, product_key, names)}


def all_devices(api: OpenApi, product_key: str) -> dict[str, Device]:
    """Return every device of a product, by name, the newest first."""
    items = (item for page, _total in _pages(api, product_key) for item in page.items())
    return _with_details(api, product_key, items)


def device_secrets(api: OpenApi, product_key: str, names: t.Sequence[str]) -> dict[str, str]:
    """Return the DeviceSecrets that are valid now, by DeviceName; those that do not exist are left out. Keep them out of results.

    :raises BadAnswer: the platform's answer contains an invalid one
    """
    found = {}
    for name, item in _details(api, product_key, names):
        secret = item.matching("DeviceSecret", ANY_SECRET)
        if not is_device_secret(secret):
            raise item.wrong("DeviceSecret", "is not a valid DeviceSecret")
        found[name] = secret
    return found


def sub_devices(api: OpenApi, product_key: str, device_name: str) -> int:
    """Return how many sub-devices there are in a gateway's topology.

    :raises BadAnswer: the answer does not contain the number
    """
    asked: dict[str, str | int] = {"ProductKey": product_key, "DeviceName": device_name, "PageNo": 1, "PageSize": 1}
    return api.call("GetThingTopo", asked).inner("Data").count("Total")


def chunks(names: t.Sequence[str], size: int) -> list[t.Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def _details(api: OpenApi, product_key: str, names: t.Sequence[str]) -> t.Iterator[tuple[str, OpenApiAnswer]]:
    """Yield those of the devices that exist, each with its name."""
    for some in chunks(names, NAMES_PER_QUERY):
        answer = api.call("BatchQueryDeviceDetail", {"ProductKey": product_key, **numbered("DeviceName", some)})
        items = answer.inner("Data").objects("Data", NAMES_PER_QUERY)
        named = [(_name(product_key, item), item) for item in items]
        if len(dict(named)) < len(named) or not set(dict(named)) <= set(some):
            raise answer.wrong("Data", "contains devices that were not requested")
        yield from named


def _pages(api: OpenApi, product_key: str) -> t.Iterator[tuple[dict[str, OpenApiAnswer], int]]:
    """Yield a product's devices, page by page and by name, each page with the number of all. Beyond 10,000 the
    platform needs the token of the page before.

    Devices of an earlier page are left out: they move to later pages when others are added. A page without new devices is the last one.

    :raises BadAnswer: the number is missing or less than the devices, so that the list would be cut
    """
    asked: dict[str, str | int] = {"ProductKey": product_key, "CurrentPage": 1, "PageSize": PAGE_SIZE}
    seen: set[str] = set()
    page, total = 1, 0
    while True:
        answer = api.call("QueryDevice", {**asked, "CurrentPage": page}, depth=page * PAGE_SIZE)
        total = max(
            total, answer.count("Total")
        )  # it falls when others remove devices that are already in an earlier page
        items = answer.inner("Data").objects("DeviceInfo", PAGE_SIZE)
        new = {name: item for name, item in ((_name(product_key, item), item) for item in items) if name not in seen}
        seen.update(new)
        check_total(answer, total, len(seen))
        yield new, total
        if not new or page * PAGE_SIZE >= total:
            return
        if token := answer.matching("NextToken", TOKEN):
            asked["NextToken"] = token
        page += 1


def check_total(answer: OpenApiAnswer, total: int, seen: int) -> None:
    """Check the number of all entries of a list against those that its pages have contained so far.

    :raises BadAnswer: it is less, or there are no entries although it is not 0
    """
    if total < seen or (total and not seen):
        raise answer.wrong("Total", "is %d, but the list has %d entries so far" % (total, seen))


def _with_details(api: OpenApi, product_key: str, items: t.Iterable[tuple[str, OpenApiAnswer]]) -> dict[str, Device]:
    """Return the devices of a list, by name. Query the details of disabled ones: a list does not show whether they have ever connected."""
    devices = {name: _device(product_key, name, item) for name, item in items}
    unclear = [name for name, device in devices.items() if device.activated is None]
    devices.update((name, _device(product_key, name, item)) for name, item in _details(api, product_key, unclear))
    return devices


def _name(product_key: str, item: OpenApiAnswer) -> str:
    """Return the name of a device, which is one of the product's."""
    if item.text("ProductKey") not in ("", product_key):
        raise item.wrong("ProductKey", "is that of another product")
    name = item.matching("DeviceName", TOKEN)
    try:
        return check_device_name(name)
    except InvalidOption:
        raise item.wrong("DeviceName", "is not a DeviceName") from None


def _device(product_key: str, device_name: str, item: OpenApiAnswer) -> Device:
    status = item.matching("DeviceStatus", STATUS) or item.matching("Status", STATUS)
    if not status:
        raise item.wrong("Status", "is missing")
    activated = {"UNACTIVE": False, "ONLINE": True, "OFFLINE": True}.get(status)
    if activated is None and "UtcActive" in item:
        activated = bool(item.matching("UtcActive", TIME))
    secret = item.matching("DeviceSecret", ANY_SECRET)
    return Device(
        device_name=device_name,
        status=status,
        activated=activated,
        nickname=item.text("Nickname"),
        iot_id=item.matching("IotId", IOT_ID),
        created=item.matching("UtcCreate", TIME),
        # Empty without a secret, so that it equals no gateway's fingerprint.
        fingerprint=fingerprint(product_key, device_name, secret) if secret else "",
    )
