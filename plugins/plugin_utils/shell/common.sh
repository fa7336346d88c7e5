# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# The beginning of every script. The controller puts assignments (path, owner, ...) before it, and look, begin, store, finish, repair, settle,
# abandon, remove or login after it, and sends the result to the standard input of a POSIX shell.
# A secret is only in variables that are not exported, in pipes, and in its file. It is printed with echo or printf where they are builtins,
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
# of a subshell. A text without a path gets one in front. If the user is not root, a denied permission is not of the kind storage.
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
    # Without tr if possible, since the cause may be that no program can be started.
    case $text in
        *'
'*) text=$(printf '%s' "$text" | tr -s '\n' ' ') ;;
    esac
    printf 'error %s %s\n' "$kind" "$text"
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

# process PID: prints a word for the process that no other process ever has: BOOT+FIRST.PID.START. FIRST is when the first process of the
# PID namespace started, such as that of a container. Without /proc its start is unknown; then it is the present time, with an s before it.
process() {
    clock
    started 1
    first_start=$start
    started "$1"
    [ "$start" != - ] || start=s$uptime
    echo "$boot+$first_start.$1.$start"
}

# runs WORD: whether the process with this word still runs. If its start is unknown, another process may have its number by now. But no
# script runs for an hour. A process of another PID namespace is not visible here, so it counts as running for ten minutes after its start.
runs() {
    pid=${1#*.}
    pid=${pid%%.*}
    case $1 in
        *.s*)
            kill -0 "$pid" 2>/dev/null || return 1
            clock
            [ "${1##*.s}" -gt "$((uptime - 3600))" ] && [ "${1##*.s}" -lt "$((uptime + 3600))" ]
            ;;
        *)
            same=$(process "$pid")
            [ "$1" != "$same" ] || return 0
            [ "${1%%+*}" = "${same%%+*}" ] && [ "${1%%.*}" != "${same%%.*}" ] || return 1
            clock
            since=${1##*.}
            since=${since%??} # of 100 ticks a second
            [ "${since:-0}" -gt "$((uptime - 600))" ] && [ "${since:-0}" -lt "$((uptime + 600))" ]
            ;;
    esac
}

# started PID: sets $start to when the process started, in the kernel's ticks, or to "-" if there is none, or if it is a zombie
# (state Z or X).
started() {
    start=-
    if read -r words 2>/dev/null <"$proc/$1/stat"; then
        # shellcheck disable=SC2086 # the fields behind the command's name
        set -- ${words##*') '}
        case $1 in
            [ZX]) ;;
            *) start=${20:--} ;;
        esac
    fi
}

# lockers: prints the words of the processes that have files of the lock (lock.sh), in their order. Called in a subshell.
lockers() {
    set +f
    for word in "$lock_file".*; do
        [ -f "$word" ] || continue
        word=${word#"$lock_file".}
        # Files of a credential or an export that is named like the lock are none of these.
        case $word in
            *.*.*.*) ;;
            *.*.*[0-9]) echo "$word" ;;
        esac
    done
}

# abandoned: whether a process that has ended has left its file of the lock. A process that has removed it meanwhile has ended properly.
abandoned() {
    [ -z "$missing" ] || return 1
    for word in $(lockers); do
        runs "$word" || [ ! -e "./$lock_file.$word" ] || return 0
    done
    return 1
}

# account NAME: sets $account to the name of a user or group, or to "-" if the controller would not accept it (ACCOUNT in _gate.py).
account() {
    account=$1
    case $1 in
        '' | -* | *[!A-Za-z0-9_.@$\\-]*) account=- ;;
    esac
    [ "${#1}" -le 256 ] || account=-
}

# account_in TEXT: sets $account to the name in "NUMBER(NAME)" or "NUMBER(NAME) ...", or to "-".
account_in() {
    account=${1#"${1%%[!0-9]*}"}
    case $account in
        "("*")"*)
            account=${account#"("}
            account=${account%%") "*}
            account "${account%")"}"
            ;;
        *) account=- ;;
    esac
}

# uid=0(root) gid=0(root) ...
numbers=$(id)
me=${numbers#uid=}
my_group=${numbers#* gid=}
account_in "$me"
my_name=$account
account_in "$my_group"
my_group_name=$account
me=${me%%[!0-9]*}
my_group=${my_group%%[!0-9]*}
file=${path##*/}
new=.$file.new
journal_file=.$file.journal
due_file=.$file.due
lock_file=.$file.lock
