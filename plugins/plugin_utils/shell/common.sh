# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# The beginning of every script. The controller puts assignments before it (path, owner, ...) and one of look, begin, store,
# finish, mend, settle, abandon, remove or login behind it, and sends the whole on standard input to a POSIX shell.
# A secret is only ever in a variable that is not exported, in a pipe, or in the file it belongs to: it is
# printed with echo, a builtin of every shell, so that no command line holds it.

set -fu
umask 077
LC_ALL=C
export LC_ALL
# What would change the columns of ls.
unset CDPATH TIME_STYLE QUOTING_STYLE BLOCK_SIZE LS_BLOCK_SIZE BLOCKSIZE

# say OUTCOME: the last line of every answer; without it the answer is incomplete.
say() {
    echo "fleetops-end $1"
    exit 0
}

# fail KIND TEXT: removes what was half staged. The exit code tells a subshell's caller. A text that names no place gets one, and what
# another user than root may not do is no failure of the storage.
half=
fail() {
    [ -z "$half" ] || rm -f "$half"
    kind=$1
    case $me:$1:$2 in
        0:*) ;;
        *:storage:*'ermission denied'* | *:storage:*'not permitted'*) kind=permission ;;
    esac
    case $2 in
        *[!.]/*) said=$2 ;;
        *) said="${place:-$path}: $2" ;;
    esac
    printf 'error %s %s\n' "$kind" "$(printf '%s' "$said" | tr -s '\n' ' ')"
    echo "fleetops-end failed"
    exit 3
}

# try COMMAND...: a failure of the command is a failure of the storage.
try() {
    message=$("$@" 2>&1) || fail storage "$message"
}

# clock: sets $boot and $uptime (seconds), which no change of the date moves. Where there is no /proc, the date has to do.
clock() {
    boot=-
    uptime=
    read -r boot 2>/dev/null <"$proc/sys/kernel/random/boot_id"
    read -r uptime _ 2>/dev/null <"$proc/uptime"
    uptime=${uptime%%.*}
    [ -n "$uptime" ] || uptime=$(date +%s)
}

# process PID: prints what tells it from every other process, before and after.
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

# abandoned: whether the lock is a link whose process has ended; sets $other to what it names.
abandoned() {
    other=$(readlink "$lock_file" 2>/dev/null) || return 1
    number=${other#*/}
    number=${number%%/*}
    if [ "$other" = "$(process "$number")" ]; then
        # Without /proc nobody knows when it started; then it has ended if its number is free.
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
