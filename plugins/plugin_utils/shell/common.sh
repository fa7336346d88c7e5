# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# What every script starts with. The controller puts assignments before it (path, owner, ...) and one of
# look, begin, install, abandon or remove behind it, and sends the whole on standard input to a POSIX shell.
# A secret is only ever in a variable that is not exported, in a pipe, or in the file it belongs to: it is
# printed with echo, a builtin of every shell, so that no command line holds it.

set -fu
umask 077
LC_ALL=C
export LC_ALL
unset CDPATH

# say OUTCOME: the last line of every answer; without it the answer is incomplete.
say() {
    echo "fleetops-end $1"
    exit 0
}

# fail KIND TEXT: removes what was half staged.
half=
fail() {
    [ -z "$half" ] || rm -f "$half"
    printf 'error %s %s\n' "$1" "$(printf '%s' "$2" | tr -s '\n' ' ')"
    say failed
}

# try COMMAND...: a failure of the command is a failure of the storage.
try() {
    message=$("$@" 2>&1) || fail storage "$message"
}

# resolve DIRECTORY: sets $resolved to it without symbolic links, as far as it exists.
resolve() {
    near=$1
    rest=
    while [ -n "$near" ] && [ ! -d "$near" ]; do
        rest=/${near##*/}$rest
        near=${near%/*}
    done
    resolved=$(cd -P "${near:-/}" 2>/dev/null && pwd -P) || {
        echo "denied $near"
        resolved=$near
    }
    resolved=${resolved%/}$rest
}

# clock: sets $boot and $uptime (seconds), which no change of the date moves.
clock() {
    boot=-
    uptime=0
    read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id
    read -r uptime _ 2>/dev/null </proc/uptime
    uptime=${uptime%%.*}
}

# started PID: sets $start to when the process started, in the kernel's ticks, or to "-" if there is none, or only
# its corpse: where nobody reaps, a dead process keeps its number.
started() {
    start=-
    if read -r line 2>/dev/null <"/proc/$1/stat"; then
        # shellcheck disable=SC2086 # the fields behind the command's name
        set -- ${line##*) }
        case $1 in
            [ZX]) ;;
            *) start=${20} ;;
        esac
    fi
}

# locate: sets the places that belong to the credential.
locate() {
    resolve "${path%/*}"
    path=$resolved/${path##*/}
    new=$resolved/.${path##*/}.new
    journal_file=$resolved/.${path##*/}.journal
    directory=${resolved:-/}
}

# identify FILE: sets $identity to "FINGERPRINT PRODUCT_KEY DEVICE_NAME", with " token" behind it if there is a device
# token instead of a DeviceSecret, or to "-" if it is no credential.
identify() {
    # shellcheck disable=SC2046 # the words of the answer are the parameters
    set -- $(awk -F'"' '
        function identified(key, name, secret, kind) {
            if (name !~ /^[A-Za-z0-9_.:@-]+$/ || key !~ /^[A-Za-z0-9_-]+$/ || !plain(secret)) return
            names = key " " name kind
            text = "fleetops:" key ":" name ":" secret
        }
        function plain(text) {
            return text ~ /^[!-~]+$/ && !index(text, "\\")
        }
        {
            marks = $1 " " $3 " " $5 " " $7 " " $9 " " $11 " " $13 " " $15 " " $17
            keys = $2 " " $6 " " $10 " " $14
        }
        NF == 13 && marks == "{ : , : , : }  " && keys == "deviceName deviceSecret productKey " {
            identified($12, $4, $8, "")
        }
        NF == 17 && marks == "{ : , : , : , : }" && keys == "clientId deviceName deviceToken productKey" && plain($4) {
            identified($16, $8, $12, " token")
        }
        END {
            if (NR == 1 && names != "") {
                printf "%s", text | "sha256sum"
                close("sha256sum")
                print names
            }
        }' "$1" 2>/dev/null)
    if [ $# -ge 4 ]; then
        identity="$(printf '%.16s' "$1") $3 $4${5:+ $5}"
    else
        identity=-
    fi
}

# swap FILE [TEXT]: prints TEXT with the secret of the credential FILE, and the client id of a device token, replaced
# by what stands for them; without TEXT it does the opposite with standard input. Neither is ever taken as a pattern.
swap() {
    awk -v placeholder="$placeholder" -v reveal="${2:-yes}" '
        function replaced(text, from, to, out, at) {
            out = ""
            while (from != "" && (at = index(text, from)) > 0) {
                out = out substr(text, 1, at - 1) to
                text = substr(text, at + length(from))
            }
            return out text
        }
        FNR == NR {
            split($0, field, "\"")
            client_id = field[2] == "clientId" ? field[4] : ""
            secret = field[2] == "clientId" ? field[12] : field[8]
            next
        }
        reveal == "yes" {
            print replaced(replaced($0, "client-" placeholder, client_id), placeholder, secret)
            next
        }
        {
            print replaced(replaced($0, secret, placeholder), client_id, "client-" placeholder)
        }' "$1" "${2:--}"
}

# stats PATH...: a line for each path and for every directory above it, where it exists.
stats() {
    for target do
        target=${target%/*}
        while [ -n "$target" ]; do
            set -- "$@" "$target"
            target=${target%/*}
        done
    done
    stat -c 'stat %f %u %g %U %G %n' -- "$@" / 2>/dev/null | sort -u
}

# hardware_name: the name that the gateway itself knows; sysfs is elsewhere only in tests.
hardware_name() {
    value=
    case $device_name_from in
        mac)
            if [ -n "$device_name_interface" ]; then
                read -r value 2>/dev/null <"$sysfs/class/net/$device_name_interface/address"
            else
                set +f
                for card in "$sysfs"/class/net/*; do
                    [ -e "$card/device" ] && read -r value 2>/dev/null <"$card/address" && [ -n "$value" ] && break
                done
                set -f
            fi
            ;;
        serial)
            for file in "$sysfs/firmware/devicetree/base/serial-number" "$sysfs/class/dmi/id/product_serial"; do
                [ -r "$file" ] && value=$(tr -d '\000' <"$file") && [ -n "$value" ] && break
            done
            ;;
    esac
    printf 'hardware_name %s\n' "$value"
}

# state: everything that a decision rests on, and nothing that changes by itself.
state() {
    echo "uid $(id -u)"
    locate
    set -- "$path"
    number=0
    while [ "$number" -lt "$export_count" ]; do
        number=$((number + 1))
        eval "dest=\$export_${number}_dest"
        resolve "${dest%/*}"
        echo "place $number $resolved/${dest##*/}"
        set -- "$@" "$resolved/${dest##*/}"
    done
    stats "$@"
    echo "path $path"
    for file in "$path" "$new"; do
        if [ ! -f "$file" ] || [ -L "$file" ]; then
            identity=-
        elif [ -r "$file" ]; then
            identify "$file"
        else
            identity=denied
        fi
        [ "$file" = "$path" ] && credential=$identity && echo "credential $identity"
        [ "$file" = "$new" ] && echo "staged $identity"
    done
    [ ! -e "$new" ] || echo leftover
    if [ -f "$journal_file" ]; then
        known=
        while read -r line; do
            case $line in
                *[!A-Za-z0-9_.:@=/\ -]*) line=garbled ;;
            esac
            echo "journal $line"
            known=yes
        done <"$journal_file" 2>/dev/null
        [ -n "$known" ] || echo "journal garbled"
    fi
    number=0
    while [ "$number" -lt "$export_count" ]; do
        number=$((number + 1))
        shift
        [ ! -e "${1%/*}/.${1##*/}.new" ] || echo leftover
        if [ "$credential" != - ] && [ -f "$1" ] && [ -r "$1" ] && [ -r "$path" ]; then
            echo "export $number $(swap "$path" "$1" | sha256sum)"
        fi
    done
    [ "$device_name_from" = inventory_hostname ] || hardware_name
}

# lock: one script at a time over a directory. The kernel ends the lock of flock with the process; BusyBox may come
# without it, then a symbolic link that names the process stands for the lock.
lock() {
    [ -r "$directory" ] || fail storage "cannot open the directory $directory"
    attempt=claim
    if command -v flock >/dev/null; then
        exec 9<"$directory"
        attempt="flock -n 9"
    fi
    tries=0
    until $attempt; do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || fail busy "another process has held the lock on $directory for $tries seconds"
        sleep 1
    done
}

# claim: takes the lock that is a link. A link of a process that has ended counts for nothing.
claim() {
    link=$directory/.${path##*/}.lock
    if message=$(ln -s "$(process $$)" "$link" 2>&1); then
        trap 'rm -f "$link"' EXIT
        return
    fi
    case $message in
        *'File exists'*) ;;
        *) fail storage "$message" ;;
    esac
    other=$(readlink "$link") || return 1
    number=${other#*/}
    [ "$other" != "$(process "${number%%/*}")" ] || return 1
    # Whoever renames it first may remove it; if it was a new one meanwhile, it goes back.
    mv "$link" "$link.$$" 2>/dev/null || return 1
    renamed=$(readlink "$link.$$")
    rm -f "$link.$$"
    [ "$renamed" = "$other" ] || ln -s "$renamed" "$link" 2>/dev/null
    claim
}

# process PID: prints what tells it from every other process, before and after.
process() {
    clock
    started "$1"
    echo "$boot/$1/$start"
}

# unchanged: answers with the state and ends, unless it is the one that the controller decided on.
unchanged() {
    now=$(state)
    [ "$now" = "$expected" ] && return
    printf '%s\n' "$now"
    say stale
}

# own TARGET OWNER GROUP MODE
own() {
    [ -z "$2$3" ] || try chown "$2${3:+:$3}" "$1"
    try chmod "$4" "$1"
}

# stage DEST OWNER GROUP MODE COMMAND...: what the command prints, in a new file beside DEST, as $staged.
stage() {
    staged=${1%/*}/.${1##*/}.new
    stage_owner=$2
    stage_group=$3
    stage_mode=$4
    shift 4
    try rm -f "$staged"
    message=$( (set -C && "$@" >"$staged") 2>&1) || {
        rm -f "$staged"
        fail storage "cannot write $staged: $message"
    }
    half=$staged
    own "$staged" "$stage_owner" "$stage_group" "$stage_mode"
    half=
}

# stage_export NUMBER COMMAND: the same for an export, at $dest.
stage_export() {
    eval "dest=\$export_${1}_dest stage_owner=\$export_${1}_owner stage_group=\$export_${1}_group stage_mode=\$export_${1}_mode"
    stage "$dest" "$stage_owner" "$stage_group" "$stage_mode" "$2"
}

# promote STAGED DEST: durable before and after the new name.
promote() {
    if [ -d "$2" ] || [ -L "$2" ]; then
        fail unsafe_path "$2 is a directory or a symbolic link"
    fi
    try sync "$1"
    try mv -f "$1" "$2"
    if [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null; then
        restorecon "$2"
    fi
    try sync "${2%/*}/"
}
