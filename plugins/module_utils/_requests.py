# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTPS from the controller, over the requests library. PRIVATE to the collection.

TLS 1.2 and newer, verified, no redirects, an answer limited in size and in time.
"""

from __future__ import annotations

import ssl
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, internal
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


def requests_post(context: TlsContext, timeout: float) -> Post:
    """Return a sender for the controller, over the requests library. The context knows the proxy."""
    new_session = session_maker(context)

    def post(url: str, body: str | None) -> HttpReply:
        try:
            with new_session() as session:
                return send_request(session, context, url, body, FORM_HEADERS, timeout, LONGEST_ANSWER)
        except (*TROUBLE, FleetopsError) as error:
            raise failed_post(url, error, context.sent) from None

    return post


def session_maker(context: TlsContext) -> t.Callable[[], t.Any]:
    """Return a maker of sessions of the requests library that connect within the limits of ``context`` and follow no redirect.

    :raises FleetopsError: of kind missing_library
    """
    try:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.connection import HTTPSConnection
        from urllib3.connectionpool import HTTPSConnectionPool
    except ImportError:
        raise FleetopsError(
            "HTTPS from the controller needs the Python library requests",
            hint="Install it into the environment that runs ansible-playbook: pip install requests",
            kind="missing_library",
        ) from None

    class Connection(HTTPSConnection):
        response_class = FinalResponse

        def _new_conn(self) -> t.Any:
            return context.dial(self._dns_host, self.port)

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().init_poolmanager(*args, ssl_context=context, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"https": Pool}

        def cert_verify(self, conn: t.Any, url: str, verify: t.Any, cert: t.Any) -> None:
            """Do nothing: the context alone determines which authorities are trusted."""

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            return None

    def new_session() -> requests.Session:
        session = Session()
        session.adapters.clear()
        session.mount("https://", Adapter())
        session.headers.clear()
        session.verify = context.verify_mode == ssl.CERT_REQUIRED
        # Ignore authorities and passwords (netrc) of the environment; the context handles the proxy.
        session.trust_env = False
        return session

    return new_session


def send_request(
    session: t.Any,
    context: TlsContext,
    url: str,
    body: str | None,
    headers: t.Mapping[str, str],
    timeout: float,
    limit: int,
) -> HttpReply:
    """POST ``body``, or without one GET, and return the reply.

    :param session: of :func:`session_maker`, with the same context
    :param timeout: seconds for the request and its answer together
    :param limit: bytes of an answer; one byte more is read, so that a longer one can be refused
    :raises OSError: no answer; or EOFError, HTTPException
    :raises FleetopsError: a limit of the context
    """
    from requests import exceptions as of_requests
    from urllib3 import exceptions as of_urllib3

    context.begin(timeout, limit)
    session.cookies.clear()
    method = "GET" if body is None else "POST"
    try:
        with session.request(method, url, data=body, headers=dict(headers), timeout=timeout, stream=True) as response:
            return read_reply(response.status_code, response.headers.get, response.raw.read, limit)
    except (of_requests.InvalidHeader, of_requests.InvalidURL, of_requests.MissingSchema) as error:
        if context.sent:  # a header of the answer
            raise ConnectionError(error) from error
        raise internal(error) from None  # all of them are OSErrors, although nothing was sent
    except (
        of_urllib3.DecodeError,
        of_urllib3.ProtocolError,
        of_urllib3.SSLError,
        of_urllib3.TimeoutError,
    ) as error:
        raise ConnectionError(error) from error  # requests does not wrap exceptions of urllib3 while it reads an answer
