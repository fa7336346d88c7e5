# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The combinations of connection, become method and login shell that tests provision with; README's table lists exactly these."""

from __future__ import annotations

import re
from dataclasses import dataclass

TABLE = re.compile(r"(?<=<!-- connections -->\n).*?(?=<!-- end of connections -->)", re.DOTALL)
NO_BECOME = "no become, as root"


@dataclass(frozen=True)
class Way:
    """A connection, its become method, and the login shell of its user."""

    connection: str
    become: str
    shell: str = "dash"

    def __str__(self) -> str:
        """Return the name of the way's test."""
        return re.sub(r"[^a-z]+", "-", f"{self.connection}-{self.become}-{self.shell}".lower()).strip("-")


SHELLS = ("dash", "bash", "BusyBox ash", "fish", "csh")
WAYS = (
    *(Way("ssh", become) for become in (NO_BECOME, "sudo", "sudo with a password", "su with a password", "doas")),
    *(Way("ssh", "sudo", shell) for shell in SHELLS if shell != "dash"),
    *(Way("local", become) for become in (NO_BECOME, "sudo")),
)


def laid_out() -> str:
    """Return the table: a row for each connection and login shell, a column for each become method."""
    methods = list(dict.fromkeys(way.become for way in WAYS))
    rows = list(dict.fromkeys((way.connection, way.shell) for way in WAYS))
    lines = [["connection", "login shell", *methods], ["---"] * (2 + len(methods))]
    for connection, shell in rows:
        named = shell if connection != "local" else ""
        marks = ["✓" if Way(connection, method, shell) in WAYS else "" for method in methods]
        lines.append([connection, named, *marks])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
