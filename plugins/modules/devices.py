#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: devices
short_description: Adds, removes, enables or disables devices of a product
version_added: 1.0.0
description:
  - Brings any number of devices of one product to a state, in one pass for a whole fleet. The platform limits how often an
    B(account) may call, so run it once for all (C(run_once=true)), not for each host.
  - From O(batch_threshold) names on they are added as a whole, ten thousand with about a dozen calls. The platform takes its time
    for that; the module waits for it.
  - A device that was added has a DeviceSecret already, but no result holds it. M(fleetops.aliyun_iot.gateway_credential) gets one.
  - Every name stands for itself, as far as it goes. What is wrong with a name (malformed, repeated, refused by the platform) is
    reported with it, the others are done, and the module fails at the end.
options:
  product_key:
    description: The product's ProductKey.
    type: str
    required: true
  names:
    description: The DeviceNames, 4 to 32 of the characters C(A-Z a-z 0-9 - _ @ . :) each, any number of them.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(present) adds devices, V(absent) removes them with all that the platform knows about them, a gateway's topology included.
      - V(disabled) keeps devices from connecting, V(enabled) lets them again; they have to exist.
      - If the AccessKey is the account's own, the platform asks for a code by text message before it removes a device. Use a RAM user's.
    type: str
    choices: [present, absent, enabled, disabled]
    default: present
  purge:
    description:
      - Whether to remove every device of the product that is not in the list. For O(state=present) only.
      - Nothing is removed if anything is wrong with any name of the list.
    type: bool
    default: false
  purge_maximum:
    description: If there are more devices to purge than that, nothing at all is changed and the module fails.
    type: int
    default: 10
  batch_threshold:
    description: From how many names on devices are added as a whole instead of one by one.
    type: int
    default: 100
  job_timeout:
    description: How long to wait for the platform to check or to add a list of names, in seconds (1 to 86400).
    type: int
    default: 600
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
seealso:
  - module: fleetops.aliyun_iot.devices_info
  - module: fleetops.aliyun_iot.device_reset
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Add a device for every gateway of the inventory
  fleetops.aliyun_iot.devices:
    region: cn-shanghai
    product_key: a1IoKTestP1
    names: "{{ groups['gateways'] }}"
  run_once: true

- name: Keep a device that was stolen from connecting
  fleetops.aliyun_iot.devices:
    region: cn-shanghai
    product_key: a1IoKTestP1
    names: [gw-0013]
    state: disabled
  run_once: true
"""

RETURN = r"""
product_key:
  description: The ProductKey.
  returned: with RV(devices)
  type: str
devices:
  description: What came of each device, in the order of the list; then the names that can't be one; then those to purge.
  returned: always, unless the module failed before it looked at the list
  type: list
  elements: dict
  contains:
    device_name:
      description: The DeviceName.
      type: str
    reason:
      description:
        - Why something is done, V(missing), V(exists), V(enabled), V(disabled) or V(not_listed) (purge), or V(up_to_date).
        - V(invalid) if the name can't be a DeviceName or is repeated, V(missing) with an error if it has to exist, V(not_attempted) if the
          module gave up before.
      type: str
    changed:
      description: Whether it was changed, or would be in check mode.
      type: bool
    error:
      description: What went wrong with it, with C(kind), C(code), C(message) and C(hint); only where something did.
      type: dict
error:
  description: What went wrong.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error, for conditions; if devices failed, that of the first. One of V(bad_answer), V(credential), V(internal),
          V(invalid_option), V(missing_library), V(network), V(not_found), V(purge_maximum), V(refused), V(throttled), V(timeout), V(tls).
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
