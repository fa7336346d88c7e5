# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis without a deadline: a busy machine is no defect.

    HYPOTHESIS_PROFILE=long pytest tests/unit

gives every property 20,000 inputs, but those that say how many they take.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("fleetops", deadline=None)
# For the same code on further Pythons.
settings.register_profile("few", deadline=None, max_examples=10)
settings.register_profile(
    "long", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fleetops"))
