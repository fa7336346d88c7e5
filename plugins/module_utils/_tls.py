# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS with limits of time and size that hold whatever the peer sends, and the errors of a connection. PRIVATE to the collection.

The timeout of a single call would not stop a peer that sends a few bytes now and then, or sends without end.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import clock, is_plausible, read_date
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    BusyError,
    FleetopsError,
    NetworkError,
    NoTunnel,
    TlsError,
    internal,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean

# OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
_WRONG_TIME = (9, 10)
# Transport errors: of the network, or of a peer that stops or violates the protocol. Any other exception is a bug of ours.
Trouble = t.Union[OSError, EOFError, http.client.HTTPException]
TROUBLE = (OSError, EOFError, http.client.HTTPException)
# The exceptions of http.client for a wrong call of ours, whatever the peer does.
_OUR_OWN = (http.client.InvalidURL, http.client.ImproperConnectionState)
# The factor for the octets beside an answer's content: headers, interim answers, the framing of chunks.
_FRAMING = 4


class TcpSocket(socket.socket):
    """A connection before TLS, or to a proxy. A TlsSocket takes over its file descriptor; it is not used afterwards."""

    context: TlsContext

    def recv_into(self, *args: t.Any, **kwargs: t.Any) -> int:
        self.settimeout(self.context.left())
        return self.context.count(super().recv_into(*args, **kwargs))

    def sendall(self, *args: t.Any, **kwargs: t.Any) -> None:
        self.settimeout(self.context.left())
        super().sendall(*args, **kwargs)


class TlsSocket(ssl.SSLSocket):
    """A connection over TLS; the other methods of SSLSocket to receive and to send call these two."""

    def read(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        context = t.cast(TlsContext, self.context)
        self.settimeout(context.left())
        content = super().read(*args, **kwargs)
        context.count(content if isinstance(content, int) else len(content))
        return content

    def send(self, *args: t.Any, **kwargs: t.Any) -> int:
        context = t.cast(TlsContext, self.context)
        self.settimeout(context.left())
        context.before_request()
        return super().send(*args, **kwargs)


class TlsContext(ssl.SSLContext):
    """A context with the limits of the current request; ``sent`` is true once a part of the request may have been sent.

    ``not_after`` is the value of clock() after which nothing is sent, None for no limit. ``proxy`` is the address of an HTTP
    proxy, as check_proxy() accepts it, instead of the environment's.
    """

    sslsocket_class = TlsSocket
    sent = False
    not_after: float | None = None
    proxy: str | None = None
    _end = 0.0
    _bytes = 0

    def begin(self, timeout: float, limit: int) -> None:
        """Begin a request.

        :param timeout: seconds for connection, handshake, request and answer together
        :param limit: bytes of the answer
        """
        self.sent = False
        self._end = clock() + timeout
        self._bytes = _FRAMING * limit

    def left(self) -> float:
        """Return the seconds until the request's end.

        :raises TimeoutError: none are left
        """
        left = self._end - clock()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def count(self, received: int) -> int:
        """Return ``received``, a number of bytes, unless they are too many.

        :raises BadAnswer: they are
        """
        self._bytes -= received
        if self._bytes < 0:
            raise BadAnswer(
                "the answer is too long",
                hint="Check the endpoint, and the proxies between the host that connects and the platform",
            )
        return received

    def before_request(self) -> None:
        """Check that the request may be sent, and note that it was.

        :raises BusyError: the lease has ended
        """
        if self.not_after is not None and clock() >= self.not_after:
            raise BusyError("the lease ended before the request was sent", hint="Run again")
        self.sent = True

    def dial(self, host: str, port: int) -> TcpSocket:
        """Connect to a host, through the proxy if there is one for it.

        :raises OSError: that failed
        :raises BadAnswer: the proxy's answer is too long
        """
        if not self.proxy and "https_proxy" not in map(str.lower, os.environ):
            return self._dial(host, port)
        # Imported lazily: most gateways need no proxy.
        from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._proxy import open_tunnel, proxy_for

        proxy = proxy_for(host, port, self.proxy)
        if not proxy:
            return self._dial(host, port)
        try:
            tcp = self._dial(proxy.host, proxy.port)
        except OSError as error:
            raise NoTunnel("the proxy %s:%d cannot be reached: %s" % (proxy.host, proxy.port, error)) from error
        try:
            open_tunnel(tcp, proxy, host, port)
        except (OSError, FleetopsError):
            tcp.close()
            raise
        return tcp

    def _dial(self, host: str, port: int) -> TcpSocket:
        """Connect to the first of the host's addresses that accepts.

        :raises OSError: none did
        """
        try:
            addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        except UnicodeError:
            raise OSError("%r is not the name of a host" % host) from None
        problem: OSError = OSError("the name %r has no address" % host)
        for number, (family, kind, protocol, _name, address) in enumerate(addresses):
            tcp = TcpSocket(family, kind, protocol)
            tcp.context = self
            try:
                tcp.settimeout(self.left() / (len(addresses) - number))
                tcp.connect(address)
                tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return tcp
            except OSError as error:
                tcp.close()
                problem = error
        raise problem

    def wrap_socket(self, sock: socket.socket, *args: t.Any, **kwargs: t.Any) -> TlsSocket:
        sock.settimeout(self.left())
        return t.cast(TlsSocket, super().wrap_socket(sock, *args, **kwargs))


def tls_context(ca_path: str | None, validate_certs: bool, option: str = "ca_path") -> TlsContext:
    """Return a context for TLS 1.2 or newer that trusts ``ca_path`` (a PEM file or a directory of hashed ones) or the system's
    authorities.

    :param option: the option that ``ca_path`` was given by
    :raises TlsError: as :func:`trust`
    """
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_path:
        trust(context, ca_path, option)
    else:
        context.load_default_certs()
    return context


_of_thread = threading.local()


def thread_context(
    ca_path: str | None, validate_certs: bool, proxy: str | None = None, option: str = "ca_path"
) -> TlsContext:
    """Return a context as :func:`tls_context` does, one for each thread, since reading the system's authorities takes
    longer than a request.

    :param option: the option that ``ca_path`` was given by
    :raises TlsError: as :func:`trust`
    """
    known: dict[tuple[str | None, bool], TlsContext] = _of_thread.__dict__.setdefault("contexts", {})
    asked = (ca_path, validate_certs)
    context = known.get(asked) or known.setdefault(asked, tls_context(ca_path, validate_certs, option))
    context.not_after, context.proxy = None, proxy
    return context


def https_context(options: t.Mapping[str, t.Any]) -> TlsContext:
    """Return the context of a registration over HTTPS with these options, one for each thread.

    :raises TlsError: as :func:`trust`
    """
    return thread_context(options["ca_path"], options["validate_certs"], options.get("proxy"))


def mqtt_context(options: t.Mapping[str, t.Any]) -> TlsContext:
    """Return the context of a connection over MQTT: ``mqtt_ca_path`` takes precedence over ``ca_path``.

    :raises TlsError: as :func:`trust`
    """
    option = "mqtt_ca_path" if options.get("mqtt_ca_path") else "ca_path"
    return thread_context(options[option], options["validate_certs"], options.get("proxy"), option)


def trust(context: TlsContext, ca_path: str, option: str = "ca_path") -> None:
    """Trust the authorities in ``ca_path`` as well.

    :raises TlsError: it cannot be read or contains no certificate
    """
    ca_path = os.path.expanduser(os.path.expandvars(ca_path))
    try:
        if os.path.isdir(ca_path):
            context.load_verify_locations(capath=ca_path)
        else:
            context.load_verify_locations(cafile=ca_path)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", "no file can have this name")
        if isinstance(error, ssl.SSLError):
            problem = "it contains no certificate"
        raise TlsError(
            "%s: %r cannot be used: %s" % (option, ca_path, problem),
            hint="Set it to a PEM file that exists on the host that connects",
        ) from error


def network_error(
    what: str, error: Trouble | FleetopsError, option: str, masked: t.Callable[[str], str] = str
) -> FleetopsError:
    """Return the error that an exception means: TlsError or NetworkError, or InternalError for a bug of ours. A BadAnswer gets ``what``
    before its message; any other error is returned as it is.

    :param what: the attempted operation, with the URL
    :param option: the option with the endpoint
    :param masked: removes secrets from a text
    """
    if isinstance(error, BadAnswer):
        return BadAnswer("%s: %s" % (what, error.msg), hint=error.hint)
    if isinstance(error, FleetopsError):
        return error
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, _OUR_OWN):
            return internal(cause)
        if isinstance(cause, NoTunnel):
            return _proxy_error(what, cause)
    return _tls_error(what, causes, option) or NetworkError(
        "%s: no answer: %s" % (what, clean(masked(str(causes[-1])), 200)),
        hint="Check the network, the proxy and %s" % option,
    )


def _proxy_error(what: str, problem: NoTunnel) -> FleetopsError:
    message = "%s: %s" % (what, problem)
    if problem.status == 407:
        return FleetopsError(message, hint="Give the proxy's user and password in proxy or https_proxy", kind="network")
    if 300 <= problem.status < 500:
        hint = "Allow this connection on the proxy, or list the host in no_proxy"
        return FleetopsError(message, hint=hint, kind="network")
    return NetworkError(message, hint="Correct proxy, or https_proxy in the environment of the host that connects")


def _tls_error(what: str, causes: list[BaseException], option: str) -> FleetopsError | None:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            problem, hint = getattr(cause, "verify_message", "") or str(cause), _ca_hint(option)
            if getattr(cause, "verify_code", 0) in _WRONG_TIME:
                problem, hint = (
                    "%s; the clock of the host that connects reads %s" % (problem, read_date()),
                    _clock_hint(),
                )
            return TlsError("%s: the certificate was not accepted: %s" % (what, problem), hint=hint)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return TlsError(
                "%s: no TLS connection: %s" % (what, cause.reason or cause),
                hint="Check %s: it must speak TLS 1.2 or newer" % option,
            )
    return None


def _ca_hint(option: str) -> str:
    if option == "mqtt_endpoint":
        return (
            "Set mqtt_ca_path to the CA that signed it (on mqtt_port 8883 the platform's own; see the README), or correct mqtt_port or "
            "mqtt_endpoint if it is for another host"
        )
    return "Set ca_path to the CA that signed it, or correct %s if it is for another host" % option


def _clock_hint() -> str:
    if is_plausible():
        return "Set the clock of the host that connects; if it is right, the certificate's owner has to renew it"
    return (
        "The clock of that host is wrong. Set it; if the host gets the time some moments after its start, set wait_for_clock to the "
        "seconds for which a gateway may wait for it"
    )


def _causes(error: BaseException | None) -> t.Iterator[BaseException]:
    """Yield the exception and the exceptions that it wraps: requests and urllib3 nest theirs in args or as the reason."""
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
