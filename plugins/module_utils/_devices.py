# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the platform knows of a product's devices. For the controller. PRIVATE to the collection.

Its answers hold every DeviceSecret in clear. None gets past this file, but through :func:`device_secrets`.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import Answer, OpenApi, numbered
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._quotas import qps
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._signing import (
    check_device_name,
    check_product_key,
    fingerprint,
)

# The platform's maxima.
NAMES_PER_QUERY = 100
PAGE_SIZE = 50


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


def checked_names(names: t.Iterable[str]) -> tuple[list[str], list[tuple[str, FleetopsError]]]:
    """Names that can be asked for, in their order, and those that can't be, with what is wrong: malformed or repeated."""
    valid: dict[str, None] = {}
    wrong = []
    for name in names:
        try:
            if check_device_name(name) in valid:
                raise InvalidOption("names", name, "stands in the list twice", "Give every device a name of its own")
            valid[name] = None
        except FleetopsError as error:
            wrong.append((name, error))
    return list(valid), wrong


def devices_as_asked(api: OpenApi, product_key: str, names: t.Sequence[str] | None) -> dict[str, Device]:
    """Those of the devices that exist, or all of the product if ``names`` is None.

    :raises InvalidOption: a name that can't be one
    """
    check_product_key(product_key)
    if names is None:
        return all_devices(api, product_key)
    different = list(dict.fromkeys(check_device_name(name) for name in names))
    return named_devices(api, product_key, different) if different else {}


def named_devices(api: OpenApi, product_key: str, names: t.Sequence[str]) -> dict[str, Device]:
    """Those of the devices that exist, by their names, in whichever way takes the quotas less time.

    :param names: valid and different
    """
    by_name = chunks(names, NAMES_PER_QUERY)
    if len(by_name) > 1:
        pages = _pages(api, product_key)
        first, total = next(pages)
        if -(-total // PAGE_SIZE) / qps("QueryDevice") < len(by_name) / qps("BatchQueryDeviceDetail"):
            wanted = set(names)
            items = [item for page in [first, *(page for page, _total in pages)] for item in page]
            return _with_details(api, product_key, (item for item in items if item["DeviceName"] in wanted))
    return {item["DeviceName"]: _device(product_key, item) for item in _details(api, product_key, names)}


def all_devices(api: OpenApi, product_key: str) -> dict[str, Device]:
    """Every device of a product, by its name, the newest first."""
    items = (item for page, _total in _pages(api, product_key) for item in page)
    return _with_details(api, product_key, items)


def device_secrets(api: OpenApi, product_key: str, names: t.Sequence[str]) -> dict[str, str]:
    """The DeviceSecrets that are valid now, by DeviceName; those that do not exist are left out. Keep them out of results."""
    return {item["DeviceName"]: item["DeviceSecret"] for item in _details(api, product_key, names)}


def sub_devices(api: OpenApi, product_key: str, device_name: str) -> int:
    """How many sub-devices there are in a gateway's topology."""
    asked: dict[str, str | int] = {"ProductKey": product_key, "DeviceName": device_name, "PageNo": 1, "PageSize": 1}
    return int((api.call("GetThingTopo", asked).get("Data") or {}).get("Total") or 0)


def chunks(names: t.Sequence[str], size: int) -> list[t.Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def _details(api: OpenApi, product_key: str, names: t.Sequence[str]) -> t.Iterator[Answer]:
    for some in chunks(names, NAMES_PER_QUERY):
        answer = api.call("BatchQueryDeviceDetail", {"ProductKey": product_key, **numbered("DeviceName", some)})
        yield from (answer.get("Data") or {}).get("Data") or []


def _pages(api: OpenApi, product_key: str) -> t.Iterator[tuple[list[Answer], int]]:
    """A product's devices, page by page, each with the number of all. Beyond 10,000 only the token leads on."""
    asked: dict[str, str | int] = {"ProductKey": product_key, "CurrentPage": 1, "PageSize": PAGE_SIZE}
    page = 1
    while True:
        answer = api.call("QueryDevice", {**asked, "CurrentPage": page}, depth=page * PAGE_SIZE)
        total = int(answer.get("Total") or 0)
        items = (answer.get("Data") or {}).get("DeviceInfo") or []
        yield items, total
        if not items or page * PAGE_SIZE >= total:
            return
        if answer.get("NextToken"):
            asked["NextToken"] = answer["NextToken"]
        page += 1


def _with_details(api: OpenApi, product_key: str, items: t.Iterable[Answer]) -> dict[str, Device]:
    """Devices of a list. It does not tell of a disabled one whether it has ever connected; its details do."""
    devices = {item["DeviceName"]: _device(product_key, item) for item in items}
    unclear = [name for name, device in devices.items() if device.activated is None]
    devices.update((item["DeviceName"], _device(product_key, item)) for item in _details(api, product_key, unclear))
    return devices


def _device(product_key: str, item: Answer) -> Device:
    status = str(item.get("DeviceStatus") or item.get("Status") or "")
    activated = {"UNACTIVE": False, "ONLINE": True, "OFFLINE": True}.get(status)
    if activated is None and "UtcActive" in item:
        activated = bool(item["UtcActive"])
    return Device(
        device_name=item["DeviceName"],
        status=status,
        activated=activated,
        nickname=str(item.get("Nickname") or ""),
        iot_id=str(item.get("IotId") or ""),
        created=str(item.get("UtcCreate") or ""),
        fingerprint=fingerprint(product_key, item["DeviceName"], str(item.get("DeviceSecret") or "")),
    )
