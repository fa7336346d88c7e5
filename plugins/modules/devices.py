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
  - Ensures that any number of devices of one product are in one state. The platform limits the number of API calls that one B(account) may
    make. So run the module once for all hosts (C(run_once=true)), not once for each host.
  - If the list has O(batch_threshold) names or more, the devices are added with the batch API. It needs about twelve calls for ten thousand
    devices. The platform does this asynchronously; the module waits for the end.
  - The platform issues a DeviceSecret for a device as soon as it is added, but no result contains it. Use
    M(fleetops.aliyun_iot.gateway_credential) to register the gateway.
  - If a name is malformed or listed twice, or if the platform refuses only this device, its entry in RV(devices) contains the error. The
    others are processed, and the module fails at the end. After an error that can affect the others too, such as a lost connection, the
    module stops, and the rest is V(not_attempted).
options:
  product_key:
    description: The product's ProductKey.
    type: str
    required: true
  names:
    description: The DeviceNames, 4 to 32 of the characters C(A-Z a-z 0-9 - _ @ . :) each. A name that is listed twice is refused.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(present) adds devices, V(absent) removes them with all that the platform knows about them, a gateway's topology included.
      - V(disabled) prevents devices from connecting, V(enabled) allows it again; the devices must exist.
      - If the AccessKey is the account's own, the platform requires a code that it sends by text message before it removes a device. Use a
        RAM user's AccessKey.
    type: str
    choices: [present, absent, enabled, disabled]
    default: present
  purge:
    description:
      - Whether to remove every device of the product that is not in the list. For O(state=present) only.
      - Nothing is removed if any name of the list fails. An empty list is refused.
    type: bool
    default: false
  purge_maximum:
    description: The largest number of devices to purge. If there are more, the module fails and changes nothing.
    type: int
    default: 10
  batch_threshold:
    description: If the list has this number of names or more, the devices are added with the batch API. With fewer names they are added one
      by one.
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
  delegate_to: localhost

- name: Prevent a stolen device from connecting
  fleetops.aliyun_iot.devices:
    region: cn-shanghai
    product_key: a1IoKTestP1
    names: [gw-0013]
    state: disabled
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
product_key:
  description: The ProductKey.
  returned: with RV(devices)
  type: str
devices:
  description: The outcome for each of O(names), in their order, but with the names that are not valid after the others. At the end, the
    devices to purge.
  returned: always, unless the module failed as a whole, before it changed any device
  type: list
  elements: dict
  contains:
    device_name:
      description: The DeviceName.
      type: str
    reason:
      description:
        - The state in which the device was found, which is the reason for the change. It is V(missing), V(exists), V(enabled), V(disabled),
          or V(not_listed) for a device to purge. V(up_to_date) if no change is needed.
        - V(invalid) if the name is not a valid DeviceName or is listed twice.
        - V(missing), with an error, if O(state=enabled) or O(state=disabled) finds no such device.
        - V(not_attempted) if the module stopped before it processed this device.
      type: str
    changed:
      description: Whether the device was changed. In check mode, whether it would be changed.
      type: bool
    error:
      description: The failure of this device, with C(kind), C(code), C(message) and C(hint), if it failed.
      type: dict
error:
  description: Describes the failure.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error. Use it in C(when) or C(failed_when). If devices failed, it is the kind of the first error. It is one of
          V(bad_answer), V(credential), V(internal), V(invalid_option), V(missing_library), V(network), V(not_found), V(purge_maximum),
          V(refused), V(throttled), V(timeout), V(tls).
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
