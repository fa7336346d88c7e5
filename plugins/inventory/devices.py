# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Hosts from the platform's devices."""

from __future__ import annotations

DOCUMENTATION = r"""
name: devices
short_description: Hosts from the devices of Alibaba Cloud IoT Platform
version_added: 1.0.0
description:
  - Every device of the chosen products becomes a host, with what the platform knows about it. How to reach it, the platform does not know;
    O(compose) or C(group_vars) say so.
  - Each host is in the group C(product_{ProductKey}) and in C(status_unactive), C(status_online), C(status_offline) or C(status_disable).
  - Its variables are C(iot_product_key), C(iot_product_name), C(iot_device_name), C(iot_status), C(iot_activated), C(iot_nickname),
    C(iot_id), C(iot_created) and C(iot_fingerprint). No DeviceSecret is among them, nor in the cache.
  - The file's name has to end in C(devices.yml) or C(devices.yaml).
options:
  plugin:
    description: That it is this plugin's file.
    type: str
    required: true
    choices: [fleetops.aliyun_iot.devices]
  products:
    description: The ProductKeys of the products whose devices become hosts.
    type: list
    elements: str
    required: true
  hostname:
    description:
      - What a host is called, an expression over its variables. DeviceNames are unique within a product only; with more than one product,
        use for example V(iot_product_key ~ '-' ~ iot_device_name).
    type: str
    default: iot_device_name
extends_documentation_fragment:
  - fleetops.aliyun_iot.openapi
  - constructed
  - inventory_cache
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
plugin: fleetops.aliyun_iot.devices
region: cn-shanghai
products: [a1IoKTestP1]
strict: true
compose:
  ansible_host: iot_device_name ~ '.gateways.example.com'
groups:
  never_connected: not iot_activated
keyed_groups:
  - key: iot_device_name.split('-')[0]
    prefix: site
"""

import typing as t

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._devices import all_devices
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._products import product_of_key

Hosts = list[dict[str, t.Any]]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Reads the devices, or the cache, and adds hosts."""

    NAME = "fleetops.aliyun_iot.devices"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("devices.yml", "devices.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path)
        self._read_config_data(path)
        for name in ("access_key_id", "access_key_secret", "security_token"):
            if "{{" in str(self.get_option(name)):
                raise AnsibleParserError(
                    "%s: is a template, and Ansible evaluates none in an inventory source. Encrypt the value or the file with "
                    "ansible-vault, or leave it out for the default chain of the vendor's SDK" % name
                )
        for variables in self._hosts(self.get_cache_key(path), cache):
            self._add(wrap_var(variables))  # a nickname is text, whatever braces stand in it

    def _hosts(self, key: str, cache: bool) -> Hosts:
        """The variables of every host, from the cache if it may be used and has them."""
        if cache and self.get_option("cache") and key in self._cache:
            return t.cast(Hosts, self._cache[key])
        try:
            hosts = self._devices()
        except FleetopsError as error:
            raise AnsibleParserError(str(error)) from None
        if self.get_option("cache"):
            self._cache[key] = hosts
        return hosts

    def _devices(self) -> Hosts:
        api = connect(self.get_options())
        hosts = []
        for product_key in self.get_option("products"):
            product = product_of_key(api, product_key)
            about = {"iot_product_key": product.product_key, "iot_product_name": product.product_name}
            for device in all_devices(api, product_key).values():
                known = {"iot_" + name.replace("iot_", ""): value for name, value in device.as_result().items()}
                hosts.append({**about, **known})
        return hosts

    def _add(self, variables: dict[str, t.Any]) -> None:
        strict = self.get_option("strict")
        host = str(self._compose(self.get_option("hostname"), variables))
        known = self.inventory.get_host(host).vars.get("iot_id") if host in self.inventory.hosts else None
        if known not in (None, variables["iot_id"]):
            raise AnsibleParserError(
                "two devices would be the host %s, one of them in product %s. Set hostname, for example to "
                "iot_product_key ~ '-' ~ iot_device_name" % (host, variables["iot_product_key"])
            )
        self.inventory.add_host(host)
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)
        for group in ("product_" + variables["iot_product_key"], "status_" + variables["iot_status"].lower()):
            self.inventory.add_host(host, group=self.inventory.add_group(self._sanitize_group_name(group)))
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)
