# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show how far the task is that runs now, beside Ansible's own threads. PRIVATE to the collection.

A live view exists only during a pass, when Ansible forks no process that could inherit a lock of the view.
"""

from __future__ import annotations

import socket
import threading
import time
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._progress import (
    Progress,
    close_channel,
    open_channel,
    received,
    wake,
)

# The minimum and the maximum of seconds between two checks of the time.
_TICKS = (0.01, 1.0)


class View(t.Protocol):
    """A live view of a pass."""

    def show(self, progress: Progress) -> None:
        """Draw it anew."""

    def stop(self) -> None:
        """Remove it."""


class Watcher:
    """Shows the progress of the current task: of a pass from its snapshots, of any other task from the number of finished hosts."""

    def __init__(self, say: t.Callable[[str], None], interval: float, view: t.Callable[[str], View] | None) -> None:
        """Open the channel and begin.

        :param say: shows a line
        :param interval: seconds between two lines of the same task, finite and more than 0
        :param view: makes a live view with a title; without it, passes are shown as lines too
        """
        self._say = say
        self._interval = interval
        self._make_view = view
        self._lock = threading.RLock()
        self._task, self._title, self._done = "", "", 0
        self._view: View | None = None
        self._latest: Progress | None = None
        self._shown = time.monotonic()
        self._closed = False
        end = open_channel()
        end.settimeout(min(max(_TICKS[0], interval), _TICKS[1]))
        self._thread = threading.Thread(target=self._watch, args=(end,), name="fleet_progress", daemon=True)
        self._thread.start()

    def begin(self, task: str, title: str) -> None:
        """Show the progress of this task from now on.

        :param task: the ID of the task in its snapshots
        """
        with self._lock:
            self.finish()
            self._task, self._title, self._shown = task, title, time.monotonic()

    def count(self) -> None:
        """Count one more host on which the task has ended."""
        with self._lock:
            self._done += 1

    def finish(self) -> None:
        """Stop showing the task."""
        with self._lock:
            view, self._view = self._view, None
            self._task, self._latest, self._done = "", None, 0
            if view:
                view.stop()

    def close(self) -> None:
        """Close the channel and end the thread, at the end of the run. A second call does nothing."""
        self.finish()
        if not self._closed:
            self._closed = True
            wake()
            self._thread.join()
            close_channel()

    def _watch(self, end: socket.socket) -> None:
        while not self._closed:
            snapshot = received(end)
            with self._lock:
                if snapshot and snapshot[0] == self._task:
                    self._latest = snapshot[1]
                    if self._make_view:
                        self._view = self._view or self._make_view(self._title)
                        self._view.show(self._latest)
                if self._task and not self._view and time.monotonic() - self._shown >= self._interval:
                    self._show_line()

    def _show_line(self) -> None:
        if self._latest:
            self._say(self._latest.line())
        elif self._done:
            self._say("%s: %d hosts done" % (self._title, self._done))
        self._latest, self._shown = None, time.monotonic()
