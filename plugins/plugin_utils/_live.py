# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The live view of a pass, on a terminal, with the package rich. PRIVATE to the collection.

Other output stays above the view. rich interprets no markup here: names and messages are shown as they are, and were cleaned before.
"""

from __future__ import annotations

import sys
import threading
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._progress import BROKEN, UNFINISHED, WORDS, Progress

if t.TYPE_CHECKING:
    from rich.console import RenderableType


def is_available() -> bool:
    """Return whether rich can be imported."""
    try:
        import rich.live
        import rich.progress_bar  # noqa: F401
    except ImportError:
        return False
    return True


def terminal() -> t.TextIO:
    """Return a stream to the terminal of standard output that shares no lock with it.

    ansible-core holds a lock while it prints, and its standard output takes this lock for each write. A thread that prints waits for the
    view, so a view that drew on standard output would wait for that thread, and both for ever.
    """
    out = sys.stdout
    return open(out.fileno(), "w", encoding=out.encoding, errors=out.errors, closefd=False)


class LiveView:
    """The view, until :meth:`stop`. Only one thread at a time may use it; others may print."""

    def __init__(self, title: str, file: t.TextIO) -> None:
        """Take the terminal.

        :param title: what the pass does, on one line
        :param file: as from :func:`terminal`
        """
        from rich.console import Console
        from rich.live import Live

        lock = threading.RLock()

        class OpenConsole(Console):
            """Leaves the cursor visible, since a run that is killed could not restore it, and lets one thread at a time draw.

            Other output removes as many lines as the view had when it began. If another thread drew meanwhile, lines would stay.
            """

            def show_cursor(self, show: bool = True) -> bool:
                return False

            def __enter__(self) -> Console:
                lock.acquire()
                return super().__enter__()

            def __exit__(self, exc_type: t.Any, exc_value: t.Any, traceback: t.Any) -> None:
                try:
                    super().__exit__(exc_type, exc_value, traceback)
                finally:
                    lock.release()

        self._lock = lock  # taken before any lock of rich, so that two threads never wait for each other
        self._title = title
        self._live = Live(
            console=OpenConsole(file=file, highlight=False, markup=False, emoji=False),
            auto_refresh=False,
            transient=True,
            redirect_stderr=sys.stderr.isatty(),
        )
        with lock:
            self._live.start()

    def show(self, progress: Progress) -> None:
        """Draw the view anew."""
        with self._lock:
            self._live.update(frame(self._title, progress), refresh=True)

    def stop(self) -> None:
        """Remove the view from the terminal."""
        with self._lock:
            self._live.stop()


def frame(title: str, progress: Progress) -> RenderableType:
    """Return the view: title, progress bar with rate and time left, the number of gateways by word, the last failures."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    row = Table.grid(padding=(0, 1))
    row.add_column(no_wrap=True)
    row.add_column(ratio=1, min_width=10)
    for _column in range(2):
        row.add_column(no_wrap=True)
    left = "%.1f/s" % progress.rate + ("" if progress.left is None else ", about %d s left" % progress.left)
    share = ProgressBar(total=max(1, progress.total), completed=progress.finished)
    row.add_row(progress.verb, share, "%d/%d" % (progress.finished, progress.total), left)
    row.expand = True
    counts = Text("  ", no_wrap=True, overflow="ellipsis")
    for word in WORDS:
        if progress.counts.get(word):
            counts.append("%d %s  " % (progress.counts[word], word), _style(word))
    counts.append("%d under way" % progress.running, "dim")
    lines: list[RenderableType] = [Text(title, "bold", no_wrap=True, overflow="ellipsis"), row, counts]
    for failure in progress.failures:
        line = Text("  ", no_wrap=True, overflow="ellipsis")
        line.append(failure.host, "bold red").append(" " + failure.message)
        lines.append(line)
        if failure.hint:
            lines.append(Text("    " + failure.hint, "dim", no_wrap=True, overflow="ellipsis"))
    return Group(*lines)


def _style(word: str) -> str:
    return "red" if word in BROKEN else "yellow" if word in UNFINISHED else "green"
