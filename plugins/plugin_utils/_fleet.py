# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pass over many gateways: look at all of them, compare their names, change those that need it. PRIVATE to the collection.

Independent of Ansible and of the connection. A failure of one gateway affects no other.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import clock
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InternalError, internal
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import first_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import PATIENCE, Convergence, Result
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import with_change
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import HOSTS_SHOWN, copied, shared
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._places import (
    Places,
    named_files,
    places_of,
    shared_places,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._progress import (
    BROKEN,
    FAILURES,
    Progress,
    failure_of,
    word_of,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Display
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._result import failed, outcome_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._roots import lacking_roots

# If the work on a gateway has not ended after this many seconds, the work on one more gateway begins.
SLOW = 5.0
# Seconds between two lines of progress, and between two snapshots for the callback.
INTERVAL = 5.0
WATCHED = 0.5
# The time limit for the work on one gateway, in seconds. It is longer if leases are long, as are then the wait for one and the attempts.
LONGEST = 900.0
# Seconds between two checks for work to start.
_TICK = 0.5


class Unreachable(Exception):
    """The gateway did not answer; the text is that of the connection's error."""


class LeftToTask(Exception):
    """The pass cannot process this gateway, but a task on the host can. The text is the reason."""


class Claims(t.Protocol):
    """The devices and files that the inventory names for hosts that were not looked at, as far as it can be read."""

    def device(self, host_name: str) -> tuple[str, str]:
        """Return ProductKey and DeviceName, which are empty if the inventory names none."""

    def places(self, host_name: str) -> Places | None:
        """Return the files, None where nobody knows which machine they are on."""


@dataclass
class Member:
    """A gateway of the pass, with its convergence and its result."""

    host: str
    convergence: Convergence | None = None
    device: tuple[str, str] = ("", "")  # ProductKey and DeviceName, empty until they are known
    places: Places | None = None  # None until they are known
    result: Result | None = None
    left: str = ""

    def has_to_act(self) -> bool:
        """Return whether there is something to do after the look."""
        return not self.left and self.result is None

    def known(self) -> Result:
        """Return the fields of the result so far, for a failure."""
        device = {"product_key": self.device[0], "device_name": self.device[1] or None} if self.device[0] else {}
        return {**device, **(self.convergence.known if self.convergence else {})}

    def held(self) -> tuple[str, str, str] | None:
        """Return ProductKey, DeviceName and fingerprint of the credential that the look found, if it found one."""
        look = self.result or self.known()
        held = look.get("credential")
        return (held["product_key"], held["device_name"], str(look["fingerprint"])) if held else None

    def fail(self, error: FleetopsError) -> None:
        """Replace the result by a failure."""
        known = dict(self.result or self.known())
        known.pop("unreachable", None)
        self.result = failed(known, error)
        self.left = ""
        self.close()

    def refuse(self, error: FleetopsError) -> None:
        """Fail, or add the error to the result of a gateway that did not answer: no command may process this one alone either."""
        if self.outcome() != "unreachable":
            self.fail(error)
            return
        result = dict(self.result or {})
        both = "%s. Besides, %s" % (str(result.get("msg")).rstrip("."), error.msg)
        self.result = {**result, "error": {**error.as_result(), "message": both}}

    def close(self) -> None:
        """Close the connection and drop the convergence, for there may be thousands."""
        if self.convergence:
            with suppress(Exception):  # a connection plugin can raise anything, and the result must remain
                self.convergence.remote.close()
        self.convergence = None

    def outcome(self) -> str:
        """Return the outcome: ok, changed, failed, unreachable or left."""
        return "left" if self.left or self.result is None else outcome_of(self.result)


# Takes the gateways that are going to register. Returns the hosts that are not allowed to register, each with the reason.
Prepare = t.Callable[[t.Sequence[Member]], t.Mapping[str, FleetopsError]]


class Fleet:
    """All gateways of a pass."""

    def __init__(
        self,
        open_gateway: t.Callable[[str], Convergence | Result],
        display: Display,
        at_once: int,
        at_most: int,
        prepare: Prepare | None = None,
        end: t.Callable[[], None] = lambda: None,
        longest: float = LONGEST,
        interval: float = INTERVAL,
        watch: t.Callable[[Progress], None] | None = None,
        check_mode: bool = False,
        device_changes: t.Mapping[str, str] | None = None,
        claims: Claims | None = None,
    ) -> None:
        """Take the parameters of a pass.

        :param open_gateway: returns the convergence of a host, or its result if that is known without a look; raises FleetopsError for a
            host that fails, LeftToTask for one that is left to a task
        :param at_once: the number of gateways that are processed at the same time
        :param at_most: the maximum of gateways at the same time, with those whose work takes longer than SLOW, which at_once does not count
        :param prepare: called between look and change with the gateways that are going to register; returns the hosts that it refuses,
            each with the error
        :param end: ends all connections: those of gateways that hang, if no others are open, or when the pass is interrupted
        :param longest: seconds to wait for the work on one gateway with usual leases, once all others are done or wait for such gateways
        :param interval: seconds between two lines of progress
        :param watch: takes snapshots of the progress, in place of the lines
        :param check_mode: whether the results are of check mode
        :param device_changes: what was done to the device of each host, as fleet_devices returns it; ``prepare`` can add entries
        :param claims: returns what the inventory names for a host without a look, or with one that failed
        """
        self._open = open_gateway
        self._display = display
        self._at_once = at_once
        self._at_most = max(at_once, at_most)
        self._prepare = prepare
        self._end = end
        self._longest = longest
        self._interval = WATCHED if watch else interval
        self._watch = watch
        self._check_mode = check_mode
        self._device_changes = {} if device_changes is None else device_changes  # which is filled later
        self._claims = claims
        self.members: list[Member] = []  # of the pass, with the results so far
        # The errors of the hosts, also of those that were only compared, that have the device or a file of another one.
        self.sharing: dict[str, FleetopsError] = {}
        self._compared = False  # whether the devices and files of all hosts were compared
        self._broken: list[Member] = []

    def run(self, hosts: t.Sequence[str], others: t.Iterable[str] = ()) -> list[Member]:
        """Look at every host, and change the gateways that need a change.

        Refuse the hosts that have the same DeviceName or the same file as another host.

        :param others: hosts of the run that are not processed, because they failed before or were refused. They are only compared
        """
        members = self.members = [Member(host) for host in hosts]
        self._each("looked at", members, self._look)
        # Whatever is wrong with a host, it has its device and its file.
        broken = [member for member in members if not (member.has_to_act() or member.outcome() in ("ok", "changed"))]
        absent = [Member(host) for host in others]
        if self._claims:
            self._take_claims([*broken, *absent], self._claims)
        everyone = [*members, *absent]
        twice = shared({member.host: member.device for member in everyone})
        together = shared_places({member.host: member.places for member in everyone if member.places})
        for message in copied(
            {member.host: held for member in members if member.host not in together and (held := member.held())}
        ):
            self._display.warning(message)
        for message in lacking_roots({member.host: member.result or member.known() for member in members}):
            self._display.warning(message)
        self.sharing = {
            **{host: FleetopsError(text, kind="shared_place") for host, text in together.items()},
            **{host: FleetopsError(text, kind="shared_name") for host, text in twice.items()},
        }
        self._refuse(members, self.sharing)
        self._compared = True
        registering = [member for member in members if member.convergence and member.convergence.will_register()]
        if self._prepare and registering:
            self._refuse(members, self._prepare(registering))
        self._each("processed", [member for member in members if member.has_to_act()], self._change)
        return members

    def abandon(self, mistake: InternalError) -> list[Member]:
        """Leave the hosts that are not processed yet to tasks, because of a bug of ours.

        If it occurred before the comparison they fail, because a task would not refuse to register the device of another host.
        """
        for member in self.members:
            if not self._compared and member.outcome() == "left":
                member.fail(mistake)
            elif member.has_to_act():
                member.left = mistake.where
        return self.members

    def _look(self, member: Member) -> None:
        opened = self._open(member.host)
        if isinstance(opened, dict):
            member.result, member.device = opened, (opened["product_key"], opened["device_name"])
            return
        convergence = member.convergence = opened
        member.device = convergence.device()
        if convergence.is_looking():
            try:
                convergence.look()
            finally:  # another host may have the file of a gateway that is not allowed a change, or does not answer
                named = named_files(convergence.task.path, convergence.task.exports)
                member.places = places_of(convergence.seen, convergence.remote.target(), named)
            member.device = convergence.device()
            if not convergence.has_to_act():
                member.result = convergence.finish()

    def _take_claims(self, members: t.Sequence[Member], claims: Claims) -> None:
        """Complete what a look has not found: another host must get neither its device nor its file, whatever is wrong with these."""
        causes: dict[str, list[str]] = {}
        for member in members:
            try:
                if not member.device[1]:
                    member.device = claims.device(member.host)
                member.places = member.places or claims.places(member.host)
            except Exception as error:  # of ours or of a connection plugin; it must not end the pass
                causes.setdefault(internal(error).where, []).append(member.host)
        for cause, hosts in causes.items():
            what = "its device or its files were" if len(hosts) == 1 else "their devices or their files were"
            self._display.warning(
                "%s: %s not compared with those of the other hosts: %s" % (first_of(hosts, HOSTS_SHOWN), what, cause)
            )

    def _change(self, member: Member) -> None:
        if member.convergence:
            member.result = member.convergence.run()

    def _guarded(self, work: t.Callable[[Member], None], member: Member) -> None:
        try:
            work(member)
        except Unreachable as error:
            member.result = {**member.known(), "changed": False, "unreachable": True, "msg": str(error)}
        except FleetopsError as error:
            member.result = failed(member.known(), error)
        except LeftToTask as why:
            member.left = str(why)
        except Exception as error:  # a bug of ours: the host is left to a task, and the pass continues
            member.left = internal(error).where
        if not member.has_to_act():
            member.close()

    def _refuse(self, members: t.Sequence[Member], errors: t.Mapping[str, FleetopsError]) -> None:
        for member in members:
            if member.host in errors:
                noted = member.outcome() in ("failed", "unreachable")
                member.refuse(errors[member.host])
                if not noted:
                    self._note(member)

    def _each(self, verb: str, members: t.Sequence[Member], work: t.Callable[[Member], None]) -> None:
        """Do the work for every member, several at once, and show the progress at intervals."""
        pool = ThreadPoolExecutor(min(self._at_most, max(1, len(members))))
        try:
            self._work(pool, verb, members, work)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self._end()
            raise
        pool.shutdown()

    def _work(
        self, pool: ThreadPoolExecutor, verb: str, members: t.Sequence[Member], work: t.Callable[[Member], None]
    ) -> None:
        started = shown = clock()
        left = list(reversed(members))
        running: dict[Future[None], tuple[Member, float]] = {}
        hanging: dict[str, float] = {}  # the time limits of hosts whose connections were ended
        while left or running:
            now = clock()
            places = self._at_once - sum(now - since < SLOW for _member, since in running.values())
            while left and places > 0 and len(running) < self._at_most:
                member = left.pop()
                running[pool.submit(self._guarded, work, member)] = (member, now)
                places -= 1
            for future in wait(running, timeout=_TICK, return_when=FIRST_COMPLETED).done:
                member, _since = running.pop(future)
                future.result()
                if member.host in hanging:
                    self._fail_hanging(member, hanging[member.host])
                self._note(member)
            overdue = {
                member.host: limit for member, since in running.values() if now - since > (limit := self._limit(member))
            }
            # Only if the work on no other gateway runs or can begin, because this ends the connections of all.
            if running and len(overdue) == len(running) and (not left or len(running) >= self._at_most):
                hanging |= overdue
                self._end()  # again with each tick: a connection that was ended may be tried again, or another command hang
            if clock() - shown >= self._interval:
                shown = clock()
                self._show(verb, members, len(left), len(running), shown - started)
        if self._watch:
            self._show(verb, members, 0, 0, clock() - started)

    def _limit(self, member: Member) -> float:
        convergence = member.convergence  # which another thread sets and removes
        return self._longest + (2 * (convergence.patience() - PATIENCE) if convergence else 0)

    def _fail_hanging(self, member: Member, limit: float) -> None:
        """Replace the result of a gateway whose connection was ended, unless the work on it ended well after all."""
        if member.outcome() in ("ok", "changed"):
            return
        error = FleetopsError(
            "the work on the gateway did not end within %d seconds" % limit,
            hint="Check which process hangs on the gateway. Then run the playbook again: the new run finishes the change",
            kind="timeout",
        )
        error.registered = bool((member.result or {}).get("registered"))
        member.fail(error)

    def _note(self, member: Member) -> None:
        """Record a failed gateway, in the order of the failures."""
        if member.result is not None and word_of(member.result) in BROKEN:
            self._broken.append(member)

    def _show(self, verb: str, members: t.Sequence[Member], left: int, running: int, seconds: float) -> None:
        """Show the progress, as a snapshot or as a line."""
        counts: Counter[str] = Counter()
        for member in self.members:
            if member.result is not None:
                result = with_change(member.result, self._device_changes.get(member.host))
                counts[word_of(result, self._check_mode)] += 1
        failures = tuple(failure_of(member.host, member.result or {}) for member in self._broken[-FAILURES:])
        finished = len(members) - left - running
        progress = Progress(verb, len(members), finished, running, seconds, dict(counts), failures)
        if self._watch:
            self._watch(progress)
        else:
            self._display.display(progress.line())
