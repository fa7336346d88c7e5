# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages for users, and their code blocks: commands to type, and files to write.

A ``shell`` block contains commands that succeed. A ``console`` block contains commands after ``$ ``, and below each command lines that
its output must contain in this order, among others; ``...`` in a line matches any text. Lines that differ only in the gateway can have
another order. A command that fails is followed by ``$ echo $?``. A block whose first line is ``# NAME.EXTENSION`` is a file.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The README first, since it is read most.
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/docsite/rst/*.rst"))]
COMMANDS = ("console", "shell")

_MARKDOWN = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_RST = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>\S+)\n\n(?P<text>(?:(?P=indent)   .*\n|\n)+)", re.MULTILINE
)
_FILE = re.compile(r"# (\S+[.]\w+)\n")
_GATEWAY = re.compile(r"gw-\d+")


@dataclass(frozen=True)
class Step:
    """One command, and the lines that its output must contain."""

    command: str
    output: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file name of a block that is a file, else None."""
        found = None if self.language in COMMANDS else _FILE.match(self.text)
        return found[1] if found else None

    @property
    def steps(self) -> list[Step]:
        """The commands of a shell or console block."""
        lines = self.text.replace("\\\n", "").splitlines()
        if self.language == "shell":
            return [Step(line.strip()) for line in lines if line and not line.startswith("#")]
        steps: list[Step] = []
        for line in filter(None, lines):
            if line.startswith("$ "):
                steps.append(Step(line[2:]))
            else:
                steps[-1] = Step(steps[-1].command, (*steps[-1].output, line))
        return steps


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page, in order."""
    return list(_blocks(page))


def commands() -> set[str]:
    """Return every command of every page."""
    return {
        step.command for page in PAGES for block in blocks(page) if block.language in COMMANDS for step in block.steps
    }


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return _pattern(page).sub("", page.read_text(encoding="utf-8"))


def missing(output: str, expected: tuple[str, ...]) -> str | None:
    """Return the first expected line that ``output`` lacks, or None; runs of blanks count as one.

    The lines have to be in the same order, except that those of several gateways are printed in the order in which these finish.
    """
    lines = [" ".join(line.split()) for line in output.splitlines()]
    begin = 0
    for _alike, of_gateways in groupby(expected, lambda line: _GATEWAY.sub("", line)):
        found: list[int] = []
        for wanted in of_gateways:
            pattern = re.escape(" ".join(wanted.split())).replace(re.escape("..."), ".*")
            left = (n for n in range(begin, len(lines)) if n not in found and re.fullmatch(pattern, lines[n]))
            if (number := next(left, None)) is None:
                return wanted
            found.append(number)
        begin = max(found) + 1
    return None


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _pattern(page).finditer(text):
        content = textwrap.dedent(found["text"]).strip("\n") + "\n"
        yield Block(page, text.count("\n", 0, found.start()) + 1, found["language"], content)


def _pattern(page: Path) -> re.Pattern[str]:
    return _MARKDOWN if page.suffix == ".md" else _RST
