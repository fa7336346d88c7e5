# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# The stored credential: its identity, and exports of it.

longest_export=1048576

# Functions for awk, which alone reads the file: parsed(TEXT) sets value[NAME], kind and secret, and returns whether TEXT is a credential.
# The format is described in certificate.py, the source of $fields: name, alphabet, minimum and maximum length, and kind of each field.
# RS is a character that no credential contains, so that a valid file is one record.
# Regular expressions have no braces and no named classes, which older mawks lack, and no backslash in brackets, for BusyBox.
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
        # Replace escapes by DEL, which the text cannot contain here: it ends no string, and no valid value contains it.
        if (index(text, "\\")) gsub("\\\\([bfnrt/\"]|\\\\|u[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f])", "\177", text)
        if (index(text, "\\")) return 0
        # Parts with even numbers are strings, the others the text between them. The separator is a regular expression, since some awks
        # also split at line ends if it is a single character.
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

# size_of FILE [SIZE]: sets $size to SIZE, or else to the size of the file; to a number above every limit if it is unknown, or too large for
# shells whose numbers have 32 bits. Fails if ls fails.
size_of() {
    size=${2:-}
    if [ -z "$size" ]; then
        # shellcheck disable=SC2046 # the words of the answer are the parameters
        set -- $(ls -ldn "$1" 2>/dev/null)
        size=${5:-}
    fi
    case $size in
        *[!0-9]* | ??????????*) size=999999999 ;;
        '')
            size=999999999
            return 1
            ;;
    esac
}

# identify FILE [SIZE]: sets $identity to "FINGERPRINT PRODUCT_KEY DEVICE_NAME", with " token" behind it if there is a device
# token instead of a DeviceSecret, or to "-" if it is not a credential. Fails if a tool fails more than once on a file that exists: a look
# takes no lock, so another run may have removed or replaced the file while it was read.
identify() {
    for trial in 1 2 3; do
        identity=-
        [ -f "$1" ] && [ ! -L "$1" ] || return 0
        size_of "$1" ${2:+"$2"} || continue
        [ "$size" -le "$longest_credential" ] || return 0
        read_identity "$1" && return 0
    done
    fail storage "ls, awk or sha256sum failed on $here/$1"
}

# read_identity FILE: sets $identity as identify does; fails if a tool fails. awk prints the identity to its standard error, before which an
# awk may print a warning, because its standard output leads to sha256sum. "whole" follows if awk has not died before the end of the text.
read_identity() {
    answer=$({
        { awk -v fields="$certificate_fields" -v size="$size" "$reading"'
        {
            # Some awks end the text, or the record, at a NUL, so compare the length.
            right = NR == 1 && length($0) == size && parsed($0)
        }
        END {
            if (right) {
                print "identified " value["productKey"] " " value["deviceName"] (kind == "secret" ? "" : " " kind) >"/dev/stderr"
                printf "%s", "fleetops:" value["productKey"] ":" value["deviceName"] ":" secret
            } else
                print "identified -" >"/dev/stderr"
        }' RS='\001' "$1" 2>&3 && echo whole >&3; } | sha256sum 2>/dev/null
    } 3>&1)
    # shellcheck disable=SC2086 # the words of the answer are the parameters
    set -- ${answer##*"identified "}
    found="${1:-} ${2:-}"
    case $# in
        4)
            [ "$1 $2" = "- whole" ]
            return
            ;;
        5) ;;
        6)
            found="$found $3"
            shift
            ;;
        *) return 1 ;;
    esac
    [ "$3" = whole ] && [ "${#4}" = 64 ] && [ "$5" = - ] || return 1
    identity="${4%"${4#????????????????}"} $found"
}

# swap FILE [TEXT]: prints TEXT, which has $size octets, with placeholders in place of the secret of the credential FILE, and of the client
# id of a device token. A last line without an end, or one that awk cannot read, adds a line. Without TEXT, prints standard input with the
# values in place of the placeholders, and on standard error the number of octets, since BusyBox's awk does not report that it cannot write.
# No value is used as a pattern. Fails if the owner of the credential has changed it since it was identified.
swap() {
    awk -v fields="$certificate_fields" -v placeholder="$placeholder" -v client_placeholder="$client_placeholder" \
        -v size="${size:-}" -v reveal="${2:-yes}" "$reading"'
        # Quote each character with brackets, except ^, which has a meaning there. A replacement takes time linear in the text.
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
            gsub(client_placeholder, client_id)
            gsub(placeholder, secret)
        }
        {
            octets += length($0) + 1
        }
        reveal != "yes" {
            gsub(literal(secret), placeholder)
            if (client_id != "") gsub(literal(client_id), client_placeholder)
        }
        {
            print
        }
        END {
            if (reveal == "yes") print "octets " octets >"/dev/stderr"
            else if (octets != size) print "incomplete"
            exit !right
        }' RS='\001' "$1" RS='\n' "${2:--}"
}
