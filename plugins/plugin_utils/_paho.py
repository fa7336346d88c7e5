# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One CONNECT over TLS and its answer, on the controller: paho-mqtt underneath. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _mqtt_client
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BadAnswer, FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import TlsContext
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._mqtt import Connect

# paho translates the codes of MQTT 3.1.1 into those of MQTT 5.
_CODES = {0: 0, 132: 1, 133: 2, 136: 3, 134: 4, 135: 5}


def exchange(
    address: tuple[str, int],
    connect: Connect | None,
    context: TlsContext,
    timeout: float,
    topics: t.Sequence[str] = (),
) -> tuple[int, bytes]:
    """As exchange() of _mqtt_client.

    :raises FleetopsError: as check_paho()
    """
    check_paho()
    from paho.mqtt.client import MQTT_ERR_PROTOCOL, MQTT_ERR_SUCCESS, Client, MQTTv311
    from paho.mqtt.enums import CallbackAPIVersion

    if not connect:
        return _mqtt_client.exchange(address, None, context, timeout)
    codes: list[int] = []
    messages: list[bytes] = []

    def on_connect(_client: t.Any, _data: t.Any, _flags: t.Any, reason: t.Any, _properties: t.Any) -> None:
        codes.append(_CODES.get(reason.value, reason.value))

    def on_message(_client: t.Any, _data: t.Any, message: t.Any) -> None:
        if message.topic in topics:
            messages.append(message.payload)

    context.begin(timeout)
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=connect.client_id, protocol=MQTTv311, reconnect_on_failure=False
    )
    client.username_pw_set(connect.user_name, connect.password)
    client.tls_set_context(context)
    client.connect_timeout = timeout
    client.on_connect = on_connect
    client.on_message = on_message
    try:
        client.connect(*address, keepalive=_mqtt_client.KEEP_ALIVE)
    except BaseException:
        # The handshake is paho's, so that the context was told too early, and it leaves behind what it could not use.
        context.connected = False
        if context.tls:
            context.tls.close()
        raise
    try:
        while not (codes and (codes[0] or messages or not topics)):
            left = context.end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            state = client.loop(left)
            if state == MQTT_ERR_PROTOCOL:
                raise BadAnswer("what answers does not speak MQTT 3.1.1", hint="Check mqtt_endpoint")
            if state != MQTT_ERR_SUCCESS and not codes:
                raise EOFError("the connection ended without an answer to CONNECT")
            if codes and not codes[0] and not client.is_connected() and topics and not messages:
                raise EOFError("the connection ended without the answer")
        return codes[0], messages[0] if messages else b""
    finally:
        client.disconnect()


def check_paho() -> None:
    """See whether the library is there.

    :raises FleetopsError: it is missing, or another version
    """
    try:
        from paho.mqtt.enums import CallbackAPIVersion

        if CallbackAPIVersion.VERSION2:
            return
    except (ImportError, AttributeError):
        pass
    raise FleetopsError(
        "speaking MQTT from the controller needs the Python library paho-mqtt, version 2",
        hint="Install it into the environment that runs ansible-playbook: pip install 'paho-mqtt>=2.1,<3'",
        kind="missing_library",
    )
