# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Remove: the credential, its exports, and what an interrupted run left.

locate
[ ! -d "$directory" ] || lock
unchanged
number=0
while [ "$number" -lt "$export_count" ]; do
    number=$((number + 1))
    eval "dest=\$export_${number}_dest"
    try rm -f "$dest" "${dest%/*}/.${dest##*/}.new"
done
if [ -d "$directory" ]; then
    try rm -f "$path" "$new" "$journal_file" "$journal_file.new"
    try sync "$directory"
fi
state
say removed
