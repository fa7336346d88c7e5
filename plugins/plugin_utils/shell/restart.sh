# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Restart: restarts the service, or in check mode ($proof is yes) checks that it exists.

place="service $service"
service_manager
[ "$proof" = no ] || say "$manager"
case $manager in
    systemd) set -- systemctl restart -- "$service" ;;
    openrc) set -- rc-service "$service" restart ;;
    init) set -- "$init_script" restart ;;
    service) set -- service "$service" restart ;;
esac
# The command must not read this script from standard input. A daemon that it starts may keep the output open, which would keep the
# connection open, so the output is discarded and the daemon gets a session of its own; systemd starts it elsewhere.
if [ "$manager" = systemd ]; then
    message=$("$@" 2>&1 </dev/null)
else
    message=
    ! command -v setsid >/dev/null || set -- setsid "$@"
    "$@" >/dev/null 2>&1 </dev/null
fi
code=$?
[ "$code" = 0 ] || {
    printf 'problem %s\n' "$(printf '%s' "$* ended with $code${message:+: $message}" | tr -s '\n' ' ')"
    say broken
}
say "$manager"
