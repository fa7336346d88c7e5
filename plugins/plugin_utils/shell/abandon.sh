# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Abandon: gives the lease back without a new credential. With $keep the journal stays open without a lease, because an
# earlier registration may have happened, or a reset is about to.

locate
lock
line=
[ ! -f "$journal_file" ] || read -r line <"$journal_file"
case "$line " in
    *" token=$token "*)
        rm -f "$new"
        if [ "$keep" = yes ]; then
            # As begin does: a journal that is cut short no longer says what for it was opened.
            echo "${line% ttl=*} ttl=0" >"$journal_file.new" && promote "$journal_file.new" "$journal_file"
        else
            rm -f "$journal_file"
        fi
        ;;
esac
state
say abandoned
