# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform's OpenAPI, version 2018-01-20, RPC style, for products and devices."""
