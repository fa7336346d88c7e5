# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034,SC3013

# The lock: one script at a time over a credential. The kernel ends the lock of flock with the process; BusyBox may come
# without it, then a symbolic link that names the process is the lock.

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

# claim_file: locks a file that nobody but the remote user can open.
claim_file() {
    if [ -L "$lock_file" ] && ! outlived; then
        return 1
    fi
    # In a subshell first: a redirection that fails would end the shell.
    message=$(exec 2>&1 && : <>"$lock_file") || {
        case $message in
            *'ermission denied'*) fail permission "the remote user may not open the lock $here/$lock_file" ;;
        esac
        fail storage "cannot open the lock $here/$lock_file: $message"
    }
    exec 9<>"$lock_file"
    if ! message=$(flock -n 9 2>&1); then
        # Of a lock that somebody holds it says nothing.
        [ -z "$message" ] || fail storage "cannot lock $here/$lock_file: $message"
        return 1
    fi
    # Who removed the credential has removed the lock with it.
    [ ! -e /proc/self/fd/9 ] || [ "$lock_file" -ef /proc/self/fd/9 ]
}

# claim_link: takes the lock that is a link. A link of a process that has ended counts for nothing.
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

# outlived: removes the lock that is a link, if its process has ended.
outlived() {
    abandoned || return 1
    # Whoever renames it first may remove it; if it was a new one meanwhile, it goes back.
    mv "$lock_file" "$lock_file.$$" 2>/dev/null || return 1
    renamed=$(readlink "$lock_file.$$")
    rm -f "$lock_file.$$"
    [ "$renamed" = "$other" ] || ln -s -- "$renamed" "$lock_file" 2>/dev/null
}
