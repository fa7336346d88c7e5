# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Remove: removes the credential, its exports, and files that an interrupted run left.

home
gone=$missing
if [ -z "$missing" ]; then
    lock
fi
unchanged
number=0
while [ "$number" -lt "$export_count" ]; do
    number=$((number + 1))
    leave_for "$number"
    [ -n "$missing" ] || try rm -f "./${dest##*/}" "./.${dest##*/}.new" "./.${dest##*/}.check.new"
done
home
if [ "$missing" != "$gone" ]; then
    # Another run has created the directory meanwhile, and may have taken its lease.
    state
    say stale
fi
if [ -z "$missing" ]; then
    # The journal is removed last, so that an interruption leaves an open change.
    try rm -f "./$file" "./$new" "./$check_file" "./$due_file" "./$due_file.new"
    try rm -f "./$journal_file" "./$journal_file.new" "./$spare_file"
    try sync .
fi
state
say removed
