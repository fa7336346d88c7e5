#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: device_reset
short_description: Lets activated devices register again
version_added: 1.0.0
description:
  - Resets the dynamic registration of devices (ResetThing), after which each can register again and gets a new DeviceSecret. The
    device's status does not change; it does not become V(UNACTIVE) again.
  - After a reset the stored DeviceSecret stops working, at the latest when the device registers again. Check before the reset that the
    gateway can register and store a credential, as the playbook C(fleetops.aliyun_iot.reprovision) does.
  - B(It also deletes the topology of a gateway), all its sub-devices. A gateway that has sub-devices is refused unless
    O(reset_topology=true). For more than 2,000 sub-devices the platform starts a job; the module waits for its end.
  - A disabled device is refused, since the platform would not let it register.
  - Run it once for a whole batch (C(run_once=true)). If one device fails, its error is reported with it, the others are reset, and the
    module fails at the end.
options:
  product_key:
    description: The product's ProductKey.
    type: str
    required: true
  names:
    description: The DeviceNames.
    type: list
    elements: str
    required: true
  fingerprints:
    description:
      - A dictionary of DeviceName to fingerprint, for those of O(names) that only the hardware of a gateway reports. Such a device is reset
        only if the platform's DeviceSecret has this fingerprint, so that no gateway can have another gateway's device reset. An empty
        fingerprint never matches.
    type: dict
    default: {}
  leases:
    description:
      - A dictionary of DeviceName to C(lease_ends), of the result of M(fleetops.aliyun_iot.gateway_credential) with
        C(state=reset_intended). Such a device is reset only if there is time for the answer before its lease ends.
    type: dict
    default: {}
  reset_topology:
    description: Whether the topologies of gateways may be deleted.
    type: bool
    default: false
  job_timeout:
    description: How long to wait for a topology to be deleted, in seconds (1 to 86400).
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
    support: none
    details: The platform does not report whether a device is registered, so every run resets.
  action_group:
    version_added: 1.0.0
seealso:
  - module: fleetops.aliyun_iot.gateway_credential
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Allow the gateways of this batch to register again
  fleetops.aliyun_iot.device_reset:
    region: cn-shanghai
    product_key: a1IoKTestP1
    names: "{{ ansible_play_batch }}"
  run_once: true
"""

RETURN = r"""
product_key:
  description: The ProductKey.
  returned: with RV(devices)
  type: str
devices:
  description: The outcome for each device, in the order of the list; then the names that are not valid.
  returned: always, unless the module failed before it looked at the list
  type: list
  elements: dict
  contains:
    device_name:
      description: The DeviceName.
      type: str
    reason:
      description:
        - V(requested) if it is reset.
        - V(has_sub_devices) if it was refused because it has sub-devices, V(not_proven) if the platform's DeviceSecret has another
          fingerprint than in O(fingerprints), V(missing) if it does not exist, V(disabled) if it is disabled, V(invalid) if the name is not
          a valid DeviceName or is listed twice, V(not_attempted) if the module stopped before.
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
        - The kind of error. Use it in C(when) or C(failed_when). If devices failed, it is that of the first. It is one of V(bad_answer),
          V(busy), V(credential), V(disabled), V(has_sub_devices), V(internal), V(invalid_option), V(job), V(missing_library), V(network),
          V(not_found), V(not_proven), V(refused), V(throttled), V(timeout), V(tls).
        - V(internal) is a mistake in this collection; please report it.
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
