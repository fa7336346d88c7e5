# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configure Hypothesis without a deadline, because a busy machine is no defect.

    HYPOTHESIS_PROFILE=long pytest tests/unit

tries 20,000 inputs for every property, except for those that set max_examples.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tls_server import Behaviour, Certificates, Server

settings.register_profile("fleetops", deadline=None)
# For the same tests on further Pythons.
settings.register_profile("few", deadline=None, max_examples=10)
settings.register_profile(
    "long", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fleetops"))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def serve(certificates: Certificates) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def start(behaviour: Behaviour, certificate: Path = certificates.server, *versions: ssl.TLSVersion) -> Server:
            return stack.enter_context(Server(behaviour, certificate, versions))

        yield start
