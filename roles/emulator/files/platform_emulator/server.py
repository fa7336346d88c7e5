# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator as one process: its listeners, its ready file, its end."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http import HttpProcessingError

from platform_emulator import admin, admin_guard, certificates, registration, seed
from platform_emulator.files import own_directory, write_file
from platform_emulator.mqtt.server import Broker
from platform_emulator.openapi import service as openapi
from platform_emulator.options import Options
from platform_emulator.process import sole_owner
from platform_emulator.store import Store

BODY_LIMIT = 8192  # bytes; a registration takes less than 512
SHUTDOWN_SECONDS = 0.1  # for requests under way; those that a fault holds are cut off

_log = logging.getLogger(__name__)
_http_log = logging.getLogger(f"{__name__}.http")


def _without_request(record: logging.LogRecord) -> bool:
    """Remove the line of a malformed request from the log of aiohttp, since it may contain the admin token or a signature."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
    return True


_http_log.addFilter(_without_request)


def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT. Raises Invalid, OSError or sqlite3.Error when it cannot start."""
    os.umask(0o077)
    own_directory(options.state_dir)
    with sole_owner(options):
        if options.ready_file:
            options.ready_file.unlink(missing_ok=True)
        sown = seed.load(options.seed) if options.seed else None
        context = certificates.server_context(options.state_dir, options.listen)
        store = Store(options.state_dir / "state.sqlite")
        try:
            store.all_offline()
            if sown:
                seed.apply(store, sown)
            asyncio.run(_serve(options, store, context))
        finally:
            store.close()


async def _serve(options: Options, store: Store, context: ssl.SSLContext) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    platform = web.Application(client_max_size=BODY_LIMIT, middlewares=[_without_unreadable])
    platform.add_routes([*registration.routes(store), *openapi.routes(store)])
    broker = Broker(store)
    token = admin_guard.new_token()
    async with (
        _listening(platform, options.listen, options.https_port, context) as https_port,
        broker.listening(options.listen, options.mqtts_port, context) as mqtts_port,
        broker.listening(options.listen, options.mqtt_port) as mqtt_port,
        _listening(admin.application(store, token), "127.0.0.1", 0) as admin_port,
    ):
        endpoints = {
            "register_url": f"https://{_in_url(_reachable(options.listen))}:{https_port}{registration.PATH}",
            "openapi_endpoint": f"{_in_url(_reachable(options.listen))}:{https_port}",
            "mqtts": {"host": _reachable(options.listen), "port": mqtts_port},
            "mqtt": {"host": _reachable(options.listen), "port": mqtt_port},
            "ca_file": str(certificates.authority_file(options.state_dir).resolve()),
            "admin_url": f"http://127.0.0.1:{admin_port}/{token}",
            "pid": os.getpid(),
        }
        # The token in admin_url is for the ready file's owner alone.
        _log.info("ready %s", json.dumps({key: value for key, value in endpoints.items() if key != "admin_url"}))
        if options.ready_file:
            write_file(options.ready_file, json.dumps(endpoints, indent=2).encode() + b"\n")
        try:
            await stopped.wait()
        finally:
            if options.ready_file:
                options.ready_file.unlink(missing_ok=True)
    _log.info("stopped")


@web.middleware
async def _without_unreadable(request: web.Request, handler: admin_guard.Handler) -> web.StreamResponse:
    """Answer 400 to a body that is not in its Content-Encoding."""
    try:
        return await handler(request)
    except web.RequestPayloadError:
        raise web.HTTPBadRequest from None


@asynccontextmanager
async def _listening(
    app: web.Application, host: str, port: int, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve an application; yields the port, which the system chooses for port 0."""
    runner = web.AppRunner(app, access_log=None, logger=_http_log, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _reachable(listen: str) -> str:
    """Return the address to reach a listener at from this machine."""
    address = ipaddress.ip_address(listen)
    return "127.0.0.1" if address.is_unspecified else str(address)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
