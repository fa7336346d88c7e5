# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose between a registration over HTTPS and one over MQTT, and prepare it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import (
    Request,
    signed_request,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import MQTT_ONLY_REGIONS, REGNWL_REGIONS

# Imported lazily: gateways that register over HTTPS never load the MQTT code.
if t.TYPE_CHECKING:
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_registration import MqttRequest

    AnyRequest = t.Union[Request, MqttRequest]


def choose(options: t.Mapping[str, t.Any]) -> str:
    """Return the transport, ``https`` or ``mqtt``: the option's, or else the one that the region offers.

    :raises InvalidOption: regnwl over HTTPS, or in a region that does not offer it
    """
    only_mqtt = options["auth_type"] == "regnwl"
    if only_mqtt and options["transport"] == "https":
        raise InvalidOption(
            "transport", "https", "cannot be combined with auth_type: regnwl", "Leave transport out, or use mqtt"
        )
    if only_mqtt and not options["mqtt_endpoint"] and options["region"] not in (None, "", *REGNWL_REGIONS):
        raise InvalidOption(
            "region",
            options["region"],
            "does not offer auth_type: regnwl",
            "Use %s, or add the devices and leave auth_type out" % " or ".join(REGNWL_REGIONS),
        )
    by_default = "mqtt" if only_mqtt or options["region"] in MQTT_ONLY_REGIONS else "https"
    return str(options["transport"] or by_default)


def prepare(options: t.Mapping[str, t.Any], device_name: str) -> AnyRequest:
    """Check the options of a registration and sign it.

    :param options: as in ``gateway_credential_spec()``
    :raises InvalidOption: one is missing or invalid
    """
    if choose(options) == "https":
        return signed_request(options, device_name)
    if options["endpoint"] and not options["mqtt_endpoint"]:
        raise InvalidOption(
            "endpoint",
            options["endpoint"],
            "applies to HTTPS, and this registration uses MQTT",
            "Set mqtt_endpoint; or leave endpoint out, to register at the platform's own host; or use transport: https",
        )
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_registration import signed_connect

    return signed_connect(options, device_name)


def unsigned(request: AnyRequest) -> AnyRequest:
    """Return the request without its signed part. Sending it only makes a connection, and registers nothing."""
    return request._replace(body="") if isinstance(request, Request) else request._replace(connect=None)


def to_fields(request: AnyRequest) -> dict[str, t.Any]:
    """Return the request as a dictionary for JSON; :func:`from_fields` reverses it."""
    fields = request._asdict()
    if fields.get("connect"):
        fields["connect"] = fields["connect"]._asdict()
    return fields


def from_fields(fields: dict[str, t.Any]) -> AnyRequest:
    """Return the request of a dictionary from :func:`to_fields`."""
    if "url" in fields:
        return Request(**fields)
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import ConnectFields
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_registration import MqttRequest

    connect = ConnectFields(**fields["connect"]) if fields["connect"] else None
    return MqttRequest(**dict(fields, connect=connect))
