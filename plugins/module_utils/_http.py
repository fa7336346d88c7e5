# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a form is sent over HTTPS, from a gateway and from the controller. PRIVATE to the collection.

Both ways: TLS 1.2 and newer, verified, no redirects, an answer limited in size and in time.
"""

from __future__ import annotations

import socket
import ssl
import time
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, NetworkError, TlsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._registration import LONGEST_ANSWER, Post, Reply

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "text/xml,text/javascript,text/html,application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "fleetops.aliyun_iot",
}
# OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
_WRONG_TIME = (9, 10)


class TlsSocket(ssl.SSLSocket):
    """Receives until ``end``: the time-out of every single call would let a trickle go on for ever."""

    end = 0.0

    def do_handshake(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Where a library calls it later than the context does, with a time-out of its own."""
        if self.end:
            self.settimeout(max(self.end - time.monotonic(), 0.001))
        super().do_handshake(*args, **kwargs)

    def recv_into(self, *args: t.Any, **kwargs: t.Any) -> int:
        self.settimeout(max(self.end - time.monotonic(), 0.001))
        return super().recv_into(*args, **kwargs)


class TlsContext(ssl.SSLContext):
    """Knows whether there was a connection, so that a request may have been sent."""

    sslsocket_class = TlsSocket
    connected = False
    end = 0.0
    tls: TlsSocket | None = None

    def begin(self, timeout: float) -> None:
        self.connected = False
        self.end = time.monotonic() + timeout

    def wrap_socket(self, sock: socket.socket, *args: t.Any, **kwargs: t.Any) -> TlsSocket:
        tls = t.cast(TlsSocket, super().wrap_socket(sock, *args, **kwargs))
        tls.end = self.end
        self.tls = tls
        self.connected = True
        return tls


def tls_context(ca_path: str | None, validate_certs: bool) -> TlsContext:
    """TLS 1.2 or newer; trusts ``ca_path`` (a PEM file or a directory of hashed ones) or the system's authorities.

    :raises TlsError: ``ca_path`` cannot be read or holds no certificate
    """
    import os

    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    ca_path = os.path.expanduser(os.path.expandvars(ca_path)) if ca_path else None
    try:
        if ca_path and os.path.isdir(ca_path):
            context.load_verify_locations(capath=ca_path)
        elif ca_path:
            context.load_verify_locations(cafile=ca_path)
        else:
            context.load_default_certs()
    except OSError as error:
        problem = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise TlsError(
            "ca_path: %r cannot be used: %s" % (ca_path, problem),
            hint="Name a PEM file that exists on the host that sends the registration",
        ) from error
    return context


def urllib_post(context: TlsContext, timeout: float) -> Post:
    """A sender for gateways: the standard library alone. Proxies are taken from the environment."""
    import urllib.error
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: t.Any, **kwargs: t.Any) -> None:
            return None

    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), NoRedirect)

    def post(url: str, body: str | None) -> Reply:
        request = urllib.request.Request(url, data=body.encode("ascii") if body else None, headers=_HEADERS)
        context.begin(timeout)
        try:
            try:
                response = opener.open(request, timeout=timeout)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                return _reply(response.status, response.headers, response.read)
        except Exception as error:  # pylint: disable=broad-except
            raise _failed_post(url, error, context.connected) from None

    return post


def requests_post(context: TlsContext, timeout: float) -> Post:
    """A sender for the controller, over the requests library. Proxies are taken from the environment."""
    try:
        import requests
        from requests.adapters import HTTPAdapter
    except ImportError:
        raise FleetopsError(
            "registering from the controller needs the Python library requests",
            hint="Install it into the environment that runs ansible-playbook: pip install requests",
            kind="missing_library",
        ) from None

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().init_poolmanager(*args, ssl_context=context, **kwargs)

        def proxy_manager_for(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
            return super().proxy_manager_for(*args, ssl_context=context, **kwargs)

        def cert_verify(self, conn: t.Any, url: str, verify: t.Any, cert: t.Any) -> None:
            """Nothing to add: the context alone says what is trusted."""

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            return None

    def post(url: str, body: str | None) -> Reply:
        context.begin(timeout)
        try:
            with Session() as session:
                session.mount("https://", Adapter())
                session.headers.update(_HEADERS)
                session.verify = context.verify_mode == ssl.CERT_REQUIRED
                # The environment may name proxies, but neither authorities nor passwords (netrc).
                session.trust_env = False
                session.proxies.update(requests.utils.get_environ_proxies(url))
                with session.request(
                    "POST" if body else "GET", url, data=body, timeout=timeout, stream=True
                ) as response:
                    return _reply(response.status_code, response.headers, response.raw.read)
        except Exception as error:  # pylint: disable=broad-except
            raise _failed_post(url, error, context.connected) from None

    return post


def _reply(status: int, headers: t.Mapping[str, str], read: t.Callable[[int], bytes]) -> Reply:
    content = read(LONGEST_ANSWER + 1)
    length = headers.get("Content-Length", "")
    if length.isdecimal() and len(content) < min(int(length), LONGEST_ANSWER):
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
    except (TypeError, ValueError):
        return None


def _causes(error: BaseException | None) -> t.Iterator[BaseException]:
    """The exception and what it wraps: URLError has a reason, requests and urllib3 nest theirs in args."""
    while isinstance(error, BaseException):
        yield error
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = (
                next((a for a in error.args if isinstance(a, BaseException)), None)
                or error.__cause__
                or error.__context__
            )
        error = inner


def _failed_post(url: str, error: Exception, connected: bool) -> FleetopsError:
    result = network_error(url, error, "endpoint")
    result.may_have_registered = connected
    return result


def network_error(what: str, error: BaseException, option: str) -> FleetopsError:
    """What an exception on the way means: TlsError or NetworkError.

    :param what: was attempted, with the URL
    :param option: says where to
    """
    causes = list(_causes(error))
    return _tls_error(what, causes, option) or NetworkError(
        "%s: no answer: %s" % (what, causes[-1]), hint="Check the network, the proxy and %s" % option
    )


def _tls_error(what: str, causes: list[BaseException], option: str) -> FleetopsError | None:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "Set ca_path to the CA that signed it, or correct %s if it is for another host" % option
            if getattr(cause, "verify_code", 0) in _WRONG_TIME:
                hint = (
                    "Set the clock of the host that connects; if it is right, the certificate's owner has to renew it"
                )
            return TlsError(
                "%s: the certificate was not accepted: %s" % (what, getattr(cause, "verify_message", "") or cause),
                hint=hint,
            )
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return TlsError(
                "%s: no TLS connection: %s" % (what, cause.reason or cause),
                hint="Check %s: it must speak TLS 1.2 or newer" % option,
            )
    return None
