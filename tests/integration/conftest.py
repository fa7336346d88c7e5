# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provide each test file with a platform that has the tests' products and no device, and provide boxes that run the scripts alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from account import SEED
from emulator import Emulator
from gateways import PRODUCTS
from loopback import fleet
from playbook import as_new
from script_box import Box, Shell, busybox, openwrt

__all__ = ["fleet", "platform"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Yield a platform for one test file, with the account's keys and a product for each way to register."""
    products = [{"product_key": key, "product_secret": secret} for key, secret in PRODUCTS.values()]
    with Emulator(tmp_path_factory.mktemp("platform"), {**SEED, "products": products}) as emulator:
        yield emulator


@pytest.fixture
def new_platform(request: pytest.FixtureRequest) -> None:
    """Reset the platform, if the test uses one, with `as_new` before the test."""
    if "platform" in request.fixturenames:
        as_new(request.getfixturevalue("platform"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest test first, so that it does not run alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_molecule.py")


@pytest.fixture(scope="module")
def asked_for(request: pytest.FixtureRequest) -> Callable[[str], bool]:
    """Return a function that reports whether a test selected in this session needs the `story` of a host.

    A file provisions its hosts once for all of its tests, and with `pytest -k ONE_CASE` only those of that case. A test that takes
    `stories` alone needs every host.
    """
    items = [item for item in request.session.items if item.path == request.path and "stories" in item.fixturenames]
    asked = [getattr(item, "callspec", None) for item in items]
    hosts = {each.params.get("story") if each else None for each in asked}
    return lambda host: None in hosts or host in hosts


@pytest.fixture(scope="session", params=["dash", "bash", "busybox", "openwrt"])
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    program = "busybox" if request.param == "openwrt" else request.param
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    if program != "busybox":
        yield Shell((request.param,), os.environ["PATH"])
        return
    with tempfile.TemporaryDirectory() as applets:
        # Other users look there too, and pytest's own folders keep them out.
        Path(applets).chmod(0o755)
        yield busybox(Path(applets)) if request.param == "busybox" else openwrt(Path(applets))


@pytest.fixture(scope="session")
def any_shell() -> Shell:
    """Return the shell for tests where one shell is enough."""
    return Shell(("sh",), os.environ["PATH"])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder, in memory where that is possible: every script waits for the disk."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    folder = memory / f"fleetops-{os.getpid()}-{tmp_path.name}"
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def box(shell: Shell, folder: Path) -> Box:
    return Box(shell, folder)


@pytest.fixture
def one(any_shell: Shell, folder: Path) -> Box:
    """Return a box for tests where one shell is enough."""
    return Box(any_shell, folder)
