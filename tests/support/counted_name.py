# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that count their comparisons, for tests of work that must not grow with the square of the number of names."""

from __future__ import annotations


class CountedName(str):
    """A name that counts the comparisons of all such names, in ``CountedName.comparisons``."""

    __slots__ = ()
    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        CountedName.comparisons += 1
        return str.__eq__(self, other)
