# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add many devices at once: names are checked, then devices are created, both while the client polls the status.

https://www.alibabacloud.com/help/doc-detail/69482.htm, .../69483.htm, .../69514.htm
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from platform_emulator.openapi import pages
from platform_emulator.openapi.call import Call
from platform_emulator.openapi.devices import nickname_is_right
from platform_emulator.openapi.openapi_effects import failing
from platform_emulator.openapi.openapi_refusals import BUSINESS, OpenApiRefusal, invalid
from platform_emulator.products import DEVICE_NAME_PATTERN, Device, new_device_name

AT_MOST = 10_000


@dataclass(frozen=True)
class Application:
    """Names for which devices are wanted. Its status changes after `polls` more queries.

    `failing` are the names that a fault makes fail then, `errors` the names that have failed, with the reason.
    """

    product_key: str
    names: list[str]
    nicknames: dict[str, str]
    status: str
    polls: int
    failing: list[str]
    errors: dict[str, str] = field(default_factory=dict)
    number: int = 0


def batch_check_device_names(call: Call) -> Mapping[str, object]:
    product = call.product()
    names, nicknames = _wanted(call)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    malformed = [name for name in names if not re.fullmatch(DEVICE_NAME_PATTERN, name)]
    misnamed = {name: nickname for name, nickname in nicknames.items() if not nickname_is_right(nickname)}
    if malformed or misnamed:
        raise _rejected("iot.device.InvalidFormattedDeviceName", malformed, misnamed, repeated)
    if repeated:
        raise _rejected("iot.device.AlreadyExistedDeviceName", malformed, misnamed, repeated)
    return _started(call, Application(product.product_key, names, nicknames, "CHECK", 0, []))


def batch_register_device_with_apply_id(call: Call) -> Mapping[str, object]:
    """Start the registration of names after a query has returned that they are checked; only once."""
    application = _of_product(call)
    if application.status == "CREATE":
        raise OpenApiRefusal("iot.device.CreateDeviceTaskIsRunning")
    if application.status != "CHECK_SUCCESS":
        raise OpenApiRefusal("iot.device.IncorrentDeviceApplyInfo")
    return _started(call, replace(application, status="CREATE"))


def batch_register_device(call: Call) -> Mapping[str, object]:
    """Register devices with random names."""
    product = call.product()
    if call.number("Count") < 1:
        raise invalid("Count")
    if call.number("Count") > AT_MOST:
        raise OpenApiRefusal("iot.device.DeviceCountExceeded")
    names = [new_device_name() for _index in range(call.number("Count"))]
    return _started(call, Application(product.product_key, names, {}, "CREATE", 0, []))


def query_batch_register_device_status(call: Call) -> Mapping[str, object]:
    """Return the state of an application; the lists of names are empty unless it failed."""
    application = _queried(call, _of_product(call))
    errors = application.errors
    valid = [name for name in application.names if name not in errors] if errors else []
    return {
        "Data": {
            "Status": application.status,
            "ValidList": {"Name": valid},
            "InvalidList": {"Name": list(errors)},
            "InvalidDetailList": {
                "invalidDetailList": [_error(*error, application.nicknames) for error in errors.items()]
            },
        }
    }


def query_page_by_apply_id(call: Call) -> Mapping[str, object]:
    """Return the devices that were created, in the order of their names in the application."""
    page = pages.asked(call, 50, optional=True)
    application = _queried(call, _named(call))
    created = application.names if application.status.startswith("CREATE_") else []
    names = [name for name in created if name not in application.errors]
    found = [call.store.device(application.product_key, name) for name in names[page.offset :][: page.size]]
    return {
        "ApplyDeviceList": {"ApplyDeviceInfo": [_created(device) for device in found if device]},
        "Page": page.number,
        "PageSize": page.size,
        "PageCount": page.count(len(names)),
        "Total": len(names),
    }


def _wanted(call: Call) -> tuple[list[str], dict[str, str]]:
    """Return the names of a call and their nicknames; DeviceNameList takes precedence over DeviceName."""
    listed = {
        key: value
        for key, value in call.parameters.items()
        if re.fullmatch(r"DeviceNameList\.[0-9]{1,9}\.DeviceName", key)
    }
    if listed:
        keys = sorted(listed, key=lambda key: int(key.split(".")[1]))
        names = [listed[key] for key in keys]
        nicknames = {listed[key]: nickname for key in keys if (nickname := call.text(key[: -len("Name")] + "Nickname"))}
    else:
        names, nicknames = call.names("DeviceName"), {}
    if not names:
        raise OpenApiRefusal("iot.device.NoneDeviceNameElement")
    if len(names) > AT_MOST:
        raise OpenApiRefusal("iot.device.DeviceCountExceeded")
    return names, nicknames


def _rejected(code: str, malformed: list[str], misnamed: dict[str, str], repeated: list[str]) -> OpenApiRefusal:
    messages = dict.fromkeys(malformed, BUSINESS["iot.device.InvalidFormattedDeviceName"])
    messages |= dict.fromkeys(misnamed, "The format of the nickname is invalid.")
    messages |= dict.fromkeys(repeated, "The device name is repeated.")
    data = {
        "InvalidDeviceNameList": {"InvalidDeviceName": malformed},
        "InvalidDeviceNicknameList": {"InvalidDeviceNickname": list(misnamed.values())},
        "RepeatedDeviceNameList": {"RepeatDevieNameList": repeated},  # sic
        "InvalidDetailList": {"InvalidDetailList": [_error(*message, misnamed) for message in messages.items()]},
    }
    return OpenApiRefusal(code, data=data)


def _error(name: str, message: str, nicknames: Mapping[str, str]) -> dict[str, object]:
    return {"DeviceName": name, "NickName": nicknames.get(name, ""), "ErrorMsg": message}


def _created(device: Device) -> dict[str, object]:
    return {"DeviceName": device.device_name, "DeviceSecret": device.device_secret, "IotId": device.iot_id}


# The work


def _started(call: Call, application: Application) -> Mapping[str, object]:
    """Start the asynchronous work of the application's status."""
    fail = sorted(failing(call.effect, application.names))
    return {"Data": {"ApplyId": _save(call, replace(application, polls=call.settings.job_polls, failing=fail))}}


def _named(call: Call) -> Application:
    """Return the application that a call names; raises OpenApiRefusal."""
    number = call.number("ApplyId")
    row = call.store.row("SELECT spec FROM application WHERE id = ?", (number,))
    if row is None:
        raise OpenApiRefusal("iot.device.DeviceApplyIsNotFound")
    return replace(Application(**json.loads(row["spec"])), number=number)


def _of_product(call: Call) -> Application:
    """Return the application that a call names with its product; raises OpenApiRefusal."""
    product, application = call.product(), _named(call)
    if application.product_key != product.product_key:
        raise OpenApiRefusal("iot.device.DeviceApplyIsNotFound")
    return application


def _queried(call: Call, application: Application) -> Application:
    """Return the application after counting a query, which may end its work."""
    if application.status not in ("CHECK", "CREATE"):
        return application
    polls = application.polls
    application = replace(application, polls=polls - 1) if polls else _done(call, application)
    _save(call, application)
    return application


def _done(call: Call, application: Application) -> Application:
    """Return the application after its work: names that exist fail, and those that a fault makes fail."""
    rows = call.store.rows("SELECT device_name FROM device WHERE product_key = ?", (application.product_key,))
    taken = {row["device_name"] for row in rows}.intersection(application.names)
    creating = application.status == "CREATE"
    failure = BUSINESS["iot.device.CreateDeviceFailed" if creating else "iot.device.InvalidFormattedDeviceName"]
    errors = dict.fromkeys(application.failing, failure)
    errors |= dict.fromkeys(sorted(taken), BUSINESS["iot.device.AlreadyExistedDeviceName"])
    for name in application.names if creating else []:
        if name not in errors:
            nickname = application.nicknames.get(name, "")
            call.store.save_device(Device(application.product_key, name, nickname=nickname))
    return replace(application, status=f"{application.status}_{'FAILED' if errors else 'SUCCESS'}", errors=errors)


def _save(call: Call, application: Application) -> int:
    spec = json.dumps(asdict(application))
    if not application.number:
        values = (spec, application.product_key)
        return call.store.insert("INSERT INTO application (spec, product_key) VALUES (?, ?)", values)
    call.store.rows("UPDATE application SET spec = ? WHERE id = ?", (spec, application.number))
    return application.number
