# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send a form over HTTPS with http.client, because urllib.request takes long to import. PRIVATE to the collection.

TLS 1.2 and newer, verified, no redirects, an answer limited in size and in time.
"""

from __future__ import annotations

import http.client
import typing as t
from contextlib import closing
from urllib.parse import urlsplit

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import (
    FORM_HEADERS,
    FinalResponse,
    HttpReply,
    Post,
    failed_post,
    read_reply,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import LONGEST_ANSWER
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TROUBLE, TlsContext


def http_client_post(context: TlsContext, timeout: float) -> Post:
    """Return a sender that needs only the standard library. The context has the proxy."""

    class Connection(http.client.HTTPSConnection):
        response_class = FinalResponse

        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            self._create_connection = lambda address, *_rest: context.dial(*address)

    def post(url: str, body: str | None) -> HttpReply:
        parts = urlsplit(url)
        target = parts._replace(scheme="", netloc="").geturl() or "/"
        method, form = ("POST", body.encode("ascii")) if body else ("GET", None)
        context.begin(timeout, LONGEST_ANSWER)
        try:
            with closing(Connection(parts.netloc, timeout=timeout, context=context)) as connection:
                connection.request(method, target, form, {**FORM_HEADERS, "Connection": "close"})
                with connection.getresponse() as response:
                    return read_reply(response.status, response.headers.get, response.read, LONGEST_ANSWER)
        except (*TROUBLE, FleetopsError) as error:
            raise failed_post(url, error, context.sent) from None

    return post
