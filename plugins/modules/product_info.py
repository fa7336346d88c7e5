#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: product_info
short_description: Lists products
version_added: 1.0.0
description:
  - Reads one product of Alibaba Cloud IoT Platform, or all of the account and instance. No result contains a ProductSecret.
  - The OpenAPI does not report whether dynamic registration is switched on; see M(fleetops.aliyun_iot.product).
options:
  product_key:
    description: List only the product with this key.
    type: str
  product_name:
    description: List only the product with this name. O(product_key) takes precedence.
    type: str
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
  - module: fleetops.aliyun_iot.product
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Find the product of the ovens
  fleetops.aliyun_iot.product_info:
    region: cn-shanghai
    product_name: OvenGateways
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
products:
  description: The products that were found. An empty list is not a failure.
  returned: success
  type: list
  elements: dict
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
      description: When it was created, in milliseconds since 1970.
      type: int
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
