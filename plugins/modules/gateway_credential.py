#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_credential
short_description: Provisions a gateway with its device certificate
version_added: 1.0.0
description:
  - Registers the gateway's device with Alibaba Cloud IoT Platform (unique-certificate-per-product authentication) and stores the device
    certificate (ProductKey, DeviceName, DeviceSecret) on the gateway. Below, the device certificate is called the credential.
  - Two terms are used below. A B(lease) is a period in which only one run may change the gateway's credential. The ID of a lease is in the
    option C(lease) and in the return value C(lease). A B(note) is a file on the gateway which records that handlers still have to run after
    a change (see O(follow_up)). The ID of a note is in the option C(due) and in the return value C(due).
  - A registration can issue a new DeviceSecret, which makes the previous one invalid. So, by default, the module registers only when
    necessary. If the gateway's credential and exports are up to date, the module runs one shell script on the gateway, and sends nothing
    to the platform. There is one exception. If the login of an earlier run failed for a reason other than a refusal, or was not possible
    although that run had O(verify=login), the module repeats the login. The module never registers in check mode.
  - With O(register_from=gateway), the controller signs the request. The gateway sends the signed request, and stores the DeviceSecret from
    the answer. ProductSecret never leaves the controller, DeviceSecret never leaves the gateway.
  - If a run is interrupted, run the task again. The new run first waits for the end of the interrupted run's lease. Then it finishes the
    change. The next paragraphs describe how long it waits, and when it verifies the stored credential.
  - Each registration takes a lease, which lasts O(retry_time) plus three times O(timeout). With the defaults, this is 60 seconds. A task
    with O(state=reset_intended) also takes a lease, which lasts O(lease_time) longer.
  - If another run is changing the gateway, the task waits until that run has finished or its lease has ended. If the other run was
    interrupted, the task waits for the end of the lease too, because the platform may still process the request of the interrupted run.
  - A task waits at most 300 seconds. If O(retry_time) plus three times O(timeout) is more than 150 seconds, it waits at most twice this
    sum instead. If the lease of the other run ends after this limit, the task does not wait, but fails immediately (kind V(busy)).
  - The platform may process an earlier request late. It can then issue another DeviceSecret. In this case, the DeviceSecret that this run
    has stored on the gateway is no longer valid. This can happen if an earlier run was interrupted. It can happen if the answer to a
    request was lost and the request was sent again. It can also happen if the device was reset in this playbook run
    (M(fleetops.aliyun_iot.device_reset)). In these cases, the module verifies the stored credential by a login over MQTT. With
    O(verify=login), it verifies every new credential. The states and steps of a change are on the page
    R(How a credential is changed,ansible_collections.fleetops.aliyun_iot.docsite.change_protocol_guide).
  - A login activates the device. After the login, a device with O(auth_type=register) cannot be registered again until it is reset.
  - For the login, the module needs the address of the MQTT host (see O(mqtt_endpoint)). Without an address there is no login, and with
    O(verify=login) the task fails before it registers.
options:
  state:
    description:
      - V(absent) removes the credential and its exports from the gateway. The file in O(path) is removed whatever it contains, so the
        credential of another device or product is removed too. The device on the platform is not changed.
      - V(reset_intended) prepares a reset of the device (ResetThing). (1) It checks that the gateway can store a credential. (2) It records
        on the gateway that a registration is needed, and takes a lease, which the result returns as C(lease). Until the lease ends, no
        other run changes this gateway's credential. (3) It checks that the host in O(register_from) reaches the platform. If this check
        fails, the task fails, and releases the lease as V(reset_withdrawn) does.
      - V(reset_withdrawn) releases the O(lease) of V(reset_intended). Use it if the reset was not sent. It also removes the record that
        V(reset_intended) has made. If the gateway already had the record of an earlier, unfinished change, that record stays.
      - V(followed_up) removes the note that O(follow_up) has stored. Use it after the handlers have run. Set O(due) to the C(due) in the
        result of the task that notified the handlers.
    type: str
    choices: [present, absent, reset_intended, reset_withdrawn, followed_up]
    default: present
  lease:
    description:
      - The C(lease) that O(state=reset_intended) returned. Reset the device before the lease ends. Then run the module with
        O(state=present) and this option. It registers the device, no matter which credential the gateway stores. This task may start after
        the end of the lease, but fails if another run has taken a lease of this gateway in the meantime. The examples of
        M(fleetops.aliyun_iot.device_reset) show the three tasks.
    type: str
  lease_time:
    description: Seconds that O(state=reset_intended) adds to the length of a lease. Choose a time in which the resets of all gateways of
      the batch can finish.
    type: int
    default: 0
  due:
    description: For O(state=followed_up), the C(due) of an earlier result. It is the ID of the note that O(follow_up) has stored on the
      gateway. Only the note with this ID is removed, not the note of another run.
    type: str
  verify:
    description:
      - V(none) requires no login. The module then logs in only if the stored credential may be invalid (see the description of the module).
        If the login with a new credential fails or is not possible, the task succeeds with a warning. If the platform refuses this login,
        the task fails.
      - V(login) verifies every newly registered credential by one login over MQTT. If the login does not succeed, the task fails. If the
        platform refused the login, the next run registers again. If the login failed for another reason, for example because there was no
        connection, the next run only repeats the login. If the platform accepts the repeated login, the next run returns C(changed), since
        the failed task has notified no handler. RV(reason) describes the reason that the next run returns.
      - With V(login), the module makes two checks before it registers. (1) The address of the MQTT host must be known (see
        O(mqtt_endpoint)). (2) The host in O(register_from) must be able to connect to this address. If one of the checks fails, the task
        fails and does not register.
      - With O(auth_type=regnwl), the gateway itself logs in, even with O(register_from=controller). For this login, the gateway needs
        Python and a route to the MQTT host. With O(register_from=controller), the module does not check before the registration whether
        the gateway has them. It checks only the connection from the controller to the MQTT host.
      - The platform allows one connection for each device, so the login disconnects an agent that is connected as this device. The login
        also activates the device. After the login, a device with O(auth_type=register) cannot be registered again until it is reset.
    type: str
    choices: [none, login]
    default: none
  register:
    description:
      - When a registration is allowed.
      - V(if_needed) registers in each of the following cases. (1) There is no credential. (2) The file is not a valid credential. (3) It is
        the credential of another device (but see O(device_name_from) for a DeviceName that is not proven). (4) It was issued for the other
        O(auth_type). (5) A change was interrupted, and its new credential is not on the gateway. (6) The platform refused the login with a
        new credential. (7) O(lease) is set.
      - V(always) registers in every run, which can make the previous DeviceSecret invalid. With O(auth_type=register), it works only until
        the device is activated. If the device is activated, the platform refuses the registration and the task fails. In this case, use
        the playbook C(fleetops.aliyun_iot.reprovision).
      - V(never) fails if a registration is needed. It still repairs owner, group, mode and exports, and finishes a change whose new
        credential is already on the gateway. It cannot be combined with O(state=reset_intended).
    type: str
    choices: [if_needed, always, never]
    default: if_needed
  register_from:
    description:
      - The host that sends the registration. V(gateway) needs Python on the gateway, and a route from the gateway to the platform.
      - With V(controller), DeviceSecret passes through the controller's memory, but is written to no file there. The gateway needs only a
        POSIX shell with the usual tools (the BusyBox of a stock OpenWrt is enough). Only for a login with O(auth_type=regnwl), the gateway
        needs more (see O(verify)).
    type: str
    choices: [gateway, controller]
    default: gateway
  transport:
    description:
      - The protocol to register over. With O(auth_type=regnwl), the default is V(mqtt). In the regions V(cn-beijing) and V(cn-shenzhen),
        which offer only MQTT, the default is V(mqtt) too. In all other cases, the default is V(https).
      - Over MQTT the platform gives no reason when it refuses a registration. If the refused registration repeats an interrupted one, the
        credential that is already stored on the gateway may still be valid. The module verifies it by one login, which activates the
        device.
    type: str
    choices: [https, mqtt]
  auth_type:
    description:
      - V(register) is for a device that was added to the product under its DeviceName. It gets a DeviceSecret.
      - V(regnwl) is registration without pre-registration. The device does not have to be added to the product first. It works over MQTT
        only, only in the regions V(cn-beijing) and V(cn-shanghai), and only if the product allows it. The platform issues a client ID and a
        device token. Both are stored in place of a DeviceSecret. The platform counts each registration as a new physical device. At most
        five physical devices can have the same DeviceName. A registration whose answer was lost can count too. A sixth registration is
        expected to fail with the kind V(refused). It is not known how to release one of the five.
    type: str
    choices: [register, regnwl]
    default: register
  instance_id:
    description: The ID of the instance. Leave it out if the instance has no ID. The MQTT host can be derived from it (see
      O(mqtt_endpoint)).
    type: str
  mqtt_endpoint:
    description:
      - The MQTT host, as C(HOST) or C(HOST:PORT), for registrations and logins. Use it for the emulator, for example.
      - If it is not set, the MQTT host is derived from O(instance_id), or else from O(region). If O(endpoint) is set, nothing is derived,
        so set this option too if the module has to connect over MQTT.
    type: str
extends_documentation_fragment:
  - fleetops.aliyun_iot.registration
  - fleetops.aliyun_iot.connection
  - fleetops.aliyun_iot.connection.mqtt
  - fleetops.aliyun_iot.connection.clock
  - fleetops.aliyun_iot.credential
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode, the module makes the same checks that a run without check mode makes before its first change (space and permissions
        on the gateway, its Python, a connection to the platform), and fails in the same cases. Only the platform's answer to a registration
        is not known. With O(register=never), or while another run holds the lease, check mode only inspects the gateway.
  diff_mode:
    support: full
    details: Shows a fingerprint in place of the secret.
  idempotent:
    support: partial
    details: With O(register=always) every run registers.
  action_group:
    version_added: 1.0.0
requirements:
  - requests, in the environment that runs Ansible, for O(register_from=controller) over HTTPS
notes:
  - The fingerprint is the first 16 hexadecimal digits of SHA-256 over C(fleetops:{ProductKey}:{DeviceName}:{DeviceSecret}). For a
    credential with a device token, the token takes the place of the DeviceSecret.
  - No result, diff or log of this module contains a secret, so the task needs no C(no_log) if its secrets are variables.
  - Not verified against the live platform. The README says what is known and what is not.
seealso:
  - module: fleetops.aliyun_iot.device_registration
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Give the gateway its device certificate
  fleetops.aliyun_iot.gateway_credential:
    region: cn-shanghai
    product_key: a1IoKTestP1
    product_secret: "{{ vault_product_secret }}"

- name: Name the device by its MAC address, and write the agent's own configuration
  fleetops.aliyun_iot.gateway_credential:
    region: ap-southeast-1
    product_key: a1IoKTestP1
    product_secret: "{{ vault_product_secret }}"
    device_name_from: mac
    device_name_interface: eth0
    owner: agent
    exports:
      - dest: /etc/agent/iot.conf
        template: iot.conf.j2
  notify: Restart agent

- name: Name the device by its serial number, and accept no other name
  fleetops.aliyun_iot.gateway_credential:
    region: cn-shanghai
    product_key: a1IoKTestP1
    product_secret: "{{ vault_product_secret }}"
    device_name_from: serial
    expected_names: ["{{ serial_in_the_inventory }}"]

- name: Provision a gateway without Python, or without a route to the platform
  fleetops.aliyun_iot.gateway_credential:
    region: eu-central-1
    product_key: a1IoKTestP1
    product_secret: "{{ vault_product_secret }}"
    register_from: controller

- name: Provision the gateways, and repeat handlers that have not run
  hosts: gateways
  gather_facts: false
  tasks:
    - name: Give the gateway its device certificate, and store a note until the handlers have run
      fleetops.aliyun_iot.gateway_credential:
        region: cn-shanghai
        product_key: a1IoKTestP1
        product_secret: "{{ vault_product_secret }}"
        follow_up: true
      register: provisioned
      notify: [Restart the agent after the change, Remove the note]
  handlers:
    - name: Restart the agent after the change
      fleetops.aliyun_iot.service_restart:
        service: agent
    - name: Remove the note
      fleetops.aliyun_iot.gateway_credential:
        product_key: a1IoKTestP1
        state: followed_up
        due: "{{ provisioned.due }}"
      when: provisioned.due is not none

- name: Remove the credential from a gateway
  fleetops.aliyun_iot.gateway_credential:
    product_key: a1IoKTestP1
    state: absent
"""

RETURN = r"""
reason:
  description:
    - The reason for the change. V(up_to_date) if no change is needed.
    - V(missing) if there is no credential.
    - V(unreadable) if the file is not a valid credential.
    - V(identity_changed) if it is the credential of another device, or was issued for the other O(auth_type).
    - V(interrupted) in each of these cases. (1) An earlier run was interrupted, and has left an open change or a temporary file. (2) The
      platform refused the login with a new credential. (3) An earlier task stored the credential, but failed with the kind C(not_proven),
      and this task changes nothing except perhaps an owner, group or mode. (4) In check mode, another run is making a change.
    - In case (3) of V(interrupted), the reason is V(unfinished) instead if both tasks have O(follow_up=true).
    - V(forced) with O(register=always).
    - V(attributes) if the owner, the group or the mode of the credential is wrong.
    - V(export) if an export is missing or differs.
    - V(unfinished) if three conditions are met. A note records that handlers of an earlier change have not run yet. O(follow_up) is true
      for this task. Nothing has to be changed, except perhaps an owner, group or mode, which is corrected in the same run.
    - V(reset) if O(lease) is set, which means that an earlier task has reset the device.
    - With O(state=absent), V(exists) if there is something to remove, otherwise V(up_to_date).
    - With O(state=reset_intended), V(reset_intended) if this task makes the record that a registration is needed. If an earlier task with
      this state has already made the record, and no registration has begun since, the reason is V(up_to_date). This task takes a new lease
      in both cases.
    - With O(state=reset_withdrawn), V(withdrawn). With O(state=followed_up), V(followed_up).
  returned: when the gateway was inspected, and with O(state=reset_withdrawn) and O(state=followed_up)
  type: str
  sample: missing
registered:
  description: Whether this run registered the device. If this is V(true) and the task did not fail, the new credential is stored.
  returned: when the gateway was inspected
  type: bool
proven:
  description:
    - Whether a login over MQTT verified the stored credential. This value is not about the DeviceName (see RV(device_name_proven)).
    - If O(verify=login) is set, each new credential needs a login. Without this setting, a new credential needs a login after an
      interruption, after a lost answer, and after a reset in the same playbook run. The description of the module gives the reason.
    - V(null) if no login was needed, or if the task ended before the login.
    - V(false) if a login was needed, but was not possible, failed, or was refused by the platform. If the platform refused the login, the
      task fails. If the login was not possible or failed, this makes the task fail only with O(verify=login).
    - In check mode and with O(state=reset_intended), V(false) means that the login of an earlier run still has to be repeated.
    - If the value is V(false), an audit shows whether the stored DeviceSecret is the same as on the platform. It cannot compare device
      tokens.
  returned: when the gateway was inspected
  type: bool
due:
  description:
    - The ID of the note which records that handlers still have to run (see O(follow_up)). A later task with O(state=followed_up) needs
      this ID. V(null) if there is none.
  returned: when the gateway was inspected
  type: str
lease:
  description: The ID of the lease. Pass it to the option O(lease) of the tasks that follow.
  returned: on success with O(state=reset_intended), except in check mode
  type: str
lease_ends:
  description:
    - When the lease ends, in seconds of the monotonic clock of this controller. Pass the value to M(fleetops.aliyun_iot.device_reset), in
      its option C(leases).
    - This clock begins again when the controller is restarted. So the value is valid only on this controller, and only until its restart.
      After a restart of the controller, take a new lease with O(state=reset_intended).
    - The gateway measures the lease with its own uptime. If the gateway is restarted, the lease begins again there with its whole length.
      The value stays valid, since the lease on the gateway then ends later.
  returned: on success with O(state=reset_intended), except in check mode
  type: float
mqtt_root:
  description:
    - The root certificate that the gateway needs to log in over MQTT, according to the vendor's documents. C(name) is its name. C(ends) is
      the last day of its validity. C(port) is the MQTT port whose server certificate has this root.
    - For port 8883, C(path) is the value of O(mqtt_ca_path), the file that should contain the root certificate. For the ports 443 and 1883,
      it is V(null), because the certificate should be among the certificate authorities of the gateway's system.
    - C(found) is the result of a check on the gateway. If there is a C(path), C(found) is V(true) if the gateway can read this path. What
      the file contains is not checked. If C(path) is V(null), C(found) is V(true) if the certificate is among the authorities of the
      system. A warning names the gateways for which C(found) is V(false).
    - Only a TLS handshake shows which certificate the platform really presents. The login with O(verify=login) includes a handshake.
    - It is returned only with O(state=present) and O(validate_certs=true), and without O(endpoint) and O(mqtt_endpoint). Further conditions
      depend on the MQTT port (see O(mqtt_port)).
    - With port 443 (the default) or 1883, it is returned only if neither O(mqtt_ca_path) nor O(ca_path) is set, and the gateway's system
      has a store of certificates.
    - With port 8883, it is returned only with O(register_from=gateway), and only if O(mqtt_ca_path) is set and contains neither C(~) nor
      C($).
    - With any other port, it is not returned.
  returned: in check mode, under the conditions in the description
  type: dict
fingerprint:
  description: The stored credential's fingerprint, V(null) if there is none.
  returned: when the gateway was inspected
  type: str
  sample: 2fd4e1c67a2d28fc
product_key:
  description: The ProductKey.
  returned: when the gateway was inspected
  type: str
device_name:
  description: The DeviceName.
  returned: when the gateway was inspected
  type: str
device_name_from:
  description: The source of the DeviceName, V(device_name), V(inventory_hostname), V(mac) or V(serial).
  returned: when the gateway was inspected
  type: str
  sample: inventory_hostname
device_name_proven:
  description: V(true) if O(device_name) is set, if the DeviceName is the host's name in the inventory, or if O(expected_names) has only
    this name. V(false) if only the gateway's hardware reports the DeviceName.
  returned: when the gateway was inspected
  type: bool
credential:
  description:
    - The C(product_key) and C(device_name) of the stored credential, and its C(kind), V(secret) or V(token). V(null) if there is none.
  returned: when the gateway was inspected
  type: dict
path:
  description: The path of the credential, with symbolic links resolved if the gateway was inspected.
  returned: when the gateway was inspected, and with O(state=reset_withdrawn) and O(state=followed_up)
  type: str
owner:
  description: The credential's owner, V(null) if there is no credential.
  returned: when the gateway was inspected
  type: str
group:
  description: The credential's group, V(null) if there is no credential.
  returned: when the gateway was inspected
  type: str
mode:
  description: The credential's permissions, V(null) if there is no credential.
  returned: when the gateway was inspected
  type: str
  sample: "0600"
error:
  description: Describes the failure.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error. Use it in C(when) or C(failed_when). It is one of V(bad_answer), V(busy), V(connection), V(ended_early),
          V(internal), V(invalid_option), V(missing_library), V(missing_tool), V(name_changed), V(network), V(no_python), V(no_service),
          V(not_accepted), V(not_proven), V(permission), V(refused), V(registration_needed), V(storage), V(throttled), V(tls),
          V(unexpected_name), V(unproven_name), V(unsafe_path).
        - V(ended_early) means that the program on the gateway was killed, for example for lack of memory.
        - V(not_proven) occurs only with O(verify=login). It means that no login was possible, or that the login failed but was not refused,
          for example because there was no connection. So it is not known whether the credential is valid. V(not_accepted) means that the
          platform refused the login, so the credential is not valid. V(unproven_name) is about the DeviceName (see O(expected_names)).
        - V(internal) is a bug of this collection. Please report it.
        - All kinds are on the page R(Troubleshooting,ansible_collections.fleetops.aliyun_iot.docsite.troubleshooting_guide).
      type: str
    code:
      description: The platform's code, if it gave one.
      type: int
    message:
      description: What was attempted, on what, and what failed.
      type: str
    hint:
      description: What to do next.
      type: str
"""
