# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An explicit-state model of the protocol for changing a credential (docs: change_protocol_guide)."""
