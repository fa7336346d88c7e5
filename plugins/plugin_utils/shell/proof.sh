# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Proof: checks before a change that it is possible. In check mode ($proof is yes) nothing is left behind.

# remember: sets a trap for the end of the script, which removes created directories. lock sets another trap, so set this one again then.
remember() {
    base=$here
    made=$missing
    held=
    trap put_back EXIT
}

put_back() {
    [ -z "$held" ] || unlock
    while [ -n "$made" ]; do
        rmdir "$base$made" 2>/dev/null
        made=${made%/*}
    done
}

# replaceable NAME: fails if a rename cannot replace the file, because it is a mount point or immutable. A hard link to it fails then, too.
# If the link fails for another reason, the check is inconclusive, as in check mode if an interrupted run has left a file of the link's name.
replaceable() {
    [ -f "./$1" ] && [ ! -L "./$1" ] || return 0
    link=.$1.check.new
    [ "$proof" = yes ] || drop "$link"
    if message=$(ln -- "./$1" "./$link" 2>&1); then
        try rm -f "./$link"
        return
    fi
    case $message in
        *ross-device*) ;;
        *'not permitted'*)
            # The message is the same on a file system without hard links, and for a file of another user.
            show "./$1"
            case $me:$shown_owner in
                0:* | "$me:$me":*) ;;
                *) return 0 ;;
            esac
            create "$link"
            has_links=yes
            ln -- "./$link" "./$link.link" 2>/dev/null || has_links=no
            rm -f "./$link" "./$link.link"
            [ "$has_links" = yes ] || return 0
            ;;
        *) return 0 ;;
    esac
    irreplaceable "$1"
}

# kept FILE OWNER GROUP MODE: fails if the file system has not stored the attributes that own has set. Names are not compared, only numbers.
kept() {
    half=$PWD/$1
    [ "$owned" = no ] || show "./$1"
    letters "$4"
    case $shown_mode in
        -"$letters"*) ;;
        *) fail storage "the file system of $here stores the permissions $shown_mode instead of -$letters" ;;
    esac
    case ${2:-$me}:${3:-$my_group} in
        *[!0-9:]*) ;;
        "$shown_owner") ;;
        *) fail storage "the file system of $here stores the owner $shown_owner instead of ${2:-$me}:${3:-$my_group}" ;;
    esac
    half=
}

# probe NAME OWNER GROUP MODE COMMAND...: stages the output of the command as it would be for NAME. In check mode, under another name if
# an interrupted run has left a staged file.
probe() {
    if [ "$proof" = yes ] && { [ -e ".$1.new" ] || [ -L ".$1.new" ]; }; then
        probed=$1.check
    else
        probed=$1
    fi
    probed_owner=$2
    probed_group=$3
    probed_mode=$4
    shift 4
    stage "$probed" "$probed_owner" "$probed_group" "$probed_mode" "$@"
    kept "$staged" "$probed_owner" "$probed_group" "$probed_mode"
}

# probe_credential: stages a probe as long as a credential can be, of a device that does not exist, which reserves the space. If $whole is
# no, the probe is empty.
probe_credential() {
    wanted_name=$device_name
    wanted_key=$product_key
    device_name=fleetops-probe-0123456789abcdefg
    product_key=fleetopsprobe0123456789abcdefghi
    device_secret=0123456789012345678901234567890123456789012345678901234567890123
    device_token=
    client_id=
    if [ "$wanted_kind" = token ]; then
        client_id=$device_secret
        device_token=$device_secret$device_secret$device_secret$device_secret
        device_secret=
    fi
    if [ "$whole" = yes ]; then
        compose
        probe "$file" "$owner" "$group" "$mode" credential_line
        half=$PWD/$staged
        read_back
        half=
    else
        probe "$file" "$owner" "$group" "$mode" :
    fi
    device_name=$wanted_name
    product_key=$wanted_key
}

# room OCTETS: prints so many octets.
room() {
    printf "%${1}s\n" '' | cat
}

# prove_exports NUMBER...: fails unless all of these exports can be written in their full size, together. Called in a subshell, which removes
# what it has written when it ends.
prove_exports() {
    probes=
    trap clear_probes EXIT
    for number do
        leave_for "$number"
        [ -z "$missing" ] || fail storage "cannot write $dest: its directory does not exist"
        printable "$number"
        replaceable "${dest##*/}"
        probe "${dest##*/}" "$stage_owner" "$stage_group" "$stage_mode" room "$size"
        probes="$probes$PWD/$staged
"
    done
    try clear_probes
    probes=
}

# clear_probes: removes the files in $probes, one a line.
clear_probes() {
    IFS='
'
    # shellcheck disable=SC2086 # lines
    [ -z "$probes" ] || rm -f $probes
}
