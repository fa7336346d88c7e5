# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The MQTT listeners, and a connection's way from its first byte to its last."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from amqtt.mqtt.connack import ConnackPacket
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.pingreq import PingReqPacket
from amqtt.mqtt.pingresp import PingRespPacket
from amqtt.mqtt.publish import PublishPacket

from platform_emulator import faults, request_log, settings
from platform_emulator.http_effects import Drop, Effect
from platform_emulator.mqtt import connect
from platform_emulator.mqtt.connect import Connect
from platform_emulator.mqtt.mqtt_access import Access
from platform_emulator.mqtt.mqtt_replies import ACCEPTED, SERVER_UNAVAILABLE, ConnectRefused, Reply
from platform_emulator.mqtt.packets import Ended, Stream
from platform_emulator.mqtt.sessions import Session, Sessions
from platform_emulator.store import Store

CONNECT_SECONDS = 30.0  # for the TLS handshake, then for CONNECT, and for the answer

_log = logging.getLogger(__name__)


class Broker:
    """All MQTT connections over one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._access = Access(store)
        self._sessions = Sessions(store)

    @asynccontextmanager
    async def listening(self, host: str, port: int, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """Serve, over TLS where there is a context; yields the port, which the system chooses for port 0."""
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await self._serve(reader, writer, context)
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                writer.close()
                tasks.discard(task)

        server = await asyncio.start_server(connected, host, port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext | None
    ) -> None:
        stream = Stream(reader, writer)
        try:
            # Do not await between accept and start_tls, which would miss the beginning of the handshake. (A `hang` never comes to it.)
            effect = self._fault_before_any_byte(stream)
            if effect:
                await effect.before()
            if context:
                await writer.start_tls(context, ssl_handshake_timeout=CONNECT_SECONDS)
            packet = await stream.receive(CONNECT_SECONDS)
            if isinstance(packet, ConnectPacket):
                await self._connect(stream, connect.read(packet, over_tls=context is not None))
        except (Drop, Ended, OSError):
            pass
        except sqlite3.Error as error:
            _log.error("%s: %s", type(error).__name__, error)

    def _fault_before_any_byte(self, stream: Stream) -> Effect[Reply] | None:
        with self._store.transaction():
            fault = faults.take(self._store, "mqtt_tcp", None, None)
            if fault:
                request_log.opened(
                    self._store,
                    action="mqtt_tcp",
                    product_key=None,
                    device_name=None,
                    peer=stream.peer,
                    fault=fault.name,
                )
        return fault.effect if fault else None

    async def _connect(self, stream: Stream, asked: Connect) -> None:
        """Answer a CONNECT, as changed by a fault if one matches; then serve the session."""
        try:
            effect, reply, early = await self._answer(stream, asked)
        except sqlite3.Error:
            await _send(stream, Reply(SERVER_UNAVAILABLE))
            raise
        if early or reply.code != ACCEPTED:
            await _send(stream, reply)
        elif asked.action == "connect":
            client = asked.core if "authType" in asked.fields else ""
            session = Session(stream, *asked.names, client, asked.keep_alive)
            with self._sessions.entered(session):
                await _send(stream, await effect.after(reply))
                await session.run()
        else:
            await _send(stream, await effect.after(reply))
            await _wait_for_the_end(stream, settings.load(self._store).registration_window)

    async def _answer(self, stream: Stream, asked: Connect) -> tuple[Effect[Reply], Reply, bool]:
        """Process a CONNECT; return the effect of a fault, the reply, and whether the effect has replaced the processing."""
        with self._store.transaction():
            fault = faults.take(self._store, asked.action, asked.product_key, asked.device_name)
            entry = request_log.opened(
                self._store,
                action=asked.action,
                product_key=asked.product_key,
                device_name=asked.device_name,
                peer=stream.peer,
                fault=fault.name if fault else None,
            )
        effect: Effect[Reply] = fault.effect if fault else Effect()
        early = await effect.before()
        with self._store.transaction():
            reply = early or self._processed(asked)
            request_log.answered(self._store, entry, None, reply.code)
        return effect, reply, early is not None

    def _processed(self, asked: Connect) -> Reply:
        try:
            return self._access.reply(asked)
        except ConnectRefused as refused:
            _log.info("refused %s %s %s: %s", asked.action, asked.product_key, asked.device_name, refused.reason)
            return Reply(refused.code)


async def _send(stream: Stream, reply: Reply) -> None:
    await stream.send(ConnackPacket.build(0, reply.code), CONNECT_SECONDS)
    if reply.message:
        message = PublishPacket.build(reply.message.topic, reply.message.payload, None, False, 0, False)
        await stream.send(message, CONNECT_SECONDS)


async def _wait_for_the_end(stream: Stream, seconds: float) -> None:
    """Wait until a registered device disconnects, and answer its pings; disconnect it after `seconds`."""
    async with asyncio.timeout(seconds):
        while not isinstance(packet := await stream.receive(seconds), DisconnectPacket):
            if isinstance(packet, PingReqPacket):
                await stream.send(PingRespPacket.build(), seconds)
