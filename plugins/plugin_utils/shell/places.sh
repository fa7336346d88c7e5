# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Places: directories that a script may write in. A directory is safe if only root and the remote user can change its content and the
# directories and links on its path. Every script checks the path again, and then works from inside of the directory.

# unsafe DIRECTORY PROBLEM
unsafe() {
    fail unsafe_path "$place: the directory $1 $2, so other users could replace the files in it"
}

# walk DIRECTORY: sets $here to it without symbolic links, as far as it exists, and $missing to the rest.
walk() {
    here=
    missing=
    rest=$1
    links=0
    while :; do
        rest=${rest#"${rest%%[!/]*}"}
        [ -n "$rest" ] || break
        part=${rest%%/*}
        rest=${rest#"$part"}
        case $part in
            .) continue ;;
            ..)
                [ -z "$missing" ] || fail unsafe_path "$place: a symbolic link leads to .. of $here$missing, which does not exist"
                here=${here%/*}
                continue
                ;;
        esac
        if [ -n "$missing" ]; then
            missing=$missing/$part
        elif [ -L "$here/$part" ]; then
            follow
        elif [ -d "$here/$part" ]; then
            here=$here/$part
        elif [ -e "$here/$part" ] && [ ! -d "$here/$part" ]; then
            fail unsafe_path "$place: $here/$part is not a directory"
        else
            missing=/$part
        fi
    done
    [ -x "${here:-/}" ] || fail permission "$place: the remote user may not enter ${here:-/}"
}

# follow: continues at the target of the symbolic link $here/$part, if it belongs to root or the remote user, in a safe directory.
follow() {
    links=$((links + 1))
    [ "$links" -le 16 ] || unsafe "$here/$part" "leads through too many symbolic links"
    guard "$here" ''
    # shellcheck disable=SC2046 # the words of the answer are the parameters
    set -- $(ls -ldn "./$part" 2>/dev/null)
    case ${3:-} in
        0 | "$me") ;;
        *) unsafe "$here/$part" "is a symbolic link of user ${3:-unknown}" ;;
    esac
    target=$(readlink "./$part") || fail storage "cannot read the symbolic link $here/$part"
    case $target in
        '' | *[!A-Za-z0-9._@:+=,~\ /-]*) unsafe "$here/$part" "is a symbolic link to a name with characters that are not allowed" ;;
        /*)
            rest=$target$rest
            here=
            ;;
        *) rest=/$target$rest ;;
    esac
}

# guard DIRECTORY HOLDER: enters the directory, which exists and is named without symbolic links, and fails unless it is safe. If HOLDER
# is yes, files are written in it, so only its owner may write to it, and it must not have an access control list. The directory is
# entered before it is checked, so that the checked directory is the one that is used, even if its name leads elsewhere later. Sets $shown
# to what ls says of the file $place in it, if HOLDER is yes and the file exists.
guard() {
    guarded=$1
    holder=$2
    beside=
    [ -z "$holder" ] || beside=./${place##*/}
    cd -P "${guarded:-/}" || fail permission "$place: the remote user may not enter ${guarded:-/}"
    [ "$PWD" = "${guarded:-/}" ] || unsafe "${guarded:-/}" "became a symbolic link"
    dots=.
    up=
    left=$1
    while [ -n "$left" ]; do
        dots="$dots $up.."
        up=$up../
        left=${left%/*}
    done
    # The file comes last, because ls sorts the names.
    # shellcheck disable=SC2046,SC2086 # words
    set -- $(ls -ldn $dots ${beside:+"$beside"} 2>/dev/null)
    for name in $dots; do
        # Permissions, links, user, group, size, a date of three words, name.
        [ "${9:-}" = "$name" ] || fail storage "ls cannot show the directory ${guarded:-/}"
        case $3 in
            0 | "$me") ;;
            *) unsafe "${guarded:-/}" "belongs to user $3" ;;
        esac
        case $1 in
            d*) ;;
            *) unsafe "${guarded:-/}" "is not a directory" ;;
        esac
        case $holder$1 in
            yesd*+) unsafe "$guarded" "has an access control list (setfacl -b removes it)" ;;
            yesd????w* | yesd???????w*) unsafe "$guarded" "can be written by others than its owner ($1)" ;;
            d????????[tT]*) ;;
            d???????w*) unsafe "${guarded:-/}" "can be written by everyone ($1)" ;;
            d????w*+) unsafe "${guarded:-/}" "can be written by others than its owner ($1)" ;;
            d????w*) [ "$4" = 0 ] || unsafe "${guarded:-/}" "can be written by the group $4 ($1)" ;;
        esac
        holder=
        guarded=${guarded%/*}
        shift 9
    done
    shown=$*
}

# enter FILE: enters the directory of the file, as far as it exists, if it is safe; sets $here and $missing.
enter() {
    place=$1
    walk "${1%/*}"
    if [ -z "$missing" ]; then
        guard "$here" yes
    else
        guard "$here" ''
    fi
}

# home: enters the directory of the credential, as far as it exists; sets $stored_in to it if all of it exists. If the script is in it
# already, it stays: the directory has been checked, and its name may lead elsewhere by now. $shown is empty then.
stored_in=
entered=none # $PWD is empty in a directory that is removed
home() {
    if [ "$PWD" = "$entered" ]; then
        here=$home_here
        missing=$home_missing
        shown=
    else
        enter "$path"
        at_home
    fi
}

# at_home: records that the current directory is $here, the credential's.
at_home() {
    entered=$PWD
    home_here=$here
    home_missing=$missing
    [ -n "$missing" ] || stored_in=$here
}

# leave_for NUMBER: enters the directory of an export; sets $dest to its place without symbolic links, and $stage_owner, ...
leave_for() {
    eval "dest=\$export_${1}_dest stage_owner=\${export_${1}_owner:-} stage_group=\${export_${1}_group:-} stage_mode=\${export_${1}_mode:-}"
    enter "$dest"
    dest=$here$missing/${dest##*/}
}

# make_directories: creates the missing directories on the path of the credential, one by one, and enters the last.
make_directories() {
    rest=$missing
    while [ -n "$rest" ]; do
        part=${rest#/}
        part=${part%%/*}
        rest=${rest#"/$part"}
        # The directory does not get the owner of the file, who could then replace the file while its owner is set.
        message=$(mkdir -m 0755 "./$part" 2>&1) || [ -d "./$part" ] || fail storage "$message"
        here=$here/$part
        if [ -n "$rest" ]; then
            guard "$here" ''
        else
            guard "$here" yes
        fi
    done
    missing=
    at_home
}
