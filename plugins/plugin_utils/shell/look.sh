# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Look: prints what there is, changes nothing. First what changes by itself (the clock, which tools are
# missing, whether the process that opened the journal lives), then the state.

for tool in awk cat chmod chown id ln mkdir mv readlink rm sha256sum sleep sort stat sync tr; do
    command -v "$tool" >/dev/null || echo "missing_tool $tool"
done
locate >/dev/null
clock
echo "clock $boot $uptime"
if [ -f "$journal_file" ] && read -r line 2>/dev/null <"$journal_file"; then
    process=${line#* pid=}
    process=${process%% *}
    case $process in
        '' | *[!0-9]*) ;;
        *)
            started "$process"
            echo "process $process $start"
            ;;
    esac
fi
echo fleetops-state
state
say looked
