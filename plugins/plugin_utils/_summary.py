# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table at the end of a run: hosts by outcome and cause, with the next command. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean, first_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._outcomes import Group, Outcome
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._progress import BROKEN, WORDS, Failure

# The most names in a line of the table, or in the option --limit of a command.
NAMES = 5
# Characters of a name.
_NAME = 60

# Returns the next command for a group; empty, if there is none.
NextCommand = t.Callable[[Group], str]


def counted(counts: t.Mapping[str, int]) -> str:
    """Return the number of gateways by word, on one line."""
    number = sum(counts.values())
    several = {word: word.replace("device ", "devices ") for word in WORDS}
    parts = ", ".join(
        "%d %s" % (counts[word], word if counts[word] == 1 else several[word]) for word in WORDS if counts.get(word)
    )
    return "%d gateway%s: %s" % (number, "" if number == 1 else "s", parts)


def block(word: str, failure: Failure, ignored: bool = False) -> list[str]:
    """Return the lines of a failure: the gateway with the message, and the hint."""
    first = "%s: [%s]%s %s" % (word, failure.host, " (ignored)" if ignored else "", failure.message)
    return [first.rstrip(), *(["    " + failure.hint] if failure.hint else [])]


def table(groups: t.Sequence[Group], next_command: NextCommand) -> list[tuple[str, Outcome | None]]:
    """Return the lines of the table, each with its outcome; None for other lines."""
    width = max([len(group.outcome.word) for group in groups] + [7])
    lines: list[tuple[str, Outcome | None]] = [("%-*s %7s  %s" % (width, "OUTCOME", "HOSTS", "CAUSE: NAMES"), None)]
    for group in groups:
        about = group.outcome
        cause = ": ".join(filter(None, [about.cause, names(group.hosts) if _is_named(about) else ""]))
        lines.append((("%-*s %7d  %s" % (width, about.word, len(group.hosts), cause)).rstrip(), about))
        if command := next_command(group):
            lines += [("    " + text, None) for text in ("" if about.advice else about.first, command) if text]
    return lines


def _is_named(outcome: Outcome) -> bool:
    return outcome.word in (*BROKEN, "needs a change", "not reached")


def names(hosts: t.Sequence[str]) -> str:
    """Return the names of hosts; if there are many, only the first ones."""
    return first_of([clean(host, _NAME) for host in hosts], NAMES)
