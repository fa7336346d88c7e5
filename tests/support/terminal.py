# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program on a terminal, as somebody in front of it sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

COLUMNS, LINES = 160, 300


@dataclass(frozen=True)
class Seen:
    """How a program ended, and what its terminal showed: every screen that was another than the one before, and all bytes."""

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
    then: Callable[[str, subprocess.Popen[bytes]], None] = lambda shown, process: None,
) -> Seen:
    """Run a program on a terminal of its own, so high that nothing leaves it.

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
            shown = "\n".join(line.rstrip() for line in screen.display).rstrip()
            if shown != screens[-1]:
                screens.append(shown)
                then(shown, process)
        return Seen(process.wait(), screens, told)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # nobody has the other end any more
        return b""
