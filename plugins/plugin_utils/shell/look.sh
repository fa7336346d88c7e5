# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh disable=SC2154

# Look: prints what there is, changes nothing. First what changes by itself (the clock, which tools are missing, a lock whose
# process has ended), then the state.

for tool in awk cat chmod chown id ln ls mkdir mv readlink rm sha256sum sleep sync tr; do
    command -v "$tool" >/dev/null || echo "missing_tool $tool"
done
clock
echo "clock $boot $uptime"
# In a subshell: the state enters the directory by itself.
command -v flock >/dev/null || (home && abandoned && echo abandoned_lock)
echo fleetops-state
state
say looked
