"""How long one plan keeps the interpreter from the loop beside it: of one car, and of many behind one connection.

    python -m bench.holds [--repeat 7]

A plan is made on a thread as a station makes it; the main thread asks for its turn again and again. A wait counts as far as the planning
thread was at work meanwhile, by its own processor time, so that what other programs of the machine take does not: a wait is the lesser of
the two. Of several runs of the same plan the least of the longest waits is printed: what is in the plan is in each of them.
"""

import argparse
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.crowd import EVENING as EVENING_OF_ALL
from bench.crowd import cars, ground
from bench.site import PRICES, ZONE
from v2g.energy.fleet.joint import joint
from v2g.energy.needs import Needs
from v2g.energy.offer import offered
from v2g.energy.patience import Patience
from v2g.energy.prices import parse_prices
from v2g.energy.site import Site
from v2g.workers import short_turns

REST: Final = 0.0001  # s between two turns
EVENING: Final = 1_570_557_600.0  # 2019-10-08 20:00 in the zone of the prices
HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Held:
    """What a plan took (CPU s), and the longest time for which it kept the interpreter (s)."""

    cpu: float
    longest: float


def site() -> Site:
    """A site with day-ahead prices."""
    prices = parse_prices(PRICES.read_text())
    prices = prices.upcoming(EVENING, ZONE) if prices.relative else prices
    return Site(import_prices=prices.imports, export_prices=prices.exports, export_limit=11_000.0)


def needs(bidirectional: bool, hours: float, points: int) -> Needs:
    """A car that stays so many hours and takes so many steps of a schedule."""
    return Needs(
        departure=EVENING + hours * HOUR, energy_target=30_000, energy_maximum=40_000, energy_minimum=-15_000 if bidirectional else 0,
        charge_maximum=11_000, discharge_maximum=11_000 if bidirectional else 0, bidirectional=bidirectional, max_points=points,
    )  # fmt: skip


def held(plan: Callable[[Patience], object]) -> Held:
    """A plan on a thread beside this one."""
    done, started, watching = threading.Event(), threading.Event(), threading.Event()
    spent: list[float] = []

    def work() -> None:
        with short_turns():
            started.set()
            watching.wait()
            began = time.thread_time()
            plan(Patience(time.monotonic() + 5.0, time.monotonic))
            spent.append(time.thread_time() - began)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    assert thread.ident is not None
    clock, longest = time.pthread_getcpuclockid(thread.ident), 0.0
    watching.set()
    while not done.is_set():
        worked, began = time.clock_gettime(clock), time.monotonic()
        time.sleep(REST)
        try:
            longest = max(longest, min(time.clock_gettime(clock) - worked, time.monotonic() - began - REST))
        except OSError:  # it has ended meanwhile
            break
    thread.join()
    return Held(spent[0], longest)


def told(name: str, plan: Callable[[Patience], object], repeat: int) -> None:
    """Print the least of the longest holds of several runs."""
    runs = [held(plan) for _ in range(repeat)]
    least, cpu = min(each.longest for each in runs), min(each.cpu for each in runs)
    print(f"{name}: {cpu * 1e3:6.0f} ms of CPU, longest hold {least * 1e3:5.2f} ms", flush=True)


def holds(repeat: int) -> None:
    """Print a line for each kind of plan."""
    where = site()
    told("the first plan of a process, which loads the solver", partial(offer_of, needs(False, 2, 12), where), 1)
    for bidirectional in (False, True):
        for hours, points in ((2, 12), (12, 64), (24, 1024)):
            kind = "V2G" if bidirectional else "charging"
            told(f"one car, {kind:8} {hours:3} h, {points:5} points", partial(offer_of, needs(bidirectional, hours, points), where), repeat)
    for count in (10, 50, 200):
        guests, shared = cars(count, 1), ground(count)
        told(f"{count:4} V2G cars behind one connection", partial(joint, shared, guests, EVENING_OF_ALL), min(repeat, 3))


def offer_of(wanted: Needs, where: Site, patience: Patience) -> object:
    """The offer for one car."""
    return offered(wanted, where, EVENING, (), patience)


def run() -> None:
    """Print the figures."""
    holds(5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.holds")
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    holds(options.repeat)
