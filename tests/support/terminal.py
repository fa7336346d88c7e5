# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a program on a terminal, and return its screens."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

COLUMNS, LINES = 160, 300


@dataclass(frozen=True)
class Seen:
    """The exit code of a program, every screen of its terminal that differs from the one before, and all bytes of its output."""

    rc: int
    screens: list[str]
    bytes: bytes

    @property
    def end(self) -> str:
        """The last screen."""
        return self.screens[-1]


def run_on_terminal(
    command: Sequence[str],
    home: Path,
    env: Mapping[str, str],
    then: Callable[[pyte.Screen, subprocess.Popen[bytes]], None] = lambda screen, process: None,
) -> Seen:
    """Run a program on a new terminal, which is so high that it does not scroll.

    :param then: called with every new screen
    """
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    screens, told = [""], b""
    process = subprocess.Popen(
        command,
        cwd=home,
        env={**env, "TERM": "xterm-256color"},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    try:
        while data := _read(ours):
            told += data
            stream.feed(data)
            shown = text_of(screen)
            if shown != screens[-1]:
                screens.append(shown)
                then(screen, process)
        return Seen(process.wait(), screens, told)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def text_of(screen: pyte.Screen) -> str:
    """Return the text of a screen, of its rows that were written to: `display` would make all others."""
    rows = (screen.buffer[row] for row in range(max(screen.buffer, default=-1) + 1))
    return "\n".join("".join(row[column].data for column in range(screen.columns)).rstrip() for row in rows).rstrip()


def picture(screen: pyte.Screen, title: str) -> str:
    """Return a screen as an SVG with its colors."""
    lines = text_of(screen).count("\n") + 1
    width = max(map(len, text_of(screen).splitlines()))
    console = Console(record=True, file=io.StringIO(), width=width, force_terminal=True, legacy_windows=False)
    for row in range(lines):
        line = Text()
        cells = [screen.buffer[row][column] for column in range(width)]
        for (color, bold), alike in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
            line.append("".join(cell.data for cell in alike), Style(color=_color(color), bold=bold))
        console.print(line, soft_wrap=True)
    return console.export_svg(title=title)


def _color(name: str) -> str | None:
    """Return rich's name for a color of pyte."""
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return None if name == "default" else name.replace("brown", "yellow").replace("bright", "bright_")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # no process has the other end open any more
        return b""
