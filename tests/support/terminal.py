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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte


@dataclass(frozen=True)
class Seen:
    """How a program ended, and what its terminal showed: every screen that was another than the one before, and all bytes."""

    rc: int
    screens: list[str]
    bytes: bytes

    @property
    def end(self) -> str:
        """The lines of the last screen, and those that have gone out of it."""
        return self.screens[-1]


def run_on_terminal(
    command: Sequence[str], home: Path, env: Mapping[str, str], columns: int = 120, lines: int = 400
) -> Seen:
    """Run a program on a terminal of its own, so high by default that nothing leaves it."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    screen = pyte.Screen(columns, lines)
    stream = pyte.ByteStream(screen)
    screens, told = [""], b""
    process = subprocess.Popen(
        command, cwd=home, env={**env, "TERM": "xterm-256color"}, stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    try:
        while data := _read(ours):
            told += data
            stream.feed(data)
            shown = "\n".join(line.rstrip() for line in screen.display).rstrip()
            if shown != screens[-1]:
                screens.append(shown)
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
