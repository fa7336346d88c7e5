# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The alphabet of `st.text(CHARACTERS)`: every character that UTF-8 can encode. Must run on every Python of gateways.

It is the alphabet of `st.text()` too. But for that, each Python and each process of pytest in a new clone first encodes all 1.1 million
characters, which takes two seconds.
"""

from __future__ import annotations

from hypothesis import strategies as st

CHARACTERS = st.characters(exclude_categories=["Cs"])
