# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test lists of devices on the control plane: the calls to the platform, the decisions, the outcome of each device."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from counted_name import CountedName

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    InvalidOption,
    NetworkError,
    OpenApiRefused,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import jobs as _jobs
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import OpenApiAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.device_states import (
    DeviceOutcome,
    decide,
    ensure_states,
    failure,
    one_by_one,
    purge_plan,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import (
    checked_names,
    device_secrets,
    devices_as_asked,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import (
    Product,
    ensure_product,
    find_products,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import decide as decide_product
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.reset import reset
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._accounts import Accounts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_devices import HostDevice, ensure_all

JSON = Any

KEY = "a1IoKTestP1"
OPTIONS: dict[str, JSON] = {
    "product_key": KEY,
    "state": "present",
    "purge": False,
    "purge_maximum": 10,
    "batch_threshold": 100,
    "job_timeout": 600,
    "reset_topology": False,
    "fingerprints": {},
    "leases": {},
    "timeout": 10,
}


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jobs, "FIRST_PAUSE", 0.0)


class Platform:
    """A platform with a dictionary of names and their statuses; a test sets the calls that the platform refuses."""

    def __init__(self, *names: str, **statuses: str) -> None:
        self.devices = {**dict.fromkeys(names, "UNACTIVE"), **statuses}
        self.asked: list[str] = []
        self.refuse: dict[tuple[str, str], FleetopsError] = {}
        self.node_type = 1
        self.topology: dict[str, int] = {}
        self.jobs: dict[str, list[str]] = {}
        self.last: dict[str, float | None] = {}  # the time until which a device may be reset
        self.never: set[str] = set()  # names that the platform refuses to create
        self._applications: list[tuple[list[str], str]] = []

    @property
    def calls(self) -> Counter[str]:
        return Counter(self.asked)

    def call(
        self,
        action: str,
        parameters: JSON,
        form: JSON = None,
        depth: int = 0,
        not_after: float | None = None,
        once: bool = False,
    ) -> JSON:
        self.asked.append(action)
        assert once == (action == "ResetThing"), "a reset that is processed late revokes what came after it"
        if action == "ResetThing":
            self.last[parameters["DeviceName"]] = not_after
        if error := self.refuse.get((action, parameters.get("DeviceName", ""))):
            raise error
        return OpenApiAnswer(action, getattr(self, f"_{action}")(parameters, form) or {})

    def _shown(self, name: str, detail: bool) -> JSON:
        status = self.devices[name]
        more = {"Status": status, "UtcActive": "2026" if name.startswith("used") else ""} if detail else {}
        return {"DeviceName": name, "DeviceSecret": f"secret-of-{name}", "DeviceStatus": status, **more}

    def _QueryProduct(self, parameters: JSON, form: JSON) -> JSON:
        return {"Data": {"ProductKey": KEY, "NodeType": self.node_type}}

    def _QueryDevice(self, parameters: JSON, form: JSON) -> JSON:
        page, size = parameters["CurrentPage"], parameters["PageSize"]
        assert page * size <= 10_000 or "NextToken" in parameters
        shown = [self._shown(name, False) for name in list(self.devices)[(page - 1) * size : page * size]]
        token = {"NextToken": str(page)} if page * size < len(self.devices) else {}
        return {"Data": {"DeviceInfo": shown}, "Total": len(self.devices), **token}

    def _BatchQueryDeviceDetail(self, parameters: JSON, form: JSON) -> JSON:
        names = [value for key, value in parameters.items() if key.startswith("DeviceName.")]
        assert 1 <= len(names) <= 100
        return {"Data": {"Data": [self._shown(name, True) for name in names if name in self.devices]}}

    def _RegisterDevice(self, parameters: JSON, form: JSON) -> None:
        self.devices[parameters["DeviceName"]] = "UNACTIVE"

    def _DeleteDevice(self, parameters: JSON, form: JSON) -> None:
        del self.devices[parameters["DeviceName"]]

    def _EnableThing(self, parameters: JSON, form: JSON) -> None:
        self.devices[parameters["DeviceName"]] = "OFFLINE"

    def _DisableThing(self, parameters: JSON, form: JSON) -> None:
        self.devices[parameters["DeviceName"]] = "DISABLE"

    def _BatchCheckDeviceNames(self, parameters: JSON, form: JSON) -> JSON:
        assert 1 <= len(form) <= 10_000
        self._applications.append((list(form.values()), "CHECK"))
        return {"Data": {"ApplyId": len(self._applications)}}

    def _BatchRegisterDeviceWithApplyId(self, parameters: JSON, form: JSON) -> None:
        number = int(parameters["ApplyId"])
        self._applications[number - 1] = (self._applications[number - 1][0], "CREATE")

    def _QueryBatchRegisterDeviceStatus(self, parameters: JSON, form: JSON) -> JSON:
        names, work = self._applications[int(parameters["ApplyId"]) - 1]
        wrong = [name for name in names if name in (self.devices if work == "CHECK" else self.never)]
        if work == "CREATE":
            self.devices.update(dict.fromkeys(set(names) - self.never, "UNACTIVE"))
        details = [{"DeviceName": name, "ErrorMsg": "its words"} for name in wrong]
        failed = {"InvalidList": {"Name": wrong}, "InvalidDetailList": {"invalidDetailList": details}}
        return {"Data": {"Status": f"{work}_{'FAILED' if wrong else 'SUCCESS'}", **failed}}

    def _GetThingTopo(self, parameters: JSON, form: JSON) -> JSON:
        return {"Data": {"Total": self.topology.get(parameters["DeviceName"], 0)}}

    def _ResetThing(self, parameters: JSON, form: JSON) -> JSON:
        return {"JobId": parameters["DeviceName"]} if parameters["DeviceName"] in self.jobs else {}

    def _QueryJob(self, parameters: JSON, form: JSON) -> JSON:
        return {"Data": {"Status": self.jobs[parameters["JobId"]].pop(0)}}


def names(count: int) -> list[str]:
    return [f"gw-{number:05}" for number in range(count)]


def run(platform: Platform, wanted: list[str], check: bool = False, **options: JSON) -> dict[str, JSON]:
    """Return the reason of each name, or the kind of its error."""
    outcome = ensure_states(platform, {**OPTIONS, "names": wanted, **options}, check)  # type: ignore[arg-type]
    return {item.device_name: item.error.kind if item.error else item.reason for item in outcome.items}


# Names


def test_names_that_cant_be_are_told_one_by_one() -> None:
    valid, wrong = checked_names(["gw-1", "x", "gw-2", "gw-1", "gw 3"])
    assert valid == ["gw-2"]
    assert [(name, error.kind, error.msg) for name, error in wrong] == [
        ("gw-1", "invalid_option", "names: 'gw-1' is listed twice"),
        ("x", "invalid_option", "names: 'x' is not a DeviceName (1 characters)"),
        ("gw 3", "invalid_option", "names: 'gw 3' is not a DeviceName (4 characters)"),
    ]


def test_a_name_that_is_listed_twice_is_not_changed() -> None:
    """The user may have meant another name, and no device may be both changed and failed."""
    platform = Platform("gw-0001", "gw-0002")
    wanted = ["gw-0001", "gw-0002", "gw-0001"]
    outcome = reset(platform, {**OPTIONS, "names": wanted}, False)  # type: ignore[arg-type]
    assert [(item.device_name, item.reason, item.changed) for item in outcome.items] == [
        ("gw-0002", "requested", True),
        ("gw-0001", "invalid", False),
    ]
    assert run(platform, wanted, state="absent") == {"gw-0002": "exists", "gw-0001": "invalid_option"}
    assert set(platform.devices) == {"gw-0001"}


def test_a_message_repeats_a_name_without_what_a_terminal_obeys() -> None:
    _valid, wrong = checked_names(["gw\x1b[31m\0" + "1" * 999])
    error = failure([DeviceOutcome(name, "invalid", error=error) for name, error in wrong])
    assert error is not None
    assert error.msg.startswith("1 of 1 devices failed: gw[31m111")
    assert error.msg.isprintable()


@pytest.mark.parametrize("option", ["leases", "fingerprints"])
def test_a_name_is_not_compared_with_all_others(option: str) -> None:
    wanted = [CountedName(name) for name in names(1000)]
    CountedName.comparisons = 0
    reset_of(Platform(), wanted, **{option: {CountedName(name): "1000" for name in wanted}})  # type: ignore[arg-type]
    assert CountedName.comparisons < 20 * len(wanted)


# Decisions


@pytest.mark.parametrize(
    ("state", "status", "reason", "changed"),
    [
        ("present", None, "missing", True),
        ("present", "UNACTIVE", "up_to_date", False),
        ("present", "DISABLE", "up_to_date", False),
        ("absent", None, "up_to_date", False),
        ("absent", "ONLINE", "exists", True),
        ("enabled", "DISABLE", "disabled", True),
        ("enabled", "ONLINE", "up_to_date", False),
        ("disabled", "UNACTIVE", "enabled", True),
        ("disabled", "DISABLE", "up_to_date", False),
    ],
)
def test_decisions(state: str, status: str | None, reason: str, changed: bool) -> None:
    found = {"gw-1": status} if status else {}
    assert decide(["gw-1"], found, state) == [DeviceOutcome("gw-1", reason, changed)]


@pytest.mark.parametrize("state", ["enabled", "disabled"])
def test_what_does_not_exist_cant_be_switched(state: str) -> None:
    [item] = decide(["gw-1"], {}, state)
    assert (item.changed, item.error and item.error.kind) == (False, "not_found")


def test_one_error_tells_of_all() -> None:
    items = [
        DeviceOutcome(f"gw-{n}", "missing", error=FleetopsError(f"no {n}", code=f"c{n}", kind="k")) for n in range(7)
    ]
    error = failure([DeviceOutcome("fine", "missing", True), *items])
    assert error is not None
    assert error.msg == "7 of 8 devices failed: " + "; ".join(f"gw-{n}: no {n}" for n in range(5)) + "; and 2 more"
    assert (error.code, error.kind) == ("c0", "k")


def test_one_device_does_not_stop_the_others_but_the_account_does() -> None:
    own, all_ = (
        OpenApiRefused("own", code="iot.device.X"),
        OpenApiRefused("all", code="iot.common.RamActionPermissionDeny"),
    )
    errors = {"b": own, "d": all_}

    def act(name: str) -> None:
        if name in errors:
            raise errors[name]

    items = one_by_one([DeviceOutcome(name, "missing", name != "c") for name in "abcdef"], act)
    assert [(item.changed, item.reason, item.error) for item in items] == [
        (True, "missing", None),
        (False, "missing", own),
        (False, "missing", None),
        (False, "missing", all_),
        (False, "not_attempted", None),
        (False, "not_attempted", None),
    ]


# Purging


def test_purge_removes_what_is_not_listed() -> None:
    platform = Platform("gw-old", "gw-1234")
    assert run(platform, ["gw-1234", "gw-new"], purge=True) == {
        "gw-1234": "up_to_date",
        "gw-new": "missing",
        "gw-old": "not_listed",
    }
    assert set(platform.devices) == {"gw-1234", "gw-new"}


@pytest.mark.parametrize(
    ("wanted", "options", "kind"),
    [
        (["gw-0001"], {"purge_maximum": 1}, "purge_maximum"),
        ([], {"purge_maximum": 10}, "invalid_option"),
        (["gw-0001", "gw 0002"], {}, "invalid_option"),
        (["gw-0001", "gw-0001"], {}, "invalid_option"),
        (["gw-0001"], {"state": "absent"}, "invalid_option"),
    ],
    ids=str,
)
def test_purge_is_refused_before_anything_changes(wanted: list[str], options: JSON, kind: str) -> None:
    platform = Platform("gw-0001", "gw-0002", "gw-0003")
    with pytest.raises(FleetopsError) as caught:
        run(platform, wanted, purge=True, **options)
    assert caught.value.kind == kind
    assert set(platform.asked) <= {"QueryDevice"}


@pytest.mark.parametrize("option", ["purge_maximum", "batch_threshold"])
def test_a_number_of_devices_is_not_negative(option: str) -> None:
    platform = Platform("gw-0001")
    with pytest.raises(InvalidOption, match=f"^{option}: -1 is out of range"):
        run(platform, ["gw-0001"], purge=True, **{option: -1})
    assert not platform.asked


def test_nothing_is_purged_when_something_failed() -> None:
    platform = Platform("gw-old")
    platform.refuse["RegisterDevice", "gw-new"] = OpenApiRefused("no", code="iot.device.X")
    assert run(platform, ["gw-new"], purge=True) == {"gw-new": "refused", "gw-old": "not_attempted"}
    assert set(platform.devices) == {"gw-old"}


def test_a_plan_to_purge_needs_no_order() -> None:
    assert purge_plan({"a"}, {"b": "", "a": ""}, [], 1) == [DeviceOutcome("b", "not_listed", True)]


# Many


def test_ten_thousand_names_are_five_calls() -> None:
    platform = Platform()
    assert set(run(platform, names(10_000)).values()) == {"missing"}
    assert len(platform.devices) == 10_000
    assert platform.calls == {
        "BatchCheckDeviceNames": 1,
        "QueryBatchRegisterDeviceStatus": 2,
        "BatchRegisterDeviceWithApplyId": 1,
    }


def test_more_than_the_maximum_are_two_lists() -> None:
    platform = Platform()
    assert set(run(platform, names(10_001)).values()) == {"missing"}
    assert platform.calls["BatchCheckDeviceNames"] == 2


def test_a_few_are_added_one_by_one() -> None:
    platform = Platform("gw-00000")
    assert run(platform, names(99)) == {**dict.fromkeys(names(99), "missing"), "gw-00000": "up_to_date"}
    assert platform.calls == {"BatchQueryDeviceDetail": 1, "RegisterDevice": 98}


def test_of_many_those_that_exist_are_left() -> None:
    platform = Platform(*names(150), "gw-other")
    outcome = run(platform, names(300))
    assert [outcome[name] for name in names(300)] == ["up_to_date"] * 150 + ["missing"] * 150
    assert platform.calls["BatchCheckDeviceNames"] == 2


def test_of_many_some_fail() -> None:
    platform = Platform()
    platform.never = {"gw-00007", "gw-00009"}
    outcome = run(platform, names(200))
    assert {name for name, reason in outcome.items() if reason == "refused"} == platform.never
    assert len(platform.devices) == 198


def test_of_many_the_first_list_is_done_when_the_second_fails() -> None:
    platform = Platform()
    call = platform.call

    def failing(action: str, *more: JSON, **form: JSON) -> JSON:
        if action == "BatchCheckDeviceNames" and platform.calls[action]:
            raise NetworkError("lost")
        return call(action, *more, **form)

    platform.call = failing  # type: ignore[method-assign]
    outcome = run(platform, names(10_002))
    assert Counter(outcome.values()) == {"missing": 10_000, "network": 2}


def test_check_mode_only_reads() -> None:
    platform = Platform("gw-00000")
    assert Counter(run(platform, names(200), check=True).values()) == {"missing": 199, "up_to_date": 1}
    assert set(platform.asked) <= {"QueryDevice", "BatchQueryDeviceDetail"}


def test_an_empty_list_is_nothing() -> None:
    platform = Platform("gw-0001")
    assert run(platform, []) == run(platform, [], state="absent") == {}
    assert platform.asked == []


@pytest.mark.parametrize(
    ("state", "action", "code"),
    [
        ("present", "RegisterDevice", "iot.device.AlreadyExistedDeviceName"),
        ("absent", "DeleteDevice", "iot.device.NotExistedDevice"),
    ],
)
def test_a_try_whose_answer_was_lost_has_done_it(state: str, action: str, code: str) -> None:
    platform = Platform(*["gw-0001"] * (state == "absent"))
    platform.refuse[action, "gw-0001"] = OpenApiRefused("again", code=code)
    assert run(platform, ["gw-0001"], state=state)["gw-0001"] in ("missing", "exists")


# Reading


@pytest.mark.parametrize(
    ("there", "asked", "calls"),
    [
        (10, 100, {"BatchQueryDeviceDetail": 1}),
        (150, 150, {"QueryDevice": 3}),
        (10_000, 10_000, {"QueryDevice": 200}),
        (10_000, 200, {"QueryDevice": 1, "BatchQueryDeviceDetail": 2}),
        (20_000, None, {"QueryDevice": 400}),
        (0, None, {"QueryDevice": 1}),
    ],
)
def test_devices_are_read_the_cheaper_way(there: int, asked: int | None, calls: dict[str, int]) -> None:
    platform = Platform(*names(there))
    wanted = None if asked is None else names(asked)
    found = devices_as_asked(platform, KEY, wanted)  # type: ignore[arg-type]
    assert list(found) == names(min(there, there if asked is None else asked))
    assert platform.calls == calls


@pytest.mark.parametrize("count", [1, 150], ids=["by name", "by page"])
def test_activation_is_told_of_disabled_devices_too(count: int) -> None:
    platform = Platform(
        **{"used1": "DISABLE", "new1": "DISABLE", "on-1": "ONLINE", "off1": "OFFLINE", "none": "UNACTIVE"}
    )
    wanted = [*platform.devices, *names(count)]
    found = devices_as_asked(platform, KEY, wanted)  # type: ignore[arg-type]
    activated = {name: device.activated for name, device in found.items()}
    assert activated == {"used1": True, "new1": False, "on-1": True, "off1": True, "none": False}


def test_a_device_has_a_fingerprint_and_no_secret() -> None:
    [device] = devices_as_asked(Platform("gw-0001"), KEY, None).values()  # type: ignore[arg-type]
    assert len(device.fingerprint) == 16
    assert "secret-of" not in repr(device)
    assert "secret-of" not in repr(device.as_result())


def test_a_name_that_cannot_be_is_told_by_its_option() -> None:
    with pytest.raises(InvalidOption, match=r"^names: 'gw 1' is not a DeviceName"):
        devices_as_asked(Platform(), KEY, ["gw-1", "gw 1"])  # type: ignore[arg-type]


def test_secrets_are_for_whoever_asks_for_them() -> None:
    found = device_secrets(Platform("gw-0001"), KEY, ["gw-0001", "gw-0002"])  # type: ignore[arg-type]
    assert found == {"gw-0001": "secret-of-gw-0001"}


# Resets


def reset_of(platform: Platform, wanted: list[str], **options: JSON) -> dict[str, tuple[bool, str]]:
    outcome = reset(platform, {**OPTIONS, "names": wanted, **options}, False)  # type: ignore[arg-type]
    return {item.device_name: (item.changed, item.error.kind if item.error else "") for item in outcome.items}


def test_a_gateway_keeps_its_topology_unless_it_may_go() -> None:
    platform = Platform("gw-0001", "gw-0002")
    platform.topology["gw-0001"] = 3
    assert reset_of(platform, ["gw-0001", "gw-0002"]) == {"gw-0001": (False, "has_sub_devices"), "gw-0002": (True, "")}
    assert platform.calls["ResetThing"] == 1
    assert reset_of(platform, ["gw-0001"], reset_topology=True) == {"gw-0001": (True, "")}


def test_a_device_that_only_its_gateway_names_is_reset_for_its_fingerprint() -> None:
    platform = Platform("gw-0001", "gw-0002", "gw-0003", "gw-0004", "gw-0005")
    # sha256sum of "fleetops:a1IoKTestP1:gw-0001:secret-of-gw-0001"
    right = "b989befb5ccf5fb9"
    proofs = {"gw-0001": right, "gw-0002": right, "gw-0003": "", "gw-0004": None}
    assert reset_of(platform, list(platform.devices), fingerprints=proofs) == {
        "gw-0001": (True, ""),
        **dict.fromkeys(["gw-0002", "gw-0003", "gw-0004"], (False, "not_proven")),
        "gw-0005": (True, ""),
    }
    assert platform.calls["ResetThing"] == 2


def test_no_fingerprint_proves_a_device_whose_secret_the_platform_does_not_show() -> None:
    """Anybody can compute the fingerprint of an empty secret."""
    platform = Platform("gw-0001")
    platform._shown = lambda name, detail: {"DeviceName": name, "DeviceStatus": "OFFLINE"}  # type: ignore[method-assign]
    # sha256sum of "fleetops:a1IoKTestP1:gw-0001:"
    for proof in ("e8fc1261baa83cce", ""):
        assert reset_of(platform, ["gw-0001"], fingerprints={"gw-0001": proof}) == {"gw-0001": (False, "not_proven")}
    assert platform.calls["ResetThing"] == 0


def test_a_fingerprint_is_of_a_device_that_is_to_be_reset() -> None:
    platform = Platform("gw-0001")
    with pytest.raises(InvalidOption, match="GW-0001"):
        reset_of(platform, ["gw-0001"], fingerprints={"GW-0001": "1111111111111111"})
    assert platform.asked == []


@pytest.mark.parametrize(("node_type", "asks"), [(0, 0), (1, 1), (None, 1)])
def test_only_what_is_no_gateway_for_sure_is_not_asked_for_a_topology(node_type: int | None, asks: int) -> None:
    platform = Platform("gw-0001")
    platform.node_type = node_type  # type: ignore[assignment]
    reset_of(platform, ["gw-0001"])
    assert platform.calls["GetThingTopo"] == asks


@pytest.mark.usefixtures("no_pauses")
def test_jobs_are_waited_for() -> None:
    platform = Platform("gw-0001", "gw-0002", "gw-0003")
    platform.jobs = {"gw-0001": ["IN_PROGRESS", "QUEUED", "COMPLETED"], "gw-0002": ["IN_PROGRESS", "FAILED"]}
    assert reset_of(platform, ["gw-0001", "gw-0002", "gw-0003", "gw-none"]) == {
        "gw-0001": (True, ""),
        "gw-0002": (True, "job"),
        "gw-0003": (True, ""),
        "gw-none": (False, "not_found"),
    }


def test_waiting_has_an_end() -> None:
    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    with pytest.raises(FleetopsError, match="still CHECK after 60 seconds") as caught:
        _jobs.wait_for("work", lambda: OpenApiAnswer("", {"Status": "CHECK"}), ("CHECK",), 60, sleep, lambda: now[0])
    assert caught.value.kind == "timeout"
    assert now[0] <= 60


# Products

PRODUCT = Product(KEY, "Ovens", "gateway", "secret", "old", 0, 1)


NAMED = replace(PRODUCT, product_name="Stoves", description="two lines")


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, PRODUCT),
        ({"description": "new"}, replace(PRODUCT, description="new")),
        ({"description": ""}, replace(PRODUCT, description="")),
        ({"product_name": "Stoves", "node_type": "gateway"}, replace(PRODUCT, product_name="Stoves")),
        ({"product_name": "Stoves\n", "description": " two\nlines\n"}, NAMED),
        ({"description": "x" * 201}, replace(PRODUCT, description="x" * 200 + "...")),
    ],
    ids=str,
)
def test_a_product_as_it_is_wanted(options: JSON, wanted: Product) -> None:
    empty = dict.fromkeys(("product_name", "description", "node_type", "authentication"))
    assert decide_product(PRODUCT, {**empty, **options}) == wanted


def test_what_a_product_is_for_stays() -> None:
    empty: JSON = dict.fromkeys(("product_name", "description", "node_type", "authentication"))
    with pytest.raises(FleetopsError, match="cannot be changed to device"):
        decide_product(PRODUCT, {**empty, "node_type": "device"})
    unknown = replace(PRODUCT, node_type="")
    assert decide_product(unknown, {**empty, "node_type": "device"}) == unknown


@pytest.mark.parametrize(
    "call",
    [
        lambda platform: run(platform, ["gw-0001"], job_timeout=0),
        lambda platform: run(platform, ["gw-0001"], product_key="no key"),
        lambda platform: reset_of(platform, ["gw-0001"], job_timeout=0),
        lambda platform: devices_as_asked(platform, KEY, ["gw-1", "x"]),
        lambda platform: devices_as_asked(platform, "", None),
    ],
)
def test_options_that_cant_be_are_refused_before_a_call(call: Callable[[Platform], object]) -> None:
    platform = Platform()
    with pytest.raises(InvalidOption):
        call(platform)
    assert platform.asked == []


def test_a_reset_is_sent_so_early_that_its_answer_comes_before_the_lease_ends() -> None:
    platform = Platform("gw-0001", "gw-0002")
    reset_of(platform, ["gw-0001", "gw-0002"], leases={"gw-0001": 1000.5}, timeout=7)
    assert platform.last == {"gw-0001": 986.5, "gw-0002": None}


def test_a_lease_that_is_over_does_not_stop_the_others() -> None:
    platform = Platform("gw-0001", "gw-0002")
    platform.refuse["ResetThing", "gw-0001"] = BusyError("too late")
    assert reset_of(platform, ["gw-0001", "gw-0002"]) == {"gw-0001": (False, "busy"), "gw-0002": (True, "")}


@pytest.mark.parametrize("end", ["soon", None, True, [], {}, "nan", float("nan"), "inf", float("-inf"), 10**400])
def test_the_end_of_a_lease_is_a_number(end: JSON) -> None:
    with pytest.raises(InvalidOption, match="leases"):
        reset_of(Platform("gw-0001"), ["gw-0001"], leases={"gw-0001": end})


def test_a_lease_is_of_a_device_that_is_to_be_reset() -> None:
    """With a misspelt name, the right device would be reset without the end of its lease."""
    platform = Platform("gw-0001")
    with pytest.raises(InvalidOption, match="leases: 'gw-O001' is not one of names"):
        reset_of(platform, ["gw-0001"], leases={"gw-O001": 1000.5})
    assert not platform.asked


# Permissions

GUIDE = Path(__file__).parents[3] / "docs/docsite/rst/first_fleet_guide.rst"
PRODUCT_OPTIONS = dict.fromkeys(
    ("product_key", "authentication", "description", "net_type", "data_format"),
) | {"product_name": "Ovens", "node_type": "gateway", "state": "present"}
MANY = 101
# The options of fleet_devices with which each playbook runs.
OF_PLAYBOOKS: dict[str, list[JSON]] = {
    "``provision`` and ``add_devices``, to add devices": [{"state": "present"}],
    "``audit``": [{"state": "listed", "all_devices": True}],
    "``reprovision``": [{"state": "reset"}],
    "``decommission``": [
        {"state": "listed", "all_devices": False},
        {"state": "disabled"},
        {"state": "absent"},
    ],
}


def allowed() -> dict[str, set[str]]:
    """Return the actions that the guide lists, by the first cell of their row; under "more" those for more than 100 devices."""
    text = GUIDE.read_text(encoding="utf-8")
    rows = re.findall(r"^   \* - (.+?)(?: \(.*\))?\n     - (.*iot:(?:.|\n(?!\n|   \*))*)", text, re.MULTILINE)
    [more] = re.findall(r"For more than 100 devices of one product, (?:.|\n)*? too\.", text)
    return {row: set(re.findall(r"``iot:(\w+)``", cell)) for row, cell in [*rows, ("more", more)]}


class OneAccount(Accounts):
    """An account whose client is a platform of this module."""

    def __init__(self, platform: JSON) -> None:
        super().__init__()
        self._platform = platform

    def client(self, options: JSON) -> JSON:
        return self._platform


class PlatformWithProducts(Platform):
    """A platform that lists and creates products, and returns ProductSecret."""

    products: list[JSON]

    def _QueryProduct(self, parameters: JSON, form: JSON) -> JSON:
        return {"Data": {"ProductKey": KEY, "NodeType": 1, "ProductSecret": "productsecret0001"}}

    def _QueryProductList(self, parameters: JSON, form: JSON) -> JSON:
        return {"Data": {"List": {"ProductInfo": self.products}, "Total": len(self.products)}}

    def _CreateProduct(self, parameters: JSON, form: JSON) -> JSON:
        return {"ProductKey": KEY}


def sent(playbook: str, there: int, count: int, check: bool) -> set[str]:
    """Return the actions that a playbook sends for ``count`` gateways.

    ``there`` of their devices exist, one of them is disabled, and the reset of another one is a job.
    """
    actions: set[str] = set()
    for options in OF_PLAYBOOKS[playbook]:
        platform = PlatformWithProducts(*names(there))
        if there:
            platform.devices["gw-00000"] = "DISABLE"
            platform.jobs["gw-00001"] = ["SUCCESS"]
        gateways = [
            HostDevice(name, {"timeout": 10}, KEY, name, signs_with=lambda secret: secret == "productsecret0001")
            for name in names(count)
        ]
        ensure_all(gateways, OneAccount(platform), options, check)  # type: ignore[arg-type]
        actions |= set(platform.asked)
    return actions


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(
    ("key", "name", "option"),
    [("", None, "product_key"), (None, None, "product_name"), (None, "", "product_name"), (KEY, "", "product_name")],
)
def test_no_product_is_the_one_that_nothing_names(key: str | None, name: str | None, option: str, state: str) -> None:
    """If a variable is empty, for example, the first product of the account must not be changed or deleted."""
    platform = PlatformWithProducts()
    platform.products = [{"ProductKey": KEY, "ProductName": "Ovens", "NodeType": 1}]
    options = {**PRODUCT_OPTIONS, "product_key": key, "product_name": name, "description": "new", "state": state}
    with pytest.raises(InvalidOption, match=f"^{option}: "):
        ensure_product(platform, options, False)  # type: ignore[arg-type]
    assert not platform.asked


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("playbook", OF_PLAYBOOKS)
def test_the_guide_names_the_actions_that_a_playbook_sends(playbook: str) -> None:
    small, hundred, more = (
        set().union(*(sent(playbook, there, count, check) for check in (True, False) for there in (0, 2, count)))
        for count in (3, 100, MANY)
    )
    assert small | hundred == allowed()[playbook]
    assert more <= allowed()[playbook] | allowed()["more"]
    assert allowed()["more"] <= more


def test_the_guide_names_the_actions_for_one_variable_or_recover() -> None:
    platform = PlatformWithProducts("gw-0001")
    OneAccount(platform).product_secret({}, KEY)
    assert set(platform.asked) == allowed()["``platform_product_secret: from_account``"]

    platform = PlatformWithProducts(*names(MANY))
    OneAccount(platform).read_secrets({}, KEY, names(MANY))
    assert set(platform.asked) == allowed()["``recover``"]

    platform = PlatformWithProducts()
    described = {"ProductKey": KEY, "ProductName": "Ovens", "NodeType": 1}
    for platform.products in ([], [described]):
        for check in (True, False):
            ensure_product(platform, PRODUCT_OPTIONS, check)  # type: ignore[arg-type]
    assert set(platform.asked) == allowed()["``platform_product_name``"]


class PlatformWithOneProduct(Platform):
    """A platform that creates and changes one product, and stores its texts as they are sent."""

    stored: JSON = None

    def _QueryProduct(self, parameters: JSON, form: JSON) -> JSON:
        return {"Data": self.stored}

    def _QueryProductList(self, parameters: JSON, form: JSON) -> JSON:
        found = [self.stored] if self.stored else []
        return {"Data": {"List": {"ProductInfo": found}, "Total": len(found)}}

    def _CreateProduct(self, parameters: JSON, form: JSON) -> JSON:
        self.stored = {"ProductKey": KEY, "NodeType": 1, **texts_of(parameters)}
        return {"ProductKey": KEY}

    def _UpdateProduct(self, parameters: JSON, form: JSON) -> JSON:
        self.stored.update(texts_of(parameters))
        return {}


def texts_of(parameters: JSON) -> JSON:
    return {name: text for name, text in parameters.items() if name in ("ProductName", "Description")}


@pytest.mark.parametrize(
    "description",
    ["hot\n", "two\nlines\n", " \t", "a\u202eb", "tab\tbed", "x" * 100 + "\n"],
)
@pytest.mark.parametrize("name", ["Ovens", "Ovens\n"])
@pytest.mark.parametrize("key", [None, KEY])
def test_a_text_of_several_lines_is_changed_once(key: str | None, name: str, description: str) -> None:
    """``>`` and ``|`` of YAML produce such texts. The platform receives the text without the blanks around it."""
    platform: JSON = PlatformWithOneProduct()
    wanted = {**PRODUCT_OPTIONS, "product_name": name, "description": description}
    create = ensure_product(platform, wanted, False)
    assert (create.reason, platform.stored.get("Description", "")) == ("missing", description.strip())
    assert platform.stored["ProductName"] == "Ovens"
    wanted["product_key"] = key
    assert ensure_product(platform, wanted, True).reason == "up_to_date"
    other = ensure_product(platform, {**wanted, "description": "other"}, False)
    assert (other.reason, platform.stored["Description"]) == ("changed", "other")
    predicted = ensure_product(platform, wanted, True)
    change = ensure_product(platform, wanted, False)
    assert (change, change.reason, platform.stored["Description"]) == (predicted, "changed", description.strip())
    again = ensure_product(platform, wanted, False)
    assert (again.reason, again.after) == ("up_to_date", change.after)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("product_name", {"product_name": "abc"}),
        ("product_name", {"product_name": "a" * 31}),
        ("product_name", {"product_name": "网" * 16}),
        ("product_name", {"product_name": "Oven s"}),
        ("product_name", {"product_name": "Oven!"}),
        ("description", {"description": "d" * 101}),
        ("net_type", {"data_format": "alink"}),
    ],
    ids=str,
)
def test_what_the_platform_refuses_is_told_before_it_is_sent(option: str, wanted: JSON, check: bool) -> None:
    platform: JSON = PlatformWithOneProduct()
    with pytest.raises(InvalidOption, match=f"^{option}: "):
        ensure_product(platform, {**PRODUCT_OPTIONS, **wanted}, check)
    ensure_product(platform, PRODUCT_OPTIONS, False)
    if option != "net_type":
        with pytest.raises(InvalidOption, match=f"^{option}: "):
            ensure_product(platform, {**PRODUCT_OPTIONS, "product_key": KEY, **wanted}, check)
    assert platform.calls["CreateProduct"] == 1
    assert platform.calls["UpdateProduct"] == 0


@pytest.mark.parametrize(
    "wanted",
    [
        {"product_name": "网关"},
        {"product_name": "A_b-c@d(1)"},
        {"product_name": "a" * 30},
        {"description": "\u7f51" * 100},
        {"data_format": "alink", "net_type": "wifi"},
    ],
    ids=str,
)
def test_what_the_platform_allows_is_sent(wanted: JSON) -> None:
    platform: JSON = PlatformWithOneProduct()
    assert ensure_product(platform, {**PRODUCT_OPTIONS, **wanted}, False).reason == "missing"


def test_a_product_that_is_there_is_not_refused_for_its_texts() -> None:
    """The product may be older than the limits."""
    platform: JSON = PlatformWithOneProduct()
    platform.stored = {"ProductKey": KEY, "NodeType": 1, "ProductName": "Old", "Description": "d" * 150}
    wanted = {**PRODUCT_OPTIONS, "product_name": "Old", "description": "d" * 150, "data_format": "alink"}
    assert ensure_product(platform, wanted, False).reason == "up_to_date"


def test_a_product_is_found_by_a_name_with_a_line_feed() -> None:
    platform: JSON = PlatformWithOneProduct()
    ensure_product(platform, PRODUCT_OPTIONS, False)
    [found] = find_products(platform, None, " Ovens\n")
    assert found.product_name == "Ovens"


def test_a_new_name_leaves_the_lines_of_the_description() -> None:
    platform: JSON = PlatformWithOneProduct()
    options = {**PRODUCT_OPTIONS, "description": "two\nlines"}
    ensure_product(platform, options, False)
    ensure_product(platform, {**options, "product_key": KEY, "product_name": "Stoves"}, False)
    assert texts_of(platform.stored) == {"ProductName": "Stoves", "Description": "two\nlines"}


def test_a_name_of_blanks_is_none() -> None:
    platform: JSON = PlatformWithOneProduct()
    with pytest.raises(InvalidOption, match=r"^product_name: "):
        ensure_product(platform, {**PRODUCT_OPTIONS, "product_name": " \n"}, False)
