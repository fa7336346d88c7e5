# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Finish: takes the lease of a change that was interrupted after its new credential, $stored, was staged, and installs the credential.
# The journal stays open until a login has verified the credential.

home
[ -z "$missing" ] || fail storage "the directory of $path is gone"
lock
unchanged
open_journal "$intent" yes "stored ${stored%% *}"
identify "./$new"
if [ "$identity" = "$stored" ]; then
    show "./$new"
    own "$new" "$owner" "$group" "$mode"
    promote "$new" "$file"
fi
identify "./$file"
[ "$identity" = "$stored" ] || fail storage "neither $here/$file nor $here/$new reads back as ${stored%% *}; both were kept"
attributes
drop "$new" "$check_file" "$spare_file"
# shellcheck disable=SC2086 # numbers
write_exports $exports_wanted
state
say installed
