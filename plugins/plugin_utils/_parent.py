# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""End the process of a task with the run that it belongs to. PRIVATE to the collection."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import typing as t


@contextlib.contextmanager
def ending_with_parent(seconds: float = 1.0) -> t.Iterator[None]:
    """Send SIGTERM to this process if the process that started it has ended.

    Ansible ends its tasks if it gets SIGINT or SIGTERM. If it is killed, or its terminal is closed, it cannot: the task would continue to
    change gateways and devices, for hours in a large fleet, and nobody would get its results.

    :param seconds: between two checks
    """
    started_by = multiprocessing.parent_process()
    parent = started_by.pid if started_by else os.getppid()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(seconds):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
