# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Repair: repairs owner, mode and the exports in $exports_wanted, and removes files that an interrupted begin left. If $follows is yes,
# handlers have to run after that.

home
[ -z "$missing" ] || fail storage "the directory of $path is gone"
lock
unchanged
discard_staged
drop "$journal_file.new" "$due_file.new" "$spare_file"
[ "$follows" = no ] || note_due
attributes
# shellcheck disable=SC2086 # numbers
write_exports $exports_wanted
state
say installed
