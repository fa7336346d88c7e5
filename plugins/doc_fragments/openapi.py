# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that everything on the control plane takes. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Mirrors openapi_spec() in module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  access_key_id:
    description:
      - The AccessKey's ID. Use the AccessKey of a RAM user that has no more permissions than necessary.
      - Required unless there is O(profile) or O(credentials). The examples leave it out, since C(module_defaults) of the group
        C(group/fleetops.aliyun_iot.openapi) can set it for all tasks of a play.
    type: str
  access_key_secret:
    description: The AccessKey's secret. Store it in a vault.
    type: str
  security_token:
    description: The security token of a temporary AccessKey (STS).
    type: str
  profile:
    description:
      - The name of a profile that contains an AccessKey. The profile is read from C(~/.aliyun/config.json) or, if it is not there, from
        C(~/.alibabacloud/credentials.ini).
    type: str
  credentials:
    description:
      - V(default_chain) uses the AccessKey that the vendor's default credential chain finds. The chain looks at
        C(ALIBABA_CLOUD_ACCESS_KEY_ID) and C(ALIBABA_CLOUD_ACCESS_KEY_SECRET) in the environment, at OIDC, at the current profile, and at
        the host's RAM role.
      - To find a RAM role, the chain sends a request to the metadata address of the cloud. Because of this request, the chain is used only
        if you set this option.
    type: str
    choices: [default_chain]
  region:
    description:
      - The region of the instance, V(ap-northeast-1), V(ap-southeast-1), V(cn-beijing), V(cn-shanghai), V(cn-shenzhen), V(eu-central-1),
        V(us-east-1) or V(us-west-1).
      - Required unless O(openapi_endpoint) is given.
    type: str
  openapi_endpoint:
    description: The endpoint of the OpenAPI, as C(HOST[:PORT]). It replaces the host of the region. For the emulator, use
      C(openapi_endpoint) of the fact C(emulator_endpoints), which the role P(fleetops.aliyun_iot.emulator#role) sets.
    type: str
  instance_id:
    description: The instance's ID, from the Overview page in the console. Required if, and only if, the instance has an ID.
    type: str
  ca_path:
    description:
      - A PEM file of certificate authorities to trust in calls of the OpenAPI, in addition to those of the controller's system. If the
        system has none, those of the Python package certifi are trusted.
      - M(fleetops.aliyun_iot.gateway_recovery) uses this file also for its login over MQTT, unless its option C(mqtt_ca_path) is set. For
        this login, it trusts the authorities of this file instead of the system's.
      - In M(fleetops.aliyun_iot.gateway_credential), M(fleetops.aliyun_iot.device_registration) and M(fleetops.aliyun_iot.device_login),
        the option C(ca_path) replaces the system's authorities.
    type: path
  timeout:
    description: How long one call may take until its answer is complete, in seconds (1 to 300).
    type: int
    default: 10
  retry_time:
    description:
      - For how long, in seconds (0 to 3600), a call is retried after throttling, a lost answer, HTTP 429 or 5xx. The pauses grow
        exponentially with full jitter.
    type: int
    default: 30
  qps_share:
    description:
      - The share of the account's quotas that this run may use, 0.01 to 1. A quota limits the queries per second of one action, for the
        whole account. Controllers that use the account at the same time share its quotas, for example if each processes a part of one
        fleet. In this case, divide 1 by the number of controllers, and set the result on each of them. With four controllers, set 0.25.
    type: float
    default: 1.0
requirements:
  - requests, alibabacloud-tea-openapi and alibabacloud-credentials, in the environment that runs Ansible
"""
