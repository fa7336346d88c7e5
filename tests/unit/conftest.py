# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis without a deadline: a busy machine is no defect."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fleetops", deadline=None)
# For the same code on further Pythons.
settings.register_profile("few", deadline=None, max_examples=10)
settings.load_profile("fleetops")
