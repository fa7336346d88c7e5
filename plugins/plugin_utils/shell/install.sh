# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Install: $step is
#   store    a new credential, if the journal is still ours; $device_secret is set before this script, or, for a device
#            token in its place, $device_token and $client_id
#   finish   what an interrupted run had already staged or stored
#   mend     owner, mode and exports only
# then the exports in $exports_wanted.

# cat says why it cannot write, where some shells' echo does not.
credential_line() {
    if [ -n "$device_token" ]; then
        echo "{\"clientId\":\"$client_id\",\"deviceName\":\"$device_name\",\"deviceToken\":\"$device_token\",\"productKey\":\"$product_key\"}"
    else
        echo "{\"deviceName\":\"$device_name\",\"deviceSecret\":\"$device_secret\",\"productKey\":\"$product_key\"}"
    fi | cat
}

locate
lock
case $step in
    store)
        line=
        [ ! -f "$journal_file" ] || read -r line <"$journal_file"
        case "$line " in
            *" token=$token "*) ;;
            *) say lost ;;
        esac
        stage "$path" "$owner" "$group" "$mode" credential_line
        identify "$staged"
        stored=$identity
        [ "$stored" != - ] || fail storage "$staged does not read back as it was written"
        message=$( (echo "stored ${stored%% *}" | cat >>"$journal_file") 2>&1) || fail storage "$message"
        try sync "$journal_file"
        promote "$staged" "$path"
        identify "$path"
        [ "$identity" = "$stored" ] || fail storage "$path does not read back as it was written"
        try rm -f "$journal_file"
        ;;
    finish)
        unchanged
        identify "$new"
        if [ "$identity" = "$staged_identity" ]; then
            own "$new" "$owner" "$group" "$mode"
            promote "$new" "$path"
        else
            own "$path" "$owner" "$group" "$mode"
        fi
        try rm -f "$new" "$journal_file" "$journal_file.new"
        ;;
    mend)
        unchanged
        own "$path" "$owner" "$group" "$mode"
        ;;
esac
for number in $exports_wanted; do
    stage_export "$number" "export_$number"
    promote "$staged" "$dest"
done
state
say installed
