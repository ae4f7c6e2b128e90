"""Many V2G cars behind one connection overnight: what their joint plan costs beside one program, and takes.

    python -m bench.crowd [--cars 50 --cars 1000] [--sites 20]

All are plugged in, and leave in the morning; the cap is 3 kW a car. Cars and prices are invented. The one program is the same model, solved
whole: no plan is cheaper. With --sites so many sites of 50 cars are planned as well, one after the other.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.site import POWER, PRICES, ZONE
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.model import Model
from v2g.energy.fleet.plan import fleet_plan
from v2g.energy.fleet.seats import table_of
from v2g.energy.fleet.settling import powers_of
from v2g.energy.needs import Needs
from v2g.energy.prices import parse_prices
from v2g.energy.series import Series, Step
from v2g.energy.site import Site

CAP = 3_000.0  # W a car
SIZE = 50  # cars of each of --sites
EVENING = datetime(2019, 10, 8, 20, tzinfo=ZONE).timestamp()


@dataclass(frozen=True, slots=True)
class Timed:
    """What a way of planning took (CPU s), what the plan pays (currency), and how much stays undelivered (Wh)."""

    cpu: float
    cash: float
    missing: float


def cars(count: int, seed: int) -> list[Guest]:
    """So many V2G cars that stand there in the evening: from 5 to 30 kWh until six to nine in the morning, and 15 kWh to lend."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        wanted = chance.uniform(5_000, 30_000)
        needs = Needs(
            departure=EVENING + 900.0 * chance.randrange(40, 53),
            energy_target=wanted,
            energy_maximum=wanted + 10_000,
            energy_minimum=-15_000,
            charge_maximum=POWER,
            discharge_maximum=POWER,
            bidirectional=True,
        )
        found.append(Guest(f"car {number}", needs, "grid"))
    return found


def ground(count: int, dear: bool = False) -> Ground:
    """A connection for so many cars, at the prices of the demo; unless `dear` no export earns more than imports cost."""
    prices = parse_prices(PRICES.read_text())
    prices = prices.upcoming(EVENING, ZONE) if prices.relative else prices
    assert prices.exports
    exports = Series(
        prices.exports.start,
        tuple(
            Step(s.duration, s.value if dear else min(s.value, i.value))
            for s, i in zip(prices.exports.steps, prices.imports.steps, strict=True)
        ),
    )
    return Ground(Connection("grid", CAP * count, CAP * count), Site(import_prices=prices.imports, export_prices=exports))


def planned(guests: Sequence[Guest], dear: bool) -> Timed:
    """The plan as a station or a CSMS makes it: in groups where there are many."""
    started = time.process_time()
    made = joint(ground(len(guests), dear), guests, EVENING)
    return Timed(time.process_time() - started, made.cash, sum(made.unmet.values()))


def whole(guests: Sequence[Guest], dear: bool) -> Timed:
    """One program of all of them; where `dear`, with the meter going both ways at once, which is cheaper than any plan."""
    started = time.process_time()
    model = Model(table_of(ground(len(guests), dear), guests, EVENING))
    solution = model.program.opened().solved()
    made = fleet_plan(model.table, powers_of(model, solution), "whole", 0.0)
    return Timed(time.process_time() - started, solution.objective if dear else made.cash, sum(made.unmet.values()))


def run(arguments: Sequence[str] = ()) -> None:
    """Print a line for each number of cars: CPU, its ratio to the one program, and the ratio of the costs."""
    parser = argparse.ArgumentParser(prog="python -m bench crowd")
    parser.add_argument("--cars", type=int, action="append", help="so many; may be given again (default: 50 and 1000)")
    parser.add_argument("--sites", type=int, default=0, help=f"so many sites of {SIZE} cars as well")
    parser.add_argument("--dear", action="store_true", help="exports earn more than imports cost for two hours")
    given = parser.parse_args(arguments)
    print(f"{'cars':>8} {'CPU s':>7} {'one program':>12} {'ratio':>6} {'cost':>9} {'ratio':>8} {'kWh missing':>12}")
    planned(cars(2, 2), given.dear)  # what a first plan loads is no part of the next
    for count in given.cars or (50, 1000):
        guests = cars(count, count)
        ours, other = planned(guests, given.dear), whole(guests, given.dear)
        ratio, cost = ours.cpu / other.cpu, ours.cash / other.cash
        print(
            f"{count:8} {ours.cpu:7.2f} {other.cpu:12.2f} {ratio:6.2f} {ours.cash:9.2f} {cost:8.5f} {ours.missing / 1000:12.1f}", flush=True
        )
    if given.sites:
        cpu = sum(planned(cars(SIZE, seed), given.dear).cpu for seed in range(given.sites))
        print(f"{given.sites} sites of {SIZE} cars: {cpu:.2f} CPU s")


if __name__ == "__main__":
    run(sys.argv[1:])
