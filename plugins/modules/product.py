#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: product
short_description: Creates, changes or removes a product
version_added: 1.0.0
description:
  - Manages one product of Alibaba Cloud IoT Platform. Use M(fleetops.aliyun_iot.devices) for its devices.
  - No result contains the ProductSecret. Copy it from the Product Details page in the console into a vault, or let the playbooks read it
    with the account (C(platform_product_secret=from_account)).
  - The OpenAPI can neither switch on nor read B(Dynamic Registration). Switch it on in the console (Devices, Products, the product's
    Product Details page, Dynamic Registration; a code by text message confirms it). It is off for a new product, and registrations are
    refused with 6288 until it is switched on.
options:
  product_key:
    description: The key of the product. Required to rename a product. The platform chooses the key of a new product, so leave it out to
      create one.
    type: str
  product_name:
    description:
      - The name, 4 to 30 letters, digits, parentheses and C(_ - @). A letter that is not ASCII counts as two. Without O(product_key), the
        product with this name is managed. Required to create one.
    type: str
  node_type:
    description: Whether its devices are gateways. Required for a new product; it cannot be changed later.
    type: str
    choices: [gateway, device]
  authentication:
    description: How its devices authenticate; V(secret) is with their DeviceSecret. It cannot be changed later.
    type: str
    choices: [secret]
  description:
    description: Up to 100 characters.
    type: str
  net_type:
    description: How its devices reach the network. Used only when the product is created.
    type: str
    choices: [wifi, cellular, ethernet, other]
  data_format:
    description:
      - Creates the product with a Thing Specification Language (TSL) model and this data format. Requires O(net_type). If not set, the
        product has no TSL model. Used only when the product is created.
    type: str
    choices: [custom, alink]
  state:
    description: Whether the product is to exist. A product is not removed if it has devices, or if its name, node type or authentication is
      not the one in the options.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - fleetops.aliyun_iot.openapi
  - fleetops.aliyun_iot.attributes.actiongroup_openapi
  - fleetops.aliyun_iot.attributes
  - fleetops.aliyun_iot.attributes.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  action_group:
    version_added: 1.0.0
notes:
  - Use C(run_once=true). The platform's quotas apply to the account, and tasks of several hosts would exceed them together.
seealso:
  - module: fleetops.aliyun_iot.product_info
  - module: fleetops.aliyun_iot.devices
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Create a product of gateways
  fleetops.aliyun_iot.product:
    region: cn-shanghai
    product_name: OvenGateways
    node_type: gateway
    description: The gateways of our ovens
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
reason:
  description: The reason for the change, V(missing), V(changed) or V(exists), or V(up_to_date).
  returned: success
  type: str
product_key:
  description: The ProductKey; empty in check mode for a product that would be created, V(null) if the product did not exist.
  returned: success
  type: str
  sample: a1IoKTestP1
product:
  description: The product after the task; V(null) if it does not exist.
  returned: success
  type: dict
  contains:
    product_key:
      description: The ProductKey.
      type: str
    product_name:
      description: The name.
      type: str
    node_type:
      description: V(gateway) or V(device); empty if the platform does not report it.
      type: str
    authentication:
      description: How devices authenticate, V(secret) with their DeviceSecret.
      type: str
    description:
      description: The description.
      type: str
    device_count:
      description: How many devices it has; V(null) if the platform does not report it.
      type: int
    created:
      description: When it was created, in milliseconds since 1970; V(null) in check mode for a product that would be created, and for a
        new product that could not be read.
      type: int
dynamic_registration:
  description: Whether dynamic registration is switched on, which the OpenAPI does not report.
  returned: success
  type: dict
  contains:
    known:
      description: Always V(false).
      type: bool
    hint:
      description: How to switch it on in the console.
      type: str
error:
  description: Describes the failure.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error. Use it in C(when) or C(failed_when). It is one of V(bad_answer), V(credential), V(has_devices), V(immutable),
          V(internal), V(invalid_option), V(missing_library), V(network), V(not_found), V(refused), V(throttled), V(tls).
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
