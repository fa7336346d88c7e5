# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Abandon: gives the lease back without a new credential. A journal that was opened over another one stays open without a lease,
# because an earlier registration, or a reset, may have happened; any other is removed.

home
[ -z "$missing" ] || say lost
lock
ours
discard_staged
case "$line " in
    *" over=no "*) close_journal ;;
    *) write_journal "${line% ttl=*} ttl=0" ;;
esac
state
say abandoned
