# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Tools: finds the missing ones of those that a script needs.

# tools NAME...: prints the missing tools, and the command that installs packages, marked for OpenWrt, whose packages have other names.
# Returns false if a tool is missing.
tools() {
    lacking=
    for tool do
        command -v "$tool" >/dev/null || {
            echo "missing_tool $tool"
            lacking=yes
        }
    done
    [ -n "$lacking" ] || return 0
    system=
    [ ! -e "$release" ] || system=openwrt-
    for installer in opkg apk apt-get dnf zypper; do
        case $system$installer in
            opkg) ;;
            *)
                if command -v "$installer" >/dev/null; then
                    echo "packages $system$installer"
                    return 1
                fi
                ;;
        esac
    done
    return 1
}
