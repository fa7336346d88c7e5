# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fail a run with an unexpected skip, if ALLOWED_SKIPS names the list of allowed-skips.yml with the expected ones.

Keep the garbage collector from visiting the tests themselves, thousands of objects that stay until the end: it took a tenth of the time.
"""

from __future__ import annotations

import gc
import os
import re
from pathlib import Path

import pytest
import yaml

LISTS = Path(__file__).with_name("allowed-skips.yml")


def unexpected(reasons: list[str], name: str) -> list[str]:
    """Return the reasons that are not on the list, each once.

    :raises pytest.UsageError: there is no such list
    """
    lists = yaml.safe_load(LISTS.read_text())
    if name not in lists:
        raise pytest.UsageError(f"ALLOWED_SKIPS is one of {', '.join(lists)}, not {name}")
    return sorted({reason for reason in reasons if not any(re.fullmatch(each, reason) for each in lists[name])})


def pytest_configure() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a test was skipped for a reason that is not on the list."""
    name = os.environ.get("ALLOWED_SKIPS")
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if not name or not terminal or hasattr(session.config, "workerinput"):
        return
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in terminal.stats.get("skipped", [])]
    if found := unexpected(reasons, name):
        terminal.write_line(f"Skipped, but not on the list {name}: {'; '.join(found)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
