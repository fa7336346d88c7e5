# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a convergence without Ansible, on a gateway that is a folder and a platform that is a variable.

The scripts are the real ones, in the shell of this machine. The connection can break before or after any of them.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_credential_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import (
    Issued,
    ScriptAnswer,
    Scripts,
    change,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, NetworkError, Refused
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import Convergence
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._gateway_task import credential_task
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._places import Target
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Output, Remote

JSON = Any
PRODUCT_KEY = "a1IoKTestP1"
ALREADY_ACTIVE = 6289


class Broken(Exception):
    """The connection to the gateway was lost."""


class Shell(Remote):
    """The shell of this machine in place of a gateway's.

    ``breaks`` lists the script runs whose connection breaks, by number and ``before`` or ``after``. With ``twice``, the first answer is
    lost and the script is sent again, as SSH does (``ansible_ssh_retries``).
    """

    def __init__(self, breaks: Iterable[tuple[int, str]] = ()) -> None:
        super().__init__("/bin/sh")
        self.breaks = set(breaks)
        self.runs = 0
        self.closed = False
        self.path = os.environ["PATH"]
        self.machine: Target | None = None

    def target(self) -> Target | None:
        return self.machine

    def close(self) -> None:
        self.closed = True

    def end_at(self, folder: Path, call: int) -> None:
        """From now on, kill the script on the gateway when it starts its tool number ``call``.

        :param folder: for the tools, which record their calls in its file ``calls``
        """
        tools = folder / "tools"
        tools.mkdir()
        (folder / "calls").write_text("")
        for tool in ("awk", "cat", "chmod", "chown", "ln", "ls", "mkdir", "mv", "rm", "sha256sum", "sync"):
            # Count with the shell alone: another process per call would cost as much as the tool.
            script = f"echo {tool} >>{folder}/calls\nnumber=0\nwhile read -r _; do number=$((number + 1)); done <{folder}/calls\n"
            script += f"[ $number -lt {call} ] || kill -9 0\n"
            (tools / tool).write_text(f'#!/bin/sh\n{script}exec {shutil.which(tool)} "$@"\n')
            (tools / tool).chmod(0o755)
        self.path = f"{tools}:{os.environ['PATH']}"

    def execute(self, command: str, standard_input: str) -> Output:
        number, self.runs = self.runs, self.runs + 1
        if (number, "before") in self.breaks:
            raise Broken(number)
        for _time in range(2 if (number, "twice") in self.breaks else 1):
            ended = subprocess.run(
                [command],
                input=standard_input,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                env={**os.environ, "PATH": self.path},
                start_new_session=True,
            )
            if ended.returncode == -signal.SIGKILL:
                raise Broken(number)
        if (number, "after") in self.breaks:
            raise Broken(number)
        return ended.stdout, ended.returncode

    def python(self, candidates: Sequence[str] = ()) -> str:
        raise NotImplementedError


class Device:
    """A device on the platform: its valid secret, and the number of secrets issued."""

    def __init__(self) -> None:
        self.secret = ""
        self.issued = 0
        self.activated = False

    def issue(self) -> str:
        if self.activated:
            raise Refused("activated", code=ALREADY_ACTIVE)
        self.secret, self.issued = secrets.token_hex(16), self.issued + 1
        return self.secret


class Registration:
    """An issuer that loses the answers to its first ``loses`` requests."""

    registers = True

    def __init__(self, device: Device, shell: Shell, loses: int = 0) -> None:
        self.device = device
        self.shell = shell
        self.loses = loses

    def check(self, device_name: str | None, needed: bool = False) -> None:
        pass

    def change(self, scripts: Scripts, device_name: str, lease: int) -> ScriptAnswer:
        def issue(_not_after: float) -> Issued | None:
            if not scripts.store:
                return None
            secret = self.device.issue()
            if self.loses:
                self.loses -= 1
                lost = NetworkError("no answer")
                lost.may_have_registered = True
                raise lost
            return Issued(secret)

        return change(self.shell.run, scripts, issue, lease, 1)

    def says_activated(self, error: Refused) -> bool:
        return error.code == ALREADY_ACTIVE

    def says_why(self) -> bool:
        return True


class OneProgram(Registration):
    """An issuer whose change is one program on the gateway; if ``again`` is true, the next change is sent twice."""

    again = True

    def change(self, scripts: Scripts, device_name: str, lease: int) -> ScriptAnswer:
        if OneProgram.again and scripts.store:
            OneProgram.again = False
            super().change(scripts, device_name, lease)
        return super().change(scripts, device_name, lease)


class Recovery(Registration):
    """An issuer that returns the valid secret."""

    registers = False

    def change(self, scripts: Scripts, device_name: str, lease: int) -> ScriptAnswer:
        return change(self.shell.run, scripts, lambda _not_after: Issued(self.device.secret), lease, 1)


class Login:
    """A login that is accepted if the stored secret is the device's."""

    def __init__(self, device: Device, path: Path) -> None:
        self.device = device
        self.path = path
        self.attempts = 0
        self.outcome = ""

    def attempt(self) -> tuple[Any, str]:
        self.attempts += 1
        if self.outcome:
            return self.outcome, "as asked for"
        return (
            ("accepted", "") if stored(self.path).get("deviceSecret") == self.device.secret else ("refused", "code 4")
        )


class Screen:
    """A record of the messages to the operator."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def display(self, msg: str) -> None:
        self.lines.append(msg)

    def warning(self, msg: str) -> None:
        self.warnings.append(msg)


class Bench:
    """A gateway and its device, for convergences to run on."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "iot/device.json"
        self.device = Device()
        self.screen = Screen()
        self.shell = Shell()
        self.machine: Target | None = None  # according to the inventory
        self.login = Login(self.device, self.path)

    def convergence(
        self,
        breaks: Iterable[tuple[int, str]] = (),
        issuer: type[Registration] = Registration,
        loses: int = 0,
        check_mode: bool = False,
        **options: JSON,
    ) -> Convergence:
        """Return a convergence with these options, which ends where a connection breaks."""
        self.shell = Shell(breaks)
        self.shell.machine = self.machine
        task = credential_task(validated(path=str(self.path), **options), "gw-0001")
        issues = issuer(self.device, self.shell, loses)
        login: JSON = self.login
        return Convergence(task, self.shell, issues, login, render, self.screen, check_mode)

    def run(self, *arguments: JSON, **options: JSON) -> JSON:
        return self.convergence(*arguments, **options).run()

    def leave_unproven(self) -> None:
        """Store a credential whose required login fails, so that the run fails."""
        self.login.outcome = "failed"
        try:
            self.run(verify="login")
        except FleetopsError:
            self.login.outcome = ""
        else:
            raise AssertionError("the run did not fail")

    def follow_up(self, due: str) -> JSON:
        """Run the task of the last handler."""
        return self.run(state="followed_up", due=due)

    @property
    def journal(self) -> Path:
        return self.path.parent / ".device.json.journal"

    @property
    def due_file(self) -> Path:
        return self.path.parent / ".device.json.due"

    def is_right(self) -> bool:
        """Return whether the gateway stores the valid secret, and no other file than its credential and the lock."""
        names = {path.name for path in self.path.parent.iterdir()}
        return names == {"device.json"} and stored(self.path)["deviceSecret"] == self.device.secret != ""


def validated(**options: JSON) -> dict[str, JSON]:
    """Return validated options of gateway_credential, with a lease that is short enough to wait for."""
    given = {"product_key": PRODUCT_KEY, "retry_time": 0, "timeout": 1, **options}
    result = ArgumentSpecValidator(gateway_credential_spec()).validate(given)
    assert not result.error_messages, result.error_messages
    return dict(result.validated_parameters)


def render(template: str, variables: dict[str, str]) -> str:
    return template.format_map(variables)


def stored(path: Path) -> dict[str, str]:
    return dict(json.loads(path.read_text())) if path.exists() else {}
