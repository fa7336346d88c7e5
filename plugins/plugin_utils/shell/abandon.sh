# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Abandon: releases the lease without a new credential. A journal that replaced an earlier one stays, without a lease, because an earlier
# registration or a reset may have happened. Any other journal is removed.

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
