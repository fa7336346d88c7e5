# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Login: prints the identity of the stored credential, and the password of its login over MQTT: the HMAC (RFC 2104) of $content with
# $digest (sha256sum, ...). Ansible shows the output of a script with -vvv, so the password is masked with $mask, which comes on standard
# input and is used once.

# Functions for awk, with names that no awk has as builtins, such as xor.
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

# padded OCTET: prints the DeviceSecret, padded to one block, each octet XOR OCTET, as escapes for printf: not every awk can print
# arbitrary octets.
padded() {
    awk -v fields="$certificate_fields" -v octet="$1" "$arithmetic$reading"'
        BEGIN {
            for (code = 32; code < 127; code++) codes[sprintf("%c", code)] = code
        }
        parsed($0) {
            for (at = 1; at <= 64; at++) printf "\\%03o", blend(codes[substr(secret, at, 1)] + 0, octet)
        }' RS='\001' "./$file"
}

# octets HEX: prints the octets of a digest as escapes for printf.
octets() {
    echo "$1" | awk "$arithmetic"'
        {
            for (at = 1; at < length($0); at += 2) printf "\\%03o", 16 * hex($0, at) + hex($0, at + 1)
        }'
}

# masked HEX: prints each digit XOR the digit of $mask.
masked() {
    printf '%s\n' "$mask" "$1" | awk "$arithmetic"'
        NR == 1 { mask = $0 }
        NR == 2 {
            for (at = 1; at <= length($0); at++) printf "%x", blend(hex($0, at), hex(mask, at))
            print ""
        }'
}

tools awk "$digest" sha256sum || say lacking
# A printf that is a program would have the secret on its command line.
[ "$(command -v printf)" = printf ] || fail missing_tool "the gateway's shell has no builtin printf"
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
# shellcheck disable=SC2059 # the format consists of escapes
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
