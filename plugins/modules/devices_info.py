#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: devices_info
short_description: Tells how devices of a product stand
version_added: 1.0.0
description:
  - Reads devices of one product, those of a list or all, in whichever way takes the account's quotas less time.
  - The platform answers with every DeviceSecret in clear. The module drops it at once; its fingerprint stands for it, the same that
    M(fleetops.aliyun_iot.gateway_credential) returns for what a gateway has.
options:
  product_key:
    description: The product's ProductKey.
    type: str
    required: true
  names:
    description: The DeviceNames. Without them all devices of the product.
    type: list
    elements: str
extends_documentation_fragment:
  - fleetops.aliyun_iot.openapi
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    version_added: 1.0.0
seealso:
  - module: fleetops.aliyun_iot.devices
  - plugin: fleetops.aliyun_iot.devices
    plugin_type: inventory
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Look at the devices of all gateways
  fleetops.aliyun_iot.devices_info:
    region: cn-shanghai
    product_key: a1IoKTestP1
    names: "{{ groups['gateways'] }}"
  delegate_to: localhost
  run_once: true
  register: platform
"""

RETURN = r"""
product_key:
  description: The ProductKey.
  returned: success
  type: str
devices:
  description: The devices that exist.
  returned: success
  type: list
  elements: dict
  contains:
    device_name:
      description: The DeviceName.
      type: str
    status:
      description: V(UNACTIVE) (has never connected), V(ONLINE), V(OFFLINE) or V(DISABLE).
      type: str
    activated:
      description: Whether it has ever connected. A reset does not change that.
      type: bool
    nickname:
      description: The alias in the console.
      type: str
    iot_id:
      description: The platform's own identifier.
      type: str
    created:
      description: When it was added, UTC.
      type: str
    fingerprint:
      description:
        - The first 16 hexadecimal digits of SHA-256 over C(fleetops:{ProductKey}:{DeviceName}:{DeviceSecret}).
      type: str
      sample: 2fd4e1c67a2d28fc
missing:
  description: The names of O(names) that are no device of the product.
  returned: success
  type: list
  elements: str
error:
  description: What went wrong.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error, for conditions - V(refused), V(not_found), V(throttled), V(network), V(tls), V(credential),
          V(missing_library), V(invalid_option).
      type: str
    code:
      description: The platform's code, if it gave one.
      type: str
    message:
      description: What was attempted and what came back.
      type: str
    hint:
      description: What to do next.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import devices_info_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._devices import devices_as_asked
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import connect


def main():
    module = AnsibleModule(argument_spec=devices_info_spec(), supports_check_mode=True)
    key, names = module.params["product_key"], module.params["names"]
    try:
        found = devices_as_asked(connect(module.params), key, names)
    except FleetopsError as error:
        module.fail_json(msg=str(error), error=error.as_result())
    missing = [name for name in names or [] if name not in found]
    devices = [device.as_result() for device in found.values()]
    module.exit_json(changed=False, product_key=key, devices=devices, missing=missing)


if __name__ == "__main__":
    main()
