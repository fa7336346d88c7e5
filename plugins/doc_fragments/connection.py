# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options of connections to the platform, over HTTPS and MQTT. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Mirrors the options of the same names in module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  proxy:
    description:
      - The HTTP proxy of the host that connects, C(http://HOST:PORT) or C(http://USER:PASSWORD@HOST:PORT) with special characters as
        C(%XX). HTTPS and MQTT go through it (CONNECT).
      - If not set, C(https_proxy) of that host's environment. C(no_proxy) there lists hosts, parent domains, addresses and networks
        (CIDR) that are connected to directly, with this option too.
    type: str
"""

    MQTT = r"""
options:
  mqtt_port:
    description:
      - The port of the MQTT host. The platform presents another certificate at each port, so choose it together with the authorities to
        trust.
      - The certificate at V(8883) is signed by the platform's own CA, which is valid until 2053-07-04 and which no operating system trusts;
        set O(mqtt_ca_path) to it. By the vendor's documents, those at V(443) and V(1883) are signed under GlobalSign R1, which is valid
        until 2028-01-28.
      - If not set, the port in O(mqtt_endpoint), or else 443.
    type: int
  mqtt_ca_path:
    description:
      - A PEM file of the certificate authorities to trust for MQTT, on the host that connects. If not set, O(ca_path), or else the host's
        own authorities.
      - The file that the vendor publishes for port 8883 has the MD5 C(c7a6afb466713832af778a7bcb6d1aef); see the README.
    type: str
"""

    CLOCK = r"""
options:
  wait_for_clock:
    description:
      - For how long, in seconds (0 to 600), a gateway waits for the right time before it connects, if its clock reads a year before 2026.
        A gateway without a battery for its clock starts in 1970, when no certificate is valid yet.
      - Where the controller connects, nothing waits.
    type: int
    default: 0
"""
