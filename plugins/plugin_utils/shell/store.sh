# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Store: stores a new credential, if the journal is still this run's. $device_secret, or $device_token and $client_id, and $doubt are set
# before this script. If $doubt or $verifies is yes, the journal stays open until a login has verified the credential. If $follows is yes,
# handlers have to run after the change.

compose
home
[ -z "$missing" ] || say lost
lock
if [ ! -e "$journal_file" ] && [ -f "./$file" ] && [ "$certificate" = "$(cat "./$file")" ]; then
    # The connection has sent this script twice.
    state
    say installed
fi
ours
stage "$file" "$owner" "$group" "$mode" credential_line
read_back
stored=$identity
append "$journal_file" "stored ${stored%% *}" # and promote syncs it
promote "$new" "$file" "$journal_file"
# shellcheck disable=SC2086 # numbers
write_exports $exports_wanted
open=
case "$verifies$doubt $line " in
    "nono "*" over=no "*) close_journal ;;
    *) open=yes ;;
esac
state "$stored"
[ -z "$open" ] || leave_spare # for settle
say installed
