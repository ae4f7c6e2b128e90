"""What a site could sell on a day that is still to come: a bid for each window and product, by who came on the days like it.

    day = outlook(ground, visits, zone, date(2026, 12, 2), Wish(power=11_000.0))
    made = bids(day, AFRR_UP, window=3_600)                      Bid for each window in which somebody is expected

The cars that a forecast expects are planned for as cheaply as the connection allows. As probable as it was that so many cars were there at
once for all of a window, so probable is the last of them; who is less probable is there only with those who are more so. What the
connection lets through beside the plan bounds every bid. What a called car makes up for later is in its cost, and in no other bid.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.forecast import Visit, fit
from v2g.energy.market.products import Asset, Bid, Direction, Product, capability, offered, together
from v2g.energy.needs import Needs
from v2g.energy.prices import midnight
from v2g.energy.series import Series
from v2g.energy.site import Site

DAYS: Final = 60  # the last of a kind that count: a quarter of a year
USED: Final = 0.98  # of what an outlet could deliver in a stay; more is not foreseen


@dataclass(frozen=True, slots=True)
class Wish:
    """What is taken for granted of cars that are still to come: W of an outlet, and Wh that each lends (0: it gives nothing back)."""

    power: float
    lends: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.power < math.inf and 0 <= self.lends < math.inf):
            raise ValueError(f"outlets give {self.power} W and cars lend {self.lends} Wh; give a power above 0, and finite energy")


@dataclass(frozen=True, slots=True)
class Outlook:
    """A day: who is expected with its plan, and the stays of the past days of its kind (s after midnight)."""

    ground: Ground
    start: float  # epoch s, midnight
    guests: tuple[Guest, ...]
    plan: FleetPlan
    past: tuple[tuple[tuple[float, float], ...], ...]

    def share(self, start: float, until: float, count: int) -> float:
        """On how many of the past days, as a share, so many cars were there from one instant to another (s after midnight)."""
        there = sum(sum(came <= start and left >= until for came, left in day) >= count for day in self.past)
        return there / len(self.past) if self.past else 0.0


def outlook(ground: Ground, visits: Iterable[Visit], zone: tzinfo, day: date, wish: Wish) -> Outlook:
    """What is to be expected of a day. ValueError where history does not reach; SolverMissing if HiGHS is not installed."""
    start, visits = midnight(day, zone), list(visits)
    model, past = fit(visits, zone, start), _past(visits, zone, day)
    if not model.known(start) or not past:
        raise ValueError(f"the history has {len(past)} days like {day}; at least five are needed to foresee one")
    coming = model.coming(start, start + 86_400.0)
    first = min((one.arrival for one in coming), default=start)
    guests = tuple(_guest(number, one, ground, wish) for number, one in enumerate(coming))
    return Outlook(ground, start, guests, joint(ground, guests, first), past)


def _past(visits: Sequence[Visit], zone: tzinfo, day: date) -> tuple[tuple[tuple[float, float], ...], ...]:
    days: dict[date, list[tuple[float, float]]] = {}
    for one in visits:
        then = datetime.fromtimestamp(one.arrival, zone).date()
        if then < day:
            begun = midnight(then, zone)
            days.setdefault(then, []).append((one.arrival - begun, one.departure - begun))
    found, then = [], min(days, default=day)
    while then < day:
        if (then.weekday() >= 5) == (day.weekday() >= 5):
            found.append(tuple(days.get(then, ())))  # nobody came on those that are missing
        then += timedelta(days=1)
    return tuple(found[-DAYS:])


def _guest(number: int, one: Visit, ground: Ground, wish: Wish) -> Guest:
    kept = ground.site.efficiency_charge
    wanted = min(one.energy * kept, wish.power * (one.departure - one.arrival) / 3_600.0 * kept * USED)
    needs = Needs(
        departure=one.departure,
        energy_target=wanted,
        energy_maximum=wanted + wish.lends,
        energy_minimum=-wish.lends if wish.lends else None,
        charge_maximum=wish.power,
        discharge_maximum=wish.power if wish.lends else 0.0,
        bidirectional=wish.lends > 0,
    )
    return Guest(f"expected {number}", needs, ground.connection.name, arrival=one.arrival)


def bids(day: Outlook, product: Product, window: float) -> Iterator[Bid]:
    """The bid of each window (s) of the day that is as long as a call may last, and in which somebody is expected throughout."""
    site = replace(day.ground.site, import_limit=math.inf, export_limit=math.inf)
    for number in range(round(86_400.0 / window)):
        start = day.start + number * window
        until = start + max(window, product.lasts)
        there = sorted(
            (
                guest
                for guest in day.guests
                if guest.arrival <= start and (guest.needs.departure or 0.0) >= until and guest.name in day.plan.plans
            ),
            key=lambda guest: guest.arrival,
        )
        if there:
            shares = [day.share(start - day.start, until - day.start, count) for count in range(1, len(there) + 1)]
            assets = [Asset(g.name, g.needs, day.plan.plans[g.name], share) for g, share in zip(there, shares, strict=True)]
            yield offered(capability(assets, _alone(site), product, start), product, start, together, _room(day, product, start, until))


def _alone(site: Site) -> Site:
    """The site as one car of it sees it, whose own limits are those of its outlet; the connection bounds the sum."""
    return replace(site, daily=None)


def _room(day: Outlook, product: Product, start: float, until: float) -> float:
    """W by which the connection lets the meter's power change for all of a window, beside the plan."""
    nets, top = day.plan.net.clip(start, until).values, day.ground.connection
    up = min((net + _least(top.export_cap, 0.0) for net in nets), default=0.0)
    down = min((_least(top.import_cap, math.inf) - net for net in nets), default=0.0)
    if product.symmetric:
        return max(min(up, down), 0.0)
    return max(up if product.direction is Direction.UP else down, 0.0)


def _least(cap: Series | float | None, nothing: float) -> float:
    return nothing if cap is None else min(cap.values, default=nothing) if isinstance(cap, Series) else cap
