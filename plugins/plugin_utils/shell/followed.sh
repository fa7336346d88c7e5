# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Followed: removes the note that handlers have to run, unless it is by now the note of another run than that of $token.

home
[ -z "$missing" ] || say followed
lock
due_token
if [ "$due" = "$token" ]; then
    try rm -f "./$due_file"
    try sync .
fi
say followed
