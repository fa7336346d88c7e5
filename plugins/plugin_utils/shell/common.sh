# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# The beginning of every script. The controller puts assignments (path, owner, ...) before it, and look, begin, store, finish, mend, settle,
# abandon, remove or login after it, and sends the result to the standard input of a POSIX shell.
# A secret is only in variables that are not exported, in pipes, and in its file. It is printed with echo, a builtin of every shell,
# so that no command line contains it.

set -fu
umask 077
LC_ALL=C
export LC_ALL
# These variables would change the columns of ls.
unset CDPATH TIME_STYLE QUOTING_STYLE BLOCK_SIZE LS_BLOCK_SIZE BLOCKSIZE

# say OUTCOME: the last line of every answer; without it the answer is incomplete.
say() {
    echo "fleetops-end $1"
    exit 0
}

# fail KIND TEXT: ends the script with an error, and removes an incomplete staged file. The exit code reports the failure to the caller
# of a subshell. A text without a path gets one in front. For another user than root, a denied permission is not of kind storage.
half=
fail() {
    [ -z "$half" ] || rm -f "$half"
    kind=$1
    case $me:$1:$2 in
        0:*) ;;
        *:storage:*'ermission denied'* | *:storage:*'not permitted'*) kind=permission ;;
    esac
    case $2 in
        *[!.]/*) text=$2 ;;
        *) text="${place:-$path}: $2" ;;
    esac
    printf 'error %s %s\n' "$kind" "$(printf '%s' "$text" | tr -s '\n' ' ')"
    echo "fleetops-end failed"
    exit 3
}

# try COMMAND...: fails with the kind storage if the command fails.
try() {
    message=$("$@" 2>&1) || fail storage "$message"
}

# clock: sets $boot and $uptime (seconds), which do not depend on the date. Without /proc, $uptime is the date in seconds.
clock() {
    boot=-
    uptime=
    read -r boot 2>/dev/null <"$proc/sys/kernel/random/boot_id"
    read -r uptime _ 2>/dev/null <"$proc/uptime"
    uptime=${uptime%%.*}
    [ -n "$uptime" ] || uptime=$(date +%s)
}

# process PID: prints an ID of the process that no other process ever has.
process() {
    clock
    started "$1"
    echo "$boot/$1/$start"
}

# started PID: sets $start to when the process started, in the kernel's ticks, or to "-" if there is none, or if it is a zombie
# (state Z or X).
started() {
    start=-
    if read -r words 2>/dev/null <"$proc/$1/stat"; then
        # shellcheck disable=SC2086 # the fields behind the command's name
        set -- ${words##*) }
        case $1 in
            [ZX]) ;;
            *) start=${20} ;;
        esac
    fi
}

# abandoned: whether the lock is a link whose process has ended; sets $other to the link's target.
abandoned() {
    other=$(readlink "$lock_file" 2>/dev/null) || return 1
    number=${other#*/}
    number=${number%%/*}
    if [ "$other" = "$(process "$number")" ]; then
        # Without /proc its start is unknown; then it has ended if its number is free.
        [ "${other##*/}" = - ] && ! kill -0 "$number" 2>/dev/null || return 1
    fi
}

# name_in TEXT: sets $name to the name in "NUMBER(NAME)..."; "-" if there is none, or one that has blanks in it.
name_in() {
    name=${1#"${1%%[!0-9]*}"}
    case $name in
        "("*")"*)
            name=${name#"("}
            name=${name%%")"*}
            ;;
        *) name= ;;
    esac
    case $name in
        '' | *[!!-~]*) name=- ;;
    esac
}

# uid=0(root) gid=0(root) ...
numbers=$(id)
me=${numbers#uid=}
my_group=${numbers#* gid=}
name_in "$me"
my_name=$name
name_in "$my_group"
my_group_name=$name
me=${me%%[!0-9]*}
my_group=${my_group%%[!0-9]*}
file=${path##*/}
new=.$file.new
journal_file=.$file.journal
due_file=.$file.due
lock_file=.$file.lock
