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
    and leaves again. The DeviceSecret stays on the gateway.
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
  ca_path:
    description: A PEM file, or a directory of hashed ones, on the host that logs in, to trust instead of its own authorities.
    type: str
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
  proxy:
    description:
      - The HTTP proxy of the host that connects, C(http://HOST:PORT) or C(http://USER:PASSWORD@HOST:PORT) with special characters as
        C(%XX). HTTPS and MQTT go through it (CONNECT).
      - If not set, C(https_proxy) of that host's environment. C(no_proxy) there lists hosts, parent domains, addresses and networks
        (CIDR) that are connected to directly, and holds for this option too.
    type: str
  wait_for_clock:
    description:
      - For how long, in seconds (0 to 600), a gateway whose clock reads a year before 2026 waits for the right time before it connects. A
        gateway without a battery for its clock starts in 1970, when no certificate is valid yet.
      - It does not wait where the controller connects.
    type: int
    default: 0
  login_from:
    description:
      - Who logs in. V(gateway) needs nothing there but Python, and a way from the gateway to the platform.
      - V(controller) is for gateways without Python or without a way out. The gateway signs, and needs a POSIX shell, awk and the
        digest's own tool, such as sha256sum. A stock OpenWrt has those of V(hmacsha256) and V(hmacmd5). The signed password is good for
        logging in as this device; it stays in the controller's memory.
      - A device token, which a registration without pre-registration stores, is a password itself and logs in from the gateway only.
    type: str
    choices: [gateway, controller]
    default: gateway
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
seealso:
  - module: fleetops.aliyun_iot.gateway_credential
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: See that the platform accepts the gateway's credential
  fleetops.aliyun_iot.device_login:
    region: cn-shanghai

- name: See it for a gateway that has BusyBox alone
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
  description: What went wrong.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error, for conditions, one of V(bad_answer), V(connection), V(ended_early), V(internal), V(invalid_option),
          V(missing_tool), V(network), V(no_python), V(refused), V(storage), V(throttled), V(tls), V(unreadable).
        - V(ended_early) is a program on the gateway that something there ended, such as a lack of memory.
        - V(internal) is a mistake in this collection; please report it.
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
