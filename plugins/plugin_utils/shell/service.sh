# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Services: the service manager of the gateway. Without systemd and OpenRC, there are scripts in /etc/init.d (procd of OpenWrt, SysV, and
# BusyBox's init, which may have a number before the name), or the command service.

# service_manager: sets $manager to systemd, openrc, init (then $init_script is the service's) or service. Fails if it does
# not know the service $service, or if there is no service manager. What the command service knows shows only when it restarts something.
service_manager() {
    load_state=
    ! command -v systemctl >/dev/null || load_state=$(systemctl show --property=LoadState -- "$service" 2>/dev/null)
    case $load_state in
        *=not-found | *=masked | *=bad-setting | *=error)
            fail no_service "systemd cannot start the service $service (${load_state#*=})"
            ;;
        '') ;;
        *)
            manager=systemd
            return
            ;;
    esac
    if command -v rc-service >/dev/null; then
        rc-service --exists "$service" >/dev/null 2>&1 || fail no_service "OpenRC has no service $service"
        manager=openrc
        return
    fi
    manager=init
    set +f
    for init_script in "$init_scripts/$service" "$init_scripts"/S[0-9][0-9]"$service"; do
        if [ -f "$init_script" ] && [ -x "$init_script" ]; then
            set -f
            return
        fi
    done
    set -f
    manager=service
    # On Linux without systemd, the command service starts only these scripts.
    if [ -d "$init_scripts" ] || ! command -v service >/dev/null; then
        fail no_service "there is neither systemd nor OpenRC, nor a script $init_scripts/$service"
    fi
}
