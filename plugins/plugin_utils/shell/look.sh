# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Look: prints the state, and changes nothing. First values that change by themselves (missing tools, a lock whose process has ended), then
# the state, then the clock and the file system in memory that a new credential would be on, if any. The clock is read last: a lease that
# another run takes during the look must not seem to be taken after it, as if the gateway had restarted.

# blanks WORD: sets $word to the word of /proc/mounts with its blanks, which are written as \040 there.
blanks() {
    word=$1
    while :; do
        case $word in
            *'\040'*) word="${word%%'\040'*} ${word#*'\040'}" ;;
            *) return ;;
        esac
    done
}

# mounted PATH: sets $kind and $options of the file system that the path is on, as the last line about its mount point has them.
mounted() {
    kind=
    options=
    nearest=
    while read -r _ point type flags _; do
        blanks "$point"
        point=$word
        above=${point%/} # bash would ignore the expansion within the pattern
        case $1/ in
            "$above"/*)
                if [ "${#point}" -ge "${#nearest}" ]; then
                    nearest=$point
                    kind=$type
                    options=$flags
                fi
                ;;
        esac
    done <"$proc/mounts"
}

# lasting: prints the type of the directory's file system if it is in memory; of an overlay, that of its upper directory.
lasting() {
    [ -r "$proc/mounts" ] || return 0
    mounted "$here"
    case $kind,$options, in
        overlay,*,upperdir=/*)
            upper=${options#*upperdir=}
            blanks "${upper%%,*}"
            mounted "$word"
            ;;
    esac
    case $kind in
        tmpfs | ramfs | rootfs) echo "fleeting $kind" ;;
    esac
}

tools awk cat chmod chown id ln ls mkdir mv readlink rm sha256sum sleep sync tr || say lacking
# In a subshell, since state enters the directory again.
# The root certificate of a login: a file, or a line of it in the system's authorities, where OpenSSL looks for them.
root=unknown
if [ -n "$root_path" ]; then
    root=no
    [ -r "$root_path" ] && root=yes
elif [ -n "$root_line" ]; then
    [ -d "${SSL_CERT_DIR:-/etc/ssl/certs}" ] && root=no
    for authorities in "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "${SSL_CERT_DIR:-/etc/ssl/certs}/5ad8a5d6.0" \
        "${SSL_CERT_FILE:-/etc/ssl/cert.pem}" "${SSL_CERT_FILE:-/etc/pki/tls/certs/ca-bundle.crt}" \
        "${SSL_CERT_FILE:-/etc/ssl/ca-bundle.pem}"; do
        [ -f "$authorities" ] && [ -r "$authorities" ] || continue
        root=no
        awk -v "line=$root_line" '$0 == line { found = 1; exit } END { exit !found }' "$authorities" && root=yes && break
    done
fi
[ "$root" = unknown ] || echo "root $root"
echo fleetops-state
state
clock
echo "clock $boot $uptime"
abandoned && echo abandoned_lock
[ "$credential" != - ] || lasting
say looked
