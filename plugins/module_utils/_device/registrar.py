# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose between a registration over HTTPS and one over MQTT, prepare it and send it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import (
    Request,
    reach,
    register,
    signed_request,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import Post
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import MQTT_ONLY_REGIONS, REGNWL_REGIONS
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._retry import retry
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import (
    TROUBLE,
    TlsContext,
    https_context,
    mqtt_context,
    network_error,
)

# Imported lazily: gateways that register over HTTPS never load the MQTT code.
if t.TYPE_CHECKING:
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import Exchange
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


def reach_broker(address: tuple[str, int], options: t.Mapping[str, t.Any], exchange: Exchange) -> None:
    """Check that a login could be sent to ``address``, host and port, over a verified connection.

    :raises FleetopsError: NetworkError or TlsError
    """
    host, port = str(address[0]), int(address[1])
    context = mqtt_context(options)

    def attempt() -> None:
        try:
            exchange((host, port), None, context, options["timeout"], ())
        except (*TROUBLE, FleetopsError) as error:
            what = "the login that is to verify the credential, at %s:%d" % (host, port)
            raise network_error(what, error, "mqtt_endpoint") from None

    retry(attempt, options["retry_time"])


def send(
    request: AnyRequest,
    options: t.Mapping[str, t.Any],
    poster: t.Callable[[TlsContext, float], Post],
    exchange: Exchange,
    not_after: float | None = None,
) -> Issued:
    """Have the platform issue a secret; nothing, for a request that is :func:`unsigned`.

    :param options: of the registration; no attempt starts after ``retry_time`` seconds
    :param poster: makes a sender of forms over HTTPS
    :param exchange: sends a CONNECT over MQTT
    :param not_after: the value of clock() after which no request may be sent
    :returns: ``doubt`` is true if an earlier attempt of this call may have registered as well
    :raises FleetopsError: as register() and reach() of https_registration and mqtt_registration
    """
    context = https_context(options) if isinstance(request, Request) else mqtt_context(options)
    context.not_after = not_after
    if not isinstance(request, Request):
        from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_registration import (
            register as register_mqtt,
        )

        return register_mqtt(request, exchange, context, options["timeout"], options["retry_time"])
    post = poster(context, options["timeout"])
    if request.body:
        return register(request, post, options["retry_time"])
    reach(request, post, options["retry_time"])
    return Issued()
