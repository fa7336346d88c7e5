# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Remove: the credential, its exports, and what an interrupted run left.

locate
if [ -d "$directory" ]; then
    lock
    unchanged
    number=0
    while [ "$number" -lt "$export_count" ]; do
        number=$((number + 1))
        eval "try rm -f \"\$export_${number}_dest\""
    done
    try rm -f "$path" "$new" "$journal_file"
    try sync "$directory"
fi
state
say removed
