# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Begin: checks that the credential and its exports can be stored and read back, and takes the lease by opening the journal. No request
# that changes the device is sent before that. The lease lasts $ttl seconds of the gateway's own clock.
# If $continues is yes, the lease with this token, which an earlier task of the same run has taken, is renewed. That task has made the
# other checks.
# If $proof is yes (check mode), the checks are made and nothing is changed. If $whole is no, the change needs no space for a new
# credential.

home
[ "$proof" = no ] || remember
if [ -n "$missing" ]; then
    unchanged
    make_directories
    lock
    [ "$proof" = no ] || trap put_back EXIT
    # Another run that created the directory at the same time may have stored something already.
    if [ -e "$file" ] || [ -e "$journal_file" ]; then
        state
        say stale
    fi
else
    lock
    [ "$proof" = no ] || trap put_back EXIT
    unchanged
fi
if [ "$continues" = yes ]; then
    ours
    # On a full disk, the journal is written in the space of the staged file, and the staged file in that of the replaced journal.
    discard_staged
    open_journal "$intent" yes
    probe_credential
    leave_spare
    say begun
fi
over=no
replaced=
if [ -e "$journal_file" ]; then
    over=yes
    replaced=$(journal_lines)
fi
[ "$proof" = yes ] || discard_staged
[ -z "$service" ] || service_manager
replaceable "$file"
probe_credential
# The probe of the credential stays beside those of the exports, since store needs room for all of them.
# shellcheck disable=SC2086 # numbers
[ -z "$exports_proved" ] || (prove_exports $exports_proved) || {
    rm -f "./$staged"
    exit 3
}
if [ "$proof" = yes ]; then
    try rm -f "./$staged"
else
    # Put a file where the journal is staged: replacing it shows that files can be removed here, and promote that they can be renamed.
    [ -e "./$journal_file.new" ] || [ -L "./$journal_file.new" ] || create "$journal_file.new"
    open_journal "$intent" "$over" "$replaced"
    leave_spare
fi
say begun
