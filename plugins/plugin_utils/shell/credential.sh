# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# The stored credential: whose it is, and what is made of it.

longest_export=1048576

# For awk, the one reader of the file: parsed(TEXT) sets value[NAME], kind and secret, and returns whether TEXT is a credential.
# What is one is described in certificate.py; it is the source of fields: for each its name, alphabet, fewest and most characters,
# and kind. A file is read with RS as a character that no credential has: it is one record, as it is, or none is right.
# No regular expression has braces or classes with a name, which older mawks lack, nor a backslash in brackets, for BusyBox.
# shellcheck disable=SC2016
reading='
    function parsed(text,    word, words, part, parts, at, name, mark, string, alphabet, fewest, most, of, first, wanted, seen) {
        words = split(fields, word, " ")
        for (at = 1; at < words; at += 5) {
            name = word[at]
            alphabet[name] = "^" word[at + 1] "+$"
            fewest[name] = word[at + 2] + 0
            most[name] = word[at + 3] + 0
            of[name] = word[at + 4]
            if (!(of[name] in first)) first[of[name]] = name
            wanted[of[name]]++
        }
        if (text !~ /^[\t\r\n -~]*$/) return 0
        # An escape becomes DEL, which no text has now: it ends no string, and stands in nothing that is right.
        if (index(text, "\\")) gsub("\\\\([bfnrt/\"]|\\\\|u[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f])", "\177", text)
        if (index(text, "\\")) return 0
        # Parts with even numbers are strings; what is between them are marks. Where a separator is one character, a line end is
        # one too for some awks; not where it is a regular expression.
        parts = split(text, part, /["]/)
        if (part[1] !~ /^[\t\r\n ]*[{][\t\r\n ]*$/) return 0
        for (at = 2; at <= parts; at += 2) {
            name = part[at]
            mark = part[at + 1]
            string = ""
            if (mark ~ /:[\t\r\n ]*$/) {
                at += 2
                string = part[at]
                mark = mark "\"" part[at + 1]
            }
            if (mark !~ /^[\t\r\n ]*:[\t\r\n ]*("|-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?|true|false|null)[\t\r\n ]*[,}][\t\r\n ]*$/) return 0
            if (index(mark, "}") ? at + 1 != parts : at + 1 == parts) return 0
            if (name in seen || index(name, "\177") || (name string) ~ /[\t\r\n]/) return 0
            seen[name] = 1
            if (name in of) {
                if (string !~ alphabet[name] || length(string) < fewest[name] || length(string) > most[name]) return 0
                value[name] = string
                if (of[name] != "-") {
                    if (kind != "" && kind != of[name]) return 0
                    kind = of[name]
                }
                wanted[of[name]]--
            }
        }
        secret = value[first[kind]]
        return kind != "" && !wanted["-"] && !wanted[kind]
    }'

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
    set -- "$1" $(awk -v fields="$certificate_fields" -v size="$size" "$reading"'
        {
            # In some awks a NUL ends the text, or the record, and what is behind it is missing.
            right = NR == 1 && length($0) == size && parsed($0)
        }
        END {
            if (right) {
                printf "%s", "fleetops:" value["productKey"] ":" value["deviceName"] ":" secret | "sha256sum"
                close("sha256sum")
                print value["productKey"] " " value["deviceName"] (kind == "secret" ? "" : " " kind)
            } else
                print "-"
        }' RS='\001' "$1" 2>/dev/null)
    case $# in
        2) [ "$2" = - ] || unread "$1" ;;
        5 | 6)
            [ "${#2}" = 64 ] && [ "$3" = - ] || fail storage "awk or sha256sum failed on $here/$1"
            identity="${2%"${2#????????????????}"} $4 $5${6:+ $6}"
            ;;
        *) unread "$1" ;;
    esac
}

# swap FILE [TEXT]: prints TEXT with the secret of the credential FILE, and the client id of a device token, replaced
# by what stands for them; without TEXT it does the opposite with standard input. Neither is ever taken as a pattern. Fails if the
# credential's owner has written something else into it since it was identified.
swap() {
    awk -v fields="$certificate_fields" -v placeholder="$placeholder" -v reveal="${2:-yes}" "$reading"'
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
        RS != "\n" {
            right = NR == 1 && parsed($0)
            client_id = value["clientId"]
            next
        }
        !right {
            exit
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
        }' RS='\001' "$1" RS='\n' "${2:--}"
}
