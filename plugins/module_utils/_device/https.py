# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send a form over HTTPS from a gateway, with the standard library alone. PRIVATE to the collection.

TLS 1.2 and newer, verified, no redirects, an answer limited in size and in time.
"""

from __future__ import annotations

import http.client
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import (
    FORM_HEADERS,
    LONGEST_ANSWER,
    HttpReply,
    Post,
    failed_post,
    read_reply,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TROUBLE, TlsContext


def urllib_post(context: TlsContext, timeout: float) -> Post:
    """Return a sender for gateways: the standard library alone. The context knows the proxy."""
    import urllib.error
    import urllib.request

    class Connection(http.client.HTTPSConnection):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            self._create_connection = lambda address, *_rest: context.dial(*address)

    class Handler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Connection, req, context=context)

    # No handler of redirects, of passwords, nor of proxies.
    opener = urllib.request.OpenerDirector()
    for handler in (
        Handler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)

    def post(url: str, body: str | None) -> HttpReply:
        request = urllib.request.Request(url, data=body.encode("ascii") if body else None, headers=FORM_HEADERS)
        context.begin(timeout, LONGEST_ANSWER)
        try:
            try:
                response = opener.open(request, timeout=timeout)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                return read_reply(response.status, response.headers, response.read, LONGEST_ANSWER)
        except (*TROUBLE, FleetopsError) as error:
            raise failed_post(url, error, context.sent) from None

    return post
