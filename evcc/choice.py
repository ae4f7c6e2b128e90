"""The car's choice among offered schedules: the plan that it will follow."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evcc.ev import EV, Inlet
from evcc.goal import Goal
from evcc.offers import Offered
from evcc.plan import Bounds, Plan, Slot, plan
from v2g.energy.ledger import MICRO
from v2g.energy.series import Series, Step
from v2g.energy.tariff import Use, bill
from v2g.session.errors import PeerIncompatible

Stated = Callable[[float], float]
KWH = 3_600_000.0  # Ws
ALIKE = 50.0  # Wh; plans that come within it of the one nearest to the target are told apart by their cost
GRAIN = 300  # s; a longer step of an offer is cut into such slots, so that a car that may charge at once does
HORIZON = 30 * 86_400  # s; a plan that reaches further is about another visit, and a Duration holds 32 bits
MOST_GRAINS = 288  # a day of them; a longer offer is cut more coarsely


@dataclass(frozen=True, slots=True)
class Choice:
    """The plan that the car will follow: `powers` in W, negative discharges, and what they come to."""

    powers: Series
    cost: float = 0.0  # in the currency of the offer
    energy: float = 0.0  # Wh in the battery at the end
    shortfall: float = 0.0  # Wh below the target at the end
    offer: Offered | None = None  # what it was chosen from

    @property
    def confirm(self) -> bool:
        """Whether the station asked to confirm a power tolerance."""
        return self.offer is not None and self.offer.tolerance is not None

    @property
    def tuple_id(self) -> int | None:
        """The id of the ScheduleTuple that is followed; None in Dynamic control."""
        return self.offer.tuple_id if self.offer else None

    @property
    def until(self) -> float:
        """The end (epoch s) of the last power of the plan; nothing flows later."""
        return max((end for _, end, power in self.powers.spans() if power), default=self.powers.start)

    def allowed(self, since: float, wall: float) -> tuple[float, float]:
        """The least powers that the offer allows between two instants (epoch s): (into the car, out of it) in W; infinite without offer."""
        if self.offer is None:
            return math.inf, math.inf
        return _least(self.offer.charge, since, wall), _least(self.offer.discharge, since, wall)

    def at(self, wall: float) -> float:
        """The power (W, negative discharges) of the plan at a wall time (epoch s); 0 outside of it."""
        return self.powers.at(wall) or 0.0


def choose(
    offers: Sequence[Offered], ev: EV, goal: Goal, inlet: Inlet, wall: float, points: int, stated: Stated, wear: float = 0.0
) -> Choice:
    """The plan by the cheapest of the offers that reach the target, or that come nearest to it where none does.

    `points` bounds the entries of the profile; `stated` makes a power (W) what the wire can say of it.
    Raises PeerIncompatible when no offer holds any power after `wall` (epoch s).
    """
    choices = [choice for offer in offers if (choice := _followed(offer, ev, goal, inlet, wall, points, stated, wear)) is not None]
    if not choices:
        said = "no schedule that the station offers reaches beyond the present"
        if any(offer.charge.start == 0 for offer in offers):
            said += ": its TimeAnchor is 0, the year 1970, which the profile interop reads as the present"
        raise PeerIncompatible(said, None)
    nearest = min(choice.shortfall for choice in choices)
    return min((choice for choice in choices if choice.shortfall <= nearest + ALIKE), key=lambda choice: choice.cost)


def _followed(offer: Offered, ev: EV, goal: Goal, inlet: Inlet, wall: float, points: int, stated: Stated, wear: float) -> Choice | None:
    slots = _slots(offer, ev, goal, inlet, wall)
    if not slots:
        return None
    target = ev.at_soc(goal.target_soc)
    top = ev.at_soc(goal.maximum_soc) if offer.discharge else target
    best: Plan = plan(slots, ev.battery, ev.energy, Bounds(ev.at_soc(goal.minimum_soc), max(top, target), target), wear)
    powers = Series(slots[0].start, tuple(Step(s.seconds, stated(p)) for s, p in zip(slots, best.powers, strict=True)))
    return Choice(
        powers=condensed(powers.merged(), points),
        cost=best.cost + _besides(offer, goal, slots, best.powers),
        energy=best.energy,
        shortfall=max(0.0, target - best.energy),
        offer=offer,
    )


def _besides(offer: Offered, goal: Goal, slots: list[Slot], powers: Sequence[float]) -> float:
    """What a plan costs besides its energy, in the currency of the offer: fees, their taxes, and what a minimum or maximum makes of it."""
    if offer.sold is None or offer.buy is None:
        return 0.0
    tariff, flows = offer.sold.tariff, [(s, power) for s, power in zip(slots, powers, strict=True) if power]
    bought, sold = (
        sum(max(sign * power, 0.0) * s.seconds * (price or 0.0) for (s, power), price in zip(flows, prices, strict=True)) / KWH
        for sign, prices in ((1, offer.buy.sample([s.start for s, _ in flows])), (-1, [s.sell for s, _ in flows]))
    )
    leaves = max((s.until for s, _ in flows), default=slots[0].start)
    gone = max(goal.departure or leaves, leaves)
    use = Use(slots[0].start, gone, round(bought * MICRO), round(sold * MICRO), leaves)
    return bill(tariff, use).total / MICRO - (bought * tariff.energy_tax - sold)


def _slots(offer: Offered, ev: EV, goal: Goal, inlet: Inlet, wall: float) -> list[Slot]:
    """The time until departure, or until the offer ends, cut wherever a limit or a price changes."""
    start = math.floor(wall)
    until = math.floor(min(offer.charge.until, goal.departure or math.inf, start + HORIZON))  # whole seconds, as the profile states them
    if until <= start:
        return []
    paid = offer.paid
    series = [s for s in (offer.charge, offer.discharge, paid, offer.sell) if s is not None]
    grain = max(GRAIN, math.ceil((until - start) / MOST_GRAINS))
    edges = sorted({*range(start, until, grain), until, *(int(edge) for s in series for edge in s.edges() if start < edge < until)})
    starts = edges[:-1]
    # a station that offers discharging without a price asks for it: it is followed wherever the target allows
    asked = max(paid.values, default=0.0) + 1.0 if paid else 1.0
    charge, discharge, buy, sell = (
        [None] * len(starts) if s is None else s.sample(starts) for s in (offer.charge, offer.discharge, paid, offer.sell)
    )
    return [
        Slot(
            start=edge,
            until=edges[i + 1],
            charge=min(charge[i] or 0.0, inlet.charge_power, ev.battery.charge_power),
            discharge=min(discharge[i] or 0.0, inlet.discharge_power, ev.battery.discharge_power),
            buy=buy[i] or 0.0,
            sell=asked if (price := sell[i]) is None else price,
        )
        for i, edge in enumerate(starts)
    ]


def _least(limit: Series | None, since: float, wall: float) -> float:
    """The lowest value of a limit between two instants; 0 where it says nothing."""
    if limit is None or not limit.start <= since <= wall < limit.until:
        return 0.0
    return min(limit.clip(since, wall).values, default=limit.at(wall) or 0.0)


def condensed(powers: Series, points: int) -> Series:
    """A power series (W) in at most `points` steps, never beyond the original: neighbours are joined at the power nearer to zero.

    The pair that loses the least energy is joined first.
    """
    steps = list(powers.steps)
    while len(steps) > points:
        pairs = range(len(steps) - 1)
        at = min(pairs, key=lambda i: _lost(steps[i], steps[i + 1]))
        steps[at : at + 2] = [_joined(steps[at], steps[at + 1])]
    return Series(powers.start, tuple(steps))


def _joined(a: Step, b: Step) -> Step:
    same = a.value * b.value > 0
    return Step(a.duration + b.duration, min(a.value, b.value, key=abs) if same else 0.0)


def _lost(a: Step, b: Step) -> float:
    value = _joined(a, b).value
    return abs(a.value - value) * a.duration + abs(b.value - value) * b.duration
