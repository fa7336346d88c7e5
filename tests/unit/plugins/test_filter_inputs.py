# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that filters name the value of a wrong type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from jinja2 import StrictUndefined, UndefinedError

from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_findings import audit_findings
from ansible_collections.fleetops.aliyun_iot.plugins.filter.audit_table import audit_table
from ansible_collections.fleetops.aliyun_iot.plugins.filter.decommission_devices import decommission_devices
from ansible_collections.fleetops.aliyun_iot.plugins.filter.device_names import device_names

JSON = Any
HOSTVARS = {"gw-1": {"gateway_product_key": "a1IoKTestP1"}}
READ = [{"product_key": "a1IoKTestP1", "devices": []}]
NO_HOSTS = "device_names: the input is not a list of hosts"
NO_LOOKS = "audit_findings: the input is not a dictionary of results by gateway"

WRONG: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    *((device_names, (value, HOSTVARS), NO_HOSTS) for value in ("gw-1", None, 5, True, [{}], [5])),
    *(
        (decommission_devices, (value, HOSTVARS, {}), "decommission_devices: the input is not a list of hosts")
        for value in ("gw-1", None, [{}])
    ),
    *(
        (decommission_devices, (["gw-1"], HOSTVARS, value), "decommission_devices: looks is not a dictionary of")
        for value in (None, ["gw-1"])
    ),
    (decommission_devices, ([], {}, {}, 5), "decommission_devices: platform is not a list of products"),
    (decommission_devices, ([], {}, {}, [], None, ["gw-1"]), "decommission_devices: names is not a dictionary of"),
    *(
        (device_names, (["gw-1"], HOSTVARS, value), "device_names: looks is not a dictionary of results by host")
        for value in (5, "gw-1", ["gw-1"], {"gw-1": None})
    ),
    *((audit_findings, (value, READ), NO_LOOKS) for value in (None, "x", [1], {"one": None}, {"one": 5})),
    *(
        (audit_findings, ({}, READ, value), "audit_findings: inventory is not a dictionary of devices by gateway")
        for value in (5, ["gw-1"], {"gw-1": None})
    ),
    *(
        (
            audit_findings,
            ({}, [{**READ[0], "devices": value}]),
            r"audit_findings: devices\[0\] is not a result of devices_info",
        )
        for value in ([5], [{}], [None], {"gw-1": {}})
    ),
    *((audit_table, (value,), "audit_table: the input is not a list of findings") for value in (None, 5, "x", {})),
]


@pytest.mark.parametrize(
    ("filtered", "values", "says"), WRONG, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_a_value_of_a_wrong_type_is_named(filtered: Callable[..., Any], values: tuple[Any, ...], says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^{says}"):
        filtered(*values)


def test_a_variable_that_is_not_defined_is_reported_by_jinja() -> None:
    with pytest.raises(UndefinedError, match="'looks' is undefined"):
        audit_findings(StrictUndefined(name="looks"), READ)
    with pytest.raises(UndefinedError, match="'hosts' is undefined"):
        device_names(StrictUndefined(name="hosts"), HOSTVARS)


def test_values_of_other_types_that_filters_take() -> None:
    device = {"product_key": "a1IoKTestP1", "device_name": "gw-1"}
    found = {"gw-1": {**device, "error": None, "problem": None, "place_in_doubt": False}}
    for hosts in (["gw-1"], ("gw-1",), ["gw-1", "gw-1"], HOSTVARS, iter(["gw-1"])):
        assert device_names(hosts, HOSTVARS, None) == found
