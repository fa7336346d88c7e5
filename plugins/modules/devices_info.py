#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: devices_info
short_description: Gets the status of a product's devices
version_added: 1.0.0
description:
  - Reads the devices of one product, those of a list or all of them, with the calls that take the least time within the account's quotas.
  - The platform's answers contain every DeviceSecret in clear text. The module discards it and returns a fingerprint of it, computed in
    the same way as the one that M(fleetops.aliyun_iot.gateway_credential) returns for the credential on a gateway.
options:
  product_key:
    description: The product's ProductKey.
    type: str
    required: true
  names:
    description: The DeviceNames. If this option is not set, all devices of the product are returned.
    type: list
    elements: str
extends_documentation_fragment:
  - fleetops.aliyun_iot.openapi
  - fleetops.aliyun_iot.attributes.actiongroup_openapi
  - fleetops.aliyun_iot.attributes
  - fleetops.aliyun_iot.attributes.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    version_added: 1.0.0
notes:
  - Use C(run_once=true). The platform's quotas apply to the account, and tasks of several hosts would exceed them together.
seealso:
  - module: fleetops.aliyun_iot.devices
  - plugin: fleetops.aliyun_iot.devices
    plugin_type: inventory
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Get the devices of all gateways
  fleetops.aliyun_iot.devices_info:
    region: cn-shanghai
    product_key: a1IoKTestP1
    names: "{{ groups['gateways'] }}"
  run_once: true
  delegate_to: localhost
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
      description: Whether it has ever connected. A reset does not change that. V(null) if the device is disabled and the platform does not
        report when it first connected.
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
        - The first 16 hexadecimal digits of SHA-256 over C(fleetops:{ProductKey}:{DeviceName}:{DeviceSecret}). Empty if the platform
          returned no DeviceSecret.
      type: str
      sample: 2fd4e1c67a2d28fc
missing:
  description: Those of O(names) that are not devices of the product.
  returned: success
  type: list
  elements: str
error:
  description: Describes the failure.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error. Use it in C(when) or C(failed_when). It is one of V(bad_answer), V(credential), V(internal), V(invalid_option),
          V(missing_library), V(network), V(not_found), V(refused), V(throttled), V(tls).
        - V(internal) is a bug of this collection. Please report it.
      type: str
    code:
      description: The platform's code, if it gave one.
      type: str
    message:
      description: What was attempted, on what, and what failed.
      type: str
    hint:
      description: What to do next.
      type: str
"""
