# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running scripts and programs on a gateway, over whatever connection. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from abc import ABC, abstractmethod

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Answer, read_answer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import one_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._places import Target
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._program import (
    NEWER_PYTHONS,
    PYTHONS,
    command,
    program,
    result_of,
)

# What a command printed on standard output, and its exit code. Its standard error is discarded: what a shell says of a line that failed
# may hold the line.
Output = tuple[str, int]


class Display(t.Protocol):
    """An operator's screen; Ansible's Display is one."""

    def display(self, msg: str) -> t.Any:
        """Show a line of progress."""

    def warning(self, msg: str) -> t.Any:
        """Show a warning; the same one is shown once."""


class Remote(ABC):
    """One gateway's shell and its Python."""

    def __init__(self, shell: str) -> None:
        self.shell = shell

    def target(self) -> Target | None:
        """Return the machine that the connection leads to, None where nobody knows."""
        return None

    @abstractmethod
    def execute(self, command: str, standard_input: str) -> Output:
        """Run a command on the gateway.

        :raises Exception: what the connection raises if it does not work
        """

    @abstractmethod
    def python(self, candidates: t.Sequence[str] = PYTHONS) -> str:
        """Return the command that starts the gateway's Python, reading a program from standard input.

        :param candidates: where to look for one, unless the inventory names it
        """

    def close(self) -> None:  # noqa: B027 # not every remote has something to close
        """Close the connection, where that is not somebody else's to do."""

    def run(self, script: str) -> str:
        """Run a script in the gateway's shell; return what it printed."""
        return self.execute(self.shell, script)[0]

    def answer(self, script: str, *outcomes: str) -> Answer:
        """Run a script; return its answer, which has one of ``outcomes``.

        :raises FleetopsError: StorageError or BusyError, as read_answer()
        """
        answer = read_answer(self.run(script))
        one_of("outcome", answer.outcome, outcomes)
        return answer

    def run_python(self, entry: str, todo: dict[str, t.Any], alternative: str) -> dict[str, t.Any]:
        """Run perform() of a module of module_utils on the gateway.

        :param todo: its parameter, for JSON
        :param alternative: the option that does without Python there
        :raises FleetopsError: as result_of() of _program
        """
        text = program(entry, todo)
        output, code = self.execute(self.python(), text)
        try:
            return result_of(entry, output, code, alternative)
        except StorageError as error:
            # One that is too old has done nothing but say so.
            usual, newer = self.python(), self.python(NEWER_PYTHONS)
            if str(error.kind) != "no_python" or usual == newer:
                raise
            output, code = self.execute(newer, text)
            if code in (126, 127):
                raise
            return result_of(entry, output, code, alternative)


def python_command(setting: t.Any, environment: str, candidates: t.Sequence[str]) -> str:
    """Return the command for the interpreter that ``ansible_python_interpreter`` names; ``auto`` looks for one."""
    named = str(setting or "auto")
    return command(None if named.startswith("auto") else named, environment, candidates)
