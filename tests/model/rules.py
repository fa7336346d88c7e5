# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of the protocol that can be switched off, so that a test can show that the model fails without them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """The guide's rules by default. Each field breaks one of them, or one assumption about the network."""

    # Broken rules.
    lease_ends_at_proof: bool = False
    sends_after_lease: bool = False
    settles_any_journal: bool = False
    takes_over_from_the_dead: bool = False
    drops_staged: bool = False
    garbled_is_settled: bool = False
    never_proves: bool = False
    repeats_lost_reset: bool = False
    trusts_a_registration_after_reset: bool = False
    infers_after_its_own_reset: bool = False
    # Broken assumptions: requests of these kinds may be processed after the lease of their sender; a journal may be garbled while
    # its lease lasts.
    late: tuple[str, ...] = ()
    garbles_a_lease: bool = False
