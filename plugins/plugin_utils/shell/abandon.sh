# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Abandon: releases the lease of a change whose request was not sent, or was refused. The journal that begin has replaced, if any, is
# restored, without a lease. After a reset, the journal of this run stays, without a lease.

home
[ -z "$missing" ] || say lost
lock
ours
discard_staged
replaced=$(replaced_journal)
case "$line " in
    *" over=no "*) close_journal ;;
    *) write_journal "${replaced:-${line% ttl=*} ttl=0}" ;;
esac
state
say abandoned
