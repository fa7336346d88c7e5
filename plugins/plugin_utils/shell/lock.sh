# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# The lock: only one script at a time changes a credential. Each script creates an empty file of its own, whose name identifies its
# process, and has the lock if it then finds no such file of another process that runs:
# - Of two scripts, one creates its file last, and looks for others only after that. It sees the other's file, so not both go on.
# - A file is removed by its own process, or by others once that process has ended. No later process has the same name. So nobody removes
#   the lock of a process that runs, however long ago it was looked for.
# - A process that is killed, at whatever step, leaves at most its own file, which no longer counts.
# - Of several scripts that see each other, the first in the order of the names keeps its file, and gets the lock. The others create none
#   as long as they see one.
# All scripts use this lock and no other, whatever tools they find: flock, which BusyBox may lack, would not exclude scripts without it.

# The file of this process, once it exists.
own_lock=
# The file that was the lock of begin, or of store if settle follows. On a full disk, the next script makes it its own lock. The script that
# continues the change sets $spare, and removes it at its end.
spare_file=.$file.spare
spare=

lock() {
    tries=0
    until claim; do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || {
            withdraw
            pid=${rival#*.}
            fail busy "process ${pid%%.*} has held the lock $here/$lock_file.$rival for $tries seconds"
        }
        sleep 1
    done
    # The script may end in another directory.
    held=$PWD/$own_lock
    trap unlock EXIT
}

# unlock: releases the lock at the end of the script.
unlock() {
    rm -f "$held" ${spare:+"$spare"}
}

# leave_spare: releases the lock, and keeps its file for the next script of the change.
leave_spare() {
    try mv -f "./$own_lock" "./$spare_file"
    trap - EXIT
}

# claim: whether this process has got the lock.
claim() {
    if [ -z "$own_lock" ]; then
        ! rivals || return 1
        # $$ is another number if /proc is that of another PID namespace.
        self=$$
        read -r self _ 2>/dev/null <"$proc/self/stat"
        own_lock=$lock_file.$(process "$self")
        # An existing file is left of a process that has ended, as every other of this name. The message is the same in every run.
        true 2>/dev/null >"./$own_lock" || mv -f "./$spare_file" "./$own_lock" 2>/dev/null || {
            # A run in check mode has removed the directory, which it had created.
            [ -d "$PWD" ] || say stale
            message=$(exec 2>&1 && : >"./$own_lock") || fail storage "cannot create the lock $here/$lock_file: ${message##*: }"
        }
    fi
    rivals || return 0
    [ "$first" = yes ] || withdraw
    return 1
}

# rivals: whether other processes that run have files; removes those of processes that have ended. Sets $first to whether the file of this
# process comes before the others, and $rival to one of the others.
rivals() {
    found=no
    first=no
    unseen=$own_lock
    for word in $(lockers); do
        if [ "$lock_file.$word" = "$own_lock" ]; then
            unseen=
            [ "$found" = yes ] || first=yes
        elif runs "$word"; then
            found=yes
            rival=$word
        else
            rm -f "./$lock_file.$word"
        fi
    done
    [ -z "$unseen" ] || fail storage "$here does not list the file of the lock that was created in it"
    [ "$found" = yes ]
}

# withdraw: removes the file of this process.
withdraw() {
    [ -z "$own_lock" ] || rm -f "./$own_lock"
    own_lock=
}
