# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Login: prints whose credential is stored, and the password of its login over MQTT: HMAC (RFC 2104) of what $content
# says, with $digest (sha256sum, ...). Ansible shows what a script prints when it is told to be talkative, so the
# password is printed with $mask over it, which came on standard input and is used once.

# For awk; the names are none of those that some awks give a meaning to, such as xor.
# shellcheck disable=SC2016
arithmetic='
    function blend(a, b,    bit, sum) {
        for (bit = 1; bit < 256; bit *= 2) {
            if (a % 2 != b % 2) sum += bit
            a = int(a / 2)
            b = int(b / 2)
        }
        return sum + 0
    }
    function hex(text, at) {
        return index("0123456789abcdef", substr(text, at, 1)) - 1
    }'

# padded OCTET: the DeviceSecret, filled up to one block, with OCTET over every octet, as escapes of printf: not every
# awk can print what they stand for.
padded() {
    awk -v fields="$certificate_fields" -v octet="$1" "$arithmetic$reading"'
        BEGIN {
            for (code = 32; code < 127; code++) codes[sprintf("%c", code)] = code
        }
        parsed($0) {
            for (at = 1; at <= 64; at++) printf "\\%03o", blend(codes[substr(secret, at, 1)] + 0, octet)
        }' RS='\001' "./$file"
}

# octets HEX: the same of a digest.
octets() {
    echo "$1" | awk "$arithmetic"'
        {
            for (at = 1; at < length($0); at += 2) printf "\\%03o", 16 * hex($0, at) + hex($0, at + 1)
        }'
}

# masked HEX: each of its digits with the one of $mask over it.
masked() {
    printf '%s\n' "$mask" "$1" | awk "$arithmetic"'
        NR == 1 { mask = $0 }
        NR == 2 {
            for (at = 1; at <= length($0); at++) printf "%x", blend(hex($0, at), hex(mask, at))
            print ""
        }'
}

tools awk "$digest" sha256sum || say lacking
# One that is a program would have the secret on its command line.
[ "$(command -v printf)" = printf ] || fail missing_tool "the gateway's shell has no printf of its own"
home
[ -f "./$file" ] || say missing
[ -r "./$file" ] || say denied
identify "./$file"
[ "$identity" != - ] || say unreadable
case $identity in
    *' token') say token ;;
esac
# shellcheck disable=SC2086 # its words
set -- $identity
product_key=$2
device_name=$3
signed_content
# shellcheck disable=SC2059 # what stands in the format are escapes alone
signature=$({
    printf "$(padded 54)"
    printf '%s' "$content"
} | "$digest")
# shellcheck disable=SC2059
signature=$({
    printf "$(padded 92)"
    printf "$(octets "${signature%% *}")"
} | "$digest")
echo "identity $identity"
echo "password $(masked "${signature%% *}")"
say signed
