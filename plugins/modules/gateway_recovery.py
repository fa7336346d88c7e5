#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_recovery
short_description: Gives a gateway back the device certificate that the platform holds
version_added: 1.0.0
description:
  - Reads the device's current DeviceSecret from the platform, as the owner of the account may, and stores it on the gateway as
    M(fleetops.aliyun_iot.gateway_credential) does. For a gateway that has lost its credential while its device is activated.
  - Nothing is registered and nothing is reset, so no topology is lost and whatever else uses the credential goes on.
  - The DeviceSecret passes through the controller's memory. The AccessKey stays there, so the task runs on the gateway as usual, without
    C(delegate_to).
  - A credential that looks right is left alone, and the platform is not asked, unless O(force=true). A device token is such a
    credential, too; the platform does not give it back, so O(force=true) puts the device's DeviceSecret in its place.
  - No DeviceSecret is read for a name that only the gateway's hardware reports; see O(expected_names).
options:
  product_key:
    description: The product's ProductKey.
    type: str
    required: true
  force:
    description: Whether to ask the platform even if the gateway has a credential of this device, and to replace it.
    type: bool
    default: false
  mqtt_endpoint:
    description:
      - Where a login proves a recovered credential that is in doubt, after an interruption, as C(HOST) or C(HOST:PORT).
      - If not set, at the host of O(region) or O(instance_id), unless there is O(openapi_endpoint).
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
      - The authorities to trust for MQTT, a file on the controller, which logs in. Without it those of O(ca_path), or else the
        controller's own. The file that the vendor publishes for port 8883 has the MD5 C(c7a6afb466713832af778a7bcb6d1aef); see the
        README.
    type: str
extends_documentation_fragment:
  - fleetops.aliyun_iot.openapi
  - fleetops.aliyun_iot.credential
  - fleetops.aliyun_iot.attributes.actiongroup_openapi
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
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
- name: Give the gateway its credential back
  fleetops.aliyun_iot.gateway_recovery:
    region: cn-shanghai
    product_key: a1IoKTestP1
    access_key_id: "{{ vault_access_key_id }}"
    access_key_secret: "{{ vault_access_key_secret }}"
"""

RETURN = r"""
reason:
  description:
    - Why the task did what it did. One of V(up_to_date), V(missing), V(unreadable), V(identity_changed), V(interrupted), V(forced),
      V(attributes), V(export), V(unfinished) where nothing was left to do but what follows an earlier change (see O(follow_up)).
  returned: when the gateway could be looked at
  type: str
  sample: missing
registered:
  description: Always V(false).
  returned: when the gateway could be looked at
  type: bool
proven:
  description:
    - Whether a login over MQTT has proved the stored credential. V(null) where there was no doubt, so that none was tried; V(false) if no
      login could be tried.
  returned: when the gateway could be looked at
  type: bool
due:
  description:
    - The note that handlers have to run, with O(follow_up), for a task of M(fleetops.aliyun_iot.gateway_credential) with
      C(state=followed_up). V(null) if there is none.
  returned: when the gateway could be looked at
  type: str
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
        - The kind of error, for conditions, one of V(bad_answer), V(busy), V(connection), V(credential), V(internal),
          V(invalid_option), V(missing_library), V(missing_tool), V(name_changed), V(network), V(no_service), V(not_accepted),
          V(not_found), V(permission), V(refused), V(storage), V(throttled), V(tls), V(unexpected_name), V(unproven_name),
          V(unsafe_path).
        - V(internal) is a mistake in this collection; please report it.
      type: str
    code:
      description: The platform's code, if it gave one.
      type: str
    message:
      description: What was attempted and what came back.
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
