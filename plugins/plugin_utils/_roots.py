# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The root certificate that a gateway needs for MQTT according to the vendor's documents. PRIVATE to the collection.

Source: "Establish MQTT connections over TCP" in the documentation of Alibaba Cloud IoT Platform. Only a handshake shows which
certificate the platform presents.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import PORT
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import first_of

Options = t.Mapping[str, t.Any]
# Names that a message has at the most.
_SHOWN = 50


@dataclass(frozen=True)
class Root:
    """A root certificate: the end of its validity, the port whose certificate is signed under it, and where a gateway has it.

    It is in the file ``path``, or else among the system's authorities, where ``line`` is one of the lines of its PEM text.
    """

    name: str
    ends: str
    port: int
    line: str = ""
    path: str = ""

    def report(self, found: bool) -> dict[str, t.Any]:
        """Return the field mqtt_root of a result."""
        shown = {name: value for name, value in asdict(self).items() if name != "line"}
        return {**shown, "path": self.path or None, "found": found}


GLOBALSIGN = Root(
    "GlobalSign Root CA", "2028-01-28", PORT, line="jc6j40+Kfvvxi4Mla+pIH/EqsLmVEQS98GPR4mdmzxzdzxtIK+6NiY6arymAZavp"
)
OWN = Root("the platform's own CA", "2053-07-04", 8883)


def needed_root(options: Options) -> Root | None:
    """Return the root certificate that a gateway needs to log in, according to the documents; None if they do not name it.

    :param options: those of gateway_credential
    """
    port, own = options["mqtt_port"] or PORT, options["mqtt_ca_path"]
    if options["endpoint"] or options["mqtt_endpoint"] or not options["validate_certs"]:
        return None
    if port == OWN.port:
        # Where the controller connects, the file is there; one that is named by a variable is known to the gateway's Python alone.
        is_plain = own and options["register_from"] == "gateway" and not set("~$").intersection(own)
        return replace(OWN, path=own) if is_plain else None
    if own or options["ca_path"] or port not in (PORT, 1883):
        return None
    return replace(GLOBALSIGN, port=port)


def lacking_roots(results: t.Mapping[str, Options]) -> list[str]:
    """Return a message for each root certificate that gateways lack.

    :param results: of gateways, by host
    """
    hosts: dict[tuple[str, str, int, str | None], list[str]] = {}
    for host, result in results.items():
        root = result.get("mqtt_root")
        if root and not root["found"]:
            hosts.setdefault((root["name"], root["ends"], root["port"], root["path"]), []).append(host)
    return [_message(*root, several) for root, several in hosts.items()]


def _message(name: str, ends: str, port: int, path: str | None, hosts: t.Sequence[str]) -> str:
    shown = first_of(hosts, _SHOWN)
    who = "%d gateway%s" % (len(hosts), "" if len(hosts) == 1 else "s")
    signed = (
        "According to the vendor's documents, the certificate of MQTT at port %d is signed by %s, which is valid until %s"
        % (
            port,
            name,
            ends,
        )
    )
    if path:
        return "%s cannot read %s (mqtt_ca_path), and a login will fail: %s. %s" % (who, path, shown, signed)
    return (
        "%s may not be able to log in, because the root certificate %s is not among the system's: %s. %s. Give them the platform's own "
        "CA (gateway_mqtt_ca_path) and gateway_mqtt_port: 8883; the agent needs the same" % (who, name, shown, signed)
    )
