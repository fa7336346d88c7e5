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
  - Keeps one product of Alibaba Cloud IoT Platform. Its devices are kept by M(fleetops.aliyun_iot.devices).
  - No result holds the ProductSecret. Copy it from the Product Details page in the console into a vault, or let the playbooks read it
    with the account (C(platform_product_secret=from_account)).
  - B(Dynamic registration) has no API. It can neither be switched on nor be read but in the console (Devices, Products, the product's
    Product Details page, Dynamic Registration; confirmed by a text message). A new product has it off. The module can't know how it
    stands; a registration is refused with 6288 while it is off.
options:
  product_key:
    description: Which product, by its key. Needed to rename one; a new product gets its key from the platform.
    type: str
  product_name:
    description:
      - The name, 4 to 30 letters, digits and C(_). Without O(product_key) it says which product, and must be given to create one.
    type: str
  node_type:
    description: Whether its devices are gateways. A new product needs it; it can't be changed.
    type: str
    choices: [gateway, device]
  authentication:
    description: How its devices prove who they are; V(secret) is by their DeviceSecret, as everything here does. It can't be changed.
    type: str
    choices: [secret]
  description:
    description: Up to 100 characters.
    type: str
  net_type:
    description: How its devices reach the network. Taken into account when the product is created.
    type: str
    choices: [wifi, cellular, ethernet, other]
  data_format:
    description:
      - Gives the product a Thing Specification Language (TSL) model with that format of data; needs O(net_type). Without it there is
        none. Taken into account when the product is created.
    type: str
    choices: [custom, alink]
  state:
    description: Whether the product exists. One that has devices is not removed.
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
  - Use C(run_once=true), since the platform's quotas are the account's and each host's task would count its own calls alone.
seealso:
  - module: fleetops.aliyun_iot.product_info
  - module: fleetops.aliyun_iot.devices
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Keep a product of gateways
  fleetops.aliyun_iot.product:
    region: cn-shanghai
    product_name: OvenGateways
    node_type: gateway
    description: The gateways of our ovens
  run_once: true
"""

RETURN = r"""
reason:
  description: Why something was done, V(missing), V(changed) or V(exists), or V(up_to_date).
  returned: success
  type: str
product_key:
  description: The ProductKey; empty where check mode did not create a product, V(null) where there is none.
  returned: success
  type: str
  sample: a1IoKTestP1
product:
  description: The product as it is now; V(null) if it does not exist.
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
      description: V(gateway) or V(device); empty if the platform does not tell.
      type: str
    authentication:
      description: How devices prove who they are, V(secret) by their DeviceSecret.
      type: str
    description:
      description: The description.
      type: str
    device_count:
      description: How many devices it has.
      type: int
    created:
      description: When it was created, in milliseconds since 1970; V(null) for one that check mode did not create.
      type: int
dynamic_registration:
  description: What can't be known or done about dynamic registration.
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
  description: What went wrong.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error, for conditions, one of V(bad_answer), V(credential), V(has_devices), V(immutable), V(internal),
          V(invalid_option), V(missing_library), V(network), V(not_found), V(refused), V(throttled), V(tls).
        - V(internal) is a mistake in this collection; please report it.
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
