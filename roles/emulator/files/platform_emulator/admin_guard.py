# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access control of the admin API: a token at the beginning of the URL, and no access for pages in a browser.

Listening on loopback excludes other machines, but not other users of this machine or web pages: a page can send requests
to any address (CSRF), and its own host name can resolve to 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TOKEN_BYTES = 32
PREFIX = "/{token}"  # a variable of the routes, so that the time to find one does not depend on the token
HOSTS = ("127.0.0.1", "localhost", "[::1]")


def new_token() -> str:
    """Return a random path segment of 256 bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def path_in_api(request: web.Request) -> str:
    """Return the path without the token, for messages."""
    return "/" + request.path.partition("/")[2].partition("/")[2]


def guard(token: str) -> Middleware:
    """Return a middleware that answers 404 without the token, 421 for another host, and 403 to browsers."""
    expected = token.encode()

    @web.middleware
    async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.path.partition("/")[2].partition("/")[0]
        if not hmac.compare_digest(given.encode(errors="replace"), expected):
            return _refused(404, "there is nothing here; use admin_url of the ready file as it is")
        if [host.lower() for host in request.headers.getall("Host", [])] not in _hosts(request):
            return _refused(421, f"the Host header must be one of {', '.join(HOSTS)}, with the port of admin_url")
        if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
            return _refused(403, "a page in a browser may not use the admin API")
        return await handler(request)

    return admitted


def _hosts(request: web.Request) -> list[list[str]]:
    """Return the Host headers that name this listener; none once the connection is gone."""
    address = request.transport.get_extra_info("sockname") if request.transport else None
    return [[f"{host}:{address[1]}"] for host in HOSTS] if address else []


def _refused(status: int, error: str) -> web.Response:
    return web.json_response({"error": error}, status=status)
