# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Tools: which of those that a script needs are missing.

# tools NAME...: names those that are missing, and what installs packages here, where they have other names on OpenWrt. Fails if one is.
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
