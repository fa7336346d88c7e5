# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""MQTT packets on a connection, in amqtt's codecs.

Only the codecs of amqtt are used: its broker supports only the CONNACKs 0 and 5, sends nothing without a subscription,
and does not report to a plugin over which listener a client connected, or which port the system chose.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from amqtt.adapters import BufferReader, StreamReaderAdapter
from amqtt.errors import AMQTTError, CodecError, MQTTError, NoDataError
from amqtt.mqtt import MQTTPacket, packet_class
from amqtt.mqtt.connect import ConnectPacket, ConnectPayload, ConnectVariableHeader
from amqtt.mqtt.packet import (
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    SUBSCRIBE,
    UNSUBSCRIBE,
    MQTTFixedHeader,
    PacketIdVariableHeader,
)
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.subscribe import SubscribePacket, SubscribePayload
from amqtt.mqtt.unsubscribe import UnsubscribePacket, UnubscribePayload

Packet = MQTTPacket[Any, Any, Any]

# The flags of the fixed header by type of packet [MQTT-2.2.2-1]; those of PUBLISH have a meaning.
FLAGS = {
    **{CONNECT: 0, PUBACK: 0, PUBREC: 0, PUBREL: 2, PUBCOMP: 0},
    **{SUBSCRIBE: 2, UNSUBSCRIBE: 2, PINGREQ: 0, DISCONNECT: 0},
}

SIZE_LIMIT = 262_144  # bytes: https://www.alibabacloud.com/help/doc-detail/30527.htm


class Ended(Exception):
    """The connection has ended: the client disconnected, was silent for too long, or sent something else than MQTT."""


class Stream:
    """One connection, packet by packet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def peer(self) -> str:
        name = self._writer.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if name else "gone"

    async def receive(self, seconds: float | None) -> Packet:
        """Return the next packet, if it comes whole within that time (None: at any time) and violates no rule; raises Ended."""
        try:
            async with asyncio.timeout(seconds):
                header = await MQTTFixedHeader.from_stream(StreamReaderAdapter(self._reader))
                if header is None or header.remaining_length > SIZE_LIMIT:
                    raise Ended
                if header.flags != FLAGS.get(header.packet_type, header.flags):
                    raise Ended
                body = await self._reader.readexactly(header.remaining_length)
            packet = await packet_class(header).from_stream(BufferReader(body), header)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            raise Ended from None
        except (AMQTTError, MQTTError, CodecError, NoDataError, struct.error, ValueError):
            raise Ended from None
        if _is_violation(packet):
            raise Ended
        return packet

    async def send(self, packet: Packet, seconds: float | None) -> None:
        """Send the packet; raises Ended if the client is gone, or does not read for that time."""
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(packet.to_bytes())
                await self._writer.drain()
        except OSError:  # TimeoutError is one
            self.abort()  # closing would wait for the client
            raise Ended from None

    def close(self) -> None:
        """Close when all is sent."""
        self._writer.close()

    def abort(self) -> None:
        """Close now."""
        self._writer.transport.abort()


def _is_violation(packet: Packet) -> bool:
    """Return whether MQTT 3.1.1 requires that a server closes the connection.

    The rules are [MQTT-1.5.3-2], [2.3.1-1], [3.1.2-3, -13, -14, -15, -22], [3.3.2-2], [3.8.3-3, -4], [3.10.3-2] and [4.7.3-1, -2].
    """
    match packet:
        case ConnectPacket(variable_header=ConnectVariableHeader() as header, payload=ConnectPayload() as payload):
            texts = payload.client_id, payload.will_topic, payload.username, payload.password
            will_without_flag = not header.will_flag and (header.will_qos or header.will_retain_flag)
            user_missing = header.password_flag and not header.username_flag
            wrong_flags = header.reserved_flag or header.will_qos > 2 or will_without_flag or user_missing
            return bool(wrong_flags) or any("\0" in text for text in texts if text)
        case PublishPacket():
            topic = packet.topic_name
            return (bool(packet.qos) and not packet.packet_id) or not topic or bool(set(topic) & set("\0+#"))
        case SubscribePacket(
            variable_header=PacketIdVariableHeader(packet_id=number), payload=SubscribePayload(topics=wanted)
        ):
            filters = [topic_filter for topic_filter, _qos in wanted]
            return not number or not _are_filters(filters) or any(qos > 2 for _topic_filter, qos in wanted)
        case UnsubscribePacket(
            variable_header=PacketIdVariableHeader(packet_id=number), payload=UnubscribePayload(topics=unwanted)
        ):
            return not number or not _are_filters(unwanted)
    return False


def _are_filters(texts: list[str]) -> bool:
    """Return whether there is at least one, and none is empty or contains U+0000."""
    return bool(texts) and all(text and "\0" not in text for text in texts)
