# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a login that proves a credential says of it, by the kind of its error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._login import log_in

OPTIONS = {"path": "/x", "region": "cn-shanghai", "instance_id": None}


def outcome(**result: Any) -> str:
    """Return what comes of a login whose action returns this."""
    login = SimpleNamespace(run=lambda task_vars: result)
    loader = SimpleNamespace(action_loader=SimpleNamespace(get=lambda *_name, **_parts: login))
    parts = dict.fromkeys(("_connection", "_play_context", "_loader", "_templar"))
    action = SimpleNamespace(_task=SimpleNamespace(copy=SimpleNamespace), _shared_loader_obj=loader, **parts)
    return log_in(action, OPTIONS, {}, "gateway")[0]  # type: ignore[arg-type]


def test_an_answer() -> None:
    assert outcome(accepted=True) == "accepted"
    assert outcome(error={"kind": "refused", "code": 5}) == "refused"
    assert outcome(error={"kind": "refused", "code": 2}) == "failed"


@pytest.mark.parametrize("kind", ["network", "tls", "throttled", "busy", "ended_early", "internal"])
def test_what_says_nothing_of_the_credential_leaves_the_doubt(kind: str) -> None:
    assert outcome(error={"kind": kind, "message": "why"}) == "failed"


@pytest.mark.parametrize("kind", ["no_python", "invalid_option", "missing_tool"])
def test_what_stays_as_it_is_ends_it(kind: str) -> None:
    assert outcome(error={"kind": kind, "message": "why"}) == "impossible"
