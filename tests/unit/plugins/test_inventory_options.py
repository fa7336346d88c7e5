# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the types of the options in an inventory source of the plugin."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.fleetops.aliyun_iot.plugins.inventory.devices import _OwnInventory
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._inventory_options import check_names, check_source

RIGHT = """
plugin: fleetops.aliyun_iot.devices
products: [a1IoKTestP1]
region: cn-shanghai
timeout: 10
qps_share: 0.5
strict: true
compose: {ansible_host: iot_device_name, ansible_port: 22}
groups: {all_of_them: true, none: false}
keyed_groups:
  - {key: iot_status, prefix: "", separator: null, parent_group: by_status, trailing_separator: false}
  - {key: iot_status, default_value: none}
"""
WRONG = {
    "products: [12345]": "products: is a number",
    "products: 12345": "products: is a number",
    "products: [2026-11-27]": "products: is a date",
    "products: [[a1IoKTestP1]]": "products: is a list",
    "products: [null]": "products: has an empty element",
    "hostname: 5": "hostname: is a number",
    "region: 5": "region: is a number",
    "timeout: true": "timeout: is yes or no, and not a number",
    "qps_share: false": "qps_share: is yes or no, and not a number",
    "groups: {5: true}": "groups: 5 is not text",
    "groups: {true: true}": "groups: True is not text",
    "groups: {null: true}": "groups: is not text",
    "compose: {5: iot_device_name}": "compose: 5 is not text",
    "keyed_groups: [5]": "keyed_groups: is not a list of dictionaries",
    "keyed_groups: [{key: 5}]": r"keyed_groups\[0\]\.key: is a number",
    "keyed_groups: [{key: iot_id}, {key: iot_id, parent_group: 5}]": r"keyed_groups\[1\]\.parent_group: is a number",
    "keyed_groups: [{key: iot_id, prefix: [a]}]": r"keyed_groups\[0\]\.prefix: is a list",
    "keyed_groups: [{key: iot_id, separator: 5}]": r"keyed_groups\[0\]\.separator: is a number",
    "keyed_groups: [{key: iot_id, default_value: no}]": r"keyed_groups\[0\]\.default_value: is yes or no",
}


def test_a_source_with_the_right_types() -> None:
    check_source(DataLoader().load(RIGHT))
    check_source({"products": "a1IoKTestP1,a1IoKTestP2"})


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_type_is_refused_with_the_name_of_the_option(text: str) -> None:
    given = {**DataLoader().load(RIGHT), **DataLoader().load(text)}
    with pytest.raises(InvalidOption, match=f"^{WRONG[text]}"):
        check_source(given)


def test_an_unknown_option_is_refused() -> None:
    known = ("access_key_secret", "products")
    check_names({"products": []}, known)
    with pytest.raises(InvalidOption, match=r"^acess_key_secret: is not .* Did you mean access_key_secret\?"):
        check_names({"acess_key_secret": "CANARY"}, known)
    with pytest.raises(InvalidOption, match=r"^5: is not an option of this plugin\. See ansible-doc"):
        check_names({5: True}, known)


def test_a_group_is_never_its_own_parent() -> None:
    inventory = _OwnInventory()
    for group in ("site_a", "by_site"):
        inventory.add_group(group)
    inventory.add_child("by_site", "site_a")
    with pytest.raises(InvalidOption, match=r"^keyed_groups: .site_a. would be its own parent_group"):
        inventory.add_child("site_a", "site_a")
