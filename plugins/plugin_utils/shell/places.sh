# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Places: where a script may write. A directory counts as safe if nobody but root and the remote user can change what is in
# it or where its path leads. Every script looks at the path again and goes on from inside of the directory.

# unsafe DIRECTORY PROBLEM
unsafe() {
    fail unsafe_path "$place: the directory $1 $2, so its content can be swapped"
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
                here=${here%/*}
                continue
                ;;
        esac
        if [ -L "$here/$part" ]; then
            follow
        elif [ -d "$here/$part" ]; then
            here=$here/$part
        elif [ -e "$here/$part" ]; then
            fail unsafe_path "$place: $here/$part is no directory"
        else
            missing=/$part$rest
            break
        fi
    done
    [ -x "${here:-/}" ] || fail permission "$place: the remote user may not enter ${here:-/}"
}

# follow: goes on where the symbolic link $here/$part leads, if it is root's or the remote user's, in a safe directory.
follow() {
    links=$((links + 1))
    [ "$links" -le 16 ] || unsafe "$here/$part" "leads from one symbolic link to the next without end"
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

# guard DIRECTORY HOLDER: fails unless the directory, which exists and is named without symbolic links, is safe; with a HOLDER,
# it is to hold files itself. The directory is entered first, for good: what is looked at is where the work goes on, whatever its
# name led to before, and leads to after.
guard() {
    guarded=$1
    holder=$2
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
    # shellcheck disable=SC2046,SC2086 # words
    set -- $(ls -ldn $dots 2>/dev/null)
    for name in $dots; do
        # Permissions, links, user, group, size, a date of three words, name.
        [ "${9:-}" = "$name" ] || fail storage "ls cannot show the directory ${guarded:-/}"
        case $3 in
            0 | "$me") ;;
            *) unsafe "${guarded:-/}" "belongs to user $3" ;;
        esac
        case $1 in
            d*) ;;
            *) unsafe "${guarded:-/}" "is no directory" ;;
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
}

# enter FILE: makes the directory of the file the current one, as far as it exists, once it is safe; sets $here and $missing.
enter() {
    place=$1
    walk "${1%/*}"
    if [ -z "$missing" ]; then
        guard "$here" yes
    else
        guard "$here" ''
    fi
}

# home: enters the directory of the credential, as far as it exists; sets $stored_in to it, once all of it does. Whoever is in it
# already stays: it has been looked at, and what its name leads to now does not matter.
stored_in=
entered=
home() {
    if [ "$PWD" = "$entered" ]; then
        here=$home_here
        missing=$home_missing
    else
        enter "$path"
        at_home
    fi
}

# at_home: notes that the current directory is $here, where home leads to.
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

# make_directories: makes what is missing of the directory of the credential, one by one, and enters it.
make_directories() {
    rest=$missing
    while [ -n "$rest" ]; do
        part=${rest#/}
        part=${part%%/*}
        rest=${rest#"/$part"}
        # Only the file is the owner's: who can write the directory could swap the file while its owner is set.
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
