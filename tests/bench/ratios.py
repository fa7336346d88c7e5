# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the costs of the runs that bench.py has measured, with each other and with the bounds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import Any

from rich.table import Table

# Ratios of seconds: numerator, denominator, and the bound that the collection sets itself.
RATIOS = {
    "rerun_vs_ping": ("rerun", "ping", "at most", 0.18),
    "provision_vs_ping": ("provision", "ping", "at most", 0.85),
    "provision_controller_vs_ping": ("provision_controller", "ping", "at most", 0.5),
    "reprovision_vs_ping": ("reprovision", "ping", "at most", 1.6),
    "naive_vs_provision": ("naive", "provision", "at least", 8),
    "naive_rerun_vs_rerun": ("naive_rerun", "rerun", "at least", 13),
}
# Ratios of the controller's CPU time, which limits a run over a large fleet.
CONTROLLER_RATIOS = {
    "rerun_vs_ping_controller_cpu": ("rerun", "ping", "at most", 0.4),
    "provision_vs_ping_controller_cpu": ("provision", "ping", "at most", 1.0),
    "progress_vs_default_controller_cpu": ("provision_progress", "provision", "at most", 1.05),
}
# The bound of the seconds a gateway of an everyday run over four times as many gateways, compared with those of a ping.
SCALING_BOUND = ("at most", 0.12)


@dataclass(frozen=True)
class Cost:
    """The seconds of a run: on the clock, and of CPU time on the controller and on all gateways."""

    wall: float
    controller: float
    gateways: float

    @property
    def cpu(self) -> float:
        return self.controller + self.gateways


def mean(runs: Sequence[Cost]) -> Cost:
    """Return the mean cost of several runs."""
    return Cost(*map(statistics.fmean, zip(*map(astuple, runs), strict=True)))


def ratio(costs: dict[str, list[Cost]], over: str, under: str, unit: str) -> float:
    """Return the median of the ratios of two cases in each repetition.

    :param costs: of each case, a cost for each repetition; of ``ping``, one before each repetition, one after the last, and one at the end
    :param unit: the field of :class:`Cost` to compare
    """

    def of_repetitions(name: str) -> list[float]:
        values = [getattr(cost, unit) for cost in costs[name]]
        return [statistics.mean(pair) for pair in pairwise(values)] if name == "ping" else values

    return statistics.median(a / b for a, b in zip(of_repetitions(over), of_repetitions(under), strict=False))


def scaling_name(sizes: Iterable[int], gateways: int) -> str:
    return f"rerun_of_{max(sizes)}_vs_ping_of_{gateways}"


def report(costs: dict[str, list[Cost]], scaling: dict[int, list[float]], gateways: int) -> dict[str, Any]:
    """Return the medians and the ratios.

    :param costs: as for :func:`ratio`, of runs over ``gateways`` gateways
    :param scaling: the milliseconds a gateway of everyday runs, by the number of gateways
    """
    seconds = {name: statistics.median(cost.wall for cost in runs) for name, runs in costs.items()}

    def cpu(side: str) -> dict[str, float]:
        medians = {name: statistics.median(getattr(cost, side) for cost in runs) for name, runs in costs.items()}
        return {name: round(1000 * median / gateways, 1) for name, median in medians.items()}

    per_host = {size: statistics.median(values) for size, values in scaling.items()}

    def compared(ratios: dict[str, tuple[str, str, str, float]], unit: str) -> dict[str, float]:
        return {name: ratio(costs, over, under, unit) for name, (over, under, *_bound) in ratios.items()}

    last_pings = statistics.mean(1000 * cost.wall / gateways for cost in costs["ping"][-2:])
    scaled = {scaling_name(scaling, gateways): per_host[max(scaling)] / last_pings}
    ratios = {**compared(RATIOS, "wall"), **scaled, **compared(CONTROLLER_RATIOS, "controller")}
    cpu_ratios = compared(RATIOS, "cpu")
    return {
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "cpu_ratios": {name: round(value, 3) for name, value in cpu_ratios.items()},
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "spread": {name: [round(cost.wall, 2) for cost in runs] for name, runs in costs.items()},
        "cpu_ms_per_gateway": {side: cpu(side) for side in ("controller", "gateways")},
        "rerun_ms_per_gateway": {str(size): round(value, 1) for size, value in per_host.items()},
    }


def tables(result: dict[str, Any], titles: dict[str, str]) -> Iterator[Table]:
    """Yield the table of the cases, and that of the ratios with their bounds."""
    gateways, forks = result["gateways"], result["forks"]
    cases = Table(title=f"{gateways} gateways over SSH, {forks} forks, pipelining, open connections")
    for column in ("", "seconds", "of a ping", "CPU ms a gateway: controller", "gateway"):
        cases.add_column(column, justify="right" if column else "left")
    for name, seconds in result["seconds"].items():
        of_ping = seconds / result["seconds"]["ping"]
        cpu = [f"{result['cpu_ms_per_gateway'][side][name]:.0f}" for side in ("controller", "gateways")]
        cases.add_row(titles[name], f"{seconds:.2f}", f"{of_ping:.2f}", *cpu)
    yield cases
    bounds = {name: values[2:] for name, values in {**RATIOS, **CONTROLLER_RATIOS}.items()}
    bounds[scaling_name(map(int, result["rerun_ms_per_gateway"]), gateways)] = SCALING_BOUND
    ratios = Table()
    for column in ("ratio", "of seconds", "of CPU", "bound"):
        ratios.add_column(column, justify="right" if column.startswith("of") else "left")
    for name, value in result["ratios"].items():
        word, bound = bounds[name]
        met = value <= bound if word == "at most" else value >= bound
        cpu = result["cpu_ratios"].get(name)
        ratios.add_row(name, f"{value:.2f}", f"{cpu:.2f}" if cpu else "", f"{word} {bound}{'' if met else ', missed'}")
    yield ratios
