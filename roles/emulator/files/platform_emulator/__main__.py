# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start the command line, unless this Python is too old: then the rest of the package could not even be imported.

This file and __init__.py have the syntax of Python 3.8.
"""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code of the command line, 1 for an old Python."""
    if sys.version_info < (3, 11):  # noqa: UP036
        own = f"{sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}"
        print(
            f"platform_emulator: needs Python 3.11 or newer, and {own}; use a newer one (in the role: emulator_python)",
            file=sys.stderr,
        )
        return 1
    from platform_emulator import command_line

    return command_line.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
