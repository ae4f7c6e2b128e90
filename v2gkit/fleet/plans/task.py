"""What a plan of a site rests on, and the plan: two frozen values that travel as octets, so that whoever has a core may solve it. Pure.

    octets = solved(task_octets)

A solver knows nothing but the task. The same task has the same plan, unless time was up.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from v2g.energy.fleet.feeders import CONSTANT, Feeder, Place, tree
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.needs import Needs
from v2g.energy.patience import ENDLESS, Patience
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal
from v2g.energy.site import Site as Prices
from v2gkit.fleet.decision import Car
from v2gkit.fleet.declared import Site
from v2gkit.fleet.rates import Rate, series, within

Span = tuple[float, float, float]
"""A power (W, the last) from one instant to another (epoch s)."""
DRIFT: Final = 60.0  # s
AHEAD: Final = 3_600.0  # s for which a car that has no goal is taken to go on drawing


class Limit(msgspec.Struct, frozen=True):
    """What a signal will ask of the site over time; `kind` and `rank` as in `v2g.energy.signal`."""

    id: str
    kind: str
    rank: int
    spans: tuple[Span, ...]


class Task(msgspec.Struct, frozen=True):
    """A site at one moment (epoch s): cars that have a goal, W by feeder of those that have none, s to look for a plan at the most.

    `rates` are its prices, as far as they are known; without any the prices of the site hold at all hours.
    """

    tenant: str
    site: Site
    at: float
    cars: tuple[Car, ...]
    limits: tuple[Limit, ...] = ()
    loads: dict[str, float] = {}
    seconds: float = 5.0
    rates: tuple[Rate, ...] = ()


class Planned(msgspec.Struct, frozen=True):
    """W for each car over time, signed, and Wh that it will miss; `departures` tell which car was meant. `fault`: why there is no plan.

    `cost` is what the site pays by it (currency), `rates` the prices that are known of its time.
    """

    task: str  # the digest of the task
    site: str
    at: float  # epoch s
    powers: dict[str, tuple[Span, ...]] = {}
    departures: dict[str, float] = {}
    missing: dict[str, float] = {}
    name: str = ""
    fault: str = ""
    cost: float = 0.0
    rates: tuple[Rate, ...] = ()

    def power(self, car: Car, at: float) -> float | None:
        """W that are planned for a car at an instant (epoch s); None: nothing is planned for this car then."""
        if car.departure is None or other(self.departures.get(car.asset), car.departure):
            return None  # another car is there, or its driver has changed his mind
        return next((power for start, end, power in self.powers.get(car.asset, ()) if start <= at < end), None)

    def edge(self, at: float) -> float:
        """The next instant (epoch s) at which what is planned changes."""
        return min((end for spans in self.powers.values() for start, end, _ in spans if start <= at < end), default=math.inf)


def other(before: float | None, after: float | None) -> bool:
    """Whether a departure (epoch s) is another one than before, by more than clocks drift."""
    if before is None or after is None:
        return before is not after
    return abs(before - after) > DRIFT


def digest(octets: bytes) -> str:
    """SHA-256 of a task, in hex, cut to what makes an id."""
    return hashlib.sha256(octets).hexdigest()[:32]


def limits_of(signals: Iterable[Signal], share: float, at: float) -> Iterator[Limit]:
    """Signals from `at` (epoch s) on as limits of a site, which has a share (0 to 1) of each. Where they say infinite nothing holds."""
    for each in signals:
        spans = tuple((start, end, power * share) for start, end, power in each.power.spans() if end > at and math.isfinite(power))
        if spans:
            yield Limit(each.id, each.kind.value, int(each.rank), spans)


def solved(octets: bytes, clock: Callable[[], float] | None = None) -> bytes:
    """The plan of a task, as octets; `clock` (s) bounds the time. Octets that are no task, and a solver that fails, have a `fault`."""
    name = digest(octets)
    try:
        task = msgspec.json.decode(octets, type=Task)
    except msgspec.MsgspecError as error:
        return msgspec.json.encode(Planned(name, "", 0.0, fault=f"that is no task: {error}"[:500]))
    try:
        return msgspec.json.encode(_planned(name, task, clock))
    except (ArithmeticError, ValueError, ImportError) as error:
        return msgspec.json.encode(Planned(name, task.site.id, task.at, fault=str(error)[:500]))


def _planned(name: str, task: Task, clock: Callable[[], float] | None) -> Planned:
    patience = ENDLESS if clock is None else Patience(clock() + task.seconds, clock)
    made = joint(_ground(task), _guests(task.cars), task.at, patience)
    powers = {asset: tuple(plan.power.merged().spans()) for asset, plan in made.plans.items()}
    departures = {car.asset: car.departure for car in task.cars if car.departure is not None}
    rates = within(task.rates, task.at, max(departures.values(), default=task.at))
    return Planned(name, task.site.id, task.at, powers, departures, made.unmet, made.name, cost=made.cash, rates=rates)


def _ground(task: Task) -> Ground:
    site, at = task.site, task.at

    def load(one: Place) -> Series | None:
        name = one.name if isinstance(one, Feeder) else None
        own = Series.constant(at, CONSTANT, one.base_load)
        guests = task.loads.get(name or "grid", 0.0)
        if not guests:
            return own if one.base_load else None
        return Series.from_pairs([(at, one.base_load + guests), (at + AHEAD, one.base_load)], at + CONSTANT)

    prices = Prices(import_limit=math.inf, export_limit=math.inf)
    if task.rates or site.import_price or site.export_price:
        flat = (Series.constant(at, CONSTANT, price) for price in (site.import_price, site.export_price))
        buys, sells = series(task.rates) if task.rates else flat
        prices = Prices(import_limit=math.inf, export_limit=math.inf, import_prices=buys, export_prices=sells)
    signals = tuple(
        Signal(each.id, Kind(each.kind), Series.constant(start, end - start, power), Rank(each.rank))
        for each in task.limits
        for start, end, power in each.spans
    )
    return Ground(tree(site, site.feeder, load), prices, signals)


def _guests(cars: Sequence[Car]) -> list[Guest]:
    ranks = sorted({(car.tenant_rank, car.contract_rank) for car in cars})
    return [
        Guest(car.asset, _needs(car), car.at, phases=car.phases, rank=ranks.index((car.tenant_rank, car.contract_rank))) for car in cars
    ]


def _needs(car: Car) -> Needs:
    gives = car.give > 0 and car.spare > 0
    return Needs(
        departure=car.departure,
        energy_target=car.missing,
        energy_maximum=car.missing,
        energy_minimum=-car.spare if gives else 0.0,
        charge_maximum=car.most,
        charge_minimum=car.least,
        discharge_maximum=car.give if gives else 0.0,
        bidirectional=gives,
    )
