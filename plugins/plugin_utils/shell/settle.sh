# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Settle: ends the open change of this run, by the outcome of the login with the installed credential $stored. $end is
#   closed     it is valid, or no login is possible
#   unproven   a login has still to verify it
#   dead       the platform refuses it
# If $follows is yes, handlers have to run after the change. If $reported is no, the run fails, so that the next one reports the change.

home
[ -z "$missing" ] || say lost
lock
identify "./$file"
if [ "$end" = closed ] && [ ! -e "$journal_file" ] && [ "$identity" = "$stored" ]; then
    # The connection has sent this script twice, or another run has closed the change.
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
    unreported=
    [ "$reported$end" != nounproven ] || unreported=unreported
    write_journal "${line% ttl=*} ttl=0" "$end ${stored%% *}" ${unreported:+"$unreported"}
fi
state "$stored"
say settled
