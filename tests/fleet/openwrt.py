# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of a stock OpenWrt: the applets of its BusyBox, without the options that it is built without.

The list is that of package/utils/busybox/Config-defaults.in. The program is Debian's BusyBox, which lacks flock.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_NAMES = """
ash awk basename cat chgrp chmod chown chroot clear cmp cp crond crontab cut date dd df dirname dmesg du echo egrep env expr false
fgrep find flock free fsync grep gunzip gzip halt head hexdump hwclock id ifconfig kill killall less ln lock logger login ls md5sum
mkdir mkfifo mknod mktemp mount mv nc netstat nice nslookup ntpd passwd pgrep pidof ping ping6 pivot_root poweroff printf ps pwd
readlink reboot reset rm rmdir route sed seq sh sha256sum sleep sort start-stop-daemon strings switch_root sync tail tar taskset tee
test time top touch tr traceroute traceroute6 true udhcpc umount uname uniq uptime vi wc which xargs yes zcat [ [[
"""
APPLETS = frozenset(_NAMES.split())
# Applets that OpenWrt builds without an option: a script that refuses the option and then starts the applet.
WRAPPERS = {
    "ls": 'for option do case $option in --?*) echo "ls: unrecognized option: ${option#--}" >&2; exit 1 ;; esac; done',
    "sort": 'for option do case $option in -*[kt]*) echo "sort: invalid option -- ${option#-}" >&2; exit 1 ;; esac; done',
    # It warns, and writes all file systems.
    "sync": '[ $# = 0 ] || echo "sync: ignoring all arguments" >&2; set --',
    "tr": 'for set do case $set in *"[:"* | *"[="*) echo "tr: no classes" >&2; exit 1 ;; esac; done',
}


def busybox() -> str:
    """Return the path of this machine's BusyBox."""
    return shutil.which("busybox") or "/bin/busybox"


def link_applets(folder: Path, program: str) -> None:
    """Create the commands in a folder.

    :param program: the path of BusyBox on the gateway
    """
    listed = subprocess.run([busybox(), "--list"], check=True, capture_output=True, text=True).stdout.split()
    for name in APPLETS & {*listed}:
        command = folder / name
        command.unlink(missing_ok=True)
        if name in WRAPPERS:
            command.write_text(f'#!{program} ash\n{WRAPPERS[name]}\nexec {program} {name} "$@"\n')
            command.chmod(0o755)
        else:
            command.symlink_to(program)
