# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform's MQTT side: logins, dynamic registration, and what a device may say once it is in."""
