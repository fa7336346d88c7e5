# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator as one process: its listeners, its ready file, its end."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import resource
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web
from aiohttp.http import HttpProcessingError

from platform_emulator import admin, admin_guard, certificates, registration, seed
from platform_emulator.files import own_directory, write_file
from platform_emulator.mqtt.server import Broker
from platform_emulator.openapi import service as openapi
from platform_emulator.options import Options, reachable
from platform_emulator.process import own
from platform_emulator.ready_file import endpoints_of
from platform_emulator.state_dir import DATABASE
from platform_emulator.store import Store, opened

BODY_LIMIT = 8192  # bytes; a registration takes less than 512
LINE_LIMIT = 4 * 1024 * 1024  # bytes; a call of the OpenAPI may have in its query what fits into a body
SHUTDOWN_SECONDS = 0.1  # for requests under way; those that a fault holds are cut off
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}  # asyncio accepts no connection for a second

_log = logging.getLogger(__name__)
_http_log = logging.getLogger(f"{__name__}.http")


def _shortened(record: logging.LogRecord) -> bool:
    """Shorten what aiohttp logs with a traceback, if the cause is the client.

    The traceback of a malformed request contains its line, which may have the admin token or a signature.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.exc_info = None
    elif isinstance(error, ConnectionError):
        record.msg, record.args, record.exc_info = "a client has left in the middle of its request", (), None
    return True


_http_log.addFilter(_shortened)


def serve(options: Options) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP. Raises Invalid or OSError when it cannot start."""
    os.umask(0o077)
    _allow_connections()
    own_directory(options.state_dir)
    own(options)
    sown = seed.load(options.seed) if options.seed else None
    if options.ready_file:
        options.ready_file.unlink(missing_ok=True)
    context = certificates.server_context(options.state_dir, options.listen)
    with opened(options.state_dir / DATABASE) as store:
        store.all_offline()
        if sown:
            seed.apply(store, sown)
        asyncio.run(_serve(options, store, context))


def _allow_connections() -> None:
    """Raise the limit of open files to the hard limit, because each connection needs one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # a system may have no limit to name, and another one below that
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(options: Options, store: Store, context: ssl.SSLContext) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_Errors())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            loop.add_signal_handler(number, stopped.set)
    platform = web.Application(client_max_size=BODY_LIMIT, middlewares=[_without_unreadable])
    platform.add_routes([*registration.routes(store), *openapi.routes(store)])
    broker = Broker(store)
    token = admin_guard.new_token()
    async with (
        _listening(platform, options.listen, options.https_port, context, LINE_LIMIT) as https_port,
        broker.listening(options.listen, options.mqtts_port, context) as mqtts_port,
        broker.listening(options.listen, options.mqtt_port) as mqtt_port,
        _listening(admin.application(store, token), "127.0.0.1", 0) as admin_port,
    ):
        host = reachable(options.listen)
        endpoints = {
            "register_url": f"https://{_in_url(host)}:{https_port}{registration.PATH}",
            "openapi_endpoint": f"{_in_url(host)}:{https_port}",
            "mqtts": {"host": host, "port": mqtts_port},
            "mqtt": {"host": host, "port": mqtt_port},
            "ca_file": str(certificates.authority_file(options.state_dir).resolve()),
            "admin_url": f"http://127.0.0.1:{admin_port}/{token}",
            "pid": os.getpid(),
        }
        if options.ready_file:
            write_file(options.ready_file, json.dumps(endpoints, indent=2).encode() + b"\n")
        # The token in admin_url is for the ready file's owner alone.
        _log.info("ready %s", json.dumps({key: value for key, value in endpoints.items() if key != "admin_url"}))
        try:
            await stopped.wait()
        finally:
            if options.ready_file and endpoints_of(options.ready_file, os.getpid()):  # not of a later one
                options.ready_file.unlink(missing_ok=True)
    _log.info("stopped")


class _Errors:
    """The errors of asyncio; those of a system without room for more connections are logged once, in one line."""

    def __init__(self) -> None:
        self._told = False

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            if not self._told:
                self._told = True
                _log.warning("a connection has to wait: %s; raise the limit of open files (ulimit -n)", error.strerror)
        elif not (isinstance(error, ValueError) and "._start_serving(" in str(context["message"])):
            # asyncio accepts again after a second, without a look at whether the socket has been closed in between.
            loop.default_exception_handler(context)


@web.middleware
async def _without_unreadable(request: web.Request, handler: admin_guard.Handler) -> web.StreamResponse:
    """Answer 400 to a body that is not in its Content-Encoding."""
    try:
        return await handler(request)
    except web.RequestPayloadError:
        raise web.HTTPBadRequest from None


@asynccontextmanager
async def _listening(
    app: web.Application, host: str, port: int, context: ssl.SSLContext | None = None, line_limit: int = 8190
) -> AsyncIterator[int]:
    """Serve an application; yields the port, which the system chooses for port 0."""
    runner = web.AppRunner(
        app, access_log=None, logger=_http_log, shutdown_timeout=SHUTDOWN_SECONDS, max_line_size=line_limit
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
