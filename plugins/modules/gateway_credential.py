#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_credential
short_description: Gives a gateway its device certificate and keeps it right
version_added: 1.0.0
description:
  - Registers the gateway's device with Alibaba Cloud IoT Platform (unique-certificate-per-product authentication) and stores the
    device certificate (ProductKey, DeviceName, DeviceSecret) on the gateway.
  - Registration issues a new DeviceSecret and makes the one before it invalid. So it happens only when it is needed, and never in
    check mode. Over a gateway whose credential is right the task is one shell script, and no call to the platform.
  - With O(register_from=gateway) the controller signs, the gateway sends the signed request and stores the answer. ProductSecret
    never leaves the controller, DeviceSecret never leaves the gateway.
  - Whatever is interrupted, and when, the next run brings the gateway to one valid credential.
  - Two runs over the same gateway wait for each other. A run that was interrupted is waited for as long as its lease lasts (O(retry_time)
    and three times O(timeout)), for its request may still be on its way.
  - A credential that is in doubt, after an interruption or a lost answer, is proved by a login over MQTT, which activates the device. It is
    tried where the address is known, by O(mqtt_endpoint), or by O(region) or O(instance_id) where there is no O(endpoint).
options:
  state:
    description:
      - V(absent) removes the credential and its exports from the gateway; the platform is not told.
      - V(reset_intended) comes before the device is reset (ResetThing). The gateway proves that it can store a credential and that
        whoever registers reaches the platform, notes that it is to register, and keeps the lease that the result returns. Nothing else is
        changed. Until the lease ends no other run changes this gateway's device.
      - V(reset_withdrawn) gives that O(lease) back, if the reset was not sent.
      - V(followed_up) says that the handlers have run, O(due) being that of the result that notified them.
    type: str
    choices: [present, absent, reset_intended, reset_withdrawn, followed_up]
    default: present
  lease:
    description:
      - The lease that O(state=reset_intended) returned. With O(state=present) the change goes on under it, and the device, which has been
        reset, is registered whatever the gateway holds.
    type: str
  lease_time:
    description:
      - How much longer the lease of O(state=reset_intended) lasts than a registration takes, in seconds. It has to cover the reset, and the
        wait for all gateways of the same batch.
    type: int
    default: 0
  due:
    description:
      - For O(state=followed_up), the C(due) of an earlier result. The note of another run stays.
    type: str
  verify:
    description:
      - V(login) proves every credential that is registered by one login over MQTT, as one in doubt. The task fails if the login is not
        accepted; if it was refused, the next run registers again, else it tries the login again.
      - The address must be known, by O(mqtt_endpoint), or by O(region) or O(instance_id) where there is no O(endpoint), and whoever
        registers must reach it. Otherwise nothing is registered.
      - The login activates the device, and ends the connection that an agent has.
    type: str
    choices: [none, login]
    default: none
  register:
    description:
      - When a registration is allowed.
      - V(if_needed) when there is no credential, it cannot be read, it is another device's, or a change was interrupted.
      - V(always) in every run. The credential that the gateway uses becomes invalid each time.
      - V(never) mends owner, mode and exports only, and fails when a registration is needed.
    type: str
    choices: [if_needed, always, never]
    default: if_needed
  register_from:
    description:
      - V(gateway) needs Python there, and a way from the gateway to the platform.
      - V(controller) needs neither, only a POSIX shell with the usual tools (the BusyBox of a stock OpenWrt suffices). DeviceSecret then
        passes through the controller's memory, never through its files.
    type: str
    choices: [gateway, controller]
    default: gateway
  transport:
    description:
      - Over which protocol to register.
      - If not set, V(mqtt) in the regions that offer no other way (V(cn-beijing), V(cn-shenzhen)) and with O(auth_type=regnwl), and
        V(https) everywhere else.
      - Over MQTT the platform does not say why it refuses a registration. After one that was interrupted, and then is refused, the
        stored credential is tried by one login, which activates the device.
    type: str
    choices: [https, mqtt]
  auth_type:
    description:
      - V(register) for a device that was added to the product by name; it gets a DeviceSecret.
      - V(regnwl) for one that need not have been (registration without pre-registration), over MQTT alone and only where the product
        allows it. The gateway gets a device token and the client id that belongs to it; they are stored in place of a DeviceSecret.
        Each registration counts as another physical device, of which five may share a DeviceName, so it is not repeated without need.
    type: str
    choices: [register, regnwl]
    default: register
  instance_id:
    description: The instance's ID, for an instance that has one. Says where to register over MQTT, together with O(region).
    type: str
  mqtt_endpoint:
    description:
      - Where to register over MQTT instead, as C(HOST) or C(HOST:PORT), such as the emulator's.
      - O(endpoint) is for HTTPS alone; with it, a registration over MQTT needs this too.
    type: str
  mqtt_port:
    description:
      - The port for MQTT. The platform presents another certificate at each, so the port and the authorities that are trusted go together.
      - V(8883) is signed by the platform's own CA, which ends on 2053-07-04 and is in no system; give it with O(mqtt_ca_path). V(443) and
        V(1883) are signed under GlobalSign R1 by the documents, which ends on 2028-01-28.
      - If not set, that of O(mqtt_endpoint), or else 443.
    type: int
  mqtt_ca_path:
    description:
      - The authorities to trust for MQTT, as O(ca_path), which is for both without it. The file that the vendor publishes for port 8883
        has the MD5 C(c7a6afb466713832af778a7bcb6d1aef); see the README.
    type: str
  wait_for_clock:
    description:
      - For how long, in seconds (0 to 600), a gateway whose clock reads a year before 2026 waits for the right time before it connects. A
        gateway without a battery for its clock starts in 1970, when no certificate is valid yet.
      - It does not wait where the controller connects.
    type: int
    default: 0
extends_documentation_fragment:
  - fleetops.aliyun_iot.registration
  - fleetops.aliyun_iot.credential
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
    details:
      - Proves what a run proves before it changes anything (room and rights on the gateway, its Python, that the platform can be reached),
        and fails as the run would. Only what the platform answers to a registration is not known. With O(register=never) it only looks.
  diff_mode:
    support: full
    details: Shows a fingerprint in place of the secret.
  idempotent:
    support: partial
    details: With O(register=always) every run registers.
  action_group:
    version_added: 1.0.0
notes:
  - The fingerprint is the first 16 hexadecimal digits of SHA-256 over C(fleetops:{ProductKey}:{DeviceName}:{DeviceSecret}).
  - No result, diff or log of this module holds a secret, so the task needs no C(no_log).
  - Not verified against the live platform; see the README for what is known and what is not.
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

- name: Name the device by its serial number, and accept no other one
  fleetops.aliyun_iot.gateway_credential:
    region: cn-shanghai
    product_key: a1IoKTestP1
    product_secret: "{{ vault_product_secret }}"
    device_name_from: serial
    expected_names: ["{{ serial_in_the_inventory }}"]

- name: A gateway without Python, or without a way out
  fleetops.aliyun_iot.gateway_credential:
    region: eu-central-1
    product_key: a1IoKTestP1
    product_secret: "{{ vault_product_secret }}"
    register_from: controller

- name: Take the credential off a gateway
  fleetops.aliyun_iot.gateway_credential:
    product_key: a1IoKTestP1
    state: absent
"""

RETURN = r"""
reason:
  description:
    - Why the task did what it did. One of V(up_to_date), V(missing), V(unreadable), V(identity_changed), V(interrupted), V(forced),
      V(attributes), V(export), V(unfinished) where nothing was left to do but what follows an earlier change (see O(follow_up)), or, with
      O(lease), V(reset) for a device that was reset.
    - With O(state=absent), V(exists) if there is something to remove, or V(up_to_date). With O(state=reset_intended), V(reset_intended),
      or V(up_to_date) if that had been noted before. With O(state=reset_withdrawn), V(withdrawn); with O(state=followed_up),
      V(followed_up).
  returned: when the gateway could be looked at
  type: str
  sample: missing
registered:
  description: Whether this run registered the device, so that DeviceSecret is a new one.
  returned: when the gateway could be looked at
  type: bool
proven:
  description:
    - Whether a login over MQTT has proved the stored credential. V(null) where there was no doubt, so that none was tried.
    - There is doubt after an interruption or a lost answer, since a request that was sent before may be processed late. V(false) says
      that no login could be tried, or that it failed on the way; then an audit tells whether the credential is the platform's.
  returned: when the gateway could be looked at
  type: bool
due:
  description:
    - The note that handlers have to run, with O(follow_up), for a later task with O(state=followed_up). V(null) if there is none.
  returned: when the gateway could be looked at
  type: str
lease:
  description: The lease, for the tasks that follow.
  returned: with O(state=reset_intended)
  type: str
lease_ends:
  description: When the lease ends, in seconds of the controller's own clock; an option of M(fleetops.aliyun_iot.device_reset).
  returned: with O(state=reset_intended)
  type: float
mqtt_root:
  description:
    - The root certificate that a login needs by the vendor's documents, its C(name), when it C(ends), the C(port) that is signed under it,
      and whether it was C(found) on the gateway, among the system's authorities or at C(path). A warning names the gateways that lack it.
    - What the platform really presents, only a handshake proves, as O(verify=login) makes one.
  returned: in check mode, where the documents say which one, and the gateway has a place for it
  type: dict
fingerprint:
  description: The stored credential's fingerprint, V(null) if there is none.
  returned: when the gateway could be looked at
  type: str
  sample: 2fd4e1c67a2d28fc
product_key:
  description: The ProductKey.
  returned: when the gateway could be looked at
  type: str
device_name:
  description: The DeviceName.
  returned: when the gateway could be looked at
  type: str
device_name_from:
  description: Where the DeviceName comes from, V(device_name), V(inventory_hostname), V(mac) or V(serial).
  returned: when the gateway could be looked at
  type: str
  sample: inventory_hostname
device_name_proven:
  description:
    - Whether the inventory gives the DeviceName, with O(device_name), as the host's name, or as the only one of O(expected_names).
      Otherwise only the gateway says that it is this device.
  returned: when the gateway could be looked at
  type: bool
credential:
  description:
    - Whose credential is stored, by C(product_key) and C(device_name), and its C(kind), V(secret) or V(token); V(null) if there is none.
  returned: when the gateway could be looked at
  type: dict
path:
  description: Where the credential is, without symbolic links.
  returned: when the gateway could be looked at
  type: str
owner:
  description: The credential's owner, V(null) if there is no credential.
  returned: when the gateway could be looked at
  type: str
group:
  description: The credential's group, V(null) if there is no credential.
  returned: when the gateway could be looked at
  type: str
mode:
  description: The credential's permissions, V(null) if there is no credential.
  returned: when the gateway could be looked at
  type: str
  sample: "0600"
error:
  description: What went wrong.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error, for conditions, one of V(bad_answer), V(busy), V(connection), V(ended_early), V(internal),
          V(invalid_option), V(missing_library), V(missing_tool), V(name_changed), V(network), V(no_python), V(no_service),
          V(not_accepted), V(not_proven), V(permission), V(refused), V(registration_needed), V(storage), V(throttled), V(tls),
          V(unexpected_name), V(unproven_name), V(unsafe_path).
        - V(ended_early) is a program on the gateway that something there ended, such as a lack of memory.
        - V(internal) is a mistake in this collection; please report it.
      type: str
    code:
      description: The platform's code, if it gave one.
      type: int
    message:
      description: What was attempted and what came back.
      type: str
    hint:
      description: What to do next.
      type: str
"""
