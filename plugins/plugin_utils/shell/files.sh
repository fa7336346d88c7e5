# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Writing: every file is created empty with mode 0600, filled, and renamed to its final name. All names are relative to the current
# directory, which enter has checked.

# A file that is never taken for a new credential: the probe of check mode beside a staged file that an interrupted run has left, or the copy
# with which attributes replaces the credential.
check_file=.$file.check.new

# letters MODE: sets $letters to the permissions as ls shows them: rw-r----- for 0640.
letters() {
    letters=
    digits=${1#0}
    while [ -n "$digits" ]; do
        case $digits in
            0*) letters=$letters--- ;;
            1*) letters=$letters--x ;;
            2*) letters=$letters-w- ;;
            3*) letters=$letters-wx ;;
            4*) letters=${letters}r-- ;;
            5*) letters=${letters}r-x ;;
            6*) letters=${letters}rw- ;;
            7*) letters=${letters}rwx ;;
        esac
        digits=${digits#?}
    done
}

# own FILE OWNER GROUP MODE: sets owner, group (names or numbers; the remote user's if empty) and mode. show was called for the file before.
# Sets $owned to whether anything was changed.
own() {
    owned=no
    letters "$4"
    if [ -n "$2$3" ] || [ "$shown_owner" != "$me:$my_group" ]; then
        owned=yes
        # With its old mode, the file might be readable for its new owner or group until it gets the new one.
        case $shown_mode in
            -"$letters"* | -rw-------*) ;;
            *)
                try chmod 0600 "./$1"
                shown_mode=-rw-------
                ;;
        esac
        try chown -h "${2:-$me}:${3:-$my_group}" "./$1"
    fi
    case $shown_mode in
        -"$letters"*) ;;
        *)
            owned=yes
            try chmod "$4" "./$1"
            ;;
    esac
}

# create FILE: creates the empty file, which must not exist. Only if that fails, a subshell finds out why. A redirection that fails would
# end the shell with : in place of true.
create() {
    set -C
    true 2>/dev/null >"./$1" || message=$(exec 2>&1 && : >"./$1") || fail storage "cannot write $here/$1: $message"
    set +C
}

# append FILE LINE...: appends the lines. Only if that fails, cat says why, which printf in some shells does not.
append() {
    appended=$1
    shift
    printf '%s\n' "$@" 2>/dev/null >>"./$appended" || {
        message=$(exec 2>&1 && printf '%s\n' "$@" | cat >>"./$appended")
        fail storage "cannot write $here/$appended: $message"
    }
}

# drop FILE...: removes the files that exist.
drop() {
    for dropped do
        if [ -e "./$dropped" ] || [ -L "./$dropped" ]; then
            try rm -f "./$dropped"
        fi
    done
}

# show FILE: sets $shown_mode and $shown_owner ("UID:GID") as ls has them.
show() {
    # shellcheck disable=SC2046 # the words of the answer are the parameters
    set -- $(ls -ldn "$1" 2>/dev/null)
    shown_mode=${1:-none}
    shown_owner=${3:-none}:${4:-none}
}

# attributes: sets owner and mode of the stored credential. It is written anew if it has an access control list, or if the remote user may
# not change its owner.
attributes() {
    if [ -L "./$file" ] || [ ! -f "./$file" ]; then
        fail unsafe_path "$here/$file is not a regular file"
    fi
    show "./$file"
    case $me:$shown_owner:$shown_mode in
        *+ | "$me:$me":* | 0:*) ;;
        *) shown_mode=other+ ;;
    esac
    case $shown_mode in
        *+)
            # Under the name of a new credential, the copy would be finished after an interruption, over a newer one.
            stage "$file.check" "$owner" "$group" "$mode" cat "./$file"
            promote "$staged" "$file"
            ;;
        *) own "$file" "$owner" "$group" "$mode" ;;
    esac
}

# credential_line: prints $certificate. cat reports why it cannot write, which echo in some shells does not.
credential_line() {
    echo "$certificate" | cat
}

# read_back: identifies the staged credential, and fails unless it has the size of $certificate and is of the device.
read_back() {
    identify "./$staged" "$((${#certificate} + 1))"
    wanted_device || fail storage "$here/$staged does not read back as it was written"
}

# listed: fails because the directory gives its files an access control list.
listed() {
    fail unsafe_path "$here gives its files an access control list (setfacl -b removes it)"
}

# stage NAME OWNER GROUP MODE COMMAND...: writes the output of the command to a new file beside NAME, and sets $staged to its name.
stage() {
    staged=.$1.new
    stage_owner=$2
    stage_group=$3
    stage_mode=$4
    shift 4
    [ ! -d "$staged" ] || fail unsafe_path "$here/$staged is a directory"
    drop "$staged"
    create "$staged"
    half=$PWD/$staged
    # The content is written last, when no umask or access control list of the directory lets others read it.
    show "./$staged"
    case $shown_mode in
        -*+) listed ;;
        -rw-------*) ;;
        -*)
            # BusyBox's ls does not mark the list, but a file that the umask did not restrict has one: it overrides the umask. A file
            # system without permissions has no list; there chmod has no effect either, which own or kept reports.
            chmod 0600 "./$staged" 2>/dev/null
            show "./$staged"
            case $shown_mode in
                -rw-------*) listed ;;
            esac
            ;;
        *) fail storage "ls cannot show $here/$staged" ;;
    esac
    # Open it before its mode is set, which may deny writing to its owner too, unless that is root.
    exec 8>>"./$staged"
    own "$staged" "$stage_owner" "$stage_group" "$stage_mode"
    message=$(exec 2>&1 && "$@" >&8) || {
        # Not every awk says why it cannot write.
        case $message in
            *'octets '*[!0-9]*) ;;
            *'octets '*) message="awk failed, as on a full disk" ;;
        esac
        fail storage "cannot write $here/$staged: $message"
    }
    exec 8>&-
    half=
}

# promote STAGED NAME [FILE]: renames the file to NAME, with a sync of it, and of FILE, before, and of the directory after.
promote() {
    if [ -d "./$2" ] || [ -L "./$2" ]; then
        fail unsafe_path "$here/$2 is a directory or a symbolic link"
    fi
    try sync "./$1" ${3:+"./$3"}
    message=$(mv -f "./$1" "./$2" 2>&1) || {
        case $message in
            *' busy'* | *'not permitted'*) irreplaceable "$2" ;;
        esac
        fail storage "$message"
    }
    # The file under the new name must be the staged one.
    [ ! -e "./$1" ] && [ -f "./$2" ] || fail storage "mv did not rename $here/$1"
    if [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null; then
        restorecon "$PWD/$2"
    fi
    try sync .
}

# irreplaceable NAME: fails with the reason why a rename cannot replace the file.
irreplaceable() {
    fail storage "cannot replace $here/$1: it is mounted by itself (findmnt), or immutable (lsattr)"
}

# printable NUMBER: fails if printf cannot get the export as one argument: that of a program is limited to 128 KiB.
printable() {
    eval "size=\$export_${1}_size"
    [ "$size" -le 100000 ] || [ "$(command -v printf)" = printf ] ||
        fail missing_tool "the gateway's shell has no builtin printf, which an export as long as $dest needs"
}

# write_exports NUMBER...: writes each export with the output of the function export_NUMBER.
write_exports() {
    for number do
        leave_for "$number"
        [ -z "$missing" ] || fail storage "cannot write $dest: its directory does not exist"
        printable "$number"
        drop ".${dest##*/}.check.new"
        stage "${dest##*/}" "$stage_owner" "$stage_group" "$stage_mode" "export_$number"
        half=$PWD/$staged
        size_of "./$staged"
        octets=${message##*octets }
        [ -n "$octets" ] || fail storage "cannot write $here/$staged: ${message%octets *}"
        [ "$octets" = "$size" ] || fail storage "cannot write $here/$staged: it has $size octets instead of $octets, as on a full disk"
        half=
        promote "$staged" "${dest##*/}"
        home
    done
}

# wanted_device: whether $identity is a credential of the device, of the kind that the task asks for.
wanted_device() {
    case $wanted_kind in
        secret) [ "${identity#* }" = "$product_key $device_name" ] ;;
        *) [ "${identity#* }" = "$product_key $device_name $wanted_kind" ] ;;
    esac
}

# discard_staged: removes the staged file. Fails if it is the wanted credential, since that may be the only valid one.
discard_staged() {
    identify "./$new"
    if wanted_device; then
        fail storage "$here/$new is a credential of $device_name that an interrupted run left; it is kept"
    fi
    drop "$new" "$check_file"
}

# mine: whether the journal is this run's. Sets $line to its first line.
mine() {
    line=
    if [ -f "$journal_file" ] && [ ! -L "$journal_file" ]; then
        read -r line <"$journal_file"
    fi
    case "$line " in
        *" token=$token "*) return 0 ;;
    esac
    return 1
}

# ours: ends the script with the outcome lost, unless the journal is this run's. Sets $line to its first line.
ours() {
    mine || say lost
    spare=$PWD/$spare_file
}

# write_lines FILE LINE...: replaces the file by these lines; the old one stays until the new one is complete.
write_lines() {
    written=$1
    shift
    drop "$written.new"
    create "$written.new"
    half=$PWD/$written.new
    append "$written.new" "$@"
    half=
    promote "$written.new" "$written"
}

# write_journal LINE...
write_journal() {
    write_lines "$journal_file" "$@"
}

# note_due: writes the note that handlers, such as a restart, have to run after the change of this run.
note_due() {
    write_lines "$due_file" "2 token=$token"
}

# replaced_journal: prints the lines of the journal that this run's has replaced, without a lease.
replaced_journal() {
    while read -r word rest; do
        case $word:$rest in
            journal:*" ttl="*) echo "${rest% ttl=*} ttl=0" ;;
            journal:*) echo "$rest" ;;
        esac
    done <"$journal_file"
}

# open_journal INTENT OVER [LINES]: takes the lease.
open_journal() {
    clock
    first="2 token=$token intent=$1 over=$2 product_key=$product_key device_name=$device_name boot=$boot taken=$uptime ttl=$ttl"
    write_journal "$first" ${3:+"$3"}
}

# close_journal: ends the change. If handlers have to run after it, the journal becomes the note of that, in one rename.
close_journal() {
    if [ "$follows" = yes ]; then
        try mv -f "./$journal_file" "./$due_file"
    else
        drop "$journal_file" "$journal_file.new"
    fi
    try sync .
}
