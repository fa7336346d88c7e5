# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Begin: proves that the credential and its exports can be stored and read back, and takes the lease by opening the journal. No
# request that changes the device is sent before that has succeeded. The lease lasts $ttl seconds of the gateway's own clock.
# If $continues is yes, the lease that an earlier task of the same run holds, with this token, is renewed; that task has proved the rest,
# and what it staged keeps the room.
# If $proof is yes, it is check mode: everything is proved, and nothing is changed. If $whole is no, the change needs no room for a
# new credential.

home
[ "$proof" = no ] || remember
if [ -n "$missing" ]; then
    unchanged
    make_directories
    lock
    [ "$proof" = no ] || remember_lock
    # Whoever made the directory at the same time may have gone further already.
    if [ -e "$file" ] || [ -e "$journal_file" ]; then
        state
        say stale
    fi
else
    lock
    [ "$proof" = no ] || remember_lock
    unchanged
fi
if [ "$continues" = yes ]; then
    ours
    open_journal "$intent" yes
    say begun
fi
over=no
[ ! -e "$journal_file" ] || over=yes
[ "$proof" = yes ] || discard_staged
[ -z "$service" ] || service_manager
replaceable "$file" "$journal_file.new"
# A probe that is as long as a credential can be, and no credential of any device that is wanted.
device_token=
client_id=
wanted_name=$device_name
wanted_key=$product_key
device_name=fleetops-probe-0123456789abcdefg
product_key=fleetopsprobe0123456789abcdefghi
device_secret=0123456789012345678901234567890123456789012345678901234567890123
for number in $exports_proved; do
    prove_export "$number"
done
if [ "$whole" = yes ]; then
    compose
    probe "$file" "$owner" "$group" "$mode" credential_line
    half=$PWD/$staged
    read_back
    half=
else
    probe "$file" "$owner" "$group" "$mode" :
fi
device_name=$wanted_name
product_key=$wanted_key
if [ "$proof" = yes ]; then
    try rm -f "./$staged"
else
    # Where one stands in the journal's way already, its writing proves that files can be removed here, as well as renamed.
    (set -C && : >"./$journal_file.new") 2>/dev/null
    open_journal "$intent" "$over"
    holds "$token" || fail storage "mv did not rename $here/$journal_file.new"
fi
say begun
