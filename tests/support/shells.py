# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shells for gateways that are folders of this machine: with other tools, and with tools that stop.

Set a host's `ansible_shell_executable` to the result of `write_shell`: Ansible runs everything on the host with this shell.
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

# The tools that change something or read a file. No script calls two of them at the same time. Tools that only look (ls) are not
# counted: a script that dies there leaves the same state as one that dies at the next counted tool.
COUNTED = ("awk", "cat", "chmod", "chown", "mkdir", "mv", "rm", "sync")

# The commands that may be a gateway's shell or awk.
SHELLS = ("dash", "bash", "busybox ash")
AWKS = ("mawk", "gawk", "original-awk", "busybox awk")


def installed(commands: Iterable[str]) -> list[str]:
    """Return those commands that are installed on this machine."""
    return [command for command in commands if shutil.which(command.split()[0])]


def write_shell(folder: Path, tools: Mapping[str, str], shell: str = "exec /bin/sh", path: str = ":$PATH") -> Path:
    """Write a shell that finds these tools (name: script) before all others, and return its path.

    :param shell: the command that becomes the shell
    :param path: the end of PATH, after the folder of these tools
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
    """Return BusyBox's shell with only BusyBox's applets in its PATH.

    If an applet is to be missing, the shell is dash: BusyBox's own shell finds its applets without PATH.
    """
    program = busybox()
    applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    ash = write_shell(folder, {}, shell=f"exec {shutil.which('dash') if without else f'{program} ash'}", path="")
    for applet in {*applets} - {without}:
        (folder / "bin" / applet).symlink_to(program)
    return str(ash)


def openwrt_shell(folder: Path) -> str:
    """Return BusyBox's shell with only the commands of a stock OpenWrt in its PATH."""
    ash = write_shell(folder, {}, shell=f"exec {busybox()} ash", path="")
    link_applets(folder / "bin", busybox())
    return str(ash)


@dataclass(frozen=True)
class Stopping:
    """A shell whose tools count their calls; call number `at` waits for `proceed` before it does anything."""

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
        """Continue the call that was reached."""
        (self.folder / "proceed").write_text("\n")


def stopping_shell(folder: Path, at: int, tools: Iterable[str] = COUNTED, arguments: str = "*") -> Stopping:
    """Write a shell that counts the calls of these tools whose arguments match a shell pattern."""
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
    # A shell that reads from a pipe waits without using the CPU; dozens of polling shells would take a core.
    os.mkfifo(folder / "proceed")
    return Stopping(folder, at)
