"""What knowing who will come is worth: a day planned with all known, with a forecast from the days before, and with nobody foreseen.

    python -m bench.foresight --sessions FILE.csv.gz ... --day 2019-10-08 [--days 5] [--cap KW] [--v2g]

The files are those of `bench.site`; without one, the days are drawn. The forecast knows what had ended before the day began.
"""

import argparse
import csv
import gzip
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from bench.site import BATTERY, POWER, PRICES, QUARTER, ZONE, Metered, Planner, Session, _foreseen, drawn, rolled
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.forecast import Model, Visit, at_quantile, fit, pinball
from v2g.energy.needs import Needs
from v2g.energy.prices import midnight, parse_prices
from v2g.energy.site import Site

LAST = 9  # rank of a car that is only expected: nobody who is there misses energy for it
BEFORE = 56  # days of history
Days = dict[date, list[Session]]


def expecting(model: Model, until: float, both: bool) -> Planner:
    """The joint plan over those who are there and those expected until an instant (epoch s), without the plans of the latter."""

    def planned(ground: Ground, guests: Sequence[Guest], now: float) -> FleetPlan:
        coming = [_expected(number, one, both) for number, one in enumerate(model.coming(now, until))]
        made = joint(ground, [*guests, *coming], now)
        here = {one.name for one in guests}
        return replace(made, plans={name: plan for name, plan in made.plans.items() if name in here})

    return planned


def _expected(number: int, one: Visit, both: bool) -> Guest:
    energy = min(one.energy, POWER * (one.departure - one.arrival) / 3600.0 * 0.94)
    needs = Needs(
        departure=one.departure,
        energy_target=energy,
        energy_maximum=max(energy, BATTERY / 2),
        energy_minimum=-BATTERY / 4 if both else None,
        charge_maximum=POWER,
        discharge_maximum=POWER if both else 0.0,
        bidirectional=both,
    )
    return Guest(f"expected {number}", needs, "grid", rank=LAST, arrival=one.arrival)


def read_all(files: Sequence[Path]) -> Days:
    """The sessions of the files that begin and end on one day, by day; energies as `bench.site` has them."""
    found: Days = defaultdict(list)
    for path in files:
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                arrival, departure = (datetime.fromisoformat(row[name]).timestamp() for name in ("arrival", "departure"))
                if row["arrival"][:10] == row["departure"][:10] and departure - arrival >= QUARTER:
                    most = POWER * (departure - arrival) / 3600.0 * 0.94
                    energy = min(1000.0 * float(row["delivered_energy (kWh)"]), most)
                    found[date.fromisoformat(row["arrival"][:10])].append(Session(float(int(arrival)), float(int(departure)), energy))
    return found


def invented(first: date, count: int, cars: int) -> Days:
    """Working days on which so many cars come to work, one more or less."""
    days = [first + timedelta(days=number) for number in range(-BEFORE, count)]
    return {day: drawn(cars + day.toordinal() % 3 - 1, midnight(day, ZONE)) for day in days if day.weekday() < 5}


def run(arguments: Sequence[str] = ()) -> None:
    """Print cost, missing energy and CPU of each, summed over the working days, and how good the forecast was."""
    parser = argparse.ArgumentParser(prog="python -m bench foresight")
    parser.add_argument("--sessions", type=Path, nargs="*", default=[])
    parser.add_argument("--day", default="2019-10-08")
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--cap", type=float, help="kW both ways (default: 136, for drawn cars 2 for each)")
    parser.add_argument("--cars", type=int, default=8, help="without --sessions")
    parser.add_argument("--v2g", action="store_true")
    given = parser.parse_args(arguments)
    first, cap = date.fromisoformat(given.day), given.cap or (136.0 if given.sessions else 2.0 * given.cars)
    days = read_all(given.sessions) if given.sessions else invented(first, given.days, given.cars)
    lived = [day for day in sorted(days) if day >= first and day.weekday() < 5 and days[day]][: given.days]
    if not lived:
        parser.error(f"no sessions from {first} on; give the files that hold them")
    sums: dict[str, Metered] = {}
    losses: list[tuple[float, float]] = []
    for day in lived:
        began, since = midnight(day, ZONE), day - timedelta(days=BEFORE)
        model = fit([Visit(s.arrival, s.departure, s.energy) for one, all in days.items() if since <= one < day for s in all], ZONE, began)
        losses += _losses(model, days[day])
        for name, metered in _day(model, days[day], began, cap, given.v2g).items():
            total = sums.setdefault(name, Metered())
            total.cash, total.missing, total.cpu = total.cash + metered.cash, total.missing + metered.missing, total.cpu + metered.cpu
    ways = "both ways" if given.v2g else "charging"
    print(f"{len(lived)} days from {lived[0]}, {sum(len(days[day]) for day in lived)} cars, {cap:g} kW, {ways}")
    print(f"{'':26} {'cost':>9} {'kWh missing':>12} {'CPU s':>7}")
    for name, metered in sums.items():
        print(f"{name:26} {metered.cash:9.2f} {metered.missing / 1000:12.1f} {metered.cpu:7.2f}")
    best, some, none = (metered.cash for metered in sums.values())
    print(f"foresight is worth {none - best:.2f}; the forecast gets {none - some:.2f} of it")
    ours, plain = (sum(each) / max(len(losses), 1) / 3600.0 for each in zip(*losses, strict=True)) if losses else (0.0, 0.0)
    print(f"first decile of departures: mean loss {ours:.3f} h by the arrivals nearest in time of day, {plain:.3f} h by one hour for all")


def _day(model: Model, sessions: Sequence[Session], began: float, cap: float, both: bool) -> dict[str, Metered]:
    prices = parse_prices(PRICES.read_text()).upcoming(began, ZONE)
    ground = Ground(Connection("grid", cap * 1000.0, cap * 1000.0), Site(import_prices=prices.imports, export_prices=prices.exports))
    return {
        "all known": _foreseen(sessions, ground, both),
        "forecast": rolled(sessions, ground, expecting(model, began + 86_400, both), both),
        "nobody foreseen": rolled(sessions, ground, joint, both),
    }


def _losses(model: Model, sessions: Sequence[Session]) -> list[tuple[float, float]]:
    """The pinball loss (s) of the first decile of departures: by the model, and by the decile of the times of day at which all left."""
    left = sorted(one.departure - _midnight(one.arrival) for kind in model.kinds[:1] for one in kind.stays)
    found = []
    for one in sessions:
        departure = model.departure(one.arrival, 0.1)
        if departure is not None and left:
            plain = max(_midnight(one.arrival) + at_quantile(left, 0.1), one.arrival)
            found.append((pinball(departure, one.departure, 0.1), pinball(plain, one.departure, 0.1)))
    return found


def _midnight(at: float) -> float:
    return midnight(datetime.fromtimestamp(at, ZONE).date(), ZONE)


if __name__ == "__main__":
    run(sys.argv[1:])
