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
  - A reset makes the stored DeviceSecret invalid, perhaps immediately, but at the latest when the device registers again. Check before the
    reset that the gateway can register and store a credential, as the playbook C(fleetops.aliyun_iot.reprovision) does.
  - B(A reset also deletes the topology of a gateway), which is the list of its sub-devices. The sub-devices themselves are not deleted. A
    gateway that has sub-devices is refused unless O(reset_topology=true). For more than 2,000 sub-devices the platform starts a job; the
    module waits for its end.
  - A disabled device is refused, since the platform would not let it register.
  - Run it once for a whole batch (C(run_once=true)). If one device fails, its entry in RV(devices) contains the error, and the module
    fails at the end. The others are reset. But after an error that can affect them too, such as a lost connection, the module stops, and
    the rest is V(not_attempted).
  - If the answer to a reset is lost, or is an error of a server (HTTP status 500 or higher), the reset is not sent again, whatever
    O(retry_time) is, because the platform may still process the first request.
options:
  product_key:
    description: The product's ProductKey.
    type: str
    required: true
  names:
    description: The DeviceNames. A name that is listed twice is refused.
    type: list
    elements: str
    required: true
  fingerprints:
    description:
      - A dictionary that maps DeviceNames to fingerprints. Take each from C(fingerprint) in the result of
        M(fleetops.aliyun_iot.gateway_credential). List here the devices whose names come only from the hardware of a gateway. A device that
        is listed here is reset only if its DeviceSecret on the platform has this fingerprint. This prevents a gateway that reports a false
        name from causing the reset of another gateway's device. An empty fingerprint never matches.
    type: dict
    default: {}
  leases:
    description:
      - A dictionary that maps DeviceNames to the value C(lease_ends) in the result of M(fleetops.aliyun_iot.gateway_credential) with
        C(state=reset_intended). A device that is listed here is reset only if there is time for the answer before its lease ends. Each
        DeviceName in this dictionary must be in O(names).
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
  delegate_to: localhost

- name: Replace the DeviceSecret of gateways whose devices are activated
  hosts: gateways
  gather_facts: false
  tasks:
    - name: Check that the gateway can register again, and take a lease
      fleetops.aliyun_iot.gateway_credential:
        region: cn-shanghai
        product_key: a1IoKTestP1
        product_secret: "{{ vault_product_secret }}"
        state: reset_intended
        lease_time: 30
      register: intended

    - name: Reset the device, or release the lease
      block:
        - name: Reset the device
          fleetops.aliyun_iot.device_reset:
            region: cn-shanghai
            product_key: a1IoKTestP1
            names: ["{{ intended.device_name }}"]
            leases: "{{ {intended.device_name: intended.lease_ends} }}"
          register: reset
      rescue:
        - name: Release the lease if no reset was sent
          fleetops.aliyun_iot.gateway_credential:
            product_key: a1IoKTestP1
            state: reset_withdrawn
            lease: "{{ intended.lease }}"
          when: reset.devices | default([]) | selectattr('reason', 'eq', 'requested') | length == 0

        - name: Fail, since the device was not reset
          ansible.builtin.fail:
            msg: "{{ reset.msg }}"

    - name: Register the device under the lease
      fleetops.aliyun_iot.gateway_credential:
        region: cn-shanghai
        product_key: a1IoKTestP1
        product_secret: "{{ vault_product_secret }}"
        lease: "{{ intended.lease }}"
"""

RETURN = r"""
product_key:
  description: The ProductKey.
  returned: with RV(devices)
  type: str
devices:
  description: The outcome for each of O(names), in their order, except that the names with the reason V(invalid) come last.
  returned: always, unless the module failed as a whole, before it reset any device
  type: list
  elements: dict
  contains:
    device_name:
      description: The DeviceName.
      type: str
    reason:
      description:
        - V(requested) if the device passed the checks and was processed. Without C(error), the device was reset or, in check mode, would be
          reset. With C(error) and C(changed=true), it was reset, but its job failed, or has not ended in time. With C(error) and
          C(changed=false), the reset failed, its answer was lost (the platform may still process it), or it was not sent because too little
          time was left before the end of the lease.
        - V(has_sub_devices) if it was refused because it has sub-devices, V(not_proven) if the platform's DeviceSecret has another
          fingerprint than in O(fingerprints), V(missing) if it does not exist, V(disabled) if it is disabled, V(invalid) if the name is not
          a valid DeviceName or is listed twice, V(not_attempted) if the module stopped before it processed this device.
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
          V(bad_answer), V(busy), V(credential), V(disabled), V(has_sub_devices), V(internal), V(invalid_option), V(job),
          V(missing_library), V(network), V(not_found), V(not_proven), V(refused), V(throttled), V(timeout), V(tls).
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
