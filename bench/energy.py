"""Planning one stay: the whole `plan` and `offer` beside the bare solver on the very same program."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from v2g.energy.needs import Needs
from v2g.energy.offer import offer
from v2g.energy.prices import parse_prices
from v2g.energy.program import Program, Solution
from v2g.energy.scheduler import plan
from v2g.energy.site import Site

PRICES = Path(__file__).parent.parent / "v2gkit" / "lab" / "data" / "day_ahead.csv"
NOON = 1_795_345_200.0  # 22 Nov 2026, 11:00 UTC
RUNS = 15


def run() -> None:
    """Print CPU time in ms, median of `RUNS`: one car, 96 quarter hours, as it comes and with minimum powers."""
    prices = parse_prices(PRICES.read_text()).upcoming(NOON, ZoneInfo("Europe/Berlin"))
    site = Site(11_000.0, 11_000.0, prices.imports, prices.exports, wear_cost=0.02)
    car = Needs(NOON + 86_400.0, 20_000.0, 35_000.0, -15_000.0, charge_maximum=11_000.0, discharge_maximum=11_000.0, bidirectional=True)
    print(f"{'ms CPU':32} {'HiGHS alone':>12} {'plan':>8} {'ratio':>6} {'offer, 96':>10} {'offer, 6':>10}")
    for name, needs in (
        ("1 EV x 96", car),
        ("1 EV x 96, not bidirectional", replace(car, bidirectional=False)),
        ("1 EV x 96, at least 1.4 kW", replace(car, charge_minimum=1400.0, discharge_minimum=1400.0)),
        ("1 EV x 96, at least 4.1 kW", replace(car, charge_minimum=4100.0, discharge_minimum=4100.0)),
    ):
        made, programs = _watched(lambda needs=needs: plan(needs, site, NOON))  # type: ignore[misc]
        bare = sum(_median(program.solved) for program in programs)
        whole = _median(lambda needs=needs: plan(needs, site, NOON))  # type: ignore[misc]
        offers = [_median(lambda m=made, p=p, n=needs: offer(m, replace(n, max_points=p), site)) for p in (96, 6)]  # type: ignore[misc]
        print(f"{name:32} {bare:12.1f} {whole:8.1f} {whole / bare:6.2f} {offers[0]:10.1f} {offers[1]:10.1f}")


def _median(work: Callable[[], object]) -> float:
    """CPU milliseconds of the process."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000.0 * statistics.median(times)


def _watched(work: Callable[[], object]) -> tuple[object, list[Program]]:
    """What the work returns, and the programs that it solved."""
    programs: list[Program] = []
    genuine = Program.solved

    def solved(self: Program) -> Solution:
        programs.append(self)
        return genuine(self)

    Program.solved = solved  # type: ignore[assignment, method-assign]
    try:
        return work(), programs
    finally:
        Program.solved = genuine  # type: ignore[method-assign]
