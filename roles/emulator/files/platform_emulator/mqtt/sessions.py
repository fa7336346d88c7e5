# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session of a device from login to disconnect, and the open sessions."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from amqtt.mqtt.packet import PacketIdVariableHeader
from amqtt.mqtt.pingreq import PingReqPacket
from amqtt.mqtt.pingresp import PingRespPacket
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.subscribe import SubscribePacket, SubscribePayload
from amqtt.mqtt.unsuback import UnsubackPacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket, UnubscribePayload

from platform_emulator import lifecycle
from platform_emulator.answers import compact_json
from platform_emulator.mqtt import topics
from platform_emulator.mqtt.mqtt_replies import Message
from platform_emulator.mqtt.packets import Ended, Packet, Stream
from platform_emulator.store import Store

HIGHEST_QOS = 1  # the platform knows no QoS 2
REFUSED_FILTER = 0x80
PACKET_IDS = 65_535
RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Session:
    """A device that is logged in, on its connection. `client` distinguishes those that share a device name."""

    def __init__(self, stream: Stream, product_key: str, device_name: str, client: str, keep_alive: int) -> None:
        self.device = (product_key, device_name)
        self.client = client
        self._stream = stream
        self._patience = keep_alive * 1.5 or None  # a keep-alive of 0 switches it off (MQTT 3.1.1, 3.1.2.10)
        self._filters: dict[str, int] = {}
        self._packet_ids = itertools.cycle(range(1, PACKET_IDS + 1))

    async def run(self) -> None:
        """Serve until the device disconnects, or violates the protocol or its permissions; raises Ended."""
        while True:
            packet = await self._stream.receive(self._patience)
            match packet:
                case PublishPacket():
                    await self._published(packet)
                case SubscribePacket(
                    variable_header=PacketIdVariableHeader(packet_id=number), payload=SubscribePayload(topics=wanted)
                ):
                    granted = [self._subscribe(topic_filter, qos) for topic_filter, qos in wanted]
                    await self._send(SubackPacket.build(number, granted))
                case UnsubscribePacket(
                    variable_header=PacketIdVariableHeader(packet_id=number), payload=UnubscribePayload(topics=unwanted)
                ):
                    for topic_filter in unwanted:
                        self._filters.pop(topic_filter, None)
                    await self._send(UnsubackPacket.build(number))
                case PingReqPacket():
                    await self._send(PingRespPacket.build())
                case PubackPacket():
                    pass
                case _:  # DISCONNECT, or a packet that a client must not send
                    raise Ended

    async def _send(self, packet: Packet) -> None:
        await self._stream.send(packet, self._patience)

    def end(self) -> None:
        """Disconnect the device."""
        self._stream.abort()

    def _subscribe(self, topic_filter: str, qos: int) -> int:
        """Return the code for the SUBACK."""
        if not topics.may_subscribe(topic_filter, *self.device):
            return REFUSED_FILTER
        self._filters[topic_filter] = min(qos, HIGHEST_QOS)
        return self._filters[topic_filter]

    async def _published(self, packet: PublishPacket) -> None:
        topic, payload, qos = packet.topic_name or "", packet.data or b"", packet.qos or 0
        if qos > HIGHEST_QOS or not topics.is_own(topic, *self.device):
            raise Ended
        if qos and packet.packet_id is not None:
            await self._send(PubackPacket.build(packet.packet_id))
        if topic == topics.PROPERTY_POST.format(*self.device):
            # The platform answers whether or not the device has subscribed.
            await self._deliver(Message(f"{topic}_reply", _property_reply(payload)), 0)
        granted = [own for wanted, own in self._filters.items() if topics.matches(topic, wanted)]
        if granted:
            await self._deliver(Message(topic, payload), min(qos, max(granted)))

    async def _deliver(self, message: Message, qos: int) -> None:
        packet_id = next(self._packet_ids) if qos else None
        await self._send(PublishPacket.build(message.topic, message.payload, packet_id, False, qos, False))


def _property_reply(post: bytes) -> bytes:
    """Return the answer to a property post with the same id, in the format of the Alink protocol."""
    try:
        number = json.loads(post)["id"]
        # Of another type, or with half a character, it could not be sent back as it came. A boolean is an int of Python.
        good = type(number) in (int, str) and not re.search("[\ud800-\udfff]", str(number))
    except (ValueError, LookupError, TypeError, RecursionError):
        good = False
    return compact_json(
        {
            "code": 200 if good else 460,
            "data": {},
            "id": number if good else "",
            "message": "success" if good else "request parameter error",
            "method": "thing.event.property.post",
            "version": "1.0",
        }
    )


class Sessions:
    """The open sessions: one for each device, and for each of the clients that share a device name.

    A session ends when its device is removed, disabled or offline.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[tuple[str, str], dict[str, Session]] = {}
        store.watch(self._changed)

    @contextmanager
    def entered(self, session: Session) -> Iterator[None]:
        """Open the session within the context, and end another one of the same client.

        The device is offline after its last session.
        """
        clients = self._open.setdefault(session.device, {})
        former, clients[session.client] = clients.get(session.client), session
        if former:
            former.end()
        try:
            yield
        finally:
            if clients.get(session.client) is session:
                del clients[session.client]
                if not clients:
                    del self._open[session.device]
                    self._log_out(session.device)

    def _changed(self, product_key: str, device_name: str | None) -> None:
        """Schedule a check of the device after the transaction."""
        for device in [(product_key, device_name)] if device_name else self._open:
            if device in self._open and device[0] == product_key:
                asyncio.get_running_loop().call_soon(self._look_at, *device)

    def _look_at(self, product_key: str, device_name: str) -> None:
        device = self._store.device(product_key, device_name)
        if device is None or device.disabled or not device.online:
            for session in self._open.get((product_key, device_name), {}).values():
                session.end()

    def _log_out(self, names: tuple[str, str]) -> None:
        """Set the device offline unless it has a session again; if the state cannot be written, try again later."""
        if names in self._open:
            return
        try:
            with self._store.transaction():
                device = self._store.device(*names)
                if device:
                    self._store.save_device(lifecycle.log_out(device))
        except sqlite3.Error as error:
            _log.error("%s %s is not set offline yet: %s: %s", *names, type(error).__name__, error)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._log_out, names)
