# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a form is sent over HTTPS, from a gateway and from the controller. PRIVATE to the collection.

Both ways: TLS 1.2 and newer, verified, no redirects, an answer limited in size and in time.
"""

from __future__ import annotations

import http.client
import ssl
import time
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BadAnswer, FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._registration import LONGEST_ANSWER, Post, Reply
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TlsContext, network_error

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "text/xml,text/javascript,text/html,application/json",
    # A compressed answer would have no limit that can be seen before it is unpacked.
    "Accept-Encoding": "identity",
    "User-Agent": "fleetops.aliyun_iot",
}


def urllib_post(context: TlsContext, timeout: float) -> Post:
    """A sender for gateways: the standard library alone. Proxies are taken from the environment."""
    import urllib.error
    import urllib.request

    class Connection(http.client.HTTPSConnection):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            self._create_connection = lambda address, *_rest: context.dial(*address)

    class Handler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Connection, req, context=context)

    # No handler of redirects, nor of passwords.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        Handler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)

    def post(url: str, body: str | None) -> Reply:
        request = urllib.request.Request(url, data=body.encode("ascii") if body else None, headers=_HEADERS)
        context.begin(timeout, LONGEST_ANSWER)
        try:
            try:
                response = opener.open(request, timeout=timeout)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                return _reply(response.status, response.headers, response.read, LONGEST_ANSWER)
        except (OSError, EOFError, http.client.HTTPException, FleetopsError) as error:
            raise _failed_post(url, error, context.sent) from None

    return post


def requests_post(context: TlsContext, timeout: float) -> Post:
    """A sender for the controller, over the requests library. Proxies are taken from the environment."""
    new_session = session_maker(context)

    def post(url: str, body: str | None) -> Reply:
        try:
            with new_session() as session:
                return send_request(session, context, url, body, _HEADERS, timeout, LONGEST_ANSWER)
        except (OSError, EOFError, http.client.HTTPException, FleetopsError) as error:
            raise _failed_post(url, error, context.sent) from None

    return post


def session_maker(context: TlsContext) -> t.Callable[[], t.Any]:
    """Return what makes sessions of the requests library that connect within the limits of ``context`` and follow no redirect.

    :raises FleetopsError: of kind missing_library
    """
    try:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.connection import HTTPSConnection
        from urllib3.connectionpool import HTTPSConnectionPool
    except ImportError:
        raise FleetopsError(
            "speaking HTTPS from the controller needs the Python library requests",
            hint="Install it into the environment that runs ansible-playbook: pip install requests",
            kind="missing_library",
        ) from None

    class Connection(HTTPSConnection):
        def _new_conn(self) -> t.Any:
            return context.dial(self._dns_host, self.port)

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().init_poolmanager(*args, ssl_context=context, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"https": Pool}

        def proxy_manager_for(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
            manager = super().proxy_manager_for(*args, ssl_context=context, **kwargs)
            manager.pool_classes_by_scheme = {"https": Pool}
            return manager

        def cert_verify(self, conn: t.Any, url: str, verify: t.Any, cert: t.Any) -> None:
            """Nothing to add: the context alone says what is trusted."""

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            return None

    def new_session() -> requests.Session:
        session = Session()
        session.adapters.clear()
        session.mount("https://", Adapter())
        session.headers.clear()
        session.verify = context.verify_mode == ssl.CERT_REQUIRED
        # The environment may name proxies, but neither authorities nor passwords (netrc).
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
    longest: int,
) -> Reply:
    """POST ``body``, or without one GET, and return the reply.

    :param session: of :func:`session_maker`, with the same context
    :param timeout: seconds for the request and its answer together
    :param longest: bytes of an answer; one byte more is read, so that a longer one can be refused
    :raises OSError: no answer; or EOFError, HTTPException
    :raises FleetopsError: a limit of the context
    """
    import requests
    from urllib3.exceptions import HTTPError

    context.begin(timeout, longest)
    session.cookies.clear()
    proxies = requests.utils.get_environ_proxies(url)
    method = "GET" if body is None else "POST"
    try:
        with session.request(
            method, url, data=body, headers=dict(headers), timeout=timeout, stream=True, proxies=proxies
        ) as response:
            return _reply(response.status_code, response.headers, response.raw.read, longest)
    except HTTPError as error:  # requests does not wrap what urllib3 raises while an answer is read
        raise ConnectionError(error) from error


def _reply(status: int, headers: t.Mapping[str, str], read: t.Callable[[int], bytes], longest: int) -> Reply:
    content = read(longest + 1)
    length = headers.get("Content-Length", "")
    if length.isdecimal() and len(length) < 20 and len(content) < min(int(length), longest):
        raise EOFError("the answer ended early")
    return Reply(status, content, _retry_after(headers.get("Retry-After")))


def _retry_after(value: str | None) -> float | None:
    """Seconds, from either form of the header."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


def _failed_post(url: str, error: Exception, sent: bool) -> FleetopsError:
    if isinstance(error, BadAnswer):
        result: FleetopsError = BadAnswer("%s: %s" % (url, error.msg), hint=error.hint)
    elif isinstance(error, FleetopsError):
        result = error
    else:
        result = network_error(url, error, "endpoint")
    result.may_have_registered = sent
    return result
