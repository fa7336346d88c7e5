# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adding thousands of devices with a handful of calls. For the controller. PRIVATE to the collection.

The platform checks a list of names, then creates the devices of a list that it has checked; both take it some time. A list
with one wrong name in it is refused as a whole, with the names that are wrong: those that exist already among them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    OpenApiRefused,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import OpenApiAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi, numbered
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import chunks, named_devices
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.jobs import STATUS, wait_for

NAMES_PER_CHECK = 10_000
# The first check finds what is wrong; what others add meanwhile is found by the next.
MOST_CHECKS = 10
RUNNING = "iot.device.CreateDeviceTaskIsRunning"


@dataclass
class Added:
    """The outcome for a list of names: those in neither field were added."""

    existed: set[str] = field(default_factory=set)
    failed: dict[str, FleetopsError] = field(default_factory=dict)


def add_many(api: OpenApi, product_key: str, names: t.Sequence[str], longest: float) -> Added:
    """Add devices.

    :param names: valid and different
    :param longest: seconds to wait for each piece of work
    :raises FleetopsError: nothing was added; later on an error stands at the names that it struck
    """
    added = Added()
    pieces = chunks(names, NAMES_PER_CHECK)
    for number, some in enumerate(pieces):
        addition = _BatchAddition(api, product_key, longest)
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
    """One list of names on its way."""

    def __init__(self, api: OpenApi, product_key: str, longest: float) -> None:
        self._api = api
        self._product_key = product_key
        self._longest = longest
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
                raise BadAnswer("BatchCheckDeviceNames of %d names: refused, but not for any of them" % len(names))
            self._judge(rejected, added)
            names = [name for name in names if name not in rejected]
        if names:
            raise BadAnswer("BatchCheckDeviceNames: refused %d times, each time for other names" % MOST_CHECKS)

    def _check(self, names: t.Sequence[str]) -> tuple[str, dict[str, str]]:
        """Return the application's ID if every name can be added, or the names that can't be, with the platform's words."""
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
        """Return the names that could not be added after all, with the platform's words."""
        try:
            self._api.call("BatchRegisterDeviceWithApplyId", {"ProductKey": self._product_key, "ApplyId": apply_id})
        except OpenApiRefused as refusal:
            if refusal.code != RUNNING:  # the answer to the try before was lost
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

        return wait_for("application %s for devices" % apply_id, look, under_way, self._longest)

    def _judge(self, rejected: dict[str, str], added: Added) -> None:
        """Of the rejected names, those that exist are no failure. The platform's words differ, so look."""
        existing = named_devices(self._api, self._product_key, list(rejected)) if rejected else {}
        added.existed.update(existing)
        for name, words in rejected.items():
            if name not in existing:
                added.failed[name] = OpenApiRefused(
                    "the platform did not add it (%s)" % (words or "without a reason"),
                    hint="Correct the name, or run again",
                )


def _rejected(data: OpenApiAnswer, asked: t.Iterable[str]) -> dict[str, str]:
    """Those of the names that were rejected, with the platform's words: of either action's answer, whose fields are spelt differently."""
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
