#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: device_login
short_description: Proves a stored device certificate by one MQTT login
version_added: 1.0.0
description:
  - Logs in to Alibaba Cloud IoT Platform over MQTT and TLS with the credential that M(fleetops.aliyun_iot.gateway_credential) stored,
    and leaves again. Runs on the gateway and needs nothing there but Python; the DeviceSecret stays there.
  - The first login activates the device. After that it can be registered again only when it was reset.
  - A device has one connection. If its agent is connected, this login ends the agent's, which then connects again.
options:
  path:
    description: The credential on the gateway.
    type: str
    default: /etc/aliyun-iot/device.json
  region:
    description: The product's region, such as V(cn-shanghai). Needed unless there is O(instance_id) or O(mqtt_endpoint).
    type: str
  instance_id:
    description: The instance's ID, for an instance that has one.
    type: str
  mqtt_endpoint:
    description: Where to log in instead, as C(HOST) or C(HOST:PORT), such as the emulator's.
    type: str
  ca_path:
    description: A PEM file, or a directory of hashed ones, on the gateway, to trust instead of its own authorities.
    type: path
  validate_certs:
    description: Whether the platform must prove who it is.
    type: bool
    default: true
  timeout:
    description: Seconds for the login, 1 to 300.
    type: int
    default: 10
  sign_method:
    description: How the password is signed.
    type: str
    choices: [hmacmd5, hmacsha1, hmacsha256]
    default: hmacsha256
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
    details: Does nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Nothing on the gateway changes. On the platform the first login activates the device.
  action_group:
    version_added: 1.0.0
notes:
  - Not verified against the live platform; see the README for what is known and what is not.
  - No proxy is used, since none is for MQTT.
seealso:
  - module: fleetops.aliyun_iot.gateway_credential
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: See that the platform accepts the gateway's credential
  fleetops.aliyun_iot.device_login:
    region: cn-shanghai
"""

RETURN = r"""
accepted:
  description: Whether the platform accepted the credential; V(null) in check mode.
  returned: always
  type: bool
product_key:
  description: The ProductKey of the stored credential.
  returned: when it was accepted
  type: str
device_name:
  description: The DeviceName of the stored credential.
  returned: when it was accepted
  type: str
fingerprint:
  description: The stored credential's fingerprint, as M(fleetops.aliyun_iot.gateway_credential) returns it.
  returned: when it was accepted
  type: str
error:
  description: What went wrong.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - One of V(invalid_option), V(refused), V(throttled), V(network), V(tls), V(bad_answer), V(unreadable).
      type: str
    code:
      description: The code of the CONNACK, if there was one.
      type: int
    message:
      description: What was attempted and what came back.
      type: str
    hint:
      description: What to do next.
      type: str
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import device_login_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    FleetopsError,
    InvalidOption,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import tls_context
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._mqtt import address, login
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._mqtt_client import log_in
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._signing import fingerprint


def stored(path):
    """ProductKey, DeviceName and DeviceSecret in the file."""
    try:
        with open(path, encoding="ascii") as file:
            credential = json.load(file)
        parts = [credential[name] for name in ("productKey", "deviceName", "deviceSecret")]
        if all(isinstance(part, str) and part for part in parts):
            return parts
        problem = "is no credential"
    except OSError as error:
        problem = "cannot be read: %s" % error.strerror
    except (ValueError, KeyError, TypeError):
        problem = "is no credential"
    raise StorageError(
        "path: %s %s" % (path, problem), hint="Provision the gateway, or correct path", kind="unreadable"
    )


def log_in_with_stored(options):
    """Log in with what is stored; return what it is, without the secret."""
    if not 1 <= options["timeout"] <= 300:
        raise InvalidOption("timeout", options["timeout"], "is out of range", "Use 1 to 300 seconds")
    product_key, device_name, device_secret = stored(options["path"])
    place = address(product_key, options["region"], options["instance_id"], options["mqtt_endpoint"])
    connect = login(product_key, device_name, device_secret, options["sign_method"])
    log_in(place, connect, tls_context(options["ca_path"], options["validate_certs"]), options["timeout"])
    shown = fingerprint(product_key, device_name, device_secret)
    return {"product_key": product_key, "device_name": device_name, "fingerprint": shown}


def main():
    module = AnsibleModule(argument_spec=device_login_spec(), supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False, accepted=None)
    try:
        module.exit_json(changed=False, accepted=True, **log_in_with_stored(module.params))
    except FleetopsError as error:
        module.fail_json(msg=str(error), accepted=False, error=error.as_result())


if __name__ == "__main__":
    main()
