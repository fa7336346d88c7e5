# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Settle: ends the change that this run has open, by what became of the credential $stored that is in its place. $end is
#   closed     it is right, or nobody can prove it
#   unproven   a login has still to prove it
#   dead       the platform refuses it
# If $follows is yes, something follows the change.

home
[ -z "$missing" ] || say lost
lock
identify "./$file"
if [ "$end" = closed ] && [ ! -e "$journal_file" ] && [ "$identity" = "$stored" ]; then
    # The connection has sent this script twice, or another run has come to the same end.
    state
    say settled
fi
ours
[ "$identity" = "$stored" ] || fail storage "$here/$file does not read back as ${stored%% *}"
discard_staged
attributes
# shellcheck disable=SC2086 # numbers
write_exports $exports_wanted
if [ "$end" = closed ]; then
    close_journal
else
    [ "$follows$end" != yesunproven ] || note_due
    write_journal "${line% ttl=*} ttl=0" "$end ${stored%% *}"
fi
state "$stored"
say settled
