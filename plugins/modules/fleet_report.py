#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_report
short_description: Returns the result of fleet_credentials or fleet_devices for one gateway
version_added: 1.0.0
description:
  - Returns the result of M(fleetops.aliyun_iot.fleet_credentials) for this host, so that the host counts as changed, failed or
    unreachable, and its handlers are notified. For this, it does not connect to the gateway.
  - If the pass could not process this host (it is in C(left)), this task processes it over its connection, as
    M(fleetops.aliyun_iot.gateway_credential) does, or, after a pass with C(recover=true), as M(fleetops.aliyun_iot.gateway_recovery) does.
  - If the task of the pass had the keyword C(check_mode=true), but the playbook does not run in check mode, this task changes nothing
    either. It returns the C(reason) of the change that is needed, with C(changed=false), so that no handler is notified.
  - If the variable has the result of M(fleetops.aliyun_iot.fleet_devices), fails for a host whose device that task has refused.
options:
  variable:
    description: The variable that the result of the pass was registered as, or that of M(fleetops.aliyun_iot.fleet_devices).
    type: str
    default: gateway_fleet
  if_skipped:
    description: The variable with the result of an earlier pass. It is used if the task that registers O(variable) was skipped.
    type: str
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  action_group:
    support: none
    details: The options of each gateway are variables of its host.
    version_added: 1.0.0
seealso:
  - module: fleetops.aliyun_iot.fleet_credentials
  - module: fleetops.aliyun_iot.gateway_credential
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Report the result of the gateway
  fleetops.aliyun_iot.fleet_report:
    variable: gateway_fleet
  notify: Restart agent
"""

RETURN = r"""
reason:
  description: As M(fleetops.aliyun_iot.gateway_credential) returns it. For a changed host, all other keys of that module are returned,
    too; for a failed host, only those listed here, the device and the path. For a host that was up to date, V(up_to_date) without any
    other key, unless the pass had O(fleetops.aliyun_iot.fleet_credentials#module:report=all).
  returned: when the gateway was inspected
  type: str
  sample: missing
registered:
  description: Whether the platform issued a new DeviceSecret, as M(fleetops.aliyun_iot.gateway_credential) returns it.
  returned: when the gateway was inspected and was not up to date, and on failure
  type: bool
device_change:
  description:
    - What the run did to the device on the platform, as M(fleetops.aliyun_iot.fleet_credentials) returns it. If only the device
      was changed, the reason is V(up_to_date), and no handler of the role P(fleetops.aliyun_iot.gateway#role) is notified.
  returned: when the device was changed, or would be
  type: str
  sample: disabled
msg:
  description: What was attempted, what failed and what to do next.
  returned: on failure
  type: str
error:
  description: Describes the failure.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - One of V(bad_answer), V(busy), V(connection), V(credential), V(disabled), V(ended_early), V(has_sub_devices),
          V(in_service), V(internal), V(invalid_option), V(job), V(left_out), V(missing_library), V(missing_tool),
          V(name_changed), V(network), V(no_python), V(no_service), V(not_accepted), V(not_found), V(not_proven), V(permission),
          V(refused), V(registration_needed), V(shared_name), V(shared_place), V(storage), V(throttled), V(timeout), V(tls),
          V(unexpected_name), V(unproven_name) or V(unsafe_path).
      type: str
    code:
      description: The platform's code, if it gave one.
      type: raw
    message:
      description: What was attempted, on what, and what failed. Missing if the error is that of the pass, since C(msg) contains it.
      type: str
    hint:
      description: What to do next. Missing if the error is that of the pass, since C(msg) contains it.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import fleet_report_spec


def main() -> None:
    module = AnsibleModule(argument_spec=fleet_report_spec(), supports_check_mode=True)
    module.fail_json(msg="fleet_report works through its action plugin of the same name")


if __name__ == "__main__":
    main()
