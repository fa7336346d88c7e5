# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An emulator of Alibaba Cloud IoT Platform for trials and tests. Do not put real secrets into it."""

from __future__ import annotations

__version__ = "1.0.0"
