# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP proxy (CONNECT) that records the requested targets, and can redirect the platform's names.

with ConnectProxy({"iot-auth.cn-shanghai.aliyuncs.com:443": ("127.0.0.1", 8443)}, "user:password") as proxy:
    register(proxy=proxy.url)
assert proxy.asked == ["iot-auth.cn-shanghai.aliyuncs.com:443"]
"""

from __future__ import annotations

import base64
import selectors
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from urllib.parse import quote

SECONDS = 60.0


class ConnectProxy:
    """A proxy that runs inside `with`.

    `places` maps targets to addresses; all other targets are refused with 403, and requests without `credentials` (USER:PASSWORD)
    with 407. `asked` lists the targets requested with the right credentials, `heads` all requests as received.
    """

    def __init__(self, places: Mapping[str, tuple[str, int]], credentials: str = "") -> None:
        self._places = dict(places)
        self._credentials = credentials
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._serve)]
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        user, _colon, password = credentials.partition(":")
        self.url = f"http://{quote(user)}:{quote(password)}@{self.address}" if credentials else f"http://{self.address}"
        self.asked: list[str] = []
        self.heads: list[str] = []

    def __enter__(self) -> ConnectProxy:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            client.settimeout(SECONDS)
            self._threads.append(threading.Thread(target=self._connect, args=(client,), daemon=True))
            self._threads[-1].start()

    def _connect(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (octet := client.recv(1)):
                    return
                head += octet
            self.heads.append(head.decode())
            lines = head.decode().split("\r\n")
            target = lines[0].split(" ")[1]
            encoded = base64.b64encode(self._credentials.encode()).decode()
            if self._credentials and f"Proxy-Authorization: Basic {encoded}" not in lines:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            self.asked.append(target)
            if target not in self._places:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(self._places[target], SECONDS) as host:
                client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
                pass_on(client, host)


def pass_on(one: socket.socket, other: socket.socket) -> None:
    """Copy data in both directions until one side closes its connection."""
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while events := ready.select(SECONDS):
            for key, _mask in events:
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)
