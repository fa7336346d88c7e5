# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add thousands of devices with a handful of calls. For the controller. PRIVATE to the collection.

The platform checks a list of names, then creates the devices of a checked list; both are asynchronous. It refuses a list with an invalid
name as a whole, and returns the invalid names. Names that exist already are invalid, too.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    OpenApiRefused,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import STATUS, OpenApiAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi, numbered
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import chunks, named_devices
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.jobs import wait_for

NAMES_PER_CHECK = 10_000
# The first check finds the invalid names, the next ones devices that others have added meanwhile.
MOST_CHECKS = 10
RUNNING = "iot.device.CreateDeviceTaskIsRunning"


@dataclass
class Added:
    """Outcome of a batch. Names in neither field were added."""

    existed: set[str] = field(default_factory=set)
    failed: dict[str, FleetopsError] = field(default_factory=dict)


def add_many(api: OpenApi, product_key: str, names: t.Sequence[str], timeout: float) -> Added:
    """Add devices.

    :param names: valid and different
    :param timeout: seconds to wait for each asynchronous job
    :raises FleetopsError: the first batch failed, nothing was added. Errors of later batches are recorded per name
    """
    added = Added()
    pieces = chunks(names, NAMES_PER_CHECK)
    for number, some in enumerate(pieces):
        addition = _BatchAddition(api, product_key, timeout)
        try:
            addition.add(list(some), added)
        except FleetopsError as error:
            if number == 0 and not addition.creating:
                raise
            known = added.existed.union(added.failed)
            unknown = [name for piece in pieces[number:] for name in piece if name not in known]
            added.failed.update(dict.fromkeys(unknown, error))
            break
    return added


class _BatchAddition:
    """One list of names that is checked and added."""

    def __init__(self, api: OpenApi, product_key: str, timeout: float) -> None:
        self._api = api
        self._product_key = product_key
        self._timeout = timeout
        self.creating = False

    def add(self, names: list[str], added: Added) -> None:
        for _round in range(MOST_CHECKS):
            if not names:
                return
            apply_id, rejected = self._check(names)
            if apply_id:
                self.creating = True
                self._judge(self._create(apply_id, names), added)
                return
            if not rejected.keys() & set(names):
                raise BadAnswer(
                    "BatchCheckDeviceNames of %d names: refused, but the answer names none of them as invalid"
                    % len(names)
                )
            self._judge(rejected, added)
            names = [name for name in names if name not in rejected]
        if names:
            raise BadAnswer("BatchCheckDeviceNames: refused %d times, each time for other names" % MOST_CHECKS)

    def _check(self, names: t.Sequence[str]) -> tuple[str, dict[str, str]]:
        """Return the application's ID if every name can be added, or the names that cannot, each with the platform's message."""
        try:
            answer = self._api.call(
                "BatchCheckDeviceNames", {"ProductKey": self._product_key}, form=numbered("DeviceName", names)
            )
        except OpenApiRefused as refusal:
            rejected = _rejected(OpenApiAnswer("BatchCheckDeviceNames", dict(refusal.data)), names)
            if not rejected:
                raise
            return "", rejected
        apply_id = answer.inner("Data").matching("ApplyId", "[!-~]{1,64}")
        status = self._wait(apply_id, ("CHECK",))
        passed = status.matching("Status", STATUS) == "CHECK_SUCCESS"
        return (apply_id, {}) if passed else ("", _rejected(status, names))

    def _create(self, apply_id: str, names: t.Sequence[str]) -> dict[str, str]:
        """Return the names that could not be added, each with the platform's message."""
        try:
            self._api.call("BatchRegisterDeviceWithApplyId", {"ProductKey": self._product_key, "ApplyId": apply_id})
        except OpenApiRefused as refusal:
            if refusal.code != RUNNING:  # the answer to the first request was lost
                raise
        status = self._wait(apply_id, ("CHECK_SUCCESS", "CREATE"))
        if status.matching("Status", STATUS) == "CREATE_SUCCESS":
            return {}
        rejected = _rejected(status, names)
        if not rejected:
            raise status.wrong("InvalidList", "names none of the devices, and the status is not CREATE_SUCCESS")
        return rejected

    def _wait(self, apply_id: str, under_way: t.Container[str]) -> OpenApiAnswer:
        asked = {"ProductKey": self._product_key, "ApplyId": apply_id}

        def look() -> OpenApiAnswer:
            return self._api.call("QueryBatchRegisterDeviceStatus", asked).inner("Data")

        return wait_for("application %s for devices" % apply_id, look, under_way, self._timeout)

    def _judge(self, rejected: dict[str, str], added: Added) -> None:
        """Record the rejected names: those that exist are no failure. Query them, since the platform's messages vary."""
        existing = named_devices(self._api, self._product_key, list(rejected)) if rejected else {}
        added.existed.update(existing)
        for name, words in rejected.items():
            if name not in existing:
                added.failed[name] = OpenApiRefused(
                    "the platform did not add it (%s)" % (words or "without a reason"),
                    hint="Correct the name, or run again",
                )


def _rejected(data: OpenApiAnswer, asked: t.Iterable[str]) -> dict[str, str]:
    """Return the rejected names, each with the platform's message, from the answer of either action; their fields have different names."""
    rejected: dict[str, str] = {}
    for outer, spelling in (
        ("InvalidDeviceNameList", "InvalidDeviceName"),
        ("InvalidList", "Name"),
        ("RepeatedDeviceNameList", "RepeatDevieNameList"),
        ("RepeatedDeviceNameList", "RepeatDeviceNameList"),
    ):
        rejected.update(dict.fromkeys(data.inner(outer).texts(spelling, NAMES_PER_CHECK), ""))
    for spelling in ("InvalidDetailList", "invalidDetailList"):
        for detail in data.inner("InvalidDetailList").objects(spelling, NAMES_PER_CHECK):
            rejected[detail.text("DeviceName")] = detail.text("ErrorMsg")
    wanted = set(asked)
    return {name: words for name, words in rejected.items() if name in wanted}
