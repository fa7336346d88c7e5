# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034,SC3013

# The lock: only one script at a time changes a credential. The kernel releases the lock of flock when the process ends. BusyBox may lack
# flock; then a symbolic link that names the process is the lock.

lock() {
    if command -v flock >/dev/null; then
        attempt=claim_file
    else
        attempt=claim_link
    fi
    tries=0
    until $attempt; do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || fail busy "another process has held the lock $here/$lock_file for $tries seconds"
        sleep 1
    done
}

# claim_file: locks a file that only the remote user can open.
claim_file() {
    if [ -L "$lock_file" ] && ! outlived; then
        return 1
    fi
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

# claim_link: takes the lock as a link. The link of a process that has ended is removed.
claim_link() {
    [ ! -f "$lock_file" ] || [ -L "$lock_file" ] || rm -f "$lock_file"
    if message=$(ln -s -- "$(process $$)" "$lock_file" 2>&1); then
        trap 'rm -f "$lock_file"' EXIT
        return
    fi
    case $message in
        *'File exists'*) ;;
        *) fail storage "$message" ;;
    esac
    outlived || return 1
    claim_link
}

# outlived: removes a lock that is a link whose process has ended.
outlived() {
    abandoned || return 1
    # Rename it first, so that only one process removes it. If it was the lock of another process by then, restore it.
    mv "$lock_file" "$lock_file.$$" 2>/dev/null || return 1
    renamed=$(readlink "$lock_file.$$")
    rm -f "$lock_file.$$"
    [ "$renamed" = "$other" ] || ln -s -- "$renamed" "$lock_file" 2>/dev/null
}
