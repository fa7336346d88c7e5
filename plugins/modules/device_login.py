#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: device_login
short_description: Verifies a stored device certificate by one MQTT login
version_added: 1.0.0
description:
  - Logs in to Alibaba Cloud IoT Platform over MQTT and TLS with the credential that M(fleetops.aliyun_iot.gateway_credential) stored,
    and disconnects. The DeviceSecret stays on the gateway.
  - The first login activates the device. An activated device can register again only after a reset.
  - The platform allows one connection for each device. This login disconnects the agent if it is connected; the agent then has to
    reconnect.
options:
  path:
    description: The path of the credential on the gateway.
    type: str
    default: /etc/aliyun-iot/device.json
  region:
    description: The product's region, such as V(cn-shanghai). Required unless O(instance_id) or O(mqtt_endpoint) is set.
    type: str
  instance_id:
    description: The ID of the instance, if it has one.
    type: str
  mqtt_endpoint:
    description: The MQTT host to log in to, as C(HOST) or C(HOST:PORT). It replaces the host of the platform. Use it for the emulator, for
      example.
    type: str
  ca_path:
    description: A PEM file with the certificates of the authorities to trust, or a directory of certificates that was prepared with
      C(openssl rehash), on the host that logs in. If not set, the host's own authorities are trusted.
    type: str
  validate_certs:
    description: Whether to verify the platform's certificate.
    type: bool
    default: true
  timeout:
    description: Seconds for the login, 1 to 300.
    type: int
    default: 10
  sign_method:
    description: The algorithm of the password's signature.
    type: str
    choices: [hmacmd5, hmacsha1, hmacsha256]
    default: hmacsha256
  login_from:
    description:
      - The host that logs in. V(gateway) needs Python on the gateway, and a route from the gateway to the platform.
      - V(controller) is for gateways without Python or without a route to the platform. The gateway computes the password, which is a
        signature. For this, it needs a POSIX shell, awk and the tool of the digest, such as sha256sum. A stock OpenWrt has the tools for
        V(hmacsha256) and V(hmacmd5). Anyone who has this password can log in as this device until its DeviceSecret is replaced, so the
        controller keeps the password only in memory.
      - If the gateway stores a device token in place of a DeviceSecret (after a registration with C(auth_type=regnwl)), the token itself is
        the password. In this case, only V(gateway) is possible.
    type: str
    choices: [gateway, controller]
    default: gateway
extends_documentation_fragment:
  - fleetops.aliyun_iot.connection
  - fleetops.aliyun_iot.connection.mqtt
  - fleetops.aliyun_iot.connection.clock
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
    details: Checks the options, and does not log in.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Changes nothing on the gateway. The first login activates the device on the platform.
  action_group:
    version_added: 1.0.0
notes:
  - Not verified against the live platform. The README says what is known and what is not.
seealso:
  - module: fleetops.aliyun_iot.gateway_credential
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Verify that the platform accepts the gateway's credential
  fleetops.aliyun_iot.device_login:
    region: cn-shanghai

- name: Verify it for a gateway that has only BusyBox
  fleetops.aliyun_iot.device_login:
    region: cn-shanghai
    login_from: controller
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
  description: Describes the failure.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error. Use it in C(when) or C(failed_when). It is one of V(bad_answer), V(connection), V(ended_early), V(internal),
          V(invalid_option), V(missing_tool), V(network), V(no_python), V(refused), V(storage), V(throttled), V(tls), V(unreadable).
        - V(ended_early) means that the program on the gateway was killed, for example for lack of memory.
        - V(internal) is a bug of this collection. Please report it.
      type: str
    code:
      description: The code of the CONNACK, if there was one.
      type: int
    message:
      description: What was attempted, on what, and what failed.
      type: str
    hint:
      description: What to do next.
      type: str
"""
