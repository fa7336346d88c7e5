# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Begin: proves that the credential and its exports can be stored and read back, and takes the lease by opening the journal. No
# request that changes the device is sent before that has succeeded. The lease lasts $ttl seconds of the gateway's own clock.
# If $continues is yes, the lease that an earlier task of the same run holds, with this token, is renewed.

home
if [ -n "$missing" ]; then
    unchanged
    make_directories
    lock
    # Whoever made the directory at the same time may have gone further already.
    if [ -e "$file" ] || [ -e "$journal_file" ]; then
        state
        say stale
    fi
else
    lock
    unchanged
fi
[ "$continues" = no ] || ours
over=no
[ ! -e "$journal_file" ] || over=yes
discard_staged
# A probe that is as long as a credential can be, and no credential of any device that is wanted.
device_token=
client_id=
wanted_name=$device_name
wanted_key=$product_key
device_name=fleetops-probe-0123456789abcdefg
product_key=fleetopsprobe0123456789abcdefghi
device_secret=0123456789012345678901234567890123456789012345678901234567890123
number=0
while [ "$number" -lt "$export_count" ]; do
    number=$((number + 1))
    leave_for "$number"
    [ -z "$missing" ] || fail storage "cannot write $dest: its directory does not exist"
    stage "${dest##*/}" "$stage_owner" "$stage_group" "$stage_mode" credential_line
    try rm -f "./$staged"
    home
done
stage "$file" "$owner" "$group" "$mode" credential_line
identify "./$new"
wanted_device || {
    rm -f "./$new"
    fail storage "$here/$new does not read back as it was written"
}
device_name=$wanted_name
product_key=$wanted_key
open_journal "$intent" "$over"
say begun
