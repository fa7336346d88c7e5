# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One client of the OpenAPI for each account in the variables of hosts. PRIVATE to the collection."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import Future

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import openapi_spec

# Imported lazily: a run without an account never loads the code of the OpenAPI.
if t.TYPE_CHECKING:
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import OpenApi

Options = t.Mapping[str, t.Any]
# Options that distinguish accounts and their endpoints.
_IDENTITY = tuple(openapi_spec())
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
        """Return the client of an account. Only one thread at a time may use it.

        :raises FleetopsError: there is no usable AccessKey, or a library is missing
        """
        from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import connect

        key = account_key(options)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = connect(options)
            return self._clients[key]

    def read_secrets(self, options: Options, product_key: str, names: t.Sequence[str]) -> t.Mapping[str, str]:
        """Return the DeviceSecrets that are valid now. Safe for threads: simultaneous requests are sent as one.

        :raises FleetopsError: as device_secrets()
        """
        api = self.client(options)
        with self._lock:
            reader = self._readers.setdefault((account_key(options), product_key), SecretReader(api, product_key))
        return reader.read(names)

    def product_secret(self, options: Options, product_key: str) -> str:
        """Return the ProductSecret of a product, which is read once. Safe for threads.

        :raises FleetopsError: as product_secret() of products
        """
        from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import product_secret

        api, key = self.client(options), (account_key(options), product_key)
        with self._asking:
            if key not in self._product_secrets:
                self._product_secrets[key] = product_secret(api, product_key)
            return self._product_secrets[key]


class SecretReader:
    """Reads the secrets of a product; names that are requested during a call are sent together in the next one."""

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
            # A call takes the names of those that have waited longest, and this question may not be among them.
            while not question.answer.done():
                self._ask()
        return question.answer.result()

    def _ask(self) -> None:
        from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import (
            NAMES_PER_QUERY,
            device_secrets,
        )

        questions = self._waiting[:NAMES_PER_QUERY]
        del self._waiting[: len(questions)]
        try:
            names = list(dict.fromkeys(name for question in questions for name in question.names))
            found = device_secrets(self._api, self._product_key, names)
        except Exception as error:  # pylint: disable=broad-except # which every waiting thread raises
            for question in questions:
                question.answer.set_exception(error)
            return
        for question in questions:
            question.answer.set_result({name: found[name] for name in question.names if name in found})


class _Question:
    """The names that one thread requests, and the future of their secrets."""

    def __init__(self, names: t.Sequence[str]) -> None:
        self.names = names
        self.answer: Future[dict[str, str]] = Future()


def account_key(options: Options) -> Key:
    """Return the values of the options of the account, which hosts with the same client have in common."""
    return tuple(options.get(name) for name in _IDENTITY)
