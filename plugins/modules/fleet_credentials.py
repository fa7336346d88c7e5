#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_credentials
short_description: Provisions all gateways of a batch with their device certificates in one pass
version_added: 1.0.0
description:
  - Does what M(fleetops.aliyun_iot.gateway_credential) does, for all hosts of the play's batch in one process. For gateways whose
    credentials are up to date, this takes only a fraction of the time that a separate task on each host would take. One run of this module
    is called a pass.
  - The options of each gateway are the variables of the role P(fleetops.aliyun_iot.gateway#role), as they are set for its host. A variable
    that is not set has the role's default. Connection and privilege escalation are the same as for a task on the host.
  - The pass first inspects all gateways, and compares their devices and files. If two gateways have the same device, both fail and are not
    changed. The same applies to two hosts that are one machine and have the same file in C(gateway_path) or C(gateway_exports). The pass
    recognises one machine only under one address (see C(shared_place) on the page
    R(Troubleshooting,ansible_collections.fleetops.aliyun_iot.docsite.troubleshooting_guide)). Then the pass changes the gateways that need
    a change.
  - The pass also compares hosts that it does not inspect, for example because a variable is wrong, because the host failed earlier in the
    run, or because the host is in O(refused). For their devices and files, the pass uses what the inventory names. There is one exception.
    If O(looked) or O(continues) has the result of a host of the batch, and this pass does not process this host, the host is not compared
    again. The earlier pass has compared this host.
  - A failure of one gateway affects no other gateway and does not fail the task. C(gateways) contains the results by host.
  - To run the handlers of each host, run M(fleetops.aliyun_iot.fleet_report) on each host after the pass. The role with
    C(tasks_from=report) does this, and notifies the role's handlers. It reads the result of the pass from the variable C(gateway_fleet), so
    register the pass under this name. M(fleetops.aliyun_iot.fleet_report) returns the host's result of the pass, so a changed gateway
    notifies its handlers, and a failed gateway fails its host.
  - A pass that takes longer than a few seconds shows its progress, with any callback.
  - A gateway counts as hanging if its inspection or its change takes longer than 15 minutes. If C(gateway_retry_time) plus three times
    C(gateway_timeout) is more than 150 seconds, the limit is 300 seconds plus four times this sum instead.
  - If all other gateways are finished, the pass ends the work on the hanging gateways. If the number of hanging gateways reaches
    O(connections), the pass ends the work on them too, since it could not start another gateway. The hanging gateways then fail with the
    kind V(timeout).
options:
  state:
    description: As in M(fleetops.aliyun_iot.gateway_credential). Takes precedence over the variable C(gateway_state).
    type: str
    choices: [present, absent, reset_intended]
  register:
    description: As in M(fleetops.aliyun_iot.gateway_credential). Takes precedence over the variable C(gateway_register).
    type: str
    choices: [if_needed, always, never]
  recover:
    description:
      - Whether to read the DeviceSecret from the platform in place of a registration, as M(fleetops.aliyun_iot.gateway_recovery) does. The
        account is in the variables C(platform_...) of each host. All hosts with the same values of these variables share one client, which
        does not exceed the account's quotas. Cannot be combined with O(state), O(register), O(lease_time) or O(continues).
    type: bool
    default: false
  add_devices:
    description:
      - Whether to add missing devices to their products before the registration. This is done only for hosts with an account in
        C(platform_access_key_id), C(platform_profile) or C(platform_credentials).
    type: bool
    default: false
  hardware_names:
    description:
      - Whether to process only the gateways whose names come from their hardware.
      - V(true) is meant for check mode. In check mode, the pass only inspects these gateways, and compares their names. A later pass can
        then make the changes.
      - Without check mode, the pass changes these gateways. It does not change the other hosts.
      - With O(report=all), the results of the other hosts contain the ProductKey and the DeviceName of the inventory.
    type: bool
    default: false
  look_only:
    description:
      - Whether a pass in check mode only inspects the gateways. With V(false), a pass in check mode also checks that the changes are
        possible. Use V(true) if a later pass makes these checks.
      - Use this option only in check mode. Without check mode, V(true) does not prevent any change.
    type: bool
    default: false
  lease_time:
    description: As in M(fleetops.aliyun_iot.gateway_credential), for O(state=reset_intended).
    type: int
  looked:
    description:
      - C(gateways) of an earlier pass. If the hardware of a gateway reports another name than in that pass, this gateway fails. Hosts that
        failed or were unreachable in that pass are not processed again. Their results are returned.
    type: dict
    default: {}
  continues:
    description:
      - C(gateways) of the pass with O(state=reset_intended). This pass uses the leases of that pass. Hosts that failed or were unreachable
        in that pass are not processed again. Their results are returned.
    type: dict
    default: {}
  refused:
    description: The hosts that must not be changed, as a dictionary. The value for a host is its error, as
      M(fleetops.aliyun_iot.fleet_devices) returns it in C(errors), or only a message. With a message, the kind of the error is
      V(left_out).
    type: dict
    default: {}
  withdraw:
    description: The hosts whose devices were not reset, because no reset was sent. List each of them in O(refused) too. If O(continues) has
      a lease for one of these hosts, the pass releases this lease.
    type: list
    elements: str
    default: []
  device_changes:
    description:
      - C(device_changes) of M(fleetops.aliyun_iot.fleet_devices) for the same hosts. The result of each host that is listed here contains
        the change as C(device_change), and C(changed) is V(true). A failed or unreachable host still counts as failed or unreachable.
    type: dict
    default: {}
  most_failed:
    description:
      - The limit of failures, as a percentage of O(fleet_size), with or without the percent sign. The pass counts the hosts that failed or
        were unreachable earlier in the play (in an earlier batch, for example), and those that failed or were unreachable in O(looked). If
        there are more of these hosts than the limit allows, the pass does nothing, and RV(ended) is V(true).
    type: raw
    default: 100
  fleet_size:
    description: The number of gateways that is 100 percent for O(most_failed). With V(0), it is the number of hosts of the play.
    type: int
    default: 0
  at_once:
    description: The number of gateways that are processed at the same time. If the work on a gateway takes longer than 5 seconds, this
      gateway no longer counts, and the pass starts the next one. So more gateways than this number can be in progress. O(connections)
      limits their total number. V(0) means the number of forks.
    type: int
    default: 0
  connections:
    description:
      - The maximum number of gateways in progress. It includes the gateways that O(at_once) no longer counts. If this number is lower than
        O(at_once), the maximum is O(at_once).
    type: int
    default: 100
  report:
    description:
      - V(all) means that C(gateways) contains the results of all hosts. V(changed) leaves out the hosts that were up to date.
    type: str
    choices: [changed, all]
    default: changed
  keep_right:
    description:
      - Whether to return the results of the hosts on which everything was right, so that nothing was changed. RV(gateways) leaves these
        results out with O(report=changed). With V(true), they are in RV(right). M(fleetops.aliyun_iot.run_report) needs them for its
        report. M(fleetops.aliyun_iot.fleet_report) does not use them.
    type: bool
    default: false
  fallback:
    description:
      - What happens to a host that the pass cannot process, for example because of its connection plugin. With V(true),
        M(fleetops.aliyun_iot.fleet_report) processes the host. With V(false), the host fails.
      - If only the hardware of the host reports its DeviceName, the host fails even if this option is V(true). The reason is that the pass
        could not compare its name with those of the other hosts.
      - This option does not apply to an unreachable host. The pass reports this host as unreachable.
    type: bool
    default: true
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
    details: Inspects the gateways, reports what would be changed, and checks that the change is possible, as
      M(fleetops.aliyun_iot.gateway_credential) does.
  diff_mode:
    support: none
    details: M(fleetops.aliyun_iot.fleet_report) shows the diff of each gateway, if this task runs in diff mode too, as with C(--diff).
  idempotent:
    support: partial
    details: With O(register=always) every run registers.
  action_group:
    description: Whether C(module_defaults) can set defaults for this module with a group of the collection.
    support: none
    details: The options of each gateway are variables of its host.
    version_added: 1.0.0
requirements:
  - requests, in the environment that runs Ansible, for C(gateway_register_from=controller) over HTTPS
  - requests, alibabacloud-tea-openapi and alibabacloud-credentials, in the environment that runs Ansible, for O(recover), for
    O(add_devices), and for C(platform_product_secret=from_account)
notes:
  - Needs C(run_once=true), and a strategy that supports it. C(free) and C(host_pinned) do not support it.
  - A pass does not compare its batch with other batches of a play with C(serial). If two batches have the same device, the second
    registration makes the credential of the first gateway invalid. So run a pass with O(look_only=true) and O(report=all) in check mode
    first, in a play over all hosts without C(serial), and give its RV(gateways) to O(looked).
  - A keyword of the task, such as C(become_user), applies to all hosts. A template in it is refused. Use variables of the hosts instead.
  - The task runs on the controller, and reaches each host over its own connection. Use C(delegate_to=localhost), as the playbooks do.
    Without it, an invalid connection variable of the first host fails the task for all hosts. Another value of C(delegate_to) is refused.
  - The keywords C(until) and C(retries) are refused. Ansible would keep only the result of the last attempt, so the handlers of gateways
    that an earlier attempt changed would not run.
seealso:
  - module: fleetops.aliyun_iot.gateway_credential
  - module: fleetops.aliyun_iot.fleet_report
  - module: fleetops.aliyun_iot.fleet_devices
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Provision every gateway with its device certificate
  fleetops.aliyun_iot.fleet_credentials:
    report: changed
  register: gateway_fleet # tasks_from: report reads this variable
  run_once: true
  delegate_to: localhost

- name: Report the results, so that handlers run
  ansible.builtin.import_role:
    name: fleetops.aliyun_iot.gateway
    tasks_from: report
"""

RETURN = r"""
check_mode:
  description: Whether the pass ran in check mode. If so, C(changed) in RV(counts) is the number of gateways that would be changed.
  returned: success
  type: bool
counts:
  description: The number of gateways that were C(ok), C(changed), C(failed), C(unreachable), and C(left) to
    M(fleetops.aliyun_iot.fleet_report).
  returned: success
  type: dict
  sample: {"ok": 9991, "changed": 5, "failed": 1, "unreachable": 3, "left": 0}
hosts:
  description: The hosts of the pass. A host that is neither in C(gateways) nor in C(left) was up to date or, with
    O(hardware_names=true), was not inspected.
  returned: success
  type: list
  elements: str
gateways:
  description:
    - Results by host, with the keys of M(fleetops.aliyun_iot.gateway_credential), and C(unreachable) for a host that did not answer.
    - C(device_change) is the change of the device on the platform, in check mode the predicted change. It is one of V(added), V(enabled),
      V(disabled), V(deleted) and V(reset), and is missing if the device was not changed. It can also be present if the gateway failed or
      was unreachable. If only the device was changed, C(reason) is V(up_to_date) and C(changed) is V(true).
  returned: success
  type: dict
right:
  description: With O(keep_right=true), the results that RV(gateways) leaves out. They are the results of the hosts on which everything
    was right. With O(hardware_names=true), they include the hosts that were not inspected. With O(keep_right=false), C(right) is empty.
  returned: success
  type: dict
left:
  description: The hosts that this pass could not process, each with the reason. M(fleetops.aliyun_iot.fleet_report) processes
    them (see O(fallback)).
  returned: success
  type: dict
ended:
  description: Whether the pass did nothing because too many gateways had failed before. A warning gives the numbers.
  returned: success
  type: bool
sharing:
  description:
    - A dictionary of the hosts that failed earlier in the play, and have the same device or the same file as another host. The value for a
      host is V(shared_name) if it has the same device. It is V(shared_place) if it has only the same file. Do not run a playbook for one of
      these hosts alone.
    - The hosts of this pass are not in this dictionary. If two of them have the same device or file, RV(gateways) has their errors.
  returned: if gateways were compared
  type: dict
asked:
  description: The option O(recover) of this pass. Also O(state), O(register) and O(lease_time), each only if it is set.
    M(fleetops.aliyun_iot.fleet_report) uses these options when it processes the hosts in RV(left).
  returned: success
  type: dict
error:
  description: Describes why the task failed. In C(gateways), the result of each failed gateway has an C(error) with the same keys. The list
    of kinds below covers the error of the task and the errors in C(gateways).
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
        - All kinds are on the page R(Troubleshooting,ansible_collections.fleetops.aliyun_iot.docsite.troubleshooting_guide).
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

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import fleet_credentials_spec


def main() -> None:
    module = AnsibleModule(argument_spec=fleet_credentials_spec(), supports_check_mode=True)
    module.fail_json(msg="fleet_credentials works through its action plugin of the same name")


if __name__ == "__main__":
    main()
