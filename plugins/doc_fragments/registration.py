# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that every registration takes. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Mirrors registration_spec() in module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  product_key:
    description: The product's ProductKey, from its Product Details page in the console.
    type: str
    required: true
  product_secret:
    description:
      - The product's ProductSecret, from the same page. Store it in a vault.
      - Required for a registration.
    type: str
  region:
    description:
      - The region of the product, V(ap-northeast-1), V(ap-southeast-1), V(cn-beijing), V(cn-shanghai), V(cn-shenzhen), V(eu-central-1),
        V(us-east-1) or V(us-west-1). V(cn-beijing) and V(cn-shenzhen) offer no registration over HTTPS.
      - Required for a registration over HTTPS unless O(endpoint) is set.
    type: str
  endpoint:
    description:
      - The endpoint for registrations over HTTPS, as C(https://HOST[:PORT][/PATH]) or C(HOST[:PORT]). It replaces the host of the region.
        For the emulator, use C(register_url) of the fact C(emulator_endpoints), which the role P(fleetops.aliyun_iot.emulator#role) sets.
    type: str
  ca_path:
    description:
      - A path on the host that sends the registration. It is either a PEM file with the certificates of the authorities to trust, or a
        directory of certificates that was prepared with C(openssl rehash). These authorities are trusted instead of the host's own. If
        this option is not set, the host's own authorities are trusted.
      - If the controller registers with C(auth_type=regnwl), the gateway logs in. In this case, the path must exist on both hosts.
      - In the modules that call the OpenAPI, the option C(ca_path) adds authorities to those of the system, and does not replace them.
    type: str
  validate_certs:
    description: Whether to verify the certificates of the endpoint and of the MQTT host. With V(false), an attacker on the network can pass
      the signed request on to the platform and read the DeviceSecret in its answer.
    type: bool
    default: true
  timeout:
    description: How long one request may take, in seconds (1 to 300). The time to resolve the name of the host is not limited.
    type: int
    default: 10
  retry_time:
    description:
      - For how long, in seconds (0 to 3600), a request is retried after a connection error, a time-out, HTTP 429 or 5xx, or the
        platform's codes 429 and 500. The pauses grow exponentially with full jitter. C(Retry-After) is honoured up to 30 seconds.
    type: int
    default: 30
  sign_method:
    description: The algorithm of the signature.
    type: str
    choices: [hmacmd5, hmacsha1, hmacsha256]
    default: hmacsha256
"""
