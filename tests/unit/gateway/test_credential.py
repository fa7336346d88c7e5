# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of a change: begin, register, install, or abandon."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._credential import Issued, Scripts, change
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    NetworkError,
    Refused,
    StorageError,
)

SCRIPTS = Scripts(begin="BEGIN\n", install="INSTALL\n", abandon="ABANDON\n")
SECRET = "0123456789abcdef0123456789abcdef"


class Gateway:
    """Answers each script, and keeps the order of everything."""

    def __init__(self, begin: str = "begun", install: str = "installed", abandon: str = "abandoned") -> None:
        self.answers = {"BEGIN": begin, "INSTALL": install, "ABANDON": abandon}
        self.events: list[str] = []

    def run(self, script: str) -> str:
        name = script.splitlines()[-1]
        self.events.append(script if name == "INSTALL" else name)
        answer = self.answers[name]
        return answer if answer.startswith("error") else f"uid 0\nfleetops-end {answer}\n"

    def register(self, left: float) -> Issued:
        self.events.append("register")
        return Issued(SECRET)

    def change(self, register: Callable[[float], Issued] | None = None, window: float = 60) -> object:
        return change(self.run, SCRIPTS, register or self.register, window)


def refusal(may_have_registered: bool) -> Callable[[float], Issued]:
    error = Refused("no", code=6600) if not may_have_registered else NetworkError("lost")
    error.may_have_registered = may_have_registered

    def register(_left: float) -> Issued:
        raise error

    return register


def test_begin_register_install() -> None:
    gateway = Gateway()
    answer = gateway.change()
    assert (answer.outcome, answer.lines) == ("installed", ("uid 0",))
    *before, install = gateway.events
    assert before == ["BEGIN", "register"]
    assert f"device_secret={SECRET}\n" in install
    assert install.endswith("\nINSTALL\n")


def test_no_environment_hands_the_secret_on() -> None:
    """A name that is exported already stays exported when it is assigned."""
    gateway = Gateway()
    gateway.change()
    lines = gateway.events[-1].splitlines()
    for name in ("device_secret", "device_token", "client_id"):
        [assigned] = [number for number, line in enumerate(lines) if line.startswith(f"{name}=")]
        assert f"unset {name}" in lines[:assigned]


def test_a_secret_is_one_word() -> None:
    gateway = Gateway()
    gateway.change(lambda _left: Issued("a'b c"))
    assert f"device_secret={shlex.quote(chr(97) + chr(39) + 'b c')}\n" in gateway.events[-1]


def test_a_token_comes_with_its_client_id() -> None:
    gateway = Gateway()
    gateway.change(lambda _left: Issued(device_token="^1^t", client_id="c-1"))
    assert {"device_secret=''", "device_token='^1^t'", "client_id=c-1"} <= set(gateway.events[-1].splitlines())


def test_what_was_issued_is_not_shown() -> None:
    assert SECRET not in repr(Issued(SECRET)) + repr(Issued(device_token=SECRET, client_id="c-1"))


def test_nothing_is_sent_without_the_lease() -> None:
    gateway = Gateway(begin="stale")
    assert gateway.change().outcome == "stale"
    assert gateway.events == ["BEGIN"]


def test_nothing_is_sent_when_the_lease_cannot_be_had() -> None:
    gateway = Gateway(begin="error storage disk full\nfleetops-end failed\n")
    with pytest.raises(StorageError, match="disk full"):
        gateway.change()
    assert gateway.events == ["BEGIN"]


def test_nothing_is_sent_when_the_lease_was_granted_too_late() -> None:
    gateway = Gateway()
    with pytest.raises(BusyError, match="too long"):
        gateway.change(window=0)
    assert gateway.events == ["BEGIN", "ABANDON"]


def test_the_time_of_granting_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 107.5])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    told: list[float] = []
    Gateway().change(lambda left: told.append(left) or Issued(SECRET), window=60)
    assert told == [52.5]


def test_a_registration_that_did_not_happen_is_abandoned() -> None:
    gateway = Gateway()
    with pytest.raises(Refused):
        gateway.change(refusal(may_have_registered=False))
    assert gateway.events == ["BEGIN", "ABANDON"]


def test_a_registration_that_may_have_happened_leaves_the_journal_open() -> None:
    gateway = Gateway()
    with pytest.raises(NetworkError):
        gateway.change(refusal(may_have_registered=True))
    assert gateway.events == ["BEGIN"]


@pytest.mark.parametrize("answer", ["error storage disk full\nfleetops-end failed\n", "error: connection lost"])
def test_the_refusal_is_told_even_if_abandoning_fails(answer: str) -> None:
    with pytest.raises(Refused) as caught:
        Gateway(abandon=answer).change(refusal(may_have_registered=False))
    assert caught.value.code == 6600


def test_a_lease_that_was_lost() -> None:
    with pytest.raises(BusyError, match="lease ran out") as caught:
        Gateway(install="lost").change()
    assert "Run again" in caught.value.hint


def test_a_failure_to_store() -> None:
    gateway = Gateway(install="error storage disk full\nfleetops-end failed\n")
    with pytest.raises(StorageError, match="disk full") as caught:
        gateway.change()
    assert "ABANDON" not in gateway.events
    assert SECRET not in str(caught.value)


def test_an_answer_cut_short_never_shows_the_script() -> None:
    with pytest.raises(FleetopsError) as caught:
        Gateway(install="error").change()
    assert SECRET not in str(caught.value)
