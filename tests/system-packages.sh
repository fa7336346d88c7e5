#!/bin/sh
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# usage: tests/system-packages.sh COMMAND...
# Installs the Debian packages of the commands that are missing, or names them in one line.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=
for command; do
    command -v "$command" >/dev/null && continue
    case $command in
        doas) missing="$missing opendoas" ;;
        setfacl) missing="$missing acl" ;;
        ssh) missing="$missing openssh-client" ;;
        sshd) missing="$missing openssh-server" ;;
        *) missing="$missing $command" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Needed by these tests, please install:$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # one word a package
apt-get install -y -qq --no-install-recommends $missing
