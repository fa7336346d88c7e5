# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Store: a new credential, if the journal is still this run's. $device_secret, or for a device token $device_token and $client_id,
# is set before this script, as is $doubt. With doubt, or if $verifies is yes, the journal stays open until a login has proved the
# credential. If $follows is yes, something follows the change.

home
[ -z "$missing" ] || say lost
lock
if [ ! -e "$journal_file" ] && [ -f "./$file" ] && [ "$(credential_line)" = "$(cat "./$file")" ]; then
    # The connection has sent this script twice.
    state
    say installed
fi
ours
stage "$file" "$owner" "$group" "$mode" credential_line
identify "./$staged"
stored=$identity
wanted_device || fail storage "$here/$staged does not read back as it was written"
add_to_journal "stored ${stored%% *}"
promote "$new" "$file"
identify "./$file"
[ "$identity" = "$stored" ] || fail storage "$here/$file does not read back as it was written"
# shellcheck disable=SC2086 # numbers
write_exports $exports_wanted
case "$verifies$doubt $line " in
    "nono "*" over=no "*) close_journal ;;
esac
state "$stored"
say installed
