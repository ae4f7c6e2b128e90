"""Others plan the same night in the same run: FlexMeasures' `device_scheduler` and ACN-Sim's earliest deadline first beside our joint plan.

    python -m bench.anchors [--cars 50] [--cap 150] [--date 2024-11-06] [--v2g] [--patience 900]

So many cars of 60 kWh come in the evening and leave in the morning, on quarter hours; prices are the Dutch day-ahead prices of the `ev2gym`
wheel, 0.10 EUR dearer to buy and 0.02 EUR dearer to sell. Each tool runs in an environment of its own (pip), and its powers go through one
meter of ours. A tool that takes longer than --patience seconds is stopped.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench._wheels import NotToBeHad, environment
from bench.sessions import BOUGHT, SOLD, spot
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.model import Model
from v2g.energy.fleet.plan import FleetPlan, fleet_plan
from v2g.energy.fleet.queue import in_order
from v2g.energy.fleet.seats import table_of
from v2g.energy.fleet.settling import powers_of
from v2g.energy.needs import Needs
from v2g.energy.series import Series, Step
from v2g.energy.site import Site

STEP, STEPS, EFFICIENCY, POWER = 900.0, 96, 0.95, 11.0  # s, quarter hours, of battery and back, kW
START = 1_730_894_400.0  # any quarter of an hour
TOOLS = {
    "FlexMeasures": ("flexmeasures", ("flexmeasures==1.0.1",), "_flexmeasures.py"),
    "ACN-Sim EDF": ("acn", ("acnportal==0.3.3", "setuptools<81"), "_acnsim.py"),
}


def scenario(count: int, cap: float, day: str, both: bool) -> dict[str, Any]:
    """The night, in kW and kWh: cars as (first step, step in which it is gone, wanted, room, reserve, power), prices of each step."""
    chance, first = random.Random(count), datetime.fromisoformat(day) + timedelta(hours=12)
    cars = []
    for _ in range(count):
        stored, wanted = chance.uniform(18.0, 40.0), chance.uniform(4.0, 19.0)
        cars.append([chance.randrange(16, 36), chance.randrange(74, 90), wanted, 60.0 - stored, 12.0 - stored if both else 0.0, POWER])
    told = [spot()[first + timedelta(hours=k // 4)] for k in range(STEPS)]
    prices = {"bought": [price + BOUGHT for price in told], "sold": [price + SOLD for price in told]}
    return {"cars": cars, "cap": cap, "both": both, "efficiency": EFFICIENCY} | prices


def theirs(name: str, told: dict[str, Any], patience: float) -> dict[str, Any]:
    """What another tool plans, and the CPU s that it took. NotToBeHad where it cannot be installed, fails or takes too long."""
    folder, requirements, script = TOOLS[name]
    python = environment(folder, requirements)
    words = [str(python), "-P", str(Path(__file__).parent / script)]
    try:
        done = subprocess.run(words, input=json.dumps(told), capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        raise NotToBeHad(f"{name}: not done in {patience:.0f} s") from None
    if done.returncode:
        raise NotToBeHad(f"{name}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def ours(told: dict[str, Any], planner: Callable[[Ground, Sequence[Guest]], FleetPlan]) -> dict[str, Any]:
    """What one of our ways plans, with all cars known beforehand, as the others know them."""
    bought, sold = (Series(START, tuple(Step(STEP, price) for price in told[name])) for name in ("bought", "sold"))
    site = Site(import_prices=bought, export_prices=sold, efficiency_charge=EFFICIENCY, efficiency_discharge=EFFICIENCY)
    ground = Ground(Connection("grid", 1_000.0 * told["cap"], 1_000.0 * told["cap"]), site)
    guests = []
    for number, (first, last, wanted, room, reserve, power) in enumerate(told["cars"]):
        needs = Needs(
            departure=START + STEP * last,
            energy_target=1_000.0 * wanted,
            energy_maximum=1_000.0 * room,
            energy_minimum=1_000.0 * reserve if told["both"] else None,
            charge_maximum=1_000.0 * power,
            discharge_maximum=1_000.0 * power if told["both"] else 0.0,
            bidirectional=told["both"],
        )
        guests.append(Guest(f"car {number}", needs, "grid", arrival=START + STEP * first))
    started = time.process_time()
    made = planner(ground, guests)
    took = time.process_time() - started
    series = [made.plans[guest.name].power for guest in guests]
    return {"powers": [[_mean(each, START + STEP * k) for k in range(STEPS)] for each in series], "cpu": took}


def _mean(series: Series, start: float) -> float:
    return series.clip(start, start + STEP).integral() * 3.6 / STEP


def one_program(ground: Ground, guests: Sequence[Guest]) -> FleetPlan:
    """All of them in one program that knows all: no plan is cheaper where no export earns more than an import costs."""
    model = Model(table_of(ground, guests, START))
    return fleet_plan(model.table, powers_of(model, model.program.opened().solved()), "whole", 0.0)


def metered(told: dict[str, Any], powers: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """What the powers (kW) cost, the kWh missing at departure, and the kWh above the cap: one meter for all tools."""
    hours, cash, over, missing = STEP / 3_600.0, 0.0, 0.0, 0.0
    for k in range(STEPS):
        net = sum(each[k] for each in powers)
        cash += net * hours * told["bought" if net > 0 else "sold"][k]
        over += max(abs(net) - told["cap"] - 1e-4, 0.0) * hours
    for car, each in zip(told["cars"], powers, strict=True):
        stored = sum(p * hours * (EFFICIENCY if p > 0 else 1.0 / EFFICIENCY) for p in itertools.islice(each, car[0], car[1]))
        missing += max(car[2] - stored - 1e-3, 0.0)
    return cash, missing, over


def run(arguments: Sequence[str] = ()) -> None:
    """Print cost, kWh missing and over, CPU of each tool, and the ratios to our joint plan."""
    parser = argparse.ArgumentParser(prog="python -m bench.anchors")
    parser.add_argument("--cars", type=int, default=50)
    parser.add_argument("--cap", type=float, default=150.0, help="kW both ways")
    parser.add_argument("--date", default="2024-11-06")
    parser.add_argument("--v2g", action="store_true", help="both ways; FlexMeasures takes minutes")
    parser.add_argument("--patience", type=float, default=900.0, help="s for each tool")
    given = parser.parse_args(arguments)
    try:
        told = scenario(given.cars, given.cap, given.date, given.v2g)
    except NotToBeHad as missing:
        print(f"not measured: {missing}")
        return
    wanted = sum(car[2] for car in told["cars"])
    print(f"{given.cars} cars, {wanted:.0f} kWh, {given.cap:g} kW, {'both ways' if given.v2g else 'charging'}, prices of {given.date}")
    print(f"{'':26} {'EUR':>9} {'/ ours':>8} {'kWh missing':>12} {'kWh over':>9} {'CPU s':>8} {'/ ours':>7}")
    ours({**told, "cars": told["cars"][:1]}, lambda ground, guests: joint(ground, guests, START))  # what a first plan loads is not measured
    made = ours(told, lambda ground, guests: joint(ground, guests, START))
    _line("joint", told, made, made)
    _line("one program", told, ours(told, one_program), made)
    _line("in order of departure", told, ours(told, lambda ground, guests: in_order(table_of(ground, guests, START))), made)
    for name in TOOLS:
        try:
            _line(name, told, theirs(name, told, given.patience), made)
        except NotToBeHad as missing:
            print(f"{name:26} not measured: {missing}")


def _line(name: str, told: dict[str, Any], made: dict[str, Any], first: dict[str, Any]) -> None:
    (cash, missing, over), (other, _, _) = metered(told, made["powers"]), metered(told, first["powers"])
    ratio = made["cpu"] / first["cpu"]
    print(f"{name:26} {cash:9.2f} {cash / other:8.4f} {missing:12.2f} {over:9.2f} {made['cpu']:8.3f} {ratio:7.1f}", flush=True)


if __name__ == "__main__":
    run(sys.argv[1:])
