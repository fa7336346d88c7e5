# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The accounts that the hosts of an inventory name, each with one client of the OpenAPI. PRIVATE to the collection."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import Future

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi, connect
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import (
    NAMES_PER_QUERY,
    device_secrets,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import product_secret

Options = t.Mapping[str, t.Any]
# Options that make an account another one: whose it is, and where.
_IDENTITY = (
    *("access_key_id", "access_key_secret", "security_token", "profile", "credentials"),
    *("region", "openapi_endpoint", "instance_id", "ca_path", "timeout", "retry_time"),
)
Key = tuple[t.Any, ...]


class Accounts:
    """One client for each account, region and instance."""

    def __init__(self) -> None:
        self._clients: dict[Key, OpenApi] = {}
        self._readers: dict[tuple[Key, str], SecretReader] = {}
        self._product_secrets: dict[tuple[Key, str], str] = {}
        self._lock = threading.Lock()
        self._asking = threading.Lock()

    def client(self, options: Options) -> OpenApi:
        """Return the client of an account. It is not made for several threads at once.

        :raises FleetopsError: there is no such account, or a library is missing
        """
        key = account_key(options)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = connect(options)
            return self._clients[key]

    def read_secrets(self, options: Options, product_key: str, names: t.Sequence[str]) -> t.Mapping[str, str]:
        """Return the DeviceSecrets that are valid now. For many threads: what they ask for at the same time is asked together.

        :raises FleetopsError: as device_secrets()
        """
        api = self.client(options)
        with self._lock:
            reader = self._readers.setdefault((account_key(options), product_key), SecretReader(api, product_key))
        return reader.read(names)

    def product_secret(self, options: Options, product_key: str) -> str:
        """Return the ProductSecret of a product, which is asked for once. For many threads.

        :raises FleetopsError: as product_secret() of products
        """
        api, key = self.client(options), (account_key(options), product_key)
        with self._asking:
            if key not in self._product_secrets:
                self._product_secrets[key] = product_secret(api, product_key)
            return self._product_secrets[key]


class SecretReader:
    """Asks for the secrets of a product; names that are asked for during a request go together into the next one."""

    def __init__(self, api: OpenApi, product_key: str) -> None:
        self._api = api
        self._product_key = product_key
        self._asking = threading.Lock()
        self._waiting: list[_Question] = []

    def read(self, names: t.Sequence[str]) -> t.Mapping[str, str]:
        """Return the DeviceSecret of each device that exists."""
        question = _Question(names)
        self._waiting.append(question)
        with self._asking:
            if not question.answer.done():
                self._ask()
        return question.answer.result()

    def _ask(self) -> None:
        questions = self._waiting[:NAMES_PER_QUERY]
        del self._waiting[: len(questions)]
        try:
            names = list(dict.fromkeys(name for question in questions for name in question.names))
            found = device_secrets(self._api, self._product_key, names)
        except Exception as error:  # pylint: disable=broad-except # which is the answer to all of them
            for question in questions:
                question.answer.set_exception(error)
            return
        for question in questions:
            question.answer.set_result({name: found[name] for name in question.names if name in found})


class _Question:
    """Names, and the secrets of those that exist."""

    def __init__(self, names: t.Sequence[str]) -> None:
        self.names = names
        self.answer: Future[dict[str, str]] = Future()


def account_key(options: Options) -> Key:
    """Return what tells accounts, regions and instances apart."""
    return tuple(options.get(name) for name in _IDENTITY)
