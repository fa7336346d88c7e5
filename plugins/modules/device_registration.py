#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: device_registration
short_description: Registers one device and issues its DeviceSecret
version_added: 1.0.0
description:
  - Sends one signed registration over HTTPS to Alibaba Cloud IoT Platform (unique-certificate-per-product authentication) from the
    controller, and returns the new credential's fingerprint.
  - Every run registers the device. A registration can issue a new DeviceSecret, which makes the previous one invalid. To provision
    gateways, use M(fleetops.aliyun_iot.gateway_credential).
  - ProductSecret stays in Ansible's own process on the controller, whatever host the task is for.
  - The host that connects is always the controller, and the connection is always HTTPS. Some options below are shared with other modules.
    What they say about gateways and MQTT does not apply to this module.
  - The regions V(cn-beijing) and V(cn-shenzhen) offer no registration over HTTPS. For these regions, the module fails with the kind
    V(invalid_option) unless O(endpoint) is set. For these regions, use M(fleetops.aliyun_iot.gateway_credential).
  - The module needs no Python package besides ansible-core.
options:
  device_name:
    description: The DeviceName, 4 to 32 of the characters C(A-Z a-z 0-9 - _ @ . :).
    type: str
    required: true
  return_secret:
    description:
      - Whether to return the DeviceSecret. With V(false), the secret is lost when the module ends. So V(false) is only for a test of the
        registration, with a device that no gateway uses.
      - With V(true), the task must have C(no_log=true). Otherwise it fails with the kind V(invalid_option), and registers nothing.
    type: bool
    default: false
extends_documentation_fragment:
  - fleetops.aliyun_iot.registration
  - fleetops.aliyun_iot.connection
  - fleetops.aliyun_iot.attributes
  - fleetops.aliyun_iot.attributes.controller
attributes:
  check_mode:
    support: full
    details: Sends nothing, and predicts a change.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Every run registers the device, which can issue a new secret.
  action_group:
    version_added: 1.0.0
notes:
  - Not verified against the live platform. The README says what is known and what is not.
seealso:
  - module: fleetops.aliyun_iot.gateway_credential
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Register a device and keep its secret for the next task
  fleetops.aliyun_iot.device_registration:
    region: cn-shanghai
    product_key: a1IoKTestP1
    product_secret: "{{ vault_product_secret }}"
    device_name: OvenDevice01
    return_secret: true
  register: registration
  no_log: true
"""

RETURN = r"""
product_key:
  description: The ProductKey.
  returned: success
  type: str
device_name:
  description: The DeviceName.
  returned: success
  type: str
fingerprint:
  description:
    - The first 16 hexadecimal digits of SHA-256 over C(fleetops:{ProductKey}:{DeviceName}:{DeviceSecret}). V(null) in check mode.
  returned: success
  type: str
  sample: 2fd4e1c67a2d28fc
device_secret:
  description: The DeviceSecret. V(null) in check mode.
  returned: success and O(return_secret=true)
  type: str
error:
  description: Describes the failure.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error. Use it in C(when) or C(failed_when). It is one of V(bad_answer), V(internal), V(invalid_option), V(network),
          V(refused), V(throttled), V(tls).
        - V(internal) is a bug of this collection. Please report it.
      type: str
    code:
      description: The platform's code, if it gave one.
      type: int
    message:
      description: What was attempted, on what, and what failed.
      type: str
    hint:
      description: What to do next.
      type: str
"""
