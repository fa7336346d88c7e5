#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_devices
short_description: Adds, enables, disables, removes, resets or lists the devices of all hosts of a batch
version_added: 1.0.0
description:
  - Does what M(fleetops.aliyun_iot.devices), M(fleetops.aliyun_iot.device_reset) and M(fleetops.aliyun_iot.devices_info) do, for the
    devices of all hosts of the play's batch. Each host's variables name its account (C(platform_...)), region, instance and product;
    devices of the same account and product are processed together.
  - If the requests for the devices of one account and product fail, only the hosts of these devices are affected, and the task succeeds.
    With O(state=listed) and O(all_devices=true) the task fails instead, because an incomplete list would be misleading.
  - C(refused) in the result contains the hosts whose devices are not in the requested state. In a playbook, the task succeeds all the
    same, so a later task has to report these hosts. In an ad-hoc run (the command C(ansible)), the module fails if there are such hosts.
    It then also fails for a host whose variables name no device.
  - If two hosts have the same device, both are refused, except for O(state=listed). Hosts that failed or did not answer, in O(gateways) or
    earlier in the run, are not processed, but their devices are compared too, as far as O(gateways) or the inventory names them.
  - With O(state=reset), the module first compares the ProductSecret in a host's variables (C(gateway_product_secret)) with the platform's.
    If they differ, the device is not reset, because it could not register afterwards. Two things cannot be checked - whether Dynamic
    Registration is switched on, and the ProductSecret if the platform does not return it. In check mode, a warning lists what was not
    checked. The playbook C(fleetops.aliyun_iot.reprovision) runs this task in check mode first, so it prints this warning in every mode.
  - O(state=reset) also deletes the topology of a gateway. A gateway that has sub-devices is refused, unless C(gateway_reset_topology) is
    true in the variables of its host.
options:
  state:
    description:
      - V(present) adds the devices, except those of hosts with C(gateway_state=absent) or C(gateway_auth_type=regnwl). V(enabled) enables
        them, V(disabled) disables them, and V(absent) removes them. After V(disabled) and V(absent), the module queries the devices to
        verify that they are out of service. V(reset) resets them (ResetThing). V(listed) only reads them.
    type: str
    required: true
    choices: [present, absent, enabled, disabled, listed, reset]
  gateways:
    description:
      - The return value C(gateways) of M(fleetops.aliyun_iot.fleet_credentials). If it has a C(product_key) and a C(device_name) for a
        host, these are used instead of the host's variables. With O(state=reset), the fields C(fingerprint), C(device_name_proven) and
        C(lease_ends) are used too. Hosts that failed or did not answer are not processed, except for O(state=listed).
    type: dict
    default: {}
  known_alone:
    description: Whether to process only the hosts in O(gateways). With V(false), all hosts of the batch are processed.
    type: bool
    default: false
  all_devices:
    description: Whether O(state=listed) returns all devices of the products, not only those of the hosts.
    type: bool
    default: false
  account_only:
    description: Whether to check only that each host has an account. No request for devices is sent.
    type: bool
    default: false
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
  - fleetops.aliyun_iot.attributes.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: With O(state=reset), every run resets the devices.
  action_group:
    support: none
    details: The account, region and product are not options of this module. They are variables of the hosts, so the defaults of an action
      group do not apply to them.
    version_added: 1.0.0
notes:
  - Needs C(run_once=true) in a playbook, and a strategy that supports it. C(free) and C(host_pinned) do not support it.
  - Use C(delegate_to=localhost), as the playbooks do. Without it, an invalid connection variable of the first host fails the task for all
    hosts. Another value of C(delegate_to) is refused.
  - The keywords C(until) and C(retries) are refused in a playbook. Ansible would keep only the result of the last attempt, without the
    changes of earlier ones.
seealso:
  - module: fleetops.aliyun_iot.devices
  - module: fleetops.aliyun_iot.device_reset
  - module: fleetops.aliyun_iot.fleet_credentials
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Add the devices of all hosts, to several products and accounts
  fleetops.aliyun_iot.fleet_devices:
    state: present
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
products:
  description:
    - A list with one element for each pair of account and product; for O(state=reset), also for each value of
      C(gateway_reset_topology). C(product_key), C(changed) and C(devices) are as returned by
      M(fleetops.aliyun_iot.devices), M(fleetops.aliyun_iot.device_reset) or M(fleetops.aliyun_iot.devices_info). C(hosts) lists the hosts
      whose devices are in this element. C(error) is present only if the request failed for all devices of this element.
    - The C(reason) of a device is V(wrong_secret) if it was not reset because the host has another ProductSecret than the platform.
  returned: success
  type: list
  elements: dict
check_mode:
  description: V(true) in check mode. Then nothing was changed, and C(device_changes) shows what would be changed.
  returned: success
  type: bool
device_changes:
  description:
    - Hosts whose devices were changed, each with one of V(added), V(enabled), V(disabled), V(deleted) and V(reset). Pass this value to the
      option O(fleetops.aliyun_iot.fleet_credentials#module:device_changes).
  returned: success
  type: dict
  sample: {"gw-0001": "disabled"}
refused:
  description: Hosts whose devices are not in the requested state, each with a message.
  returned: on success; with the command C(ansible) also on failure, if hosts were refused
  type: dict
errors:
  description:
    - The hosts in C(refused), each with C(kind), C(code), C(message) and C(hint) of its error. Pass this value to the option
      O(fleetops.aliyun_iot.fleet_credentials#module:refused). M(fleetops.aliyun_iot.fleet_report) fails with the error of its host.
  returned: as C(refused)
  type: dict
unsent:
  description: The hosts in C(refused) for whose devices no request was sent.
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
        - One of V(bad_answer), V(busy), V(credential), V(disabled), V(has_sub_devices), V(in_service), V(internal),
          V(invalid_option), V(job), V(missing_library), V(network), V(not_found), V(not_proven), V(refused),
          V(shared_name), V(throttled), V(timeout) or V(tls).
      type: str
    code:
      description: The platform's code, if it gave one.
      type: raw
    message:
      description: What was attempted, on what, and what failed.
      type: str
    hint:
      description: What to do next.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import fleet_devices_spec


def main() -> None:
    module = AnsibleModule(argument_spec=fleet_devices_spec(), supports_check_mode=True)
    module.fail_json(msg="fleet_devices works through its action plugin of the same name")


if __name__ == "__main__":
    main()
