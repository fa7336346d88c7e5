# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# The state: all that a decision depends on, without values that change by themselves.

# readable FILE SIZE: identifies the file; $identity is "denied" if the remote user may not read it.
readable() {
    # The last condition: another run may have removed it meanwhile.
    if [ -f "$1" ] && [ ! -r "$1" ] && [ -e "$1" ]; then
        identity=denied
    else
        identify "$1" ${2:+"$2"}
    fi
}

# full DATABASE NUMBER NAME: sets $account to the name of the user (passwd) or group with this number, which ls shows as NAME; to "-" if it
# is unknown or cannot be shown. BusyBox's ls cuts names to 8 characters, so only a name of this length is looked up.
full() {
    account=$3
    case $account in
        ????????)
            account=$(awk -F: -v "number=$2" '$3 == number { print $1; exit }' "$accounts/$1" 2>/dev/null)
            if [ -z "$account" ] && command -v getent >/dev/null; then
                # An account of a directory service.
                account=$(getent "$1" "$2" 2>/dev/null)
                account=${account%%:*}
            fi
            ;;
    esac
    account "$account"
}

# entry NUMBER FILE [WORD...]: prints "entry NUMBER PERMISSIONS UID GID SIZE USER GROUP" if the file exists; "-" for a name that cannot be
# shown. The words are what ls has just said of the file, if it has been asked. Sets $entry_size.
entry() {
    number_of=$1
    entry_size=
    name_of=$2
    shift 2
    if [ $# -lt 5 ]; then
        [ -e "$name_of" ] || [ -L "$name_of" ] || return 0
        # shellcheck disable=SC2046 # the words of the answer are the parameters
        set -- $(ls -ldn "$name_of" 2>/dev/null)
        if [ $# -lt 5 ]; then
            # Another run may have removed it meanwhile.
            [ -e "$name_of" ] || [ -L "$name_of" ] || return 0
            fail storage "ls cannot show $here/$name_of"
        fi
    fi
    numbers="$1 $3 $4 $5"
    entry_size=$5
    if [ "$3:$4" = "$me:$my_group" ]; then
        echo "entry $number_of $numbers $my_name $my_group_name"
        return
    fi
    # shellcheck disable=SC2046
    set -- "$3" "$4" "$5" $(ls -ld "$name_of" 2>/dev/null)
    if [ $# -ge 8 ] && [ "$8" = "$3" ]; then
        full passwd "$1" "$6"
        numbers="$numbers $account"
        full group "$2" "$7"
        echo "entry $number_of $numbers $account"
    else
        echo "entry $number_of $numbers - -"
    fi
}

# permanent CARD: whether it is a network card of the gateway itself with a permanent address: not a modem or adapter on USB, and not a
# random address or one copied from another card.
permanent() {
    [ -e "$1/device" ] && [ ! -e "$1/device/bInterfaceNumber" ] || return 1
    assigned=0
    read -r assigned 2>/dev/null <"$1/addr_assign_type"
    [ "${assigned:-0}" = 0 ]
}

# hardware_name: prints the DeviceName from the hardware; "?" for a value that the controller would not accept (HARDWARE_NAME in _gate.py).
# $sysfs is another path in tests.
hardware_name() {
    value=
    case $device_name_from in
        mac)
            if [ -n "$device_name_interface" ]; then
                read -r value 2>/dev/null <"$sysfs/class/net/$device_name_interface/address"
            else
                set +f
                for card in "$sysfs"/class/net/*; do
                    permanent "$card" && read -r value 2>/dev/null <"$card/address" && [ -n "$value" ] && break
                    value=
                done
                set -f
            fi
            ;;
        serial)
            for source in "$sysfs/firmware/devicetree/base/serial-number" "$sysfs/class/dmi/id/product_serial"; do
                [ -r "$source" ] && value=$(tr -d '\000' <"$source") && [ -n "$value" ] && break
            done
            ;;
    esac
    # Firmware pads serial numbers with blanks.
    value=${value#"${value%%[![:space:]]*}"}
    value=${value%"${value##*[![:space:]]}"}
    case $value in
        *[!\ -~]*) value="?" ;;
    esac
    [ "${#value}" -le 64 ] || value="?"
    printf 'hardware_name %s\n' "$value"
}

# journal_lines: prints the open change, line by line, without the lines of the journal that it has replaced.
journal_lines() {
    [ -e "$journal_file" ] || [ -L "$journal_file" ] || return 0
    known=
    size_of "$journal_file"
    if [ -f "$journal_file" ] && [ ! -L "$journal_file" ] && [ "$size" -le "$longest_credential" ]; then
        while read -r journal_line; do
            case $journal_line in
                "journal "*) continue ;;
                *[!A-Za-z0-9_.:@=/\ -]*) journal_line=garbled ;;
            esac
            echo "journal $journal_line"
            known=yes
        done <"$journal_file" 2>/dev/null
    fi
    if [ -z "$known" ] && { [ -e "$journal_file" ] || [ -L "$journal_file" ]; }; then
        echo "journal garbled"
    fi
}

# due_token: sets $due to the token of the run whose handlers have not run, to "unknown" if it cannot be read, or to nothing if there is
# none.
due_token() {
    due=
    [ -e "./$due_file" ] || [ -L "./$due_file" ] || return 0
    if [ -f "./$due_file" ] && [ ! -L "./$due_file" ]; then
        read -r due 2>/dev/null <"./$due_file"
        [ -e "./$due_file" ] || [ -n "$due" ] || return 0
    fi
    case "$due " in
        *" token="*) due=${due#* token=} due=${due%% *} ;;
    esac
    case $due in
        *[!0-9a-f]*) due=unknown ;;
        ????????????????) ;;
        *) due=unknown ;;
    esac
}

# state [IDENTITY]: prints the state; IDENTITY is that of the credential, if it has just been read.
state() {
    echo "uid $me"
    echo "gid $my_group"
    home
    echo "path $here$missing/$file"
    credential=-
    if [ -z "$missing" ]; then
        # shellcheck disable=SC2086 # words
        entry 0 "./$file" $shown
        identity=${1:-}
        [ -n "$identity" ] || readable "./$file" "$entry_size"
        credential=$identity
        echo "credential $identity"
        readable "./$new" ''
        echo "staged $identity"
        for left in "$new" ".$file.check.new" "$journal_file.new" "$due_file.new"; do
            [ ! -e "$left" ] && [ ! -L "$left" ] || echo leftover
        done
        journal_lines
        due_token
        [ -z "$due" ] || echo "due $due"
    else
        echo "credential -"
        echo "staged -"
    fi
    number=0
    while [ "$number" -lt "$export_count" ]; do
        number=$((number + 1))
        # In a subshell, which may fail or change the directory without affecting the next.
        (export_state) || exit 3
    done
    [ "$device_name_from" = inventory_hostname ] || hardware_name
}

# export_state: prints the state of export $number.
export_state() {
    leave_for "$number"
    echo "place $number $dest"
    [ -z "$missing" ] || return 0
    name=${dest##*/}
    # shellcheck disable=SC2086 # words
    entry "$number" "./$name" $shown
    for left in ".$name.new" ".$name.check.new"; do
        [ ! -e "$left" ] && [ ! -L "$left" ] || echo leftover
    done
    case $credential in
        - | denied) return 0 ;;
    esac
    if [ -f "./$name" ] && [ ! -L "./$name" ] && [ -r "./$name" ]; then
        size_of "./$name" "$entry_size"
        if [ "$size" -le "$longest_export" ]; then
            echo "export $number $(swap "$stored_in/$file" "./$name" | sha256sum)"
        fi
    fi
}

# unchanged: ends with the outcome stale and the state, unless the state is the one that the controller decided on.
unchanged() {
    now=$(state) || {
        printf '%s\n' "$now"
        exit 3
    }
    [ "$now" = "$expected" ] && return
    printf '%s\n' "$now"
    say stale
}
