# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An explicit-state model of the protocol by which a credential is changed (docs: change_protocol_guide)."""
