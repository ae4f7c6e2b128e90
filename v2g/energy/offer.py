"""The schedules that a station offers a car to choose from: one to three, with their prices."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from v2g.energy.compression import compressed, floor_to_digits
from v2g.energy.needs import Needs
from v2g.energy.patience import ENDLESS, Patience
from v2g.energy.plan import Plan
from v2g.energy.price_schedule import PriceLevels, PriceSchedule
from v2g.energy.program import SolverMissing, load_solver
from v2g.energy.relative_prices import RelativePrices
from v2g.energy.scheduler import AT_ONCE, cheapest, immediate
from v2g.energy.series import Series, Step
from v2g.energy.signal import Signal
from v2g.energy.site import Site
from v2g.energy.stay import TOLERANCE, Stay, stay_of
from v2g.energy.tariff import Tariff

__all__ = ["Offer", "Tuple", "at_once", "floor_to_digits", "offer", "offered"]


@dataclass(frozen=True, slots=True)
class Tuple:
    """One schedule of an offer: limits that the car's own power profile must keep, and prices.

    Charging is >= 0, discharging <= 0, both in W at the meter; a schedule made here never allows both at one time. None: the tuple has no
    such series; without a discharging schedule the car may not discharge.
    """

    id: int  # 1..255, the range every peer takes
    charging: Series | None = None  # W, >= 0
    discharging: Series | None = None  # W, <= 0
    import_prices: Series | None = None  # currency/kWh
    export_prices: Series | None = None  # currency/kWh
    name: str = ""  # for people: "cheapest", "charge only", "at once"
    tolerance: float | None = None  # W that the profile may be off, None: not stated
    stated: PriceSchedule | PriceLevels | RelativePrices | None = None  # prices that are passed on whole, in place of the series
    tariff: Tariff | None = None  # the conditions of its own prices; None: those of the offer
    plan: Plan | None = None  # a car that draws exactly this: its cash, energies, what is unmet, what bound each interval

    @property
    def power(self) -> Series:
        """Charging and discharging as one signed series (W), over the span of the charging schedule."""
        schedules = [schedule for schedule in (self.charging, self.discharging) if schedule is not None and schedule.steps]
        if not schedules:
            return Series(0.0)
        edges = sorted({edge for schedule in schedules for edge in schedule.clip(schedules[0].start, schedules[0].until).edges()})
        values = zip(*(schedule.sample(edges[:-1]) for schedule in schedules), strict=True)
        return Series.from_pairs([(edge, sum(v or 0.0 for v in each)) for edge, each in zip(edges, values, strict=False)], edges[-1])


@dataclass(frozen=True, slots=True)
class Offer:
    """One to three tuples, the recommended one first, with currency and tariff."""

    tuples: tuple[Tuple, ...]
    currency: str = "EUR"  # ISO 4217
    departure: float | None = None  # epoch s, when the offered stay ends
    priced_until: float | None = None  # epoch s, where prices begin to be assumed
    tariff: Tariff = field(default_factory=Tariff)  # taxes and fees besides

    def chosen(self, id: int) -> Tuple | None:
        """The tuple with that id; None if it was not offered."""
        return next((each for each in self.tuples if each.id == id), None)


def offered(needs: Needs, site: Site, now: float, signals: Sequence[Signal] = (), patience: Patience = ENDLESS) -> tuple[Plan, Offer]:
    """The cheapest plan from `now` (epoch s) on and the offer made of it, the best of what time allows.

    Charging at once where no solver is installed, or none of its plans comes in time.
    """
    stay = stay_of(needs, site, now, signals)
    try:
        patience = patience.after(load_solver)
        best = cheapest(stay, patience.part(0.5))
        return best, offer(best, needs, site, patience)
    except SolverMissing:
        return at_once(needs, site, now, signals)


def at_once(needs: Needs, site: Site, now: float, signals: Sequence[Signal] = ()) -> tuple[Plan, Offer]:
    """The plan to charge at once from `now` (epoch s) on and the offer made of it. It needs no solver."""
    soon = immediate(stay_of(needs, site, now, signals))
    return soon, offer(soon, needs, site)


def offer(plan: Plan, needs: Needs, site: Site, patience: Patience = ENDLESS) -> Offer:
    """The plan as a tuple of at most `needs.max_points` steps, and as alternatives, where they differ, charging only and charging at once.

    Every step keeps every limit of the plan's stay. A plan with a setpoint has no alternative, since choosing it would break what was sold;
    a plan to charge at once has none either, as a station without solver makes it. A stay that is over gives one tuple: a second without
    power. SolverMissing without HiGHS for any other plan.
    """
    stay, points = plan.stay, max(needs.max_points, 1)
    if not stay.intervals:
        return Offer((Tuple(1, charging=Series.constant(stay.start, 1.0, 0.0)),), site.currency, stay.start, stay.priced_until, site.tariff)
    full = [plan]
    if plan.name != AT_ONCE and all(interval.setpoint is None for interval in stay.intervals):
        if min(plan.power.values) < -TOLERANCE:
            full.append(replace(cheapest(stay.without_discharge(), patience.part(0.3)), name="charge only"))
        full.append(immediate(stay))
    tuples: list[Tuple] = []
    for place, each in enumerate(full):
        mine = patience.part(1 / (len(full) - place))
        remade = immediate if each.name == AT_ONCE else partial(cheapest, patience=mine)
        fitted = _tuple(len(tuples) + 1, each.name, each, compressed(each, points, remade, mine), points, site)
        if all(fitted.power != other.power for other in tuples):
            tuples.append(fitted)
    return Offer(tuple(tuples), site.currency, stay.until, stay.priced_until, site.tariff)


def _tuple(id: int, name: str, full: Plan, fitted: Plan, points: int, site: Site) -> Tuple:
    power = fitted.power
    discharges = min(power.values) < 0
    exports = _prices(full.stay, fitted.stay, "export_price", points) if site.import_prices and site.export_prices else None
    return Tuple(
        id=id,
        name=name,
        charging=power.map(lambda value: max(value, 0.0)).merged(),
        discharging=power.map(lambda value: min(value, 0.0)).merged() if discharges else None,
        import_prices=_net(_prices(full.stay, fitted.stay, "import_price", points), site.tariff) if site.import_prices else None,
        export_prices=exports if discharges else None,
        plan=fitted,
    )


def _net(prices: Series, tariff: Tariff) -> Series:
    """Prices without the taxes that a plan counts with."""
    return prices if tariff.energy_tax == 1.0 else prices.map(lambda price: price / tariff.energy_tax)


def _prices(stay: Stay, coarse: Stay, name: str, points: int) -> Series:
    """The prices as they are, or if too many their means over the steps of the schedule: what drawing the schedule costs stays exact."""
    exact, means = (Series(s.start, tuple(Step(i.duration, getattr(i, name)) for i in s.intervals)).merged() for s in (stay, coarse))
    return exact if len(exact.steps) <= points else means
