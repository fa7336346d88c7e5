# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shells for gateways that are folders of this machine: with other tools, and with tools that stop.

What `write_shell` returns goes into a host's `ansible_shell_executable`: everything that Ansible runs on it goes through.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from openwrt import busybox, link_applets

# The tools that change something or read a file. No script calls two of them at the same time. What only looks (ls) is not among
# them: whatever dies there leaves what it leaves at the next of these.
COUNTED = ("awk", "cat", "chmod", "chown", "flock", "mkdir", "mv", "rm", "sync")

# What a gateway may have, as a command each.
SHELLS = ("dash", "bash", "busybox ash")
AWKS = ("mawk", "gawk", "original-awk", "busybox awk")


def installed(commands: Iterable[str]) -> list[str]:
    """Return the commands of these that this machine has."""
    return [command for command in commands if shutil.which(command.split()[0])]


def write_shell(folder: Path, tools: Mapping[str, str], shell: str = "exec /bin/sh", path: str = ":$PATH") -> Path:
    """Return a shell with these tools (name: script) before the others.

    :param shell: the command that becomes the shell
    :param path: what stands in PATH behind them
    """
    (folder / "bin").mkdir(parents=True)
    for name, script in tools.items():
        write_script(folder / "bin" / name, script)
    return write_script(folder / "sh", f'PATH={shlex.quote(str(folder))}/bin{path}\nexport PATH\n{shell} "$@"')


def write_script(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def busybox_shell(folder: Path, without: str = "") -> str:
    """Return a shell that is BusyBox's, on whose PATH are BusyBox's applets alone.

    With one of them missing it is dash: BusyBox's own needs no PATH to find an applet.
    """
    program = busybox()
    applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    ash = write_shell(folder, {}, shell=f"exec {shutil.which('dash') if without else f'{program} ash'}", path="")
    for applet in {*applets} - {without}:
        (folder / "bin" / applet).symlink_to(program)
    return str(ash)


def openwrt_shell(folder: Path) -> str:
    """Return a shell that is BusyBox's, on whose PATH are the commands of a stock OpenWrt alone."""
    ash = write_shell(folder, {}, shell=f"exec {busybox()} ash", path="")
    link_applets(folder / "bin", busybox())
    return str(ash)


@dataclass(frozen=True)
class Stopping:
    """A shell whose tools count their calls; one, number `at`, waits for `proceed` before it does anything."""

    folder: Path
    at: int

    @property
    def shell(self) -> str:
        return str(self.folder / "sh")

    @property
    def reached(self) -> bool:
        return (self.folder / "reached").exists()

    @property
    def calls(self) -> list[str]:
        """The tools in the order of their calls."""
        return (self.folder / "calls").read_text().splitlines()

    def proceed(self) -> None:
        """Let the call begin after all, which has been reached."""
        (self.folder / "proceed").write_text("\n")


def stopping_shell(folder: Path, at: int, tools: Iterable[str] = COUNTED, arguments: str = "*") -> Stopping:
    """Write the shell, in which calls of these tools count, if their arguments match a pattern of the shell's."""
    script = """\
folder={folder}
case "$*" in {arguments}) ;; *) exec {tool} "$@" ;; esac
echo {name} >>$folder/calls
number=0
while read -r _; do number=$((number + 1)); done <$folder/calls
if [ $number = {at} ]; then
    echo $PPID >$folder/reached
    read -r _ <$folder/proceed
fi
exec {tool} "$@\""""
    for_all = {"folder": shlex.quote(str(folder)), "at": at, "arguments": arguments}
    write_shell(folder, {name: script.format(name=name, tool=shutil.which(name), **for_all) for name in tools})
    # Whoever reads from a pipe waits without doing anything; dozens of shells that ask again and again take a core.
    os.mkfifo(folder / "proceed")
    return Stopping(folder, at)
