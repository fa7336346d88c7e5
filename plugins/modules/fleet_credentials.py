#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_credentials
short_description: Gives all gateways of a batch their device certificates in one pass
version_added: 1.0.0
description:
  - Does what M(fleetops.aliyun_iot.gateway_credential) does, for all hosts of the play's batch in one process. Over gateways whose
    credentials are right it costs a fraction of what a task on each of them costs.
  - The options of each gateway are the variables of its host, those of the role P(fleetops.aliyun_iot.gateway#role), with the role's
    defaults. Connection and privilege escalation are what they would be for a task on the host.
  - First all gateways are looked at. A device that two of them claim to be is refused for both, before anything is sent, and so is a file
    that two of them have on one machine, as C(gateway_path) or in C(gateway_exports). Then those that need it are changed.
  - One gateway's failure is no other gateway's, and does not make this task fail. What came of each is in C(gateways); the role's
    C(tasks_from=report), or M(fleetops.aliyun_iot.fleet_report), makes it the result of a task of the host, so that its handlers run.
  - A pass that takes longer than a few seconds shows how far it is, whichever callback prints the output.
options:
  state:
    description: As in M(fleetops.aliyun_iot.gateway_credential). Goes before the variable C(gateway_state).
    type: str
    choices: [present, absent, reset_intended]
  register:
    description: As in M(fleetops.aliyun_iot.gateway_credential). Goes before the variable C(gateway_register).
    type: str
    choices: [if_needed, always, never]
  recover:
    description:
      - Whether to do what M(fleetops.aliyun_iot.gateway_recovery) does, with the account that the variables C(platform_...) of each host
        name. Each account is asked by one client, within its quotas.
    type: bool
    default: false
  add_devices:
    description:
      - Whether to add a device that is going to be registered to its product, if the product lacks it. For hosts whose variables name an
        account, with C(platform_access_key_id) or C(platform_profile).
    type: bool
    default: false
  hardware_names:
    description:
      - Whether to look only at gateways whose names the hardware gives. The result of the others is the name that the inventory gives.
    type: bool
    default: false
  look_only:
    description:
      - Whether a pass in check mode only looks, and leaves it to another one to prove that what is to be done can be done.
    type: bool
    default: false
  lease_time:
    description: As in M(fleetops.aliyun_iot.gateway_credential), for O(state=reset_intended).
    type: int
  looked:
    description:
      - C(gateways) of an earlier pass. The hardware has to report the same name again. Hosts that failed or did not answer then are not
        tried again.
    type: dict
    default: {}
  take_over:
    description:
      - Whether the pass of O(looked) has already changed what needed it. Its results are taken over then and no gateway is looked at; a
        host without a result is left to a task of its own.
    type: bool
    default: false
  continues:
    description:
      - C(gateways) of the pass with O(state=reset_intended), whose leases this pass goes on with. Who failed then is not tried again.
    type: dict
    default: {}
  refused:
    description: Hosts that are not changed, each with the message that it fails with.
    type: dict
    default: {}
  withdraw:
    description: Those of O(refused) whose leases are given back, since nothing was sent.
    type: list
    elements: str
    default: []
  device_changes:
    description:
      - C(device_changes) of M(fleetops.aliyun_iot.fleet_devices) for the same hosts. Their results have it as C(device_change), and have
        changed if it has.
    type: dict
    default: {}
  most_failed:
    description:
      - How many of all hosts of the play, in percent, may have failed or not answered in the batches before, as a number with or without a
        percent sign. If there are more, nothing is done and C(ended) is V(true).
    type: raw
    default: 100
  fleet_size:
    description: Of how many hosts O(most_failed) is a part; V(0) is those of the play.
    type: int
    default: 0
  at_once:
    description: How many gateways are worked on at the same moment; V(0) is as many as there are forks.
    type: int
    default: 0
  connections:
    description:
      - How many connections there are at most. A gateway that has not answered for some seconds gives its place to another one, and waits
        beside it.
    type: int
    default: 100
  report:
    description: Whether C(gateways) holds the results of V(all) hosts, or leaves out those that were right.
    type: str
    choices: [changed, all]
    default: changed
  keep_right:
    description:
      - Whether C(right) holds the results that C(gateways) leaves out, for M(fleetops.aliyun_iot.run_report). No host reports them.
    type: bool
    default: false
  fallback:
    description:
      - What becomes of a host whose connection cannot be made in this process. V(true) leaves it to M(fleetops.aliyun_iot.fleet_report),
        V(false) lets it fail.
    type: bool
    default: true
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
    details: Looks, says what would be done, and proves that it can be, as M(fleetops.aliyun_iot.gateway_credential) does.
  diff_mode:
    support: none
    details: The diff of each gateway is shown by its report.
  idempotent:
    support: full
  action_group:
    support: none
    details: Its options are variables of the hosts.
    version_added: 1.0.0
notes:
  - Needs C(run_once=true), and a strategy that knows it; C(free) and C(host_pinned) do not.
  - A keyword of the task, such as C(become_user), holds for all hosts. A template there is refused; use variables of the hosts. So is
    C(delegate_to); the task runs on the controller anyway, and reaches each host over its own connection.
seealso:
  - module: fleetops.aliyun_iot.gateway_credential
  - module: fleetops.aliyun_iot.fleet_report
  - module: fleetops.aliyun_iot.fleet_devices
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Give every gateway its device certificate
  fleetops.aliyun_iot.fleet_credentials:
    report: changed
  register: gateway_fleet
  run_once: true

- name: Report what was done, so that handlers run
  ansible.builtin.import_role:
    name: fleetops.aliyun_iot.gateway
    tasks_from: report
"""

RETURN = r"""
check_mode:
  description: Whether the pass only looked, so that C(changed) is what would be done.
  returned: always
  type: bool
counts:
  description: How many gateways were C(ok), C(changed), C(failed), C(unreachable), and C(left) to tasks of their own.
  returned: always
  type: dict
  sample: {"ok": 9991, "changed": 5, "failed": 1, "unreachable": 3, "left": 0}
hosts:
  description: The hosts of the pass. One that is neither in C(gateways) nor in C(left) was right.
  returned: always
  type: list
  elements: str
gateways:
  description:
    - Results by host, with the keys of M(fleetops.aliyun_iot.gateway_credential), and C(unreachable) for a host that did not answer.
    - C(device_change) is what the run did to the device on the platform, or in check mode would do, be the host right, failed or
      unreachable. One of V(added), V(enabled), V(disabled), V(deleted) and V(reset); missing if that is nothing.
  returned: always
  type: dict
right:
  description: Results of the hosts that were right, with O(keep_right), where C(gateways) leaves them out.
  returned: always
  type: dict
left:
  description: The hosts that are left to tasks of their own, each with the reason.
  returned: always
  type: dict
ended:
  description: Whether nothing was done, since too many gateways had failed before. A warning gives the numbers.
  returned: always
  type: bool
asked:
  description: Options that go before the variables of the hosts, for M(fleetops.aliyun_iot.fleet_report).
  returned: always
  type: dict
error:
  description: What went wrong.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - One of V(bad_answer), V(busy), V(connection), V(credential), V(ended_early), V(internal), V(invalid_option), V(job),
          V(left_out), V(missing_library), V(missing_tool), V(name_changed), V(network), V(no_python), V(no_service), V(not_accepted),
          V(not_found), V(not_proven), V(permission), V(refused), V(registration_needed), V(shared_name), V(shared_place), V(storage),
          V(throttled), V(timeout), V(tls), V(unexpected_name), V(unproven_name) or V(unsafe_path).
      type: str
    code:
      description: The platform's code, if it gave one.
      type: raw
    message:
      description: What was attempted and what came back.
      type: str
    hint:
      description: What to do next.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import fleet_credentials_spec


def main() -> None:
    module = AnsibleModule(argument_spec=fleet_credentials_spec(), supports_check_mode=True)
    module.fail_json(msg="fleet_credentials works through its action plugin of the same name")


if __name__ == "__main__":
    main()
