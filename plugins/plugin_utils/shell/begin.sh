# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Begin: proves that the credential and its exports can be stored, and takes the lease by opening the journal. No
# registration is sent before that has succeeded. The lease runs for $ttl seconds of the gateway's own clock, and belongs
# to a process: of the controller ($holder, $pid, $start), or, on the gateway itself, to the one that runs this script.

# cat says why it cannot write, where some shells' echo does not.
padding() {
    printf '%s\n%s\n' "$journal" "$journal" | cat
}

locate
if [ -d "$directory" ]; then
    lock
    unchanged
else
    unchanged
    set --
    above=$directory
    while [ -n "$above" ] && [ ! -d "$above" ]; do
        set -- "$above" "$@"
        above=${above%/*}
    done
    try mkdir -p "$directory"
    # Only the file is the owner's: who can write the directory could swap the file while its owner is set.
    for made do
        try chmod 0755 "$made"
    done
    lock
    # Whoever made the directory at the same time may have gone further already.
    if [ -e "$path" ] || [ -e "$journal_file" ]; then
        state
        say stale
    fi
fi
if [ "$holder" = gateway ]; then
    pid=$PPID
    started "$pid"
fi
clock
journal="1 token=$token intent=$intent product_key=$product_key device_name=$device_name holder=$holder pid=$pid start=$start"
journal="$journal boot=$boot taken=$uptime ttl=$ttl"
number=0
while [ "$number" -lt "$export_count" ]; do
    number=$((number + 1))
    stage_export "$number" padding
    try rm -f "$staged"
done
stage "$path" "$owner" "$group" "$mode" padding
# An older journal stays until this one is complete: its change may have registered.
message=$( (echo "$journal" | cat >"$journal_file.new") 2>&1) || {
    rm -f "$journal_file.new" "$staged"
    fail storage "cannot write $journal_file: $message"
}
promote "$journal_file.new" "$journal_file"
say begun
