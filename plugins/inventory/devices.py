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
  - Every device of the chosen products becomes a host with the platform's data in its variables. The platform does not know the address of
    a gateway; set it with O(compose) or in C(group_vars).
  - Each host is in the group C(product_{ProductKey}) and in C(status_unactive), C(status_online), C(status_offline) or C(status_disable).
  - Its variables are C(iot_product_key), C(iot_product_name), C(iot_device_name), C(iot_status), C(iot_activated), C(iot_nickname),
    C(iot_id), C(iot_created) and C(iot_fingerprint), the fingerprint of the DeviceSecret (see M(fleetops.aliyun_iot.gateway_credential)).
    Neither these nor the cache contain a DeviceSecret.
  - The cache is used only if O(products), O(region), O(openapi_endpoint), O(instance_id), O(access_key_id), O(profile) and O(credentials)
    have not changed. Otherwise the plugin queries the platform.
  - The name of the inventory file must end in C(devices.yml) or C(devices.yaml).
  - Names from the platform and from the cache are checked before any host is added. A name is refused if it means the controller
    (C(localhost), a loopback address, an address of the controller or its host name), if Ansible would read it as a pattern, or if a
    group or a host of another inventory source already has it. Only sources that were read before are compared, so give this source as
    the last C(-i). If any name is refused, no host is added. Use O(hostname) to avoid the conflict.
  - No group can have a name of the controller either, and no address from O(compose), such as C(ansible_host), can lead to it. If the
    gateways are reached over ports of the controller, set C(ansible_host) in C(group_vars).
  - In names of groups, C(_) replaces characters that are not allowed in the name of a variable.
  - If a host would join a group of another inventory source, no host is added. Exceptions are groups whose names are in O(groups), are a
    C(parent_group) in O(keyed_groups), or begin with C(product_), with C(status_) or with a C(prefix) in O(keyed_groups).
  - Values from the platform are never evaluated as templates. Control characters in texts are replaced.
  - An option with an unknown name is refused, and a value of a wrong type is not shown, since it may be a secret.
options:
  plugin:
    description: Marks the file as a source of this plugin.
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
      - The name of a host, a Jinja2 expression over its variables. DeviceNames are unique only within a product; for more than one product,
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
credentials: default_chain # the AccessKey of the environment, or of the controller's RAM role
products: [a1IoKTestP1]
strict: true
compose:
  ansible_host: iot_device_name ~ '.gateways.example.com'
groups:
  never_connected: iot_activated is false
keyed_groups:
  - key: iot_device_name.split('-')[0]
    prefix: site
"""

import hashlib
import json
import typing as t

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption, internal
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import all_devices
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import product_of_key
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._inventory_gate import (
    GROUP_PREFIXES,
    Variables,
    check_host_name,
    check_host_names,
    check_joined_groups,
    check_variable,
    checked_devices,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._inventory_options import check_names, check_source

# The options that choose the devices. No secret is among them.
_CHOOSING = ("region", "openapi_endpoint", "instance_id", "access_key_id", "profile", "credentials")


class _OwnInventory(InventoryData):
    """The hosts and groups of one source."""

    def add_child(self, group: str, child: str) -> t.Any:
        """Add a host or a group to a group.

        :raises InvalidOption: the group would be its own parent, an error that ansible-core reports as a bug
        """
        if group == child:
            hint = "Choose another parent_group, or give the groups a prefix"
            raise InvalidOption("keyed_groups", group, "would be its own parent_group", hint)
        return super().add_child(group, child)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Read the devices, or the cache, and add hosts: all of them, or none if the gate refuses any."""

    NAME = "fleetops.aliyun_iot.devices"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("devices.yml", "devices.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path)
        self.inventory = _OwnInventory()  # of this source alone, until the gate has seen everything
        try:
            check_names(self._read_config_data(path), self.option_definitions)
            for name in ("access_key_id", "access_key_secret", "security_token"):
                if "{{" in str(self.get_option(name)):
                    raise AnsibleParserError(
                        "%s: is a template, and Ansible evaluates none in an inventory source. Encrypt the value or the file with "
                        "ansible-vault, or use credentials: default_chain" % name
                    )
            devices = self._devices(path, cache)
            named: dict[str, Variables] = {}
            for variables in devices:
                self._add(wrap_var(variables), named)  # a nickname is text, even with braces in it
            self._check(self.inventory, inventory, named)
        except FleetopsError as error:
            raise AnsibleParserError(str(error)) from None
        except AnsibleError:
            raise  # of this plugin or of ansible-core
        except Exception as error:  # pylint: disable=broad-except
            raise AnsibleParserError(str(internal(error))) from None
        _transfer(self.inventory, inventory)
        self.inventory = inventory

    def set_options(self, task_keys: t.Any = None, var_options: t.Any = None, direct: t.Any = None) -> None:
        """Check the options of the source before ansible-core does, which prints a value of a wrong type, even of a secret.

        :raises InvalidOption: as check_source()
        """
        check_source(direct or {})
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)

    def _key(self, path: str, products: list[str]) -> str:
        """Return the key of this source in the cache. It changes with the options that choose the devices."""
        chosen = [products, *(self.get_option(name) for name in _CHOOSING)]
        digest = hashlib.sha256(json.dumps(chosen, default=str).encode()).hexdigest()[:16]
        return "%s_%s" % (self.get_cache_key(path), digest)

    def _devices(self, path: str, cache: bool) -> list[Variables]:
        """Return the variables of every device, from the cache if it may be used and has them."""
        products = list(dict.fromkeys(self.get_option("products")))
        key = self._key(path, products)
        if cache and self.get_option("cache") and key in self._cache:
            return checked_devices(self._cache[key], products, "the cache")
        devices = checked_devices(self._ask(products), products, "the platform's answer")
        if self.get_option("cache"):
            self._cache[key] = devices
        return devices

    def _ask(self, products: list[str]) -> list[Variables]:
        api = connect(self.get_options())
        devices = []
        for product_key in products:
            product = product_of_key(api, product_key)
            about = {"iot_product_key": product.product_key, "iot_product_name": product.product_name}
            for device in all_devices(api, product_key).values():
                known = {"iot_" + name.replace("iot_", ""): value for name, value in device.as_result().items()}
                devices.append({**about, **known})
        return devices

    def _add(self, variables: Variables, named: dict[str, Variables]) -> None:
        """Add one host, and its device to ``named``."""
        strict = self.get_option("strict")
        host = check_host_name(self._compose(self.get_option("hostname"), variables), variables)
        if host in named:
            raise AnsibleParserError(
                "two devices would be the host %s, one of them in product %s. Set hostname, for example to "
                "iot_product_key ~ '-' ~ iot_device_name" % (host, variables["iot_product_key"])
            )
        named[host] = variables
        inventory: t.Any = self.inventory
        inventory.add_host(host)
        for name, value in variables.items():
            inventory.set_variable(host, name, value)
        for group in ("product_" + variables["iot_product_key"], "status_" + variables["iot_status"].lower()):
            inventory.add_host(host, group=inventory.add_group(self._sanitize_group_name(group)))
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)

    @staticmethod
    def _sanitize_group_name(name: str) -> str:
        """Replace characters that are not allowed in the name of a group, regardless of Ansible's configuration."""
        return str(to_safe_group_name(name, force=True, silent=True))

    def _check(self, made: t.Any, known: t.Any, named: dict[str, Variables]) -> None:
        """Compare the hosts and groups that this source would add with those of other sources."""
        check_host_names(named, known.hosts, {*made.groups, *known.groups})
        joined = {name: hosts[0].name for name, group in made.groups.items() if (hosts := group.get_hosts())}
        foreign = {name for name in joined if name in known.groups and not _is_ours(known.groups[name])}
        check_joined_groups(joined, foreign, known.hosts, *self._configured_groups())
        for host in made.hosts.values():
            for name, value in host.vars.items():
                check_variable(name, value, host.name)

    def _configured_groups(self) -> tuple[list[str], list[str]]:
        """Return the names of groups, and the beginnings of names, that are in the options."""
        keyed = self.get_option("keyed_groups") or []
        parents = [str(each.get("parent_group") or "").partition("{{") for each in keyed]
        names = [*(self.get_option("groups") or {}), *(name for name, template, _rest in parents if not template)]
        beginnings = ["%s%s" % (each["prefix"], each.get("separator", "_")) for each in keyed if each.get("prefix")]
        beginnings += [name for name, template, _rest in parents if template]
        sanitize = self._sanitize_group_name
        return [sanitize(name) for name in names], [*GROUP_PREFIXES, *(sanitize(name) for name in beginnings if name)]


def _is_ours(group: t.Any) -> bool:
    """Return whether a group has no hosts but those of another source of this plugin."""
    hosts = group.get_hosts()
    return bool(hosts) and all("iot_product_key" in host.vars for host in hosts)


def _transfer(made: t.Any, inventory: t.Any) -> None:
    """Add the hosts, their variables and their groups to the inventory."""
    for host in made.hosts.values():
        inventory.add_host(host.name)
        for name, value in host.vars.items():
            if name not in ("inventory_file", "inventory_dir"):  # of the source, which `inventory` knows
                inventory.set_variable(host.name, name, wrap_var(value))
    groups = [group for group in made.groups.values() if group.name not in ("all", "ungrouped")]
    for group in groups:
        inventory.add_group(group.name)
    for group in groups:
        for child in [*group.hosts, *group.child_groups]:
            inventory.add_child(group.name, child.name)
