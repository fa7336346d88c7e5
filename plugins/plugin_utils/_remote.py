# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run scripts and programs on a gateway, over any connection. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from abc import ABC, abstractmethod

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import ScriptAnswer, read_answer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import one_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._places import Target

# Where to look for Python, the usual name first, if the inventory names none.
PYTHONS = ("python3", "/usr/bin/python3", "/usr/libexec/platform-python", "/usr/local/bin/python3")
# Names of newer Pythons, to try if the usual one is too old.
NEWER_PYTHONS = tuple("python3.%d" % minor for minor in range(15, 7, -1))
# What a command printed on standard output, and its exit code. Its standard error is discarded: a shell's
# message about a failed line may quote the line, and a secret with it.
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
        """Close the connection, if this object owns it."""

    def run(self, script: str) -> str:
        """Run a script in the gateway's shell; return what it printed."""
        return self.execute(self.shell, script)[0]

    def answer(self, script: str, *outcomes: str) -> ScriptAnswer:
        """Run a script; return its answer, which has one of ``outcomes``.

        :raises FleetopsError: StorageError or BusyError, as read_answer()
        """
        answer = read_answer(self.run(script))
        one_of("outcome", answer.outcome, outcomes)
        return answer

    def run_python(self, entry: str, todo: dict[str, t.Any], alternative: str, shared: str = "") -> dict[str, t.Any]:
        """Run perform() of a module of module_utils on the gateway.

        :param todo: its parameter, for JSON
        :param alternative: the option to set for gateways without Python
        :param shared: ``todo["shared"]``, a text that is the same for every gateway
        :raises FleetopsError: as result_of() of _remote_python
        """
        # Imported lazily, because the import reads the programs: most runs start none.
        from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote_python import program, result_of

        text = program(entry, todo, shared)
        output, code = self.execute(self.python(), text)
        try:
            return result_of(entry, output, code, alternative)
        except StorageError as error:
            # A Python that is too old has only reported its version, so try a newer one.
            usual, newer = self.python(), self.python(NEWER_PYTHONS)
            if str(error.kind) != "no_python" or usual == newer:
                raise
            output, code = self.execute(newer, text)
            if code in (126, 127):
                raise
            return result_of(entry, output, code, alternative)


def python_command(setting: t.Any, environment: str, candidates: t.Sequence[str]) -> str:
    """Return the command for the interpreter that ``ansible_python_interpreter`` names; ``auto`` looks for one."""
    from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote_python import command

    named = str(setting or "auto")
    return command(None if named.startswith("auto") else named, environment, candidates)
