# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a form is sent over HTTPS, from a gateway and from the controller. PRIVATE to the collection.

Both ways: TLS 1.2 and newer, verified, no redirects, an answer limited in size and in time.
"""

from __future__ import annotations

import errno
import socket
import ssl
import time
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, NetworkError, TlsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._registration import LONGEST_ANSWER, Post, Reply

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "text/xml,text/javascript,text/html,application/json",
    "User-Agent": "fleetops.aliyun_iot",
}


def tls_context(ca_path: str | None, validate_certs: bool) -> ssl.SSLContext:
    """TLS 1.2 or newer; trusts ``ca_path`` (a PEM file or a directory of hashed ones) or the system's authorities.

    :raises TlsError: ``ca_path`` cannot be read or holds no certificate
    """
    import os

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if ca_path and os.path.isdir(ca_path):
            context.load_verify_locations(capath=ca_path)
        elif ca_path:
            context.load_verify_locations(cafile=ca_path)
        else:
            context.load_default_certs()
    except OSError as error:
        raise TlsError(
            "ca_path: %r cannot be used: %s" % (ca_path, error.strerror or "it holds no certificate"),
            hint="Name a PEM file that exists on the host that sends the registration",
        ) from error
    return context


def urllib_post(context: ssl.SSLContext, timeout: float) -> Post:
    """A sender for gateways: the standard library alone. Proxies are taken from the environment."""
    import urllib.error
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: t.Any, **kwargs: t.Any) -> None:
            return None

    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), NoRedirect)

    def post(url: str, body: str) -> Reply:
        request = urllib.request.Request(url, data=body.encode("ascii"), headers=_HEADERS)
        end = time.monotonic() + timeout
        try:
            try:
                response = opener.open(request, timeout=timeout)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                # One read returns what has arrived, so that a trickle can't outlast the time-out.
                content = _limited(iter(lambda: response.read1(8192), b""), end)
                missing = response.headers.get("Content-Length", "").isdigit()
                if missing and len(content) < min(int(response.headers["Content-Length"]), LONGEST_ANSWER):
                    raise EOFError("the answer ended early")
                return Reply(response.status, content, _retry_after(response.headers.get("Retry-After")))
        except Exception as error:  # pylint: disable=broad-except
            raise _network_error(url, error) from None

    return post


def requests_post(context: ssl.SSLContext, timeout: float) -> Post:
    """A sender for the controller, over the requests library."""
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

    def post(url: str, body: str) -> Reply:
        end = time.monotonic() + timeout
        try:
            with requests.Session() as session:
                session.mount("https://", Adapter())
                session.headers.update(_HEADERS)
                session.verify = context.verify_mode == ssl.CERT_REQUIRED
                session.auth = _no_netrc
                response = session.post(url, data=body, timeout=timeout, allow_redirects=False, stream=True)
                content = _limited(response.iter_content(8192), end)
                return Reply(response.status_code, content, _retry_after(response.headers.get("Retry-After")))
        except Exception as error:  # pylint: disable=broad-except
            raise _network_error(url, error) from None

    return post


def _no_netrc(request: t.Any) -> t.Any:
    return request


def _limited(chunks: t.Iterator[bytes], end: float) -> bytes:
    content = b""
    for chunk in chunks:
        content += chunk
        if len(content) > LONGEST_ANSWER:
            break
        if time.monotonic() > end:
            raise TimeoutError("the answer took too long")
    return content


def _retry_after(value: str | None) -> float | None:
    """Seconds, from either form of the header."""
    if not value:
        return None
    if value.strip().isdigit():
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


def _network_error(url: str, error: Exception) -> FleetopsError:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, (ssl.SSLCertVerificationError, ssl.CertificateError)):
            return TlsError(
                "%s: the certificate was not accepted: %s" % (url, getattr(cause, "verify_message", "") or cause),
                hint="Set ca_path to the CA that signed it, or correct endpoint if it is for another host",
            )
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return TlsError(
                "%s: no TLS connection: %s" % (url, cause.reason or cause),
                hint="Check endpoint: it must speak TLS 1.2 or newer",
            )
    result = NetworkError("%s: no answer: %s" % (url, causes[-1]), hint="Check the network, the proxy and endpoint")
    result.may_have_registered = not any(_before_sending(cause) for cause in causes)
    return result


def _before_sending(cause: BaseException) -> bool:
    if isinstance(cause, (ConnectionRefusedError, socket.gaierror)):
        return True
    return isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
