"""What a station offers a car to choose from: one to three schedules with their prices."""

from collections.abc import Callable
from dataclasses import dataclass

from energy.compression import compressed, floor_to_digits
from energy.needs import Needs
from energy.plan import Plan
from energy.scheduler import cheapest, immediate
from energy.series import Series, Step
from energy.site import Site
from energy.stay import TOLERANCE, Stay

__all__ = ["Offer", "Tuple", "floor_to_digits", "offer"]


@dataclass(frozen=True, slots=True)
class Tuple:
    """One schedule to choose: limits that the car's own profile must keep, and prices.

    Charging is >= 0, discharging <= 0, both W at the meter; in schedules made here they never allow power at once. None: not part of it;
    a car without discharging schedule may not discharge.
    """

    id: int  # 1..255, the range every peer takes
    charging: Series | None = None  # W, >= 0
    discharging: Series | None = None  # W, <= 0
    import_prices: Series | None = None  # currency/kWh
    export_prices: Series | None = None  # currency/kWh
    name: str = ""  # for people: "cheapest", "charge only", "at once"
    tolerance: float | None = None  # W that the profile may be off, None: not stated
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
    """One to three tuples, the one we recommend first."""

    tuples: tuple[Tuple, ...]
    currency: str = "EUR"  # ISO 4217
    departure: float | None = None  # epoch s, when the offered stay ends
    priced_until: float | None = None  # epoch s, where prices begin to be assumed

    def chosen(self, id: int) -> Tuple | None:
        """The tuple of that id, None if it was not offered."""
        return next((each for each in self.tuples if each.id == id), None)


def offer(plan: Plan, needs: Needs, site: Site) -> Offer:
    """The plan as a tuple of at most `needs.max_points` steps, and beside it, where they differ, charging only and charging at once.

    Every step keeps every limit of the plan's stay. No alternative stands beside a setpoint: choosing it would break what was sold; none
    beside a plan to charge at once, which is what a station without solver can offer. A stay that is over gives one tuple: a second of no
    power. SolverMissing without HiGHS for any other plan.
    """
    stay, points = plan.stay, max(needs.max_points, 1)
    if not stay.intervals:
        return Offer((Tuple(1, charging=Series.constant(stay.start, 1.0, 0.0)),), site.currency, stay.start, stay.priced_until)
    soon = plan.name == "at once"
    made: list[tuple[str, Callable[[Stay], Plan], Plan]] = [(plan.name, immediate if soon else cheapest, plan)]
    if not soon and all(interval.setpoint is None for interval in stay.intervals):
        if min(plan.power.values) < -TOLERANCE:
            made.append(("charge only", cheapest, cheapest(stay.without_discharge())))
        made.append(("at once", immediate, immediate(stay)))
    tuples: list[Tuple] = []
    for name, remade, full in made:
        fitted = _tuple(len(tuples) + 1, name, full, compressed(full, points, remade), points, site)
        if all(fitted.power != other.power for other in tuples):
            tuples.append(fitted)
    return Offer(tuple(tuples), site.currency, stay.until, stay.priced_until)


def _tuple(id: int, name: str, full: Plan, fitted: Plan, points: int, site: Site) -> Tuple:
    power = fitted.power
    discharges = min(power.values) < 0
    exports = _prices(full.stay, fitted.stay, "export_price", points) if site.import_prices and site.export_prices else None
    return Tuple(
        id=id,
        name=name,
        charging=power.map(lambda value: max(value, 0.0)).merged(),
        discharging=power.map(lambda value: min(value, 0.0)).merged() if discharges else None,
        import_prices=_prices(full.stay, fitted.stay, "import_price", points) if site.import_prices else None,
        export_prices=exports if discharges else None,
        plan=fitted,
    )


def _prices(stay: Stay, coarse: Stay, name: str, points: int) -> Series:
    """The prices as they are, or if too many their means over the steps of the schedule: what drawing the schedule costs stays exact."""
    exact, means = (Series(s.start, tuple(Step(i.duration, getattr(i, name)) for i in s.intervals)).merged() for s in (stay, coarse))
    return exact if len(exact.steps) <= points else means
