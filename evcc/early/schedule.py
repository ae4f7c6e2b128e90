"""The station's schedules as series, and the car's choice among them."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from evcc.choice import Choice, choose, condensed
from evcc.early.known import Car
from evcc.early.words import Words
from evcc.offers import Offered
from evcc.transfer import Mode
from v2g.energy.series import Series, Step
from v2g.session.errors import PeerMisbehaved

DAY = 86_400.0  # s; for which the last entry holds that says no duration
MOST_STEPS = 23  # of a plan: a ChargingProfile has 24 entries, of which one may close it
LEVELS = 100.0  # a relative price of 100 % is the price 1


def offered(car: Car, said: Any, start: float, words: Words, limit: float | None = None, priced: bool = True) -> Offered:
    """A schedule tuple as series from `start` (epoch s), to which its times are relative; `limit` (W) is what the station can do.

    Its prices count where it is `priced`. Raises PeerMisbehaved for powers out of order.
    """
    entries = [(e.TimeInterval, max(words.watts(car, e.PMax, limit), 0.0)) for e in said.PMaxSchedule.PMaxScheduleEntry]
    return Offered(tuple_id=said.SAScheduleTupleID, charge=_series(start, entries), buy=prices(car, said, start) if priced else None)


def prices(car: Car, said: Any, start: float) -> Series | None:
    """What a kWh of a tuple costs beside those of others, from `start` (epoch s); None without a tariff that says it.

    A tariff that makes no sense counts as none, and is noted: what is unsafe is a power out of order, not a price.
    """
    if (tariff := said.SalesTariff) is None or not (entries := _priced(tariff)):
        return None
    try:
        return _series(start, [(e.TimeInterval, _price(e)) for e in entries])
    except PeerMisbehaved as error:
        car.note("tariff not understood", why=str(error), tuple=said.SAScheduleTupleID)
        return None


def _priced(tariff: Any) -> tuple[Any, ...]:
    """The entries of a tariff; none where one of them has no price, for then they cannot be compared."""
    entries: tuple[Any, ...] = tariff.SalesTariffEntry
    return entries if all(_costs(e) or e.EPriceLevel is not None for e in entries) else ()


def _costs(entry: Any) -> list[float]:
    """The relative prices of an entry, as shares."""
    costs = [cost for each in entry.ConsumptionCost for cost in each.Cost if cost.costKind.value == "relativePricePercentage"]
    return [cost.amount * 10.0 ** (cost.amountMultiplier or 0) / LEVELS for cost in costs]


def _price(entry: Any) -> float:
    """What a kWh of an entry costs beside those of others: its dearest relative price, else its price level."""
    return max(_costs(entry), default=float(entry.EPriceLevel or 0))


def _series(start: float, entries: list[tuple[Any, float]]) -> Series:
    """Values from the beginning of each interval until that of the next; before the first there is nothing."""
    if not entries:
        return Series(start)
    begins = [float(interval.start) for interval, _ in entries]
    if any(later <= earlier for earlier, later in pairwise(begins)):
        raise PeerMisbehaved(f"the entries of a schedule begin after {', '.join(f'{each:g}' for each in begins)} s: not in order", None)
    ends = [*begins[1:], begins[-1] + float(entries[-1][0].duration or DAY)]
    steps = [Step(end - begin, value) for begin, end, (_, value) in zip(begins, ends, entries, strict=True)]
    return Series(start, (Step(begins[0], 0.0), *steps) if begins[0] else tuple(steps))


def promised(chosen: Choice) -> list[tuple[int, float]]:
    """The entries of a ChargingProfile: begin (s after the first) and power (W) of each step of a plan.

    The last entry holds to the end of the schedule that is followed: a plan that is over before it closes with 0 W.
    """
    steps = [(round(start - chosen.powers.start), power) for start, _, power in chosen.powers.spans()][:MOST_STEPS]
    over = chosen.offer is not None and chosen.powers.until < chosen.offer.charge.until
    return [*steps, (round(chosen.powers.until - chosen.powers.start), 0.0)] if over and steps and steps[-1][1] else steps


def choice(car: Car, mode: Mode, words: Words) -> Choice:
    """The plan that the car follows from now on, in what a ChargingProfile holds.

    Where there is no other schedule to be had, it is all that the offer allows, to its end: a plan that ends with the energy at its target
    leaves a car without power where the station gave less than it had offered. Raises PeerIncompatible for an offer that is over.
    """
    points, inlet = min(car.wish.supporting_points, MOST_STEPS), mode.plannable()
    chosen = choose(car.known.offers, car.ev, car.goal, inlet, car.wall, points, words.stated, car.wish.wear)
    if not words.renegotiates and chosen.offer is not None:
        most, whole = min(inlet.charge_power, car.ev.battery.charge_power), chosen.offer.charge
        allowed = whole.clip(chosen.powers.start, whole.until).map(lambda power: words.stated(min(power, most)))
        chosen = replace(chosen, powers=condensed(allowed.merged(), points))
    car.note("schedule chosen", tuple=chosen.tuple_id, cost=round(chosen.cost, 4), shortfall=round(chosen.shortfall))
    return chosen
