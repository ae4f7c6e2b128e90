"""The power that a car is told to draw or give now, and whether its profile keeps to the schedule it was offered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import floor, inf

from v2g.energy.needs import Needs
from v2g.energy.offer import Tuple
from v2g.energy.plan import Plan
from v2g.energy.series import SECONDS_PER_HOUR, Series
from v2g.energy.signal import Signal
from v2g.energy.site import Site
from v2g.energy.stay import TOLERANCE, Interval, Stay, stay_of

PERIOD = 1.0  # s; how long a setpoint is assumed to stand until the next one. Power falls to what the battery can take or give in that time


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that may be charged and discharged now (W, magnitudes), and the ids of what limits each."""

    charge: float
    charge_by: tuple[str, ...]
    discharge: float
    discharge_by: tuple[str, ...]


def limits(needs: Needs, site: Site, now: float, signals: Sequence[Signal] = (), period: float = PERIOD) -> Limits:
    """The powers that caps, car and battery allow from `now` (epoch s) on for `period` seconds; 0 W in a forbidden direction."""
    return _limits(*_present(needs, site, now, signals), period)


def setpoint(
    source: Plan | Series | None, needs: Needs, site: Site, now: float, signals: Sequence[Signal] = (), period: float = PERIOD
) -> float:
    """The power for Dynamic control at `now` (epoch s), W signed, for the `period` (s) to come, within everything that limits it.

    `needs` are the present ones: a car in Dynamic control tells them anew in every loop. In this order: below its reserve a car charges
    with all there is; then a setpoint signal is followed; then the plan (or series, W signed); where that says nothing, a car short of its
    target charges at once.
    """
    stay, interval = _present(needs, site, now, signals)
    bounds = _limits(stay, interval, period)
    planned = (source.power if isinstance(source, Plan) else source).at(now) if source is not None else None
    if stay.floor > 0:
        wanted = inf
    elif interval.setpoint is not None:
        wanted = interval.setpoint
    elif planned is not None:
        wanted = planned
    else:
        wanted = inf if stay.target > 0 else 0.0
    return stay.feasible(min(max(wanted, -bounds.discharge), bounds.charge), -bounds.discharge, bounds.charge)


def _present(needs: Needs, site: Site, now: float, signals: Sequence[Signal]) -> tuple[Stay, Interval]:
    """The stay of one second that begins now."""
    stay = stay_of(replace(needs, departure=floor(now) + 1.0), site, now, signals)
    return stay, stay.intervals[0]


def _limits(stay: Stay, interval: Interval, period: float) -> Limits:
    """The caps of the interval, less where the battery gets full or empty within the period."""
    hours = period / SECONDS_PER_HOUR
    charge, charge_by = interval.charge_cap, interval.charge_by
    if (room := stay.metered(stay.ceiling, hours)) < charge:
        charge, charge_by = room, ("ev.energy_maximum",)
    discharge, discharge_by = interval.discharge_cap, interval.discharge_by
    barred = stay.v2x_lower > 0 or stay.v2x_upper < 0
    if (room := 0.0 if barred else -stay.metered(stay.lower, hours)) < discharge:
        discharge, discharge_by = room, ("ev.v2x_range",) if barred else ("ev.energy_minimum",)
    charge, discharge = stay.feasible(charge, 0.0, charge), -stay.feasible(-discharge, -discharge, 0.0)
    return Limits(charge, charge_by, abs(discharge), discharge_by)


# --- the car's own profile against the offer ---


@dataclass(frozen=True, slots=True)
class Violation:
    """A span of time in which a power profile is beyond the limit of the schedule that was offered."""

    start: float  # epoch s
    duration: float  # s
    power: float  # W, of the profile
    limit: float  # W, the limit that was passed, signed like power

    def __str__(self) -> str:
        return f"{self.power:.0f} W where {self.limit:.0f} W was offered, from {self.start:.0f} for {self.duration:.0f} s"


def violations(profile: Series, offered: Tuple, tolerance: float = 0.0) -> tuple[Violation, ...]:
    """Each violation, in order, of an offered tuple by a profile (EVPowerProfile, W signed) of more than `tolerance` (W).

    Where the tuple has no schedule (before, after, or no discharging at all) the limit is 0. A profile may be shorter than the schedule.
    """
    schedules = [schedule for schedule in (offered.charging, offered.discharging) if schedule is not None]
    inner = {edge for schedule in schedules for edge in schedule.edges() if profile.start < edge < profile.until}
    edges = sorted({*profile.edges(), *inner})
    starts = edges[:-1]
    most = [value or 0.0 for value in (offered.charging or Series(0.0)).sample(starts)]
    least = [value or 0.0 for value in (offered.discharging or Series(0.0)).sample(starts)]
    found = []
    for (start, end), power, high, low in zip(pairwise(edges), profile.sample(starts), most, least, strict=True):
        if power is not None and not low - tolerance - TOLERANCE <= power <= high + tolerance + TOLERANCE:
            found.append(Violation(start, end - start, power, high if power > high else low))
    return tuple(found)
