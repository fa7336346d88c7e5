# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send a registration that registrar.py prepared, and test the connections before it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import (
    Request,
    reach,
    register,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
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
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.registrar import AnyRequest
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import Post


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
