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
      - The HTTP proxy to use, as C(http://HOST:PORT) or C(http://USER:PASSWORD@HOST:PORT) with special characters as C(%XX). HTTPS and MQTT
        go through it (CONNECT). It is used by the host that connects to the platform, which is the gateway or the controller.
      - If this option is not set, C(https_proxy) in the environment of the host that connects is used.
      - C(no_proxy) in the same environment lists destinations that are reached without a proxy. It applies to the proxy of this option and
        to C(https_proxy). It can list a name, a parent domain, an address or a network (CIDR).
    type: str
"""

    MQTT = r"""
options:
  mqtt_port:
    description:
      - The port of the MQTT host. The collection uses TLS at every port, also at V(1883). The certificate of the platform depends on the
        port. So when you choose a port, also choose the authorities to trust.
      - According to the vendor's documents, the certificate at V(8883) is signed by the platform's own CA. This CA is valid until
        2053-07-04, and no operating system trusts it. Set O(mqtt_ca_path) to the file of this CA.
      - According to the vendor's documents, GlobalSign R1 is the root of the certificates at V(443) and V(1883). It is valid until
        2028-01-28.
      - If this option is not set, the port in O(mqtt_endpoint) is used. If that has no port either, 443 is used. If O(mqtt_port) and
        O(mqtt_endpoint) both give a port, the ports must be the same.
    type: int
  mqtt_ca_path:
    description:
      - A PEM file or a directory of the certificate authorities to trust for MQTT, on the host that connects. If this option is not set,
        O(ca_path) is used. If that is not set either, the host's own authorities are trusted.
      - The file that the vendor publishes for port 8883 has the MD5 C(c7a6afb466713832af778a7bcb6d1aef). To get the file, see the README of
        the role P(fleetops.aliyun_iot.gateway#role).
    type: str
"""

    CLOCK = r"""
options:
  wait_for_clock:
    description:
      - The longest time, in seconds (0 to 600), that a gateway waits until its clock is set. It waits only before a connection, and only if
        its clock shows a date before 2026. A gateway without a battery for its clock starts in 1970, when no certificate is valid yet.
      - When this time is over, the gateway connects even if its clock is still not set. If certificates are verified, this connection
        normally fails (kind V(tls)).
      - If the controller connects instead of the gateway, this option has no effect.
    type: int
    default: 0
"""
