# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# The stored credential: whose it is, and what is made of it.

# Longer than any credential (octets); what is longer is not read.
longest_credential=4096
longest_export=1048576

# size_of FILE [SIZE]: sets $size, if it is not known, to more than anything is allowed if it cannot be told.
size_of() {
    size=${2:-}
    [ -z "$size" ] || return 0
    # shellcheck disable=SC2046 # the words of the answer are the parameters
    set -- $(ls -ldn "$1" 2>/dev/null)
    size=${5:-999999999}
    case $size in
        *[!0-9]*) size=999999999 ;;
    esac
}

# unread FILE: a tool failed on the file, unless another run has taken it away meanwhile, as may be while nobody holds the lock.
unread() {
    [ ! -e "$1" ] && [ ! -L "$1" ] || fail storage "awk or sha256sum failed on $here/$1"
}

# identify FILE [SIZE]: sets $identity to "FINGERPRINT PRODUCT_KEY DEVICE_NAME", with " token" behind it if there is a device
# token instead of a DeviceSecret, or to "-" if it is no credential. A tool that fails is an error, and no answer.
identify() {
    identity=-
    [ -f "$1" ] && [ ! -L "$1" ] || return 0
    size_of "$1" ${2:+"$2"}
    [ "$size" -le "$longest_credential" ] || return 0
    # shellcheck disable=SC2046 # the words of the answer are the parameters
    set -- "$1" $(awk -F'"' '
        function identified(key, name, secret, kind) {
            if (name !~ /^[A-Za-z0-9_.:@-]+$/ || length(name) > 32 || key !~ /^[A-Za-z0-9]+$/ || length(key) > 32) return
            names = key " " name kind
            text = "fleetops:" key ":" name ":" secret
        }
        {
            marks = $1 " " $3 " " $5 " " $7 " " $9 " " $11 " " $13 " " $15 " " $17
            keys = $2 " " $6 " " $10 " " $14
        }
        NF == 13 && marks == "{ : , : , : }  " && keys == "deviceName deviceSecret productKey " {
            if ($8 ~ "^[A-Za-z0-9_.+/=-]+$" && length($8) <= 64) identified($12, $4, $8, "")
        }
        NF == 17 && marks == "{ : , : , : , : }" && keys == "clientId deviceName deviceToken productKey" {
            token = "^[A-Za-z0-9_.+/=^@:,%-]+$"
            if ($4 ~ token && length($4) <= 64 && $12 ~ token && length($12) <= 256)
                identified($16, $8, $12, " token")
        }
        END {
            if (NR == 1 && names != "") {
                printf "%s", text | "sha256sum"
                close("sha256sum")
                print names
            } else
                print "-"
        }' "$1" 2>/dev/null)
    case $# in
        2) [ "$2" = - ] || unread "$1" ;;
        5 | 6)
            [ "${#2}" = 64 ] && [ "$3" = - ] || fail storage "awk or sha256sum failed on $here/$1"
            identity="$(printf '%.16s' "$2") $4 $5${6:+ $6}"
            ;;
        *) unread "$1" ;;
    esac
}

# swap FILE [TEXT]: prints TEXT with the secret of the credential FILE, and the client id of a device token, replaced
# by what stands for them; without TEXT it does the opposite with standard input. Neither is ever taken as a pattern. Fails if the
# credential's owner has written something else into it since it was identified.
swap() {
    awk -v placeholder="$placeholder" -v reveal="${2:-yes}" '
        # Each character stands for itself: in brackets, but for ^, which means something else there. The time that a replacement
        # takes grows no faster than the text, whatever both are.
        function literal(text,    at, character, pattern) {
            pattern = ""
            for (at = 1; at <= length(text); at++) {
                character = substr(text, at, 1)
                pattern = pattern (character == "^" ? "\\^" : "[" character "]")
            }
            return pattern
        }
        FNR == NR {
            split($0, field, "\"")
            client_id = field[2] == "clientId" ? field[4] : ""
            secret = field[2] == "clientId" ? field[12] : field[8]
            alphabet = field[2] == "clientId" ? "^[A-Za-z0-9_.+/=^@:,%-]+$" : "^[A-Za-z0-9_.+/=-]+$"
            right = NR == 1 && length(secret client_id) <= 320 && secret ~ alphabet && (client_id == "" || client_id ~ alphabet)
            if (!right) exit
            next
        }
        reveal == "yes" {
            gsub("client-" placeholder, client_id)
            gsub(placeholder, secret)
        }
        reveal != "yes" {
            gsub(literal(secret), placeholder)
            if (client_id != "") gsub(literal(client_id), "client-" placeholder)
        }
        {
            print
        }
        END {
            exit !right
        }' "$1" "${2:--}"
}
