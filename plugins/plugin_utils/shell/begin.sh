# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154,SC2034

# Begin: checks that the credential and its exports can be stored and read back, and takes the lease by opening the journal. No request
# that changes the device is sent before that. The lease lasts $ttl seconds of the gateway's own clock.
# If $continues is yes, the lease with this token, which an earlier task of the same run has taken, is renewed. That task has made the
# checks, and its staged file reserves the space.
# If $proof is yes (check mode), the checks are made and nothing is changed. If $whole is no, the change needs no space for a new
# credential.

home
[ "$proof" = no ] || remember
if [ -n "$missing" ]; then
    unchanged
    make_directories
    lock
    [ "$proof" = no ] || trap put_back EXIT
    # Another run that created the directory at the same time may have stored something already.
    if [ -e "$file" ] || [ -e "$journal_file" ]; then
        state
        say stale
    fi
else
    lock
    [ "$proof" = no ] || trap put_back EXIT
    unchanged
fi
if [ "$continues" = yes ]; then
    ours
    open_journal "$intent" yes
    say begun
fi
over=no
[ ! -e "$journal_file" ] || over=yes
[ "$proof" = yes ] || discard_staged
[ -z "$service" ] || service_manager
replaceable "$file" "$journal_file.new"
# Stage a probe as long as a credential can be, of a device that does not exist.
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
# The probe of the credential stays beside those of the exports, since store needs room for all of them.
# shellcheck disable=SC2086 # numbers
[ -z "$exports_proved" ] || (prove_exports $exports_proved) || {
    rm -f "./$staged"
    exit 3
}
device_name=$wanted_name
product_key=$wanted_key
if [ "$proof" = yes ]; then
    try rm -f "./$staged"
else
    # Put a file where the journal is staged: replacing it shows that files can be removed here, and promote that they can be renamed.
    [ -e "./$journal_file.new" ] || [ -L "./$journal_file.new" ] || create "$journal_file.new"
    open_journal "$intent" "$over"
fi
say begun
