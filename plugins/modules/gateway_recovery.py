#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_recovery
short_description: Restores a gateway's device certificate from the platform
version_added: 1.0.0
description:
  - Reads the device's current DeviceSecret from the platform with an AccessKey of the account, and stores it on the gateway as
    M(fleetops.aliyun_iot.gateway_credential) does. For a gateway that has lost its credential while its device is activated.
  - Registers and resets nothing, so the gateway's topology is kept, and a program that is connected with this credential stays connected.
    After an interrupted change, the module may verify the new credential by a login, which disconnects this program.
  - The DeviceSecret passes through the controller's memory. The AccessKey never leaves the controller. The task runs on the gateway as
    usual, without C(delegate_to).
  - If the gateway has a credential of this device and no change of it was interrupted, it is not replaced and the platform is not called,
    unless O(force=true). A device token is kept too, even if an interrupted change has stored it and not verified it. In this case, the
    module finishes the interrupted change. The platform never returns a token, so O(force=true) replaces it by the DeviceSecret.
  - No DeviceSecret is read for a DeviceName that only the gateway's hardware reports; see O(expected_names).
options:
  product_key:
    description: The product's ProductKey.
    type: str
    required: true
  force:
    description: Whether to read the DeviceSecret from the platform and store it even if the gateway has a credential of this device.
    type: bool
    default: false
  mqtt_endpoint:
    description:
      - The MQTT host of the login that verifies a recovered credential after an interruption, as C(HOST) or C(HOST:PORT).
      - If not set, the address is derived from O(instance_id), or else from O(region). If O(openapi_endpoint) is set, nothing is derived;
        then no login is possible (see RV(proven)). The controller logs in, or with a device token the gateway.
    type: str
extends_documentation_fragment:
  - fleetops.aliyun_iot.openapi
  - fleetops.aliyun_iot.connection.mqtt
  - fleetops.aliyun_iot.credential
  - fleetops.aliyun_iot.attributes.actiongroup_openapi
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: partial
    details: With O(force=true), check mode always predicts a change. A run returns C(changed=false) if the platform still has the stored
      DeviceSecret, every file is as it should be, and no run before has stored it and then failed or been interrupted.
  diff_mode:
    support: full
    details: Shows a fingerprint in place of the secret.
  idempotent:
    support: full
  action_group:
    version_added: 1.0.0
seealso:
  - module: fleetops.aliyun_iot.gateway_credential
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Restore the gateway's credential
  fleetops.aliyun_iot.gateway_recovery:
    region: cn-shanghai
    product_key: a1IoKTestP1
    access_key_id: "{{ vault_access_key_id }}"
    access_key_secret: "{{ vault_access_key_secret }}"
"""

RETURN = r"""
reason:
  description:
    - The reason for the change. One of V(up_to_date), V(missing), V(unreadable), V(identity_changed), V(interrupted), V(forced),
      V(attributes), V(export) and V(unfinished). They have the same meaning as in M(fleetops.aliyun_iot.gateway_credential). V(forced) is
      that of O(force=true).
  returned: when the gateway was inspected
  type: str
  sample: missing
registered:
  description: Always V(false).
  returned: when the gateway was inspected
  type: bool
proven:
  description:
    - Whether a login over MQTT verified the stored credential. V(null) if no login was needed, V(false) if none was possible, the
      connection failed, or the platform refused the login.
  returned: when the gateway was inspected
  type: bool
due:
  description:
    - The ID of the note which records that handlers still have to run (see O(follow_up)), for a task of
      M(fleetops.aliyun_iot.gateway_credential) with C(state=followed_up). V(null) if there is none.
  returned: when the gateway was inspected
  type: str
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
  description:
    - V(true) if O(device_name) is set, if the DeviceName is the name of the host, or if O(expected_names) has only this name. V(false) if
      only the gateway's hardware reports the DeviceName.
  returned: when the gateway was inspected
  type: bool
credential:
  description:
    - The C(product_key) and C(device_name) of the stored credential, and its C(kind), V(secret) or V(token). V(null) if there is none.
  returned: when the gateway was inspected
  type: dict
path:
  description: The path of the credential, with symbolic links resolved.
  returned: when the gateway was inspected
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
        - The kind of error. Use it in C(when) or C(failed_when). It is one of V(bad_answer), V(busy), V(connection), V(credential),
          V(internal), V(invalid_option), V(missing_library), V(missing_tool), V(name_changed), V(network), V(no_service), V(not_accepted),
          V(not_found), V(permission), V(refused), V(storage), V(throttled), V(tls), V(unexpected_name), V(unproven_name), V(unsafe_path).
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

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_recovery_spec


def main() -> None:
    module = AnsibleModule(argument_spec=gateway_recovery_spec(), supports_check_mode=True)
    module.fail_json(msg="gateway_recovery works through its action plugin of the same name")


if __name__ == "__main__":
    main()
