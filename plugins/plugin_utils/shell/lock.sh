# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034,SC3013

# The lock: only one script at a time changes a credential. The kernel releases the lock of flock when the process ends.
#
# BusyBox may lack flock. Then each script creates a link of its own, whose name says which process it is, and has the lock if it then finds
# no link of another process that runs:
# - Of two scripts, one creates its link last, and looks for others only after that. It sees the other's link, so not both go on.
# - A link is removed by its own process, or by others once that process has ended. No later process has the same name. So nobody removes
#   the lock of a process that runs, however long ago it was looked for.
# - A process that is killed, at whatever step, leaves at most its own link, which no longer counts.
# - Of several scripts that see each other, the first in the order of the links keeps its link, and gets the lock. The others create none as
#   long as they see one.

# The link of this process, once it exists.
own_link=

lock() {
    if command -v flock >/dev/null; then
        attempt=claim_file
    else
        attempt=claim_link
    fi
    tries=0
    until $attempt; do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || {
            withdraw
            fail busy "another process has held the lock $here/$lock_file for $tries seconds"
        }
        sleep 1
    done
}

# claim_file: locks a file that only the remote user can open.
claim_file() {
    # Scripts with another PATH may have found no flock.
    ! rivals || return 1
    [ ! -L "$lock_file" ] || fail storage "$here/$lock_file is a symbolic link"
    # Without exec first: its redirection would end the shell if it failed. Only then, a subshell finds out why.
    true 2>/dev/null <>"$lock_file" || message=$(exec 2>&1 && : <>"$lock_file") || {
        case $message in
            *'ermission denied'*) fail permission "the remote user may not open the lock $here/$lock_file" ;;
        esac
        fail storage "cannot open the lock $here/$lock_file: $message"
    }
    exec 9<>"$lock_file"
    if ! message=$(flock -n 9 2>&1); then
        # flock prints nothing if another process holds the lock.
        [ -z "$message" ] || fail storage "cannot lock $here/$lock_file: $message"
        return 1
    fi
    # A removal of the credential also removes the lock, so check that the locked file still exists.
    [ ! -e /proc/self/fd/9 ] || [ "$lock_file" -ef /proc/self/fd/9 ]
}

# claim_link: takes the lock as a link, and sets $lock_file to it.
claim_link() {
    if [ -z "$own_link" ]; then
        ! rivals || return 1
        own_link=$lock_file.$(process $$)
        message=$(ln -s -- "$$" "$own_link" 2>&1) || {
            case $message in
                # It is left of a process that has ended, as every other of this name.
                *'File exists'*) ;;
                *) fail storage "$message" ;;
            esac
        }
    fi
    if rivals; then
        [ "$first" = yes ] || withdraw
        return 1
    fi
    # The file of flock means nothing here.
    [ ! -e "$lock_file" ] && [ ! -L "$lock_file" ] || rm -f "./$lock_file"
    lock_file=$own_link
    held=$PWD/$own_link
    # The script may end in another directory.
    trap 'rm -f "$held"' EXIT
}

# rivals: whether other processes that run have links; removes those of processes that have ended. Sets $first to whether the link of this
# process comes before the others.
rivals() {
    found=no
    first=no
    unseen=$own_link
    for word in $(linked); do
        if [ "$lock_file.$word" = "$own_link" ]; then
            unseen=
            [ "$found" = yes ] || first=yes
        elif runs "$word"; then
            found=yes
        else
            rm -f "./$lock_file.$word"
        fi
    done
    [ -z "$unseen" ] || fail storage "$here does not list the link $own_link that was created in it"
    [ "$found" = yes ]
}

# withdraw: removes the link of this process.
withdraw() {
    [ -z "$own_link" ] || rm -f "./$own_link"
    own_link=
}
