# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tools that a gateway lacks, and the packages that contain them. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import ScriptAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import TOOL, one_of, text

# By the name that tools() of tools.sh prints: the command that installs, and the package; on OpenWrt each tool has its own package.
INSTALLERS = {
    "openwrt-opkg": ("opkg update && opkg install", "coreutils-%s"),
    "openwrt-apk": ("apk add", "coreutils-%s"),
    "apk": ("apk add", "coreutils"),
    "apt-get": ("apt-get install", "coreutils"),
    "dnf": ("dnf install", "coreutils"),
    "zypper": ("zypper install", "coreutils"),
}
# Tools that are in other packages.
_OTHER = {"awk": "gawk"}


def missing_tools(answer: ScriptAnswer) -> tuple[tuple[str, ...], str]:
    """Return the tools that a gateway lacks, as its answer names them, and what installs packages there, empty if that is not known.

    :raises StorageError: the answer is invalid
    """
    tools = dict.fromkeys(text("missing_tool", tool, TOOL) for tool in answer.all_of("missing_tool"))
    installer = answer.all_of("packages")
    return tuple(tools), one_of("packages", installer[-1], INSTALLERS) if tools and installer else ""


def lacks(tools: t.Sequence[str], installer: str) -> StorageError:
    """Return the error of a gateway that lacks tools, with the command that installs them.

    :param installer: one of INSTALLERS, or empty
    """
    hint = "Install them (coreutils and awk, or a BusyBox with these applets)"
    if installer:
        command, package = INSTALLERS[installer]
        names = [_OTHER.get(tool) or (package % tool if "%" in package else package) for tool in tools]
        hint = "Install them on the gateway (%s %s)" % (command, " ".join(dict.fromkeys(names)))
    return StorageError(
        "the gateway lacks %s" % ", ".join(tools),
        hint=hint + ", or add them to the PATH of the remote user",
        kind="missing_tool",
    )
