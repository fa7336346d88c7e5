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
from amqtt.mqtt.packet import MQTTFixedHeader

Packet = MQTTPacket[Any, Any, Any]

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

    async def receive(self, seconds: float) -> Packet:
        """Return the next packet, if it comes whole within that time; raises Ended."""
        try:
            async with asyncio.timeout(seconds):
                header = await MQTTFixedHeader.from_stream(StreamReaderAdapter(self._reader))
                if header is None or header.remaining_length > SIZE_LIMIT:
                    raise Ended
                body = await self._reader.readexactly(header.remaining_length)
            return await packet_class(header).from_stream(BufferReader(body), header)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            raise Ended from None
        except (AMQTTError, MQTTError, CodecError, NoDataError, struct.error, ValueError):
            raise Ended from None

    async def send(self, packet: Packet) -> None:
        """Raise Ended when the client is gone."""
        try:
            self._writer.write(packet.to_bytes())
            await self._writer.drain()
        except OSError:
            raise Ended from None

    def close(self) -> None:
        """Close when all is sent."""
        self._writer.close()

    def abort(self) -> None:
        """Close now."""
        self._writer.transport.abort()
